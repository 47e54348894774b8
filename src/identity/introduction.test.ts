/** Introductions: by that rendezvous, for that peer, now; and by nobody else. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { generateKeyPair, importSecret, signingKey } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { introduce, readIntroduction } from "./introduction.ts";

const suite = signatureSuite("ML-DSA-65");
const vector = JSON.parse(readFileSync("test/vectors/peer/introduction.json", "utf8")) as {
  readonly now: string;
  readonly rendezvous_seed: string;
  readonly introduction: string;
};
const { peer_id: peerId } = JSON.parse(readFileSync("test/vectors/peer/certification.json", "utf8")) as {
  readonly peer_id: string;
};
const { publicKey } = importSecret(suite, Buffer.from(vector.rendezvous_seed, "hex"));
const from = { spiffeId: "spiffe://acme.test/server/relay", suite, publicKey };
const nowUnixMs = Date.parse(vector.now);

test("the vector says who comes, with which certificate, for what", () => {
  assert.deepEqual(readIntroduction(vector.introduction, from, { peerId, nowUnixMs }), {
    id: "an-introduction-0001",
    rendezvous: "spiffe://acme.test/server/relay",
    caller: "spiffe://acme.test/agent/a",
    certificate: "c".repeat(43),
    server: "files",
  });
});

test("an introduction is for its peer alone, for seconds, and by whom it says", () => {
  const read = (changed: object, of: object = {}): unknown =>
    readIntroduction(vector.introduction, { ...from, ...of }, { peerId, nowUnixMs, ...changed });
  assert.throws(() => read({ peerId: peerId.split("").toReversed().join("") }), /for another peer/);
  assert.throws(() => read({ nowUnixMs: nowUnixMs + 120_000 }), /isn't of now/);
  assert.throws(() => read({ nowUnixMs: nowUnixMs - 120_000 }), /isn't of now/);
  assert.throws(() => read({}, { spiffeId: "spiffe://acme.test/server/other" }), /another rendezvous/);
  const { publicKey: other } = generateKeyPair(suite);
  assert.throws(() => read({}, { publicKey: other }), /isn't signed by the rendezvous/);
});

test("a signed text of another kind is no introduction", async () => {
  const pair = generateKeyPair(suite);
  const about = {
    id: "x",
    rendezvous: from.spiffeId,
    caller: "",
    certificate: "",
    server: "files",
    peerId,
    nowUnixMs,
  };
  const signed = await introduce(signingKey(pair), about);
  assert.throws(() =>
    readIntroduction(signed, { ...from, publicKey: pair.publicKey }, { peerId, nowUnixMs }),
  );
});
