/**
 * That leaves which stand together are all there is in their part of a tree: what an inclusion proof (RFC 6962 §2.1.1)
 * says of one leaf, said of a run of them. The proof has the roots of the largest subtrees outside the run, in the
 * order in which the recursion of RFC 6962 §2.1 meets them from left to right.
 */
import { equalInConstantTime } from "../kernel/bytes.ts";
import { type Hash, nodeHash, rootOf, splitPoint } from "./hashing.ts";
import type { Subtree } from "./tiles.ts";

/** Leaves `first` up to, without, `end`, in a tree of `size`. */
export interface LeafRange {
  readonly first: number;
  readonly end: number;
  readonly size: number;
}

/** One node on either side at each level of a tree of 2^53 leaves. */
export const maxRangePath = 2 * 53;

/** @throws RangeError if the tree has no such leaves */
export function rangeProof(range: LeafRange, subtree: Subtree): readonly Uint8Array[] {
  if (!isRange(range)) throw new RangeError(`no leaves ${range.first} to ${range.end} of ${range.size}`);
  return outsideOf(range).map(([start, end]) => subtree(start, end));
}

/** How many hashes the proof of a range has; undefined if the tree has no such leaves. */
export function rangePathLength(range: LeafRange): number | undefined {
  return isRange(range) ? outsideOf(range).length : undefined;
}

/** The root that the leaves' hashes and the proof lead to; undefined if the proof is of another range. */
export function rootOfRange(
  hash: Hash,
  {
    leaves,
    ...claim
  }: { readonly leaves: readonly Uint8Array[]; readonly first: number; readonly size: number },
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  const range = { ...claim, end: claim.first + leaves.length };
  if (rangePathLength(range) !== proof.length) return undefined;
  const { first, end: behind } = range;
  let used = 0;
  const root = (start: number, end: number): Uint8Array => {
    if (first <= start && end <= behind) return rootOf(hash, leaves.slice(start - first, end - first));
    if (end <= first || start >= behind) return proof[used++] ?? new Uint8Array(0);
    const split = start + splitPoint(end - start);
    const left = root(start, split);
    return nodeHash(hash, left, root(split, end));
  };
  return root(0, claim.size);
}

/** @param claim the hashes of the leaves from `first` on, and the tree they shall be in */
export function verifyRange(
  hash: Hash,
  claim: {
    readonly leaves: readonly Uint8Array[];
    readonly first: number;
    readonly size: number;
    readonly root: Uint8Array;
  },
  proof: readonly Uint8Array[],
): boolean {
  const root = rootOfRange(hash, claim, proof);
  return root !== undefined && equalInConstantTime(root, claim.root);
}

/** The largest subtrees without a leaf of the range, from left to right. */
function outsideOf({ first, end: behind, size }: LeafRange): readonly (readonly [number, number])[] {
  const outside = (start: number, end: number): (readonly [number, number])[] => {
    if (first <= start && end <= behind) return [];
    if (end <= first || start >= behind) return [[start, end]];
    const split = start + splitPoint(end - start);
    return [...outside(start, split), ...outside(split, end)];
  };
  return outside(0, size);
}

function isRange({ first, end, size }: LeafRange): boolean {
  return [first, end, size].every(Number.isSafeInteger) && 0 <= first && first < end && end <= size;
}
