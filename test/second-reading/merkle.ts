/**
 * RFC 6962 §2.1 (Merkle Tree Hash) with SHA-256, and proofs: RFC 6962 §2.1.1 and §2.1.2, verified as C2SP merkle-tree
 * "Verification" (RFC 9162 §2.1.3.2 and §2.1.4.2) goes about it.
 */
import { demand, hash, same } from "./bytes.ts";

export const hashBytes = 32;
/** A path in a tree of at most 2^63 leaves. */
export const mostProofHashes = 63;

export function leafHash(entry: Uint8Array): Uint8Array {
  return hash(Uint8Array.of(0), entry);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hash(Uint8Array.of(1), left, right);
}

/** MTH, as the RFC writes it: split at the largest power of two below n. */
export function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return hash();
  if (leaves.length === 1) return first;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

/** A tree that grows leaf by leaf and keeps nothing but the roots of its complete subtrees, the largest first. */
export interface Frontier {
  readonly size: number;
  readonly peaks: readonly Uint8Array[];
}

export const emptyFrontier: Frontier = { size: 0, peaks: [] };

export function append({ size, peaks }: Frontier, leaf: Uint8Array): Frontier {
  let right = leaf;
  const rest = [...peaks];
  for (let bits = size; bits % 2 === 1; bits = Math.floor(bits / 2)) {
    const left = rest.pop();
    demand(left !== undefined, "a frontier with a peak too few");
    right = nodeHash(left, right);
  }
  return { size: size + 1, peaks: [...rest, right] };
}

export function rootOf({ peaks }: Pick<Frontier, "peaks">): Uint8Array {
  const root = peaks.reduceRight<Uint8Array | undefined>(
    (right, left) => (right === undefined ? left : nodeHash(left, right)),
    undefined,
  );
  return root ?? hash();
}

export function demandInclusion(
  entry: Uint8Array,
  index: number,
  tree: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): void {
  demand(index < tree.size, "an index beyond the tree");
  let [fn, sn, h] = [BigInt(index), BigInt(tree.size) - 1n, leafHash(entry)];
  for (const p of proof) {
    demand(sn !== 0n, "a proof with too many hashes");
    if (isOdd(fn) || fn === sn) {
      h = nodeHash(p, h);
      while (!isOdd(fn) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else h = nodeHash(h, p);
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  demand(sn === 0n, "a proof with too few hashes");
  demand(same(h, tree.root), "a proof that leads to another root");
}

interface Tree {
  readonly size: number;
  readonly root: Uint8Array;
}

export function demandConsistency(older: Tree, newer: Tree, proof: readonly Uint8Array[]): void {
  demand(older.size <= newer.size, "a tree that became smaller");
  if (older.size === newer.size || older.size === 0) {
    demand(proof.length === 0, "a proof where none is needed");
    demand(older.size === 0 || same(older.root, newer.root), "two roots of one size");
    return;
  }
  const isPower = (BigInt(older.size) & (BigInt(older.size) - 1n)) === 0n;
  const [first, ...rest] = isPower ? [older.root, ...proof] : proof;
  demand(proof.length > 0 && first !== undefined, "no proof");
  let [fn, sn] = [BigInt(older.size) - 1n, BigInt(newer.size) - 1n];
  while (isOdd(fn)) [fn, sn] = [fn >> 1n, sn >> 1n];
  let [fr, sr] = [first, first];
  for (const p of rest) {
    demand(sn !== 0n, "a proof with too many hashes");
    if (isOdd(fn) || fn === sn) {
      [fr, sr] = [nodeHash(p, fr), nodeHash(p, sr)];
      while (!isOdd(fn) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else sr = nodeHash(sr, p);
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  demand(sn === 0n, "a proof with too few hashes");
  demand(same(fr, older.root) && same(sr, newer.root), "a proof that leads to other roots");
}

/** SUBPROOF of RFC 6962 §2.1.2: what proves that the first `size` of the leaves were the tree once. */
export function consistencyProof(
  size: number,
  leaves: readonly Uint8Array[],
  whole = true,
): readonly Uint8Array[] {
  if (size === leaves.length) return whole ? [] : [treeHash(leaves)];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return size <= k
    ? [...consistencyProof(size, leaves.slice(0, k), whole), treeHash(leaves.slice(k))]
    : [...consistencyProof(size - k, leaves.slice(k), false), treeHash(leaves.slice(0, k))];
}

function isOdd(value: bigint): boolean {
  return (value & 1n) === 1n;
}
