/** A secret in a file or an environment variable, read again when the file has changed. */
import { readFileSync, statSync } from "node:fs";

import { Refusal } from "../../kernel/refusal.ts";

/** Where a text stands; a file by its absolute path. */
export type TextSource = { readonly file: string } | { readonly env: string };

export interface WatchedText {
  /** @throws Refusal `upstream_failed` if it can't be read any more */
  readonly current: () => string;
}

/** More than any key, certificate chain or token has; a wrong path shouldn't fill the memory. */
const maxBytes = 256 * 1024;

/**
 * @param at where the config names it, for messages
 * @throws Refusal `bad_config` if it can't be read now, or is empty
 */
export function watchedText(source: TextSource, at: string): WatchedText {
  const where = "env" in source ? source.env : source.file;
  const read = (): string => {
    const text = "env" in source ? process.env[source.env] : readFileSync(source.file, "utf8");
    if (text === undefined || text.trim() === "")
      throw new Refusal("bad_config", `${at}: nothing found in ${where}.`);
    return text.trim();
  };
  let known = { text: first(read, at, where), stamp: stampOf(source) };
  return {
    current: () => {
      try {
        const stamp = stampOf(source);
        if (stamp !== known.stamp) known = { text: read(), stamp };
      } catch (cause) {
        // Going on with what was there before would keep a secret in use that the operator took away.
        throw new Refusal("upstream_failed", "The gateway's credential for this server can't be read.", {
          cause,
          facts: { credential: at },
        });
      }
      return known.text;
    },
  };
}

function first(read: () => string, at: string, where: string): string {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal("bad_config", `${at}: ${where} can't be read.`, { cause });
  }
}

/** Changes with the file: a rename brings another inode, a write another time or length. */
function stampOf(source: TextSource): string {
  if ("env" in source) return "";
  const { ino, size, mtimeNs } = statSync(source.file, { bigint: true });
  if (size > maxBytes) throw new Refusal("bad_config", `${source.file} is longer than ${maxBytes} bytes.`);
  return `${ino}/${size}/${mtimeNs}`;
}
