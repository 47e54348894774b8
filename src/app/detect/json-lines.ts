/** A file with one JSON value a line, gzip or plain. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";

import { Refusal } from "../../kernel/refusal.ts";

/** A session of a million calls is longer, and no example of one. */
const maxLineChars = 64 * 1024 * 1024;

/** @throws Refusal `bad_config` where the file can't be read, or a line isn't JSON */
export async function* jsonLines(file: string): AsyncGenerator<unknown, void> {
  const raw = createReadStream(file);
  const input = file.endsWith(".gz") ? raw.pipe(createGunzip()) : raw;
  raw.on("error", (error) => input.destroy(error));
  let line = 0;
  try {
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      line++;
      if (text.length > maxLineChars) throw new RangeError("the line is too long");
      if (text.trim() !== "") yield JSON.parse(text) as unknown;
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Refusal("bad_config", `${file}, line ${line}, can't be read: ${why}.`, { cause: error });
  }
}
