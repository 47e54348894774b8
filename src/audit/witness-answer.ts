/**
 * A head with the proof that it grew out of an older one, as a log shows it to a witness: the body of
 * `add-checkpoint` (C2SP tlog-witness). Written and read as bytes, nothing verified.
 */
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from "../kernel/bytes.ts";
import { hashBytes } from "../merkle/hashing.ts";
import { maxNoteBytes } from "./checkpoint.ts";

export interface ShownHead {
  /** The size that the proof begins at. */
  readonly old: number;
  /** A consistency proof from `old` to the head (RFC 6962 §2.1.2); empty if there is nothing to prove. */
  readonly proof: readonly Uint8Array[];
  /** The signed head, as a note. */
  readonly checkpoint: Uint8Array;
}

/** tlog-witness: no more than 63 lines. */
const maxProofLines = 63;
const maxShownHeadBytes = maxNoteBytes + 64 * 64;

export function shownHeadBytes({ old, proof, checkpoint }: ShownHead): Uint8Array {
  const lines = [`old ${old}`, ...proof.map(toBase64)];
  return concat([utf8(`${lines.join("\n")}\n\n`), checkpoint]);
}

/** Undefined if it is no such body. */
export function readShownHead(bytes: Uint8Array): ShownHead | undefined {
  const text = bytes.length > maxShownHeadBytes ? "" : (fromUtf8(bytes) ?? "");
  const cut = text.indexOf("\n\n");
  const [first, ...lines] = text.slice(0, Math.max(0, cut)).split("\n");
  const old = Number(/^old (0|[1-9][0-9]{0,15})$/.exec(first ?? "")?.[1] ?? Number.NaN);
  const proof = readProofLines(lines);
  if (!Number.isSafeInteger(old) || proof === undefined) return undefined;
  return { old, proof, checkpoint: utf8(text.slice(cut + 2)) };
}

/** Undefined if they aren't the lines of a proof. */
export function readProofLines(lines: readonly string[]): readonly Uint8Array[] | undefined {
  const hashes = lines.map(fromBase64);
  const isProof = lines.length <= maxProofLines && hashes.every((hash) => hash?.length === hashBytes);
  return isProof ? hashes.flatMap((hash) => hash ?? []) : undefined;
}
