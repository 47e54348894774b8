/**
 * Where one generation of a log's keys ends and the next begins: the head that the rotation's entry is the last entry
 * of, signed by both. It is a C2SP tlog-proof of that entry, whose extra data has the keys and the entry itself, so
 * that who knows the older keys needs this file alone to know the newer ones (docs/formats/log.md).
 */
import { sha256 } from "../crypto/hash.ts";
import { formatLogKey, keysHash, type LogGeneration, readLogKey } from "../crypto/log-key.ts";
import { everythingStands, type Standing } from "../crypto/suites/fallen.ts";
import { concat, fromUtf8, utf8 } from "../kernel/bytes.ts";
import { leafHash } from "../merkle/hashing.ts";
import { verifyInclusion } from "../merkle/proofs.ts";
import { type Entry, maxEntryBytes, readEntry } from "./entry.ts";
import { type Head, readHead } from "./head.ts";
import { readRotation } from "./rotation.ts";
import { readTlogProof, tlogProofBytes } from "./tlog-proof.ts";

export const crossingsFolder = "crossings";

/** The file of the crossing to generation `number`, from the one before. */
export function crossingPath(number: number): string {
  return `${crossingsFolder}/${number}.tlog-proof`;
}

export interface CrossingParts {
  readonly from: LogGeneration;
  readonly to: LogGeneration;
  /** The rotation's entry. */
  readonly entry: Uint8Array;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  /** The signed head, as a note. */
  readonly checkpoint: Uint8Array;
}

/** One that holds by itself: what remains is whether the keys of `from` are known, or those of `to`. */
export interface Crossing extends CrossingParts {
  readonly head: Head;
  readonly rotation: Entry;
}

export type CrossingReading =
  | { readonly kind: "crossing"; readonly crossing: Crossing }
  | { readonly kind: "bad"; readonly why: string };

export function crossingBytes({ from, to, entry, index, proof, checkpoint }: CrossingParts): Uint8Array {
  const extra = concat([utf8(`${formatLogKey([from, to])}\n`), entry]);
  return tlogProofBytes({ extra, index, proof, checkpoint });
}

/** Everything that can be judged without other keys than those it names. */
export function readCrossing(
  bytes: Uint8Array,
  number: number,
  standing: Standing = everythingStands,
): CrossingReading {
  const parts = partsOf(bytes);
  if (parts === undefined) return bad("it is no proof of a rotation's entry");
  const { from, to, entry, index, proof, checkpoint } = parts;
  const reading = readEntry(entry);
  if (reading.kind !== "entry") return bad(`its entry can't be read: ${reading.why}`);
  const why = whyNotOf(reading.entry, parts, number);
  if (why !== undefined) return bad(why);
  const signed = readHead(checkpoint, [from, to], standing);
  if (signed.kind !== "signed") return bad(`its head isn't to be trusted: ${signed.why}`);
  const { head } = signed;
  const unsigned = [from, to].find((each) => !head.generations.includes(each.number));
  if (unsigned !== undefined) return bad(`its head isn't signed by generation ${unsigned.number}`);
  const leaf = leafHash(sha256, entry);
  const isLast = head.size === index + 1;
  if (!isLast || !verifyInclusion(sha256, { leaf, index, size: head.size, root: head.root }, proof)) {
    return bad("its entry isn't the last one under its head");
  }
  return { kind: "crossing", crossing: { ...parts, head, rotation: reading.entry } };
}

/** Why an entry isn't that of the rotation whose keys the file has; undefined if it is. */
function whyNotOf(entry: Entry, { from, to }: CrossingParts, number: number): string | undefined {
  if (to.number !== number) return `it is the crossing to generation ${to.number}`;
  const rotation = readRotation(entry);
  if (rotation?.number !== number) return `its entry is no rotation to generation ${number}`;
  for (const [generation, hash] of [
    [to, rotation.keys],
    [from, rotation.keysBefore],
  ] as const) {
    if (hash === keysHash(generation.keys)) continue;
    return `its entry names other keys of generation ${generation.number} than the file has`;
  }
  return undefined;
}

function bad(why: string): CrossingReading {
  return { kind: "bad", why };
}

function partsOf(bytes: Uint8Array): CrossingParts | undefined {
  const read = readTlogProof(bytes);
  if (read?.extra === undefined) return undefined;
  const { extra, index, proof, checkpoint } = read;
  const named = readExtra(extra);
  return named && { ...named, index, proof, checkpoint };
}

function readExtra(bytes: Uint8Array): Pick<CrossingParts, "from" | "to" | "entry"> | undefined {
  const text = fromUtf8(bytes) ?? "";
  const cut = text.indexOf("\n\n");
  const entry = utf8(text.slice(cut + 2));
  if (cut < 0 || entry.length > maxEntryBytes) return undefined;
  try {
    const [from, to, ...more] = readLogKey(text.slice(0, cut));
    return from === undefined || to === undefined || more.length > 0 ? undefined : { from, to, entry };
  } catch {
    return undefined;
  }
}
