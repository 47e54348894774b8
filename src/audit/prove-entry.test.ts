import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import * as fc from "fast-check";

import {
  appendMany,
  cause,
  logKeyOf,
  newFolder,
  newGeneration,
  open,
  origin,
  signers,
} from "../../test/support/log-fixture.ts";
import type { LogKey } from "../crypto/log-key.ts";
import { noteVerifier } from "../crypto/note-keys.ts";
import { signersOf, type GenerationSigners } from "../host/store/journal-rotation.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { findCrossings } from "./generations.ts";
import { proveEntry } from "./prove-entry.ts";
import { maxReceiptBytes, verifyReceipt } from "./receipt.ts";

const logKey = logKeyOf(signers);

async function receipt(folder: string, index: number): Promise<Uint8Array> {
  const proven = await proveEntry(openLogReader(folder).files, index);
  return proven.kind === "receipt" ? proven.bytes : assert.fail(JSON.stringify(proven));
}

test("every entry under a head has a receipt that holds, whatever the size of the log", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  let before = 0;
  for (const size of [1, 2, 3, 255, 256, 257, 511, 512, 513, 700]) {
    await appendMany(journal, before, size);
    await journal.checkpoint();
    for (const index of new Set([0, 1, 255, 256, 511, 512, before, size - 1])) {
      if (index >= size) continue;
      const verdict = verifyReceipt(await receipt(folder, index), { logKey });
      assert.equal(verdict.kind, "holds", JSON.stringify(verdict));
      if (verdict.kind !== "holds") return;
      assert.deepEqual(
        [verdict.index, verdict.entry.callId, verdict.head.size],
        [index, `call-${index}`, size],
      );
    }
    before = size;
  }
  await journal.close();
});

test("an entry behind the head has no receipt yet", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 3);
  await journal.checkpoint();
  await appendMany(journal, 3, 5);
  assert.deepEqual(await proveEntry(openLogReader(folder).files, 4), { kind: "uncovered", size: 3 });
  await journal.close();
  assert.equal(verifyReceipt(await receipt(folder, 4), { logKey }).kind, "holds");
});

test("a receipt isn't made of an entry that was changed, or without a tile it needs", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 300);
  await journal.close();
  const bundle = join(folder, "tile/entries/000");
  const bytes = await readFile(bundle);
  await writeFile(bundle, Buffer.from(bytes.toString("latin1").replace("call-7", "call-9"), "latin1"));
  const { files } = openLogReader(folder);
  assert.deepEqual(await proveEntry(files, 7), {
    kind: "bad",
    why: "entry 7 isn't what the head was signed over",
  });
  assert.equal((await proveEntry(files, 8)).kind, "receipt");
  await rm(join(folder, "tile/0/000"));
  assert.deepEqual(await proveEntry(files, 8), { kind: "bad", why: "tile/0/000 isn't there" });
});

function keysOf(...generations: readonly GenerationSigners[]): LogKey {
  return generations.map((each) => ({
    number: each.number,
    keys: signersOf(each).map(({ vkey }) => noteVerifier(vkey)),
  }));
}

test("receipts of before and after rotations hold for the keys of any generation, with the crossings", async () => {
  const folder = newFolder();
  const [one, two, three] = [newGeneration(1), newGeneration(2), newGeneration(3)];
  const journal = await open(folder, { signers: one.signers, origin });
  const receipts: Uint8Array[] = [];
  const take = async (index: number): Promise<void> => {
    await journal.checkpoint();
    receipts.push(await receipt(folder, index));
  };
  await appendMany(journal, 0, 4);
  await take(2);
  await journal.rotate(two, cause());
  await take(3);
  await appendMany(journal, 4, 8);
  await take(6);
  await journal.rotate(three, cause());
  await appendMany(journal, 8, 12);
  await take(1);
  await journal.close();
  const crossings = await findCrossings(openLogReader(folder).files, keysOf(one));
  for (const bytes of receipts) {
    for (const keys of [keysOf(one), keysOf(two), keysOf(three), keysOf(one, two), keysOf(one, two, three)]) {
      const verdict = verifyReceipt(bytes, { logKey: keys, crossings });
      assert.equal(verdict.kind, "holds", JSON.stringify(verdict));
    }
  }
  const bare = receipts.map((bytes) => verifyReceipt(bytes, { logKey: keysOf(three) }));
  assert.deepEqual(
    bare.map(({ kind }) => kind),
    ["bad", "bad", "bad", "holds"],
  );
  assert.match(bare[0]?.kind === "bad" ? bare[0].why : "", /no signature of the log key.*crossings/);
  const told = verifyReceipt(receipts[0] ?? new Uint8Array(), { logKey: keysOf(one, two) });
  assert.match(
    told.kind === "bad" ? told.why : "",
    /signed by generation 1.*crossings\/2\.tlog-proof of the log is needed/,
  );
});

test("a head that ended keys signed after their end makes no receipt, and a crossing that doesn't hold spoils all", async () => {
  const folder = newFolder();
  const [one, two] = [newGeneration(1), newGeneration(2)];
  const journal = await open(folder, { signers: one.signers, origin });
  await appendMany(journal, 0, 4);
  await journal.rotate(two, cause());
  await appendMany(journal, 4, 6);
  await journal.close();
  const bytes = await receipt(folder, 5);
  const crossings = await findCrossings(openLogReader(folder).files, keysOf(one));
  // Who stole the first generation's keys makes a log of its own with them.
  const forged = newFolder();
  const theirs = await open(forged, { signers: one.signers, origin });
  await appendMany(theirs, 0, 9);
  await theirs.close();
  const verdict = verifyReceipt(await receipt(forged, 8), { logKey: keysOf(one), crossings });
  assert.match(verdict.kind === "bad" ? verdict.why : "", /generation 2 signs since/);
  const [[number, crossing] = [2, new Uint8Array()]] = crossings;
  const bent = Uint8Array.from(crossing);
  bent[bent.length - 9] = bent[bent.length - 9] === 0x41 ? 0x42 : 0x41;
  const spoilt = verifyReceipt(bytes, { logKey: keysOf(two), crossings: new Map([[number, bent]]) });
  assert.match(spoilt.kind === "bad" ? spoilt.why : "", /crossings\/2\.tlog-proof doesn't hold/);
});

test("no byte of a receipt can be changed, but for what isn't signed, and arbitrary bytes never throw", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 20);
  await journal.close();
  const good = await receipt(folder, 11);
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Uint8Array.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ change;
      const verdict = verifyReceipt(bytes, { logKey });
      // The ML-DSA-44 line may become one of a key nobody knows; what the receipt says stays the same.
      const says = verdict.kind === "holds" ? [verdict.index, verdict.entry.callId] : [];
      assert.ok(verdict.kind === "bad" || (says[0] === 11 && says[1] === "call-11"));
    }),
    { numRuns: 150 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) =>
      assert.equal(verifyReceipt(bytes, { logKey }).kind, "bad"),
    ),
  );
  const long = new Uint8Array(maxReceiptBytes + 1).fill(0x20);
  assert.equal(verifyReceipt(long, { logKey }).kind, "bad");
});
