import assert from "node:assert/strict";
import { test } from "node:test";

import { generateKeyPair, signingKey } from "../crypto/keys.ts";
import { messageSuiteIds, signatureSuite } from "../crypto/suites/signatures.ts";
import { utf8 } from "../kernel/bytes.ts";
import { readFrame } from "../wire/frame.ts";
import { edited } from "../wire/json-edit.ts";
import { signerOf, withSignatureOffer } from "./answer-signer.ts";
import { outgoingBatch } from "./batch.ts";
import { claimsNow, requestDigest } from "./claims.ts";
import { type Envelope, envelopeEdits } from "./envelope.ts";
import { keySetOf, messageSigner, writeKeySet } from "./key-set.ts";
import { bodyDigest } from "./message-digest.ts";
import { promise, signDirect } from "./message-signature.ts";
import { type AnswerMessage, type AnswerTrust, verifyAnswer } from "./verify-answer.ts";

const nowUnixMs = 1_795_000_000_000;
const server = "spiffe://house.example/server/files";
const sidecar = "spiffe://house.example/agent/ada";
const pair = () => messageSuiteIds.map((id) => signingKey(generateKeyPair(signatureSuite(id))));
const [own, other] = [pair(), pair()];
const keySet = keySetOf(own);
const trust: AnswerTrust = {
  fingerprint: keySet.fingerprint,
  keys: writeKeySet(keySet),
  method: "tools/call",
  signer: server,
  audience: sidecar,
  nowUnixMs,
};
const message = utf8('{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"42"}]}}');

async function signed(sign: "direct" | "batched", answer = message): Promise<Uint8Array> {
  const about = {
    direction: "res",
    issuer: server,
    audience: sidecar,
    method: "tools/call",
    body: bodyDigest(answer) ?? "",
    request: requestDigest("payload"),
  } as const;
  const claims = claimsNow(about, new Uint8Array(16), nowUnixMs);
  const [key] = own;
  const envelope: Envelope | undefined =
    sign === "direct" && key !== undefined
      ? await signDirect(claims, messageSigner(key))
      : promise(claims, outgoingBatch(new Uint8Array(16)), nowUnixMs);
  return edited(answer, (envelope && envelopeEdits(readFrame(answer), envelope)) ?? []);
}

const direct = await signed("direct");
const parsed = (bytes: Uint8Array) =>
  JSON.parse(Buffer.from(bytes).toString()) as { readonly result: object };
const changed = (bytes: Uint8Array): Uint8Array =>
  utf8(Buffer.from(bytes).toString().replace('"42"', '"43"'));

test("an answer is what its server signed, as bytes and as what an SDK made of them", () => {
  const { result } = parsed(direct);
  const seen: readonly AnswerMessage[] = [
    direct,
    { result },
    utf8(JSON.stringify({ result, id: 9, jsonrpc: "2.0" })),
  ];
  for (const answer of seen) {
    const verdict = verifyAnswer(answer, trust);
    assert.ok(verdict.kind === "signed", JSON.stringify(verdict));
    assert.deepEqual(
      [verdict.proof.signer, verdict.proof.algorithm, verdict.proof.keySet, verdict.audience],
      [server, "ML-DSA-65", keySet.fingerprint, sidecar],
    );
  }
});

test("an error is signed in its data", async () => {
  const error = await signed(
    "direct",
    utf8('{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no such tool"}}'),
  );
  assert.equal(verifyAnswer(error, trust).kind, "signed");
  const said = JSON.parse(Buffer.from(error).toString()) as {
    readonly error: { readonly code: number; readonly message: string };
  };
  assert.equal(verifyAnswer({ error: said.error }, trust).kind, "signed");
});

test("a batched answer is a promise, and an unsigned one is told", async () => {
  const batched = verifyAnswer(await signed("batched"), trust);
  assert.ok(batched.kind === "promised" && batched.proof.signer === server);
  assert.deepEqual(verifyAnswer(message, trust), { kind: "unsigned" });
  assert.deepEqual(verifyAnswer({ result: {} }, trust), { kind: "unsigned" });
});

const refusals: readonly (readonly [string, AnswerMessage, Partial<AnswerTrust>, string])[] = [
  ["a changed answer", changed(direct), {}, "tampered"],
  ["another key set than the fingerprint's", direct, { keys: writeKeySet(keySetOf(other)) }, "unknown_key"],
  ["another fingerprint", direct, { fingerprint: keySetOf(other).fingerprint }, "unknown_key"],
  ["keys that are none", direct, { keys: "keys" }, "unknown_key"],
  ["another signer", direct, { signer: `${server}2` }, "wrong_issuer"],
  ["an answer for another caller", direct, { audience: `${sidecar}2` }, "wrong_audience"],
  ["an answer to another method", direct, { method: "resources/read" }, "wrong_call"],
  ["an old answer", direct, { nowUnixMs: nowUnixMs + 300_000 }, "expired"],
  ["an answer from the future", direct, { nowUnixMs: nowUnixMs - 300_000 }, "not_yet_valid"],
  ["what is no answer", utf8("[]"), {}, "malformed"],
  ["a request", utf8('{"jsonrpc":"2.0","id":1,"method":"ping"}'), {}, "malformed"],
  ["a signature that can't be read", { result: { _meta: { "dev.latticegate/sig": 7 } } }, {}, "malformed"],
];

for (const [what, answer, differently, fault] of refusals) {
  test(`${what} is refused: ${fault}`, () => {
    assert.deepEqual(verifyAnswer(answer, { ...trust, ...differently }), { kind: "refused", fault });
  });
}

test("without a signer and an audience to expect, an answer says them itself", () => {
  const { signer: _, audience: __, ...open } = trust;
  const verdict = verifyAnswer(direct, open);
  assert.ok(verdict.kind === "signed");
  assert.deepEqual([verdict.proof.signer, verdict.audience], [server, sidecar]);
});

test("a client offers the extension beside what else it can do", () => {
  const id = "dev.latticegate/message-signature";
  const offered = withSignatureOffer({ sampling: {}, extensions: { "x/y": {} } });
  assert.deepEqual(Object.keys(offered), ["sampling", "extensions", "experimental"]);
  assert.deepEqual(Object.keys(offered.extensions), ["x/y", id]);
  assert.deepEqual(Object.keys(offered.experimental), [id]);
});

test("what a sidecar says of an answer's signer is read, or it is nothing", () => {
  const saying = (said: unknown): unknown => ({ _meta: { "dev.latticegate/answer": said } });
  const said = { signed: server, mode: "direct", alg: "ML-DSA-65", pin: "approved" };
  assert.deepEqual(signerOf(saying(said)), said);
  assert.deepEqual(signerOf(saying({ signed: server, mode: "batched", pin: "first-use" })), {
    signed: server,
    mode: "batched",
    pin: "first-use",
  });
  for (const none of [
    undefined,
    {},
    saying({}),
    saying({ ...said, mode: "none" }),
    saying({ ...said, pin: "cut" }),
  ])
    assert.equal(signerOf(none), undefined);
});
