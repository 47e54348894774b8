/**
 * C2SP tlog-proof: a leaf's index, its inclusion proof and the signed head that it leads to, as one text. What the
 * extra data is, and whether anything holds, is judged by whoever reads one: crossing.ts and receipt.ts.
 */
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from "../kernel/bytes.ts";
import { hashBytes } from "../merkle/hashing.ts";
import { maxNoteBytes } from "./checkpoint.ts";

export interface TlogProof {
  /** Nobody vouches for it; undefined if there is none. */
  readonly extra: Uint8Array | undefined;
  readonly index: number;
  /** From the leaf's sibling up to the root's child, 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The signed head, as a note: unread. */
  readonly checkpoint: Uint8Array;
}

/** A note, and two generations of sixteen keys and an entry, which are less than the rest. */
const maxTlogProofBytes = maxNoteBytes + 256 * 1024;
/** A tree of 2^53 leaves has no longer path. */
const maxPath = 53;
const format = "c2sp.org/tlog-proof@v1";

export function tlogProofBytes({ extra, index, proof, checkpoint }: TlogProof): Uint8Array {
  const extraLines = extra === undefined ? [] : [`extra ${toBase64(extra)}`];
  const lines = [format, ...extraLines, `index ${index}`, ...proof.map(toBase64)];
  return concat([utf8(`${lines.join("\n")}\n\n`), checkpoint]);
}

/** Undefined if `bytes` is no tlog-proof within the bounds; never throws. */
export function readTlogProof(bytes: Uint8Array): TlogProof | undefined {
  if (bytes.length > maxTlogProofBytes) return undefined;
  const text = fromUtf8(bytes) ?? "";
  const cut = text.indexOf("\n\n");
  if (cut < 0) return undefined;
  const [first, ...lines] = text.slice(0, cut).split("\n");
  const extra = readExtra(lines[0] ?? "");
  const [indexLine, ...path] = extra.kind === "absent" ? lines : lines.slice(1);
  const index = Number(/^index (0|[1-9][0-9]{0,15})$/.exec(indexLine ?? "")?.[1] ?? Number.NaN);
  const proof = readPath(path);
  if (first !== format || extra.kind === "bad" || !Number.isSafeInteger(index) || proof === undefined) {
    return undefined;
  }
  const data = extra.kind === "extra" ? extra.bytes : undefined;
  return { extra: data, index, proof, checkpoint: utf8(text.slice(cut + 2)) };
}

type Extra =
  | { readonly kind: "extra"; readonly bytes: Uint8Array }
  | { readonly kind: "absent" }
  | { readonly kind: "bad" };

function readExtra(line: string): Extra {
  if (!line.startsWith("extra ")) return { kind: "absent" };
  const bytes = fromBase64(line.slice("extra ".length));
  return bytes === undefined ? { kind: "bad" } : { kind: "extra", bytes };
}

function readPath(lines: readonly string[]): readonly Uint8Array[] | undefined {
  const hashes = lines.length > maxPath ? [] : lines.map(fromBase64);
  const isPath = hashes.length === lines.length && hashes.every((hash) => hash?.length === hashBytes);
  return isPath ? hashes.flatMap((hash) => hash ?? []) : undefined;
}
