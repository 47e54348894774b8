/** The root of a Merkle tree that only grows (RFC 6962 §2.1), by any hash: for trees of which nothing else is kept. */
import { emptyRoot, type Hash, nodeHash } from "./hashing.ts";

export interface RunningRoot {
  readonly size: () => number;
  readonly append: (leaf: Uint8Array) => void;
  readonly root: () => Uint8Array;
}

export function runningRoot(hash: Hash): RunningRoot {
  const peaks: Uint8Array[] = [];
  let count = 0;
  return {
    size: () => count,
    append: (leaf) => {
      let node = leaf;
      // INVARIANT: one peak for every 1 in the binary form of `count`, highest first.
      for (let carry = count; carry % 2 === 1; carry = (carry - 1) / 2) {
        node = nodeHash(hash, peaks.pop() ?? node, node);
      }
      peaks.push(node);
      count++;
    },
    root: () => {
      const last = peaks.at(-1);
      if (last === undefined) return emptyRoot(hash);
      return peaks.slice(0, -1).reduceRight((right, left) => nodeHash(hash, left, right), last);
    },
  };
}
