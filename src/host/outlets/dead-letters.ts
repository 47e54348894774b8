/** Events that the other end will never take, one JSON line each: for people, and never more than this. */
import { appendFileSync, mkdirSync, statSync } from "node:fs";
import path from "node:path";

import type { Told } from "../../respond/events/told.ts";

/** Thousands of them; whoever has that many has to look first. */
const maxBytes = 8 * 1024 * 1024;

export interface DeadLetters {
  readonly file: string;
  /** @returns false if there is no room for more */
  readonly keep: (event: Told, why: string, nowUnixMs: number) => boolean;
}

export function deadLetters(folder: string, name: string): DeadLetters {
  const file = path.join(folder, `${name}.dead.jsonl`);
  return {
    file,
    keep: (event, why, nowUnixMs) => {
      const line = `${JSON.stringify({ at: new Date(nowUnixMs).toISOString(), why, event })}\n`;
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (size + Buffer.byteLength(line) > maxBytes) return false;
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      appendFileSync(file, line, { mode: 0o600, flush: true });
      return true;
    },
  };
}
