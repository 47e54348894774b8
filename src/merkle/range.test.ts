import assert from "node:assert/strict";
import { hash as nodeHashOf } from "node:crypto";
import { test } from "node:test";

import * as fc from "fast-check";

import { leafHash } from "./hashing.ts";
import { maxRangePath, rangePathLength, rangeProof, rootOfRange, verifyRange } from "./range.ts";
import { subtreeFromLeaves } from "./tiles.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => nodeHashOf("sha256", bytes, "buffer");

/** RFC 6962 §2.1, word by word. */
function mth(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.concat([Uint8Array.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k))]));
}

const many = Array.from({ length: 600 }, (_, i) => leafHash(sha256, Buffer.from(`leaf ${i}`)));

/** A tree's size and a run of its leaves that isn't empty. */
const ranges = fc
  .integer({ min: 1, max: many.length })
  .chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1), fc.nat(size - 1)))
  .map(([size, a, b]) => ({ size, first: Math.min(a, b), end: Math.max(a, b) + 1 }));

function scene(range: { readonly size: number; readonly first: number; readonly end: number }) {
  const tree = many.slice(0, range.size);
  const proof = rangeProof(range, subtreeFromLeaves(sha256, tree));
  const leaves = tree.slice(range.first, range.end);
  return { proof, claim: { leaves, first: range.first, size: range.size, root: mth(tree) } };
}

test("the proof of any range leads to RFC 6962's root, and has as many hashes as it says", () => {
  fc.assert(
    fc.property(ranges, (range) => {
      const { proof, claim } = scene(range);
      assert.ok(verifyRange(sha256, claim, proof));
      assert.equal(proof.length, rangePathLength(range));
      assert.ok(proof.length <= maxRangePath);
    }),
    { numRuns: 300 },
  );
});

test("every range of every small tree is proven, and by its own proof alone", () => {
  for (let size = 1; size <= 17; size++) {
    for (let first = 0; first < size; first++) {
      for (let end = first + 1; end <= size; end++) {
        const { proof, claim } = scene({ size, first, end });
        assert.ok(verifyRange(sha256, claim, proof), `${first}-${end} of ${size}`);
        const others = [first - 1, first + 1].map((moved) => ({ ...claim, first: moved }));
        for (const other of others)
          assert.ok(!verifyRange(sha256, other, proof), `moved: ${first} of ${size}`);
      }
    }
  }
});

test("a leaf or a hash of the path that is changed, missing, repeated or in another place is seen", () => {
  fc.assert(
    fc.property(ranges, fc.nat(), (range, which) => {
      const { proof, claim } = scene(range);
      for (const wrong of spoiled(claim.leaves, which))
        assert.ok(!verifyRange(sha256, { ...claim, leaves: wrong }, proof));
      for (const wrong of spoiled(proof, which)) assert.ok(!verifyRange(sha256, claim, wrong));
    }),
    { numRuns: 300 },
  );
});

test("a range of one leaf has as many hashes as its inclusion proof, and the whole tree has none", () => {
  assert.equal(rangePathLength({ first: 4, end: 5, size: 7 }), 3);
  assert.deepEqual(scene({ first: 0, end: 600, size: 600 }).proof, []);
});

test("a range that the tree doesn't have is none", () => {
  for (const [first, end, size] of [
    [-1, 1, 4],
    [2, 2, 4],
    [3, 5, 4],
    [0, 1, 0],
    [0.5, 1, 4],
    [0, Number.NaN, 4],
  ] as const) {
    assert.equal(rangePathLength({ first, end, size }), undefined);
    assert.throws(() => rangeProof({ first, end, size }, subtreeFromLeaves(sha256, many)), RangeError);
  }
  assert.equal(rootOfRange(sha256, { leaves: [], first: 0, size: 4 }, []), undefined);
});

test("the largest tree there can be has a bounded path", () => {
  const size = Number.MAX_SAFE_INTEGER;
  const length = rangePathLength({ first: 2 ** 51 + 1, end: 2 ** 52 + 1, size }) ?? 0;
  assert.ok(length > 50 && length <= maxRangePath);
});

/** Ways in which a list of hashes can be other than it was. */
function spoiled(hashes: readonly Uint8Array[], which: number): readonly (readonly Uint8Array[])[] {
  if (hashes.length === 0) return [[sha256(Buffer.from("more"))]];
  const at = which % hashes.length;
  const changed = hashes.with(at, sha256(hashes[at]!));
  const swapped = hashes.with(at, hashes.at(at - 1)!).with(at - 1, hashes[at]!);
  const others = [changed, hashes.toSpliced(at, 1), hashes.toSpliced(at, 0, hashes[at]!)];
  return hashes.length > 1 ? [...others, swapped] : others;
}
