/** C2SP tlog-proof "Format". */
import { decimal, demand, fromBase64, toUtf8, utf8 } from "./bytes.ts";
import { type Head, readHead } from "./checkpoint.ts";
import { type Entry, readEntry } from "./entry.ts";
import { hashBytes, mostProofHashes } from "./merkle.ts";

/** docs/formats/log.md "Generations of keys". */
export const mostProofBytes = 384 * 1024;

export interface Proof {
  readonly extra: Uint8Array | undefined;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
  readonly head: Head;
}

export function readProof(bytes: Uint8Array): Proof {
  demand(bytes.length <= mostProofBytes, `a proof of more than ${mostProofBytes} bytes`);
  const text = utf8(bytes);
  // The checkpoint comes "after the inclusion proof lines and an empty line", and nothing before that is empty.
  const split = text.indexOf("\n\n");
  demand(split >= 0, "a proof without an empty line");
  const lines = text.slice(0, split).split("\n");
  demand(lines.shift() === "c2sp.org/tlog-proof@v1", "a proof without its first line");
  const extra =
    lines[0]?.startsWith("extra ") === true ? fromBase64(lines.shift()?.slice(6) ?? "") : undefined;
  demand(extra === undefined || extra.length > 0, "a line for extra data that there is none of");
  const index = /^index (.*)$/.exec(lines.shift() ?? "");
  demand(index !== null, "a proof without an index");
  demand(lines.length <= mostProofHashes, `a proof of more than ${mostProofHashes} hashes`);
  const hashes = lines.map(fromBase64);
  demand(
    hashes.every(({ length }) => length === hashBytes),
    "a hash that isn't 32 bytes",
  );
  const head = readHead(toUtf8(text.slice(split + 2)));
  return { extra, index: decimal(index[1] ?? "", "the index"), hashes, head };
}

/**
 * The entry that a proof brings along in its extra data: all of it, what is behind an empty line, or one line. Extra data
 * isn't authenticated; the inclusion proof is what says whether it is the one.
 */
export function entryIn(
  extra: Uint8Array,
): { readonly bytes: Uint8Array; readonly entry: Entry } | undefined {
  const text = utf8(extra);
  for (const candidate of [text, text.slice(text.lastIndexOf("\n\n") + 2), ...text.split("\n")]) {
    const bytes = toUtf8(candidate);
    if (!candidate.startsWith("{")) continue;
    try {
      return { bytes, entry: readEntry(bytes) };
    } catch {
      // Not this one.
    }
  }
  return undefined;
}
