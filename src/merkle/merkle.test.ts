import assert from "node:assert/strict";
import { hash as nodeHashOf } from "node:crypto";
import { test } from "node:test";

import * as fc from "fast-check";

import { growTree } from "./growing-tree.ts";
import { emptyRoot, hashBytes, leafHash, rootOf } from "./hashing.ts";
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from "./proofs.ts";
import {
  bundlePath,
  partialTileIds,
  subtreeFromLeaves,
  subtreeFromTiles,
  type Tile,
  tileHashes,
  tilePath,
} from "./tiles.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => nodeHashOf("sha256", bytes, "buffer");

/** RFC 6962 §2.1, word by word. */
function mth(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.concat([Uint8Array.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k))]));
}

function leavesOf(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, i) => leafHash(sha256, Buffer.from(`leaf ${i}`)));
}

function growTo(leaves: readonly Uint8Array[]) {
  const tree = growTree(sha256);
  for (const leaf of leaves) tree.append(leaf);
  return tree;
}

const many = leavesOf(66_100);
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 1100 }),
  fc.constantFrom(255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_100),
);

test("the empty tree, one leaf and the RFC's byte prefixes are as RFC 6962 writes them", () => {
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  assert.equal(Buffer.from(emptyRoot(sha256)).toString("hex"), empty);
  assert.equal(Buffer.from(growTree(sha256).root()).toString("hex"), empty);
  // The leaf hash of the empty string, from the certificate-transparency test vectors.
  assert.equal(
    Buffer.from(leafHash(sha256, new Uint8Array(0))).toString("hex"),
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  );
});

test("a tree built leaf by leaf has RFC 6962's root after every leaf", () => {
  const tree = growTree(sha256);
  for (let size = 1; size <= 530; size++) {
    tree.append(many[size - 1]!);
    assert.deepEqual(tree.root(), mth(many.slice(0, size)), `size ${size}`);
    assert.equal(tree.size(), size);
  }
});

test("rootOf is the recursive definition", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 700 }), (size) => {
      assert.deepEqual(rootOf(sha256, many.slice(0, size)), mth(many.slice(0, size)));
    }),
    { numRuns: 60 },
  );
});

test("full and partial tiles hold exactly the subtree roots that tlog-tiles defines", () => {
  const tree = growTo(many);
  const tiles = [...tree.takeFullTiles(), ...tree.partialTiles()];
  assert.deepEqual(
    tree.partialTiles().map(({ level, index, width }) => ({ level, index, width })),
    partialTileIds(many.length),
  );
  assert.equal(tiles.filter((tile) => tile.level === 0).length, Math.ceil(many.length / 256));
  assert.equal(tiles.filter((tile) => tile.level === 1 && tile.width === 256).length, 1);
  for (const tile of tiles) {
    assert.equal(tile.bytes.length, tile.width * hashBytes);
    tileHashes(tile.bytes).forEach((node, i) => {
      const unit = 256 ** tile.level;
      const first = (tile.index * 256 + i) * unit;
      assert.deepEqual(Buffer.from(node), Buffer.from(mth(many.slice(first, first + unit))));
    });
  }
  assert.deepEqual(tree.takeFullTiles(), []);
});

test("a tree of 70,000 has the tiles that tlog-tiles lists as its example", () => {
  assert.deepEqual(partialTileIds(70_000), [
    { level: 0, index: 273, width: 112 },
    { level: 1, index: 1, width: 17 },
    { level: 2, index: 0, width: 1 },
  ]);
  assert.deepEqual(partialTileIds(256), [{ level: 1, index: 0, width: 1 }]);
});

test("a tree resumed from its partial tiles goes on as if it had never stopped", () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: 600 }), (size, more) => {
      const end = Math.min(size + more, many.length);
      const before = growTo(many.slice(0, size));
      const rows = new Map(before.partialTiles().map((tile) => [tile.level, tile.bytes]));
      const after = growTree(sha256, size, (level) => rows.get(level));
      const straight = growTo(many.slice(0, size));
      straight.takeFullTiles();
      for (const leaf of many.slice(size, end)) {
        after.append(leaf);
        straight.append(leaf);
      }
      assert.deepEqual(Buffer.from(after.root()), Buffer.from(straight.root()));
      assert.deepEqual(after.takeFullTiles(), straight.takeFullTiles());
      assert.deepEqual(after.partialTiles(), straight.partialTiles());
    }),
    { numRuns: 25 },
  );
});

