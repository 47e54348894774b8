/** What a renewal's files are, byte for byte; and trees by wider hashes. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { hashes, sha256 } from "../crypto/hash.ts";
import { renewalHashes } from "../crypto/suites/symmetric.ts";
import { toHex, utf8 } from "../kernel/bytes.ts";
import { growTree } from "../merkle/growing-tree.ts";
import { leafHash, rootOf } from "../merkle/hashing.ts";
import { inclusionProof, verifyInclusion } from "../merkle/proofs.ts";
import { runningRoot } from "../merkle/running-root.ts";
import { subtreeFromLeaves } from "../merkle/tiles.ts";
import { readCheckpointBody } from "./checkpoint.ts";
import { readRenewalBody, renewalBody, renewalDraft, renewalNamed } from "./renewal.ts";
import { formatRenewedFiles, readRenewedFiles, renewedFile } from "./renewed-files.ts";

const body = renewalBody({
  origin: "log.example/a",
  number: 3,
  atUnixMs: Date.UTC(2026, 10, 21, 12),
  hash: "SHA3-512",
  size: 700,
  root: new Uint8Array(64).fill(1),
  from: 0,
  evidence: { count: 4, root: new Uint8Array(64).fill(2) },
});

test("a renewal's text reads back as it was written, and is no checkpoint's", () => {
  fc.assert(
    fc.property(
      fc.record({
        number: fc.integer({ min: 1, max: 9999 }),
        atUnixMs: fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }),
        hash: fc.constantFrom(...renewalHashes),
        size: fc.nat({ max: 2 ** 31 - 1 }),
        root: fc.uint8Array({ minLength: 64, maxLength: 64 }),
        count: fc.nat(),
        from: fc.nat({ max: 8 }),
      }),
      ({ count, from, ...parts }) => {
        const written = renewalBody({
          origin: "log.example/a",
          ...parts,
          from: Math.min(from, Math.floor(parts.size / 256)) * 256,
          evidence: { count, root: parts.root },
        });
        const read = readRenewalBody(written.text) ?? assert.fail();
        assert.equal(renewalBody(read).text, written.text);
        assert.deepEqual([read.size, read.number, read.hash], [parts.size, parts.number, parts.hash]);
        assert.equal(readCheckpointBody(written.text), undefined);
      },
    ),
  );
});

const bent: readonly (readonly [string, (text: string) => string])[] = [
  ["a further line", (text) => `${text}more\n`],
  ["no last newline", (text) => text.slice(0, -1)],
  ["another format", (text) => text.replace("@v1", "@v2")],
  ["a beginning within a bundle", (text) => text.replace("\nevidence", "\nfrom 100\nevidence")],
  ["a beginning at 0", (text) => text.replace("\nevidence", "\nfrom 0\nevidence")],
  ["a beginning behind its end", (text) => text.replace("\nevidence", "\nfrom 768\nevidence")],
  ["number 0", (text) => text.replace("renewal 3", "renewal 0")],
  ["a number with a zero in front", (text) => text.replace("renewal 3", "renewal 03")],
  ["a day that isn't", (text) => text.replace("2026-11-21", "2026-13-21")],
  ["a time without milliseconds", (text) => text.replace(".000Z", "Z")],
  ["a hash that isn't for renewals", (text) => text.replace("SHA3-512", "SHA-256")],
  ["a hash in other letters", (text) => text.replace("SHA3-512", "sha3-512")],
  ["a root that is too short", (text) => text.replace(/(entries 700 ).*/, "$1AAAA")],
  ["a size that is no number", (text) => text.replace("entries 700", "entries 7e2")],
  ["a size beyond all", (text) => text.replace("entries 700", "entries 9999999999999999")],
];

for (const [what, change] of bent) {
  test(`a renewal's text with ${what} isn't one`, () => {
    assert.notEqual(change(body.text), body.text);
    assert.equal(readRenewalBody(change(body.text)), undefined);
  });
}

test("its entry names it", () => {
  const cause = { atUnixMs: 1, callId: "x", principal: "spiffe://example.org/gateway", by: "a test" };
  const draft = renewalDraft(body, "abcd", cause);
  assert.deepEqual(renewalNamed(draft), { number: 3, note: "abcd" });
  assert.deepEqual(draft.facts["size"], "700");
  assert.equal(renewalNamed({ event: "log.rotate", facts: draft.facts }), undefined);
  assert.equal(renewalNamed({ event: "log.renew", facts: {} })?.number, Number.NaN);
});

test("the list of evidence reads back, and in another order or with other files it isn't one", () => {
  const hash = hashes("SHA3-512");
  const paths = ["checkpoints/2026-11-21.first", "crossings/2.tlog-proof", "first-key.txt", "renewals/1"];
  const list = paths.map((path) => renewedFile(hash, path, utf8(path)));
  const bytes = formatRenewedFiles(list);
  const back = readRenewedFiles(bytes, 64) ?? assert.fail();
  assert.deepEqual(
    back.map(({ path, leaf }) => [path, toHex(leaf)]),
    list.map(({ path, leaf }) => [path, toHex(leaf)]),
  );
  assert.deepEqual(readRenewedFiles(new Uint8Array(), 64), []);
  assert.equal(readRenewedFiles(bytes, 32), undefined);
  assert.equal(readRenewedFiles(bytes.subarray(0, -1), 64), undefined);
  assert.equal(readRenewedFiles(formatRenewedFiles(list.toReversed()), 64), undefined);
  const [first = assert.fail()] = list;
  assert.equal(readRenewedFiles(formatRenewedFiles([first, first]), 64), undefined);
  for (const path of ["checkpoint", "../secret", "renewals/0", "checkpoints/2026-11-21", "tile/0/000"]) {
    assert.equal(readRenewedFiles(formatRenewedFiles([{ ...first, path }]), 64), undefined, path);
  }
});

test("a running root is the tree's root, by any hash, and leaves are proven in it", () => {
  const tree = growTree(sha256);
  const running = runningRoot(sha256);
  assert.deepEqual(running.root(), tree.root());
  for (const id of ["SHA-256", ...renewalHashes] as const) {
    const hash = hashes(id);
    const wide = runningRoot(hash);
    const leaves = Array.from({ length: 300 }, (_, i) => leafHash(hash, utf8(String(i))));
    leaves.forEach((leaf, i) => {
      wide.append(leaf);
      const size = i + 1;
      if (i % 37 > 0) return;
      const root = rootOf(hash, leaves.slice(0, size));
      assert.deepEqual(wide.root(), root);
      const proof = inclusionProof(i >> 1, size, subtreeFromLeaves(hash, leaves));
      const claim = { leaf: leaves[i >> 1] ?? leaf, index: i >> 1, size, root };
      assert.ok(verifyInclusion(hash, claim, proof));
      assert.equal(verifyInclusion(hash, { ...claim, leaf: root }, proof), size === 1);
    });
  }
});
