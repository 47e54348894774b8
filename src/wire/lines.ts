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
  return {
    push: (chunk) => {
      const lines: Uint8Array[] = [];
      let start = 0;
      for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
        checkLength(bytes + end - start, maxLineBytes);
        const line = take(chunk.subarray(start, end));
        if (line.length > 0) lines.push(line);
        start = end + 1;
      }
      if (start < chunk.length) {
        bytes += chunk.length - start;
        checkLength(bytes, maxLineBytes);
        parts.push(chunk.subarray(start));
      }
      return lines;
    },
  };
}

function checkLength(bytes: number, maxLineBytes: number): void {
  if (bytes > maxLineBytes) throw new Refusal("too_large", `A line is longer than ${maxLineBytes} bytes.`);
}
