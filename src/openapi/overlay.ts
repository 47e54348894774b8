/** An operator's words for tools, in the place of the document's: names, titles, descriptions, and what isn't to be a tool. */
import { Refusal } from "../kernel/refusal.ts";
import type { Skipped } from "./operations.ts";
import type { ApiTool } from "./tools-from-openapi.ts";

/** By a tool's name as it would be, or by `GET /path`. */
export type Overlay = ReadonlyMap<string, ToolWords>;

interface ToolWords {
  readonly name?: string | undefined;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  /** It is no tool. */
  readonly omit?: boolean | undefined;
}

export interface Changed {
  readonly tools: readonly ApiTool[];
  readonly skipped: readonly Skipped[];
}

/** @throws Refusal `bad_config` for words about a tool there isn't: they would silently say nothing */
export function overlaid(tools: readonly ApiTool[], overlay: Overlay = new Map()): Changed {
  const unused = new Set(overlay.keys());
  const skipped: Skipped[] = [];
  const changed = tools.flatMap((tool) => {
    const place = `${tool.operation.method.toUpperCase()} ${tool.operation.path}`;
    const key = overlay.has(tool.name) ? tool.name : place;
    const words = overlay.get(key);
    if (words === undefined) return [tool];
    unused.delete(key);
    if (words.omit !== true) return [withWords(tool, words)];
    skipped.push({ operation: place, because: "the overlay leaves it out" });
    return [];
  });
  const [first] = unused;
  if (first !== undefined)
    throw new Refusal("bad_config", `The overlay has words for "${first}", and there is no such tool.`);
  return { tools: changed, skipped };
}

function withWords(tool: ApiTool, { name = tool.name, title, description }: ToolWords): ApiTool {
  return {
    ...tool,
    name,
    declaration: {
      ...tool.declaration,
      name,
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
    },
  };
}
