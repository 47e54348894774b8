/**
 * The second reading of the log's formats (test/second-reading) against what others published: the examples of C2SP
 * merkle-tree, signed-note and tlog-tiles, the note in the documentation of golang.org/x/mod/sumdb/note, and SEP-3004's own digest.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { hash, hex, toUtf8 } from "./second-reading/bytes.ts";
import { readHead, signersOf } from "./second-reading/checkpoint.ts";
import { readEntry } from "./second-reading/entry.ts";
import {
  append,
  consistencyProof,
  demandConsistency,
  demandInclusion,
  emptyFrontier,
  leafHash,
  nodeHash,
  rootOf,
  treeHash,
} from "./second-reading/merkle.ts";
import { readKey, readNote } from "./second-reading/note.ts";
import { indexPath, parseTileName, shapeOf } from "./second-reading/tiles.ts";

const entries = Array.from({ length: 7 }, (_, at) => toUtf8(`entry ${at}`));
const leaves = entries.map(leafHash);

test("the second reading has the inclusion proofs of merkle-tree's example, and takes no other", () => {
  const { a, b, c, f, g, h, i, j, k, l, root } = nodes();
  assert.deepEqual(treeHash(leaves), root);
  const tree = { size: 7, root };
  for (const [index, proof] of [
    [0, [b, i, l]],
    [3, [c, h, l]],
    [4, [f, g, k]],
    [6, [j, k]],
  ] as const) {
    const entry = entries[index] ?? a;
    demandInclusion(entry, index, tree, proof);
    assert.throws(() => demandInclusion(entry, index + 1, tree, proof));
    assert.throws(() => demandInclusion(entry, index, tree, proof.slice(1)), /too few|another root/);
    assert.throws(() => demandInclusion(entry, index, tree, [...proof, a]), /too many/);
    assert.throws(() => demandInclusion(toUtf8("another"), index, tree, proof), /another root/);
  }
});

test("the second reading has the consistency proofs of merkle-tree's example, and takes no other", () => {
  const { c, d, g, h, j, k, l, root } = nodes();
  const newer = { size: 7, root };
  for (const [size, proof] of [
    [3, [c, d, h, l]],
    [4, [l]],
    [6, [j, g, k]],
  ] as const) {
    const older = { size, root: treeHash(leaves.slice(0, size)) };
    assert.deepEqual(consistencyProof(size, leaves), proof);
    demandConsistency(older, newer, proof);
    assert.throws(() => demandConsistency({ size, root: c }, newer, proof));
    assert.throws(() => demandConsistency(older, newer, [...proof, c]));
    assert.throws(() => demandConsistency(newer, older, proof), /smaller/);
  }
});

test("a tree that grows leaf by leaf has the root that the RFC's recursion gives, at every size", () => {
  let frontier = emptyFrontier;
  assert.deepEqual(rootOf(frontier), hash());
  for (let size = 1; size <= 600; size += 1) {
    frontier = append(frontier, hash(toUtf8(String(size))));
    const all = Array.from({ length: size }, (_, at) => hash(toUtf8(String(at + 1))));
    if (size < 40 || size % 97 === 0) assert.deepEqual(rootOf(frontier), treeHash(all), String(size));
  }
});

test("tiles have the paths and the shapes of tlog-tiles' examples", () => {
  assert.equal(indexPath(1234067), "x001/x234/067");
  assert.deepEqual(
    [0, 1, 2].map((level) => shapeOf(70_000, level)),
    [
      { full: 273, partial: 112 },
      { full: 1, partial: 17 },
      { full: 0, partial: 1 },
    ],
  );
  assert.deepEqual(shapeOf(256, 1), { full: 0, partial: 1 });
  assert.equal(parseTileName("0/x001/x234/067.p/9")?.index, 1234067);
  for (const name of [
    "00/000",
    "64/000",
    "0/x000/001",
    "0/1",
    "0/000.p/0",
    "0/000.p/256",
    "0/000.p/07",
    "0/x001",
  ])
    assert.equal(parseTileName(name), undefined, name);
});

test("the note of x/mod's documentation is read, and its Ed25519 signature holds", () => {
  const key = readKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  const text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const line =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  const note = readNote(toUtf8(`${text}\n${line}`));
  const head = { note, text, origin: "", size: 0, root: hash() };
  assert.deepEqual(signersOf(head, [key]), [key]);
  assert.throws(() => signersOf({ ...head, text: `${text}!` }, [key]), /doesn't hold/);
  assert.throws(() => readNote(toUtf8(text)), /without/);
  assert.throws(() => readNote(toUtf8(`${text}\n${line.repeat(17)}`)), /more than 16/);
  assert.throws(() => readNote(toUtf8(`${text}\t\n\n${line}`)), /control/);
  assert.throws(() => readNote(toUtf8(`${text}\n${line.trimEnd()}`)), /newline/);
  assert.throws(() => readKey("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), /id/);
});

test("the verifier key of signed-note verifies its example", () => {
  const key = readKey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
  const note = readNote(
    toUtf8(
      "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
    ),
  );
  assert.deepEqual(signersOf({ note, text: note.text, origin: "", size: 0, root: hash() }, [key]), [key]);
  assert.throws(() => readKey("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"), /id/);
});

test("a checkpoint has three lines, a size without leading zeros and a root of 32 bytes", () => {
  const root = Buffer.from(hash()).toString("base64");
  const sign = "\n\n— a AAAAAAA=\n";
  assert.equal(readHead(toUtf8(`a\n0\n${root}${sign}`)).size, 0);
  for (const text of [
    `a\n00\n${root}`,
    `a\n+1\n${root}`,
    `a\n1\n${root.slice(4)}`,
    `a\n1`,
    `a\n1\n${root}\nmore`,
  ])
    assert.throws(() => readHead(toUtf8(text + sign)));
  assert.throws(() => readHead(toUtf8(`\n1\n${root}${sign}`)));
});

const folder = new URL("vectors/entry/", import.meta.url);
for (const name of readdirSync(folder).filter((found) => found.endsWith(".txt"))) {
  test(`the second reading agrees with the entry vector ${name}`, () => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const split = text.indexOf("\n\n");
    const fields = new Map(
      text
        .slice(0, split)
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
    );
    const bytes = toUtf8(text.slice(split + 2).trimEnd());
    const expected = fields.get("expect");
    if (expected === "record") assert.equal(readEntry(bytes).eventHash, fields.get("event-hash"));
    else if (expected === "unreadable") assert.throws(() => readEntry(bytes));
    else assert.equal(hex(hash(bytes)), fields.get("sha256"));
  });
}

/** Named as in merkle-tree's example. */
function nodes() {
  const [a, b, c, d, e, f, g] = leaves;
  assert.ok(a && b && c && d && e && f && g);
  const [h, i, j] = [nodeHash(a, b), nodeHash(c, d), nodeHash(e, f)];
  const [k, l] = [nodeHash(h, i), nodeHash(j, g)];
  return { a, b, c, d, f, g, h, i, j, k, l, root: nodeHash(k, l) };
}
