/** Files of texts and of tool declarations with labels, one JSON object a line (docs/guide/detect-text.md). */
import { z } from "zod";

import type { LabelledTool } from "../../detect/evaluation/tool-report.ts";
import type { LabelledText } from "../../detect/text/train-text.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { jsonLines } from "./json-lines.ts";

const label = z.union([z.literal(0), z.literal(1)]);
const textLine = z.object({ x: z.string(), y: label, src: z.string().max(256).optional() });
const toolLine = z.object({
  server: z.string().max(1024).optional(),
  name: z.string(),
  desc: z.string().nullish(),
  schema: z.unknown().optional(),
  y: label,
  cat: z.string().max(256).nullish(),
});

/** More than anybody labelled. */
const maxLines = 1_000_000;

/** @throws Refusal `bad_config` */
export async function labelledTexts(file: string): Promise<readonly LabelledText[]> {
  const lines = await linesOf(file, textLine, "x (a text) and y (1 where it is an injection)");
  return lines.map(({ x, y, src }) => ({ text: x, isInjection: y === 1, source: src ?? "unnamed" }));
}

/** @throws Refusal `bad_config` */
export async function labelledTools(file: string): Promise<readonly LabelledTool[]> {
  const lines = await linesOf(file, toolLine, "name, desc and y (1 where it is poisoned)");
  return lines.map(({ server, name, desc, schema, y, cat }) => ({
    server: server ?? "",
    name,
    description: desc ?? "",
    inputSchema: schema,
    isPoisoned: y === 1,
    category: cat ?? "",
  }));
}

async function linesOf<T>(file: string, schema: z.ZodType<T>, needs: string): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const line of jsonLines(file)) {
    const read = schema.safeParse(line);
    if (!read.success)
      throw new Refusal(
        "bad_config",
        `${file}: entry ${found.length + 1} isn't what it has to be: ${needs}.`,
      );
    found.push(read.data);
    if (found.length > maxLines) throw new Refusal("bad_config", `${file} has more than ${maxLines} lines.`);
  }
  if (found.length === 0) throw new Refusal("bad_config", `${file} is empty: expected lines with ${needs}.`);
  return found;
}
