/** Inclusion and consistency proofs: made as RFC 6962 §2.1.1 and §2.1.2 say, verified as RFC 9162 §2.1.3.2 and §2.1.4.2 do. */
import { equalInConstantTime } from "../kernel/bytes.ts";
import { type Hash, nodeHash, splitPoint } from "./hashing.ts";
import type { Subtree } from "./tiles.ts";

/** That leaf `index` is in the tree of `size` leaves: PATH(index, D[0:size]). */
export function inclusionProof(index: number, size: number, subtree: Subtree): readonly Uint8Array[] {
  requireRange(index, size);
  const path = (start: number, end: number): Uint8Array[] => {
    if (end - start === 1) return [];
    const split = start + splitPoint(end - start);
    return index < split
      ? [...path(start, split), subtree(split, end)]
      : [...path(split, end), subtree(start, split)];
  };
  return path(0, size);
}

/** That the tree of `from` leaves is the beginning of the tree of `size`: PROOF(from, D[0:size]). */
export function consistencyProof(from: number, size: number, subtree: Subtree): readonly Uint8Array[] {
  requireRange(from - 1, size);
  const path = (start: number, end: number, whole: boolean): Uint8Array[] => {
    if (end === from) return whole ? [] : [subtree(start, end)];
    const split = start + splitPoint(end - start);
    return from <= split
      ? [...path(start, split, whole), subtree(split, end)]
      : [...path(split, end, false), subtree(start, split)];
  };
  return path(0, size, true);
}

/** @param claim the leaf's hash, its index, and the tree it shall be in */
export function verifyInclusion(
  hash: Hash,
  claim: {
    readonly leaf: Uint8Array;
    readonly index: number;
    readonly size: number;
    readonly root: Uint8Array;
  },
  proof: readonly Uint8Array[],
): boolean {
  if (!isRange(claim.index, claim.size)) return false;
  let [at, last] = [claim.index, claim.size - 1];
  let node = claim.leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      node = nodeHash(hash, sibling, node);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      node = nodeHash(hash, node, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && equalInConstantTime(node, claim.root);
}

/** @param claim the older and the newer tree */
export function verifyConsistency(
  hash: Hash,
  claim: {
    readonly from: number;
    readonly fromRoot: Uint8Array;
    readonly size: number;
    readonly root: Uint8Array;
  },
  proof: readonly Uint8Array[],
): boolean {
  const { from, fromRoot, size, root } = claim;
  if (!isRange(from - 1, size)) return false;
  if (from === size) return proof.length === 0 && equalInConstantTime(fromRoot, root);
  const [first, ...siblings] = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof;
  if (first === undefined) return false;
  let [at, last] = [from - 1, size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  return rootsAlong(hash, { at, last, first }, siblings).every(
    (node, i) => node !== undefined && equalInConstantTime(node, i === 0 ? fromRoot : root),
  );
}

/** The older and the newer root that `siblings` lead to; undefined if there are too many or too few. */
function rootsAlong(
  hash: Hash,
  from: { readonly at: number; readonly last: number; readonly first: Uint8Array },
  siblings: readonly Uint8Array[],
): readonly [Uint8Array | undefined, Uint8Array | undefined] {
  const none = [undefined, undefined] as const;
  let [at, last, older, newer] = [from.at, from.last, from.first, from.first];
  for (const sibling of siblings) {
    if (last === 0) return none;
    if (at % 2 === 1 || at === last) {
      older = nodeHash(hash, sibling, older);
      newer = nodeHash(hash, sibling, newer);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      newer = nodeHash(hash, newer, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 ? [older, newer] : none;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  return 2 ** Math.round(Math.log2(value)) === value;
}

function isRange(index: number, size: number): boolean {
  return Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size;
}

function requireRange(index: number, size: number): void {
  if (!isRange(index, size)) throw new RangeError(`a tree of ${size} leaves has no leaf ${index}`);
}
