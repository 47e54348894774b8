/** Newline framing of the stdio transport: bytes in any pieces → whole lines. */
import { Refusal } from "../kernel/refusal.ts";
import { concat } from "../kernel/bytes.ts";

export interface LineReader {
  /** The lines that are now whole, without their ends; empty ones are skipped. @throws Refusal `too_large` */
  readonly push: (chunk: Uint8Array) => readonly Uint8Array[];
}

export function lineReader(maxLineBytes: number): LineReader {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const take = (end: Uint8Array): Uint8Array => {
    const line = parts.length === 0 ? end : concat([...parts, end]);
    parts = [];
    bytes = 0;
    return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  };
  const check = (length: number): void => {
    if (length <= maxLineBytes) return;
    parts = []; // What was refused is no beginning of the next line.
    bytes = 0;
    throw new Refusal("too_large", `A line is longer than ${maxLineBytes} bytes.`);
  };
  return {
    push: (chunk) => {
      const lines: Uint8Array[] = [];
      let start = 0;
      for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
        check(bytes + end - start);
        const line = take(chunk.subarray(start, end));
        if (line.length > 0) lines.push(line);
        start = end + 1;
      }
      if (start < chunk.length) {
        bytes += chunk.length - start;
        check(bytes);
        parts.push(chunk.subarray(start));
      }
      return lines;
    },
  };
}

/**
 * A message as one line, its end included. JSON allows line breaks between tokens and the stdio transport doesn't;
 * inside strings they are always escaped.
 */
export function asLine(message: Uint8Array): Uint8Array {
  const line = new Uint8Array(message.length + 1);
  line.set(message);
  for (const end of [0x0a, 0x0d]) {
    for (let at = line.indexOf(end); at !== -1; at = line.indexOf(end, at + 1)) line[at] = 0x20;
  }
  line[message.length] = 0x0a;
  return line;
}
