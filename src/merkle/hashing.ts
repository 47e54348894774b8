/** Merkle tree hashing (RFC 6962 §2.1). The hash function is an argument: SHA-256 wherever RFC 6962 speaks, wider ones in renewals. */

export type Hash = (bytes: Uint8Array) => Uint8Array;

/** Of SHA-256: what stands in tiles and checkpoints. */
export const hashBytes = 32;

/** HASH(0x00 ‖ data). */
export function leafHash(hash: Hash, data: Uint8Array): Uint8Array {
  const prefixed = new Uint8Array(1 + data.length);
  prefixed.set(data, 1);
  return hash(prefixed);
}

/** One scratch for all of SHA-256's: `nodeHash` hands it to nobody but the hash, and never across a turn. */
const pair = new Uint8Array(1 + 2 * hashBytes);
pair[0] = 1;

/** HASH(0x01 ‖ left ‖ right). */
export function nodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length + right.length > 2 * hashBytes) return hash(wideNode(left, right));
  pair.set(left, 1);
  pair.set(right, 1 + hashBytes);
  return hash(pair);
}

/** MTH({}) = HASH(). */
export function emptyRoot(hash: Hash): Uint8Array {
  return hash(new Uint8Array(0));
}

/** MTH of leaf hashes, or of the hashes of equally high full subtrees. */
export function rootOf(hash: Hash, nodes: readonly Uint8Array[]): Uint8Array {
  const [first] = nodes;
  if (first === undefined) return emptyRoot(hash);
  if (nodes.length === 1) return first;
  // Pairing from the left and lifting an odd last node is the split at the largest power of two.
  const above: Uint8Array[] = [];
  for (let i = 0; i < nodes.length; i += 2) {
    const left = nodes[i] ?? first;
    const right = nodes[i + 1];
    above.push(right === undefined ? left : nodeHash(hash, left, right));
  }
  return rootOf(hash, above);
}

function wideNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + left.length + right.length);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return bytes;
}

/** The largest power of two below `count`: where RFC 6962 splits; `count` is at least 2. */
export function splitPoint(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}
