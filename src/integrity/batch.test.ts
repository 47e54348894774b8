/** Batches: when a statement is due, what it says, and what isn't taken for one. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { messageEnd } from "../../test/support/message-ends.ts";
import { signFlattened } from "../crypto/jws.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import type { SignatureFault } from "../model/message-proof.ts";
import {
  type Attestation,
  checkStatement,
  type ExpectedStatement,
  leafOf,
  maxLeaves,
  outgoingBatch,
  readAttestation,
  signStatement,
  writeAttestation,
} from "./batch.ts";

const now = 1_795_000_000_000;
const token = new Uint8Array(16).fill(9);
const [end, stranger] = [messageEnd(), messageEnd()];
const key = end.signers["ML-DSA-65"];
const about = { direction: "req", issuer: "spiffe://acme.test/a", audience: "spiffe://acme.test/g" } as const;
const expected: ExpectedStatement = { ...about, keySet: end.keySet, nowUnixMs: now };
const range = { batch: toBase64url(token), start: 5, leaves: ["p0", "p1", "p2"].map(leafOf) };

test("messages are numbered from 0, and a statement takes up where the last one ended", () => {
  const batch = outgoingBatch(token);
  assert.deepEqual([batch.add("p0", now), batch.add("p1", now)], [0, 1]);
  assert.deepEqual(batch.take(), { batch: batch.id, start: 0, leaves: [leafOf("p0"), leafOf("p1")] });
  assert.equal(batch.add("p2", now), 2);
  assert.deepEqual(batch.take(), { batch: batch.id, start: 2, leaves: [leafOf("p2")] });
  assert.deepEqual(batch.take(), { batch: batch.id, start: 3, leaves: [] });
});

test("a statement is due 250 ms after the first message, or when it is full", () => {
  const batch = outgoingBatch(token);
  assert.equal(batch.dueUnixMs(), undefined);
  batch.add("p", now);
  batch.add("p", now + 100);
  assert.equal(batch.dueUnixMs(), now + 250);
  for (let i = 2; i < maxLeaves; i++) {
    assert.equal(batch.dueUnixMs(), now + 250);
    batch.add("p", now + 200);
  }
  assert.equal(batch.dueUnixMs(), now + 200);
  batch.take();
  assert.equal(batch.dueUnixMs(), undefined);
});

test("a statement has 1,024 leaves at most, and a batch that is never taken ends", () => {
  const batch = outgoingBatch(token);
  let added = 0;
  while (batch.add("p", now) !== undefined) added++;
  assert.equal(added, 16_384);
  assert.equal(batch.take().leaves.length, 1024);
  assert.equal(batch.add("p", now), 16_384);
  assert.equal(batch.take().start, 1024);
});

test("a statement is proven to be about these leaves", async () => {
  const long = new Map([["AAAAAAAAAAAAAAAAAAAAAA", `raw-sha-256:${"A".repeat(43)}`]]);
  for (const [leaves, algorithm] of [
    [range.leaves, "ML-DSA-65"],
    [[], "ML-DSA-87"],
  ] as const) {
    const of = { ...range, leaves };
    const statement = await signStatement(of, { ...about, long }, end.signers[algorithm], now);
    const { ok } = checkStatement(statement, of, expected);
    assert.deepEqual([ok?.batch, ok?.start, ok?.end, ok?.long], [range.batch, 5, 5 + leaves.length, long]);
  }
});

const statement = await signStatement(range, about, key, now);
const payload = JSON.parse(Buffer.from(statement.payload, "base64url").toString()) as object;
const signed = (part: object) =>
  signFlattened("mcp-batch+jws", toBase64url(utf8(JSON.stringify({ ...payload, ...part }))), key);

test("a statement of its own making would be taken", async () => {
  assert.ok(checkStatement(await signed({ later: 1 }), range, expected).ok);
});

for (const [what, fault, part] of [
  ["a leaf is another", "wrong_batch", { leaves: [...range.leaves.slice(0, 2), leafOf("p3")] }],
  [
    "two leaves changed places",
    "wrong_batch",
    { leaves: range.leaves.toSpliced(0, 2, leafOf("p1"), leafOf("p0")) },
  ],
  ["a leaf is missing", "wrong_batch", { leaves: range.leaves.slice(1), start: 6 }],
  ["a leaf is too many", "wrong_batch", { leaves: [...range.leaves, leafOf("p3")] }],
  ["they stand elsewhere", "wrong_batch", { start: 4 }],
  ["they are of another batch", "wrong_batch", { batch: "AAAAAAAAAAAAAAAAAAAAAA" }],
] as const satisfies readonly (readonly [string, SignatureFault, object])[]) {
  test(`${fault}: ${what}`, () => {
    assert.deepEqual(checkStatement(statement, { ...range, ...part }, expected), { fault });
  });
}

for (const [what, fault, part] of [
  ["nobody's keys are known", "unknown_key", { keySet: undefined }],
  ["another signed it", "unknown_key", { keySet: stranger.keySet }],
  ["it is another's", "wrong_issuer", { issuer: "spiffe://acme.test/b" }],
  ["it is for another", "wrong_audience", { audience: "spiffe://acme.test/h" }],
  ["it is about the other direction", "wrong_direction", { direction: "res" }],
  ["it is too old", "expired", { nowUnixMs: now + 180_000 }],
  ["it is of a time to come", "not_yet_valid", { nowUnixMs: now - 61_000 }],
] as const satisfies readonly (readonly [string, SignatureFault, Partial<ExpectedStatement>])[]) {
  test(`${fault}: ${what}`, () => {
    assert.deepEqual(checkStatement(statement, range, { ...expected, ...part }), { fault });
  });
}

test("wrong_batch: it counts other leaves than it has", async () => {
  assert.deepEqual(checkStatement(await signed({ end: 9 }), range, expected), { fault: "wrong_batch" });
});

for (const [what, part] of [
  ["no version", { v: undefined }],
  ["a year's validity", { exp: 1_830_000_000 }],
  ["no root", { root: "sha-256:" }],
  ["digests of long answers that are none", { long: { AAAAAAAAAAAAAAAAAAAAAA: "sha-256:x" } }],
  ["nonces that are none", { long: { n: `raw-sha-256:${"A".repeat(43)}` } }],
  ["long answers that are no object", { long: [] }],
] as const) {
  test(`malformed: a statement with ${what}`, async () => {
    assert.deepEqual(checkStatement(await signed(part), range, expected), { fault: "malformed" });
  });
}

test("a message's signature is no statement", async () => {
  const other = await signFlattened("mcp-message+jws", statement.payload, key);
  assert.deepEqual(checkStatement(other, range, expected), { fault: "malformed" });
});

const nonce = "AAAAAAAAAAAAAAAAAAAAAA";
const attestation: Attestation = {
  range,
  statement,
  long: [nonce],
  faults: [{ fault: "wrong_call", nonce, method: "tools/call" }, { fault: "unattested" }],
};
const written = JSON.parse(JSON.stringify(writeAttestation(attestation))) as object;

test("an attestation is read as it was written, with or without what may be absent", () => {
  for (const one of [attestation, { ...attestation, long: [], faults: [] }]) {
    const read = readAttestation(JSON.parse(JSON.stringify(writeAttestation(one))));
    assert.ok(read);
    assert.deepEqual(writeAttestation(read), writeAttestation(one));
    assert.deepEqual([read.long, read.faults, read.statement], [one.long, one.faults, one.statement]);
  }
});

test("of what an attestation reports only faults that there are count", () => {
  const faults = [{ fault: "made up by a caller" }, { fault: "expired", nonce }, { fault: "toString" }];
  assert.deepEqual(readAttestation({ ...written, faults })?.faults, [{ fault: "expired", nonce }]);
});

for (const [what, part] of [
  ["no batch", { batch: undefined }],
  ["a start below zero", { start: -1 }],
  ["a leaf of another length", { leaves: ["AAAA"] }],
  ["leaves that are no texts", { leaves: [7] }],
  ["too many leaves", { leaves: Array(1025).fill(toBase64url(new Uint8Array(32))) }],
  ["no statement", { statement: undefined }],
  ["a statement that is none", { statement: { protected: "a" } }],
  ["too many long answers", { long: Array(65).fill(nonce) }],
  ["faults without a name", { faults: [{ nonce }] }],
  ["a fault of a call that is none", { faults: [{ fault: "expired", nonce: 7 }] }],
] as const) {
  test(`an attestation isn't read with ${what}`, () => {
    assert.equal(readAttestation({ ...written, ...part }), undefined);
  });
}