test("a tree isn't resumed from a tile of the wrong width", () => {
  assert.throws(() => growTree(sha256, 3, () => new Uint8Array(64)), /needs a tile of 3/);
});

test("every leaf's inclusion proof verifies, and no other leaf, index, size or root does", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), fc.nat(), (size, pick, flip) => {
      const index = pick % size;
      const leaves = many.slice(0, size);
      const root = mth(leaves);
      const proof = inclusionProof(index, size, subtreeFromLeaves(sha256, leaves));
      const claim = { leaf: leaves[index]!, index, size, root };
      assert.ok(verifyInclusion(sha256, claim, proof));
      assert.ok(!verifyInclusion(sha256, { ...claim, leaf: many[size]! }, proof));
      assert.ok(!verifyInclusion(sha256, { ...claim, index: size }, proof));
      assert.ok(!verifyInclusion(sha256, { ...claim, root: new Uint8Array(32).fill(7) }, proof));
      assert.ok(!verifyInclusion(sha256, claim, [...proof, root]));
      if (size > 1) {
        assert.ok(!verifyInclusion(sha256, { ...claim, index: (index + 1) % size }, proof));
        assert.ok(!verifyInclusion(sha256, claim, proof.slice(1)));
        const bent = proof.map((node) => Uint8Array.from(node));
        const target = bent[flip % bent.length]!;
        target[flip % 32]! ^= 1;
        assert.ok(!verifyInclusion(sha256, claim, bent));
      }
    }),
    { numRuns: 200 },
  );
});

test("every older tree's consistency proof verifies, and none does for another root or size", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), fc.nat(), (size, pick, flip) => {
      const from = 1 + (pick % size);
      const leaves = many.slice(0, size);
      const claim = { from, fromRoot: mth(leaves.slice(0, from)), size, root: mth(leaves) };
      const proof = consistencyProof(from, size, subtreeFromLeaves(sha256, leaves));
      assert.ok(verifyConsistency(sha256, claim, proof));
      assert.ok(!verifyConsistency(sha256, { ...claim, from: 0 }, proof));
      assert.ok(!verifyConsistency(sha256, { ...claim, size: from - 1 }, proof));
      assert.ok(!verifyConsistency(sha256, claim, [...proof, claim.root]));
      const other = new Uint8Array(32).fill(9);
      assert.ok(!verifyConsistency(sha256, { ...claim, root: other }, proof));
      if (from < size) {
        assert.ok(!verifyConsistency(sha256, { ...claim, fromRoot: other }, proof));
        const bent = proof.map((node) => Uint8Array.from(node));
        bent[flip % bent.length]![flip % 32]! ^= 1;
        assert.ok(!verifyConsistency(sha256, claim, bent));
      }
    }),
    { numRuns: 200 },
  );
});

test("proofs made from tiles are those made from the leaves", () => {
  const tree = growTo(many);
  const rows = new Map<string, Tile>(
    [...tree.takeFullTiles(), ...tree.partialTiles()].map((tile) => [`${tile.level}/${tile.index}`, tile]),
  );
  const fromTiles = subtreeFromTiles(sha256, (level, index) => rows.get(`${level}/${index}`)!.bytes);
  const fromLeaves = subtreeFromLeaves(sha256, many);
  fc.assert(
    fc.property(sizes, fc.nat(), (size, pick) => {
      const index = pick % size;
      assert.deepEqual(
        inclusionProof(index, size, fromTiles).map((node) => Buffer.from(node)),
        inclusionProof(index, size, fromLeaves).map((node) => Buffer.from(node)),
      );
      assert.deepEqual(
        consistencyProof(index + 1, size, fromTiles).map((node) => Buffer.from(node)),
        consistencyProof(index + 1, size, fromLeaves).map((node) => Buffer.from(node)),
      );
    }),
    { numRuns: 20 },
  );
});

test("an index outside the tree has no proof", () => {
  const subtree = subtreeFromLeaves(sha256, many);
  assert.throws(() => inclusionProof(5, 5, subtree), RangeError);
  assert.throws(() => consistencyProof(0, 5, subtree), RangeError);
});

test("tile paths are in groups of three digits", () => {
  assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), "tile/0/x001/x234/067");
  assert.equal(tilePath({ level: 2, index: 0, width: 17 }), "tile/2/000.p/17");
  assert.equal(bundlePath(1000, 1), "tile/entries/x001/000.p/1");
  assert.equal(bundlePath(999), "tile/entries/999");
});
