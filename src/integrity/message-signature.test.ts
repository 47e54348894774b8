/** What a signature proves, and the name of each thing that can be wrong with one. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { claimsOf, envelopeIn, frameOf, messageEnd, withEnvelope } from "../../test/support/message-ends.ts";
import { protectedHeader } from "../crypto/jws.ts";
import { generateKeyPair, signingKey } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import type { SignatureFault } from "../model/message-proof.ts";
import { outgoingBatch } from "./batch.ts";
import { requestDigest, writeClaims } from "./claims.ts";
import { type Envelope, payloadOf } from "./envelope.ts";
import { type Checked, checkMessage, type Expected, promise, signDirect } from "./message-signature.ts";

const now = 1_795_000_000_000;
const at = { nonce: 1, nowUnixMs: now };
const [sidecar, server, stranger] = [messageEnd(), messageEnd(), messageEnd()];

const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"to":"x"}}}';
const aboutCall = {
  direction: "req",
  issuer: "spiffe://acme.test/agent/a",
  audience: "spiffe://acme.test/gateway?server=bank",
  method: "tools/call",
} as const;
const expectedCall: Expected = { ...aboutCall, keySet: sidecar.keySet, trust: "approved", nowUnixMs: now };
const signedCall = await signDirect(claimsOf(call, aboutCall, at), sidecar.signers["ML-DSA-65"]);
const callOnTheWire = withEnvelope(call, signedCall);

const answer = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"paid"}]}}';
const aboutAnswer = {
  direction: "res",
  issuer: "spiffe://acme.test/gateway",
  audience: aboutCall.issuer,
  method: "tools/call",
} as const;
const expectedAnswer: Expected = {
  ...aboutAnswer,
  request: requestDigest(payloadOf(signedCall)),
  keySet: server.keySet,
  trust: "first-use",
  nowUnixMs: now,
};

function check(message: Uint8Array, expected: Expected): Checked {
  const envelope = envelopeIn(frameOf(message));
  assert.ok(envelope);
  return checkMessage(envelope, message, expected);
}

for (const algorithm of ["ML-DSA-65", "ML-DSA-87"] as const) {
  test(`a direct signature proves who signed, when, and with what: ${algorithm}`, async () => {
    const claims = claimsOf(call, { ...aboutCall, subject: "spiffe://acme.test/agent/b" }, at);
    const signed = await signDirect(claims, sidecar.signers[algorithm]);
    assert.deepEqual(check(withEnvelope(call, signed), expectedCall).ok, {
      mode: "direct",
      algorithm,
      signer: aboutCall.issuer,
      keySet: sidecar.keySet.fingerprint,
      trust: "approved",
      payload: payloadOf(signed),
      nonce: claims.nonce,
      signedAtUnixMs: now,
      expiresAtUnixMs: now + 120_000,
      subject: "spiffe://acme.test/agent/b",
    });
  });
}

test("an answer is proven to be this call's, and says what was changed in it", async () => {
  const changed = { paths: ["/result/content/0/text"], original: `sha-256:${"A".repeat(43)}`, issuer: "s" };
  const request = requestDigest(payloadOf(signedCall));
  const claims = claimsOf(answer, { ...aboutAnswer, request, changed }, at);
  const signed = withEnvelope(answer, await signDirect(claims, server.signers["ML-DSA-87"]));
  const { ok } = check(signed, expectedAnswer);
  assert.deepEqual([ok?.mode, ok?.trust, ok?.changed], ["direct", "first-use", changed]);
});

test("a promise proves the same, but for the signature that follows", () => {
  const batch = outgoingBatch(new Uint8Array(16));
  const claims = claimsOf(call, aboutCall, at);
  const promised = [1, 2].map(() => promise(claims, batch, now));
  assert.deepEqual(promised[1], { kind: "promise", payload: writeClaims(claims), batch: batch.id, seq: 1 });
  const { ok } = check(withEnvelope(call, promised[1]), expectedCall);
  assert.ok(ok?.mode === "batched");
  assert.deepEqual([ok.batch, ok.seq, ok.signer], [batch.id, 1, aboutCall.issuer]);
});

const later = (nowUnixMs: number): Expected => ({ ...expectedCall, nowUnixMs });
const faults: readonly (readonly [string, SignatureFault, () => Promise<Checked> | Checked])[] = [
  [
    "a byte of an argument is another",
    "tampered",
    () => check(utf8((fromUtf8(callOnTheWire) ?? "").replace('"x"', '"y"')), expectedCall),
  ],
  [
    "it is for another server",
    "wrong_audience",
    () => check(callOnTheWire, { ...expectedCall, audience: "other" }),
  ],
  [
    "another caller brings it",
    "wrong_issuer",
    () => check(callOnTheWire, { ...expectedCall, issuer: "other" }),
  ],
  [
    "it comes back as an answer",
    "wrong_direction",
    () => check(callOnTheWire, { ...expectedCall, direction: "res" }),
  ],
  [
    "its keys aren't known",
    "unknown_key",
    () => check(callOnTheWire, { ...expectedCall, keySet: undefined }),
  ],
  [
    "others' keys are",
    "unknown_key",
    () => check(callOnTheWire, { ...expectedCall, keySet: stranger.keySet }),
  ],
  ["it is too old", "expired", () => check(callOnTheWire, later(now + 180_000))],
  ["it is of a time to come", "not_yet_valid", () => check(callOnTheWire, later(now - 60_001))],
  [
    "it is another method's",
    "tampered",
    async () => {
      const claims = claimsOf(call, { ...aboutCall, method: "tools/list" }, at);
      const signed = await signDirect(claims, sidecar.signers["ML-DSA-65"]);
      return checkMessage(signed, utf8(call), expectedCall);
    },
  ],
  [
    "its payload is another",
    "bad_signature",
    () => {
      assert.ok(signedCall.kind === "direct");
      const payload = writeClaims(claimsOf(call, { ...aboutCall, subject: "me" }, at));
      return checkMessage({ kind: "direct", jws: { ...signedCall.jws, payload } }, utf8(call), expectedCall);
    },
  ],
  [
    "its signature is of the other key",
    "bad_signature",
    async () => {
      const other = await signDirect(claimsOf(call, aboutCall, at), stranger.signers["ML-DSA-65"]);
      return checkMessage(relabelled(other, sidecar.signers["ML-DSA-65"].kid), utf8(call), expectedCall);
    },
  ],
  [
    "its signature is cut",
    "bad_signature",
    () => {
      assert.ok(signedCall.kind === "direct");
      const signature = signedCall.jws.signature.slice(0, -4);
      return checkMessage(
        { kind: "direct", jws: { ...signedCall.jws, signature } },
        utf8(call),
        expectedCall,
      );
    },
  ],
  [
    "it is signed with a weaker algorithm",
    "weak_algorithm",
    async () => {
      const { suite, publicKey, sign } = signingKey(generateKeyPair(signatureSuite("ML-DSA-44")));
      const weak = await signDirect(claimsOf(call, aboutCall, at), { suite, publicKey, sign, kid: "k" });
      return checkMessage(weak, utf8(call), expectedCall);
    },
  ],
  ["its algorithm is none", "weak_algorithm", () => withHeader({ alg: "none" })],
  ["its header is none", "weak_algorithm", () => withHeader([])],
  [
    "it is signed for something else than a message",
    "malformed",
    () => withHeader({ alg: "ML-DSA-65", kid: sidecar.signers["ML-DSA-65"].kid, typ: "mcp-batch+jws" }),
  ],
  [
    "its header brings a key of its own",
    "malformed",
    () =>
      withHeader({
        alg: "ML-DSA-65",
        kid: sidecar.signers["ML-DSA-65"].kid,
        typ: "mcp-message+jws",
        jwk: {},
      }),
  ],
  [
    "it promises something unreadable",
    "malformed",
    () => checkMessage({ kind: "promise", payload: "e30", batch: "", seq: 0 }, utf8(call), expectedCall),
  ],
  [
    "a message comes without the call that it answers",
    "wrong_call",
    async () => check(await signedAnswer(), { ...expectedAnswer, request: "another" }),
  ],
  [
    "nobody says which call it should answer",
    "wrong_call",
    async () => {
      const { request: _, ...unsaid } = expectedAnswer;
      return check(await signedAnswer(), unsaid);
    },
  ],
  [
    "it answers another method",
    "wrong_call",
    async () => check(await signedAnswer(), { ...expectedAnswer, method: "tools/list" }),
  ],
  [
    "the answer is another",
    "tampered",
    async () => check(utf8((fromUtf8(await signedAnswer()) ?? "").replace("paid", "owed")), expectedAnswer),
  ],
  [
    "a result has become an error",
    "tampered",
    async () => {
      const error = '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}';
      const envelope = envelopeIn(frameOf(await signedAnswer()));
      assert.ok(envelope);
      return check(withEnvelope(error, envelope), expectedAnswer);
    },
  ],
];
for (const [what, fault, checked] of faults) {
  test(`${fault}: ${what}`, async () => assert.deepEqual(await checked(), { fault }));
}

test("a minute more or less of the other's clock is no fault", () => {
  for (const nowUnixMs of [now - 60_000, now + 179_999]) assert.ok(check(callOnTheWire, later(nowUnixMs)).ok);
});

async function signedAnswer(): Promise<Uint8Array> {
  const claims = claimsOf(answer, { ...aboutAnswer, request: requestDigest(payloadOf(signedCall)) }, at);
  return withEnvelope(answer, await signDirect(claims, server.signers["ML-DSA-65"]));
}

function relabelled(envelope: Envelope, kid: string): Envelope {
  assert.ok(envelope.kind === "direct");
  const header = protectedHeader("mcp-message+jws", { suite: signatureSuite("ML-DSA-65"), kid });
  return { kind: "direct", jws: { ...envelope.jws, protected: header } };
}

function withHeader(header: unknown): Checked {
  assert.ok(signedCall.kind === "direct");
  const jws = { ...signedCall.jws, protected: toBase64url(utf8(JSON.stringify(header))) };
  return checkMessage({ kind: "direct", jws }, utf8(call), expectedCall);
}
