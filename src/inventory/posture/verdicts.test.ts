/** Verdicts by table: what was observed, what it is called, and until when. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { ObservedCertificate, ObservedTls } from "./posture.ts";
import { postureOf } from "./verdicts.ts";

const now = Date.parse("2026-11-23");
const day = 86_400_000;

function certificate(over: Partial<ObservedCertificate> = {}): ObservedCertificate {
  return {
    subject: "CN=server",
    issuer: "CN=authority",
    serial: "01",
    sha256: "00",
    key: "ML-DSA-87",
    signature: "ML-DSA-87",
    notBeforeUnixMs: now - day,
    notAfterUnixMs: now + day,
    bytes: 1000,
    ...over,
  };
}

/** A server that is as good as can be, but for what is said. */
function judged(over: Partial<ObservedTls>, ...leaves: readonly Partial<ObservedCertificate>[]) {
  const tls: ObservedTls = {
    versions: ["TLSv1.3"],
    groups: ["SecP384r1MLKEM1024"],
    asksForHybrid: true,
    ciphers: ["TLS_AES_256_GCM_SHA384"],
    chains: (leaves.length === 0 ? [{}] : leaves).map((leaf) => ({ certificates: [certificate(leaf)] })),
    asksForClientCertificate: false,
    ...over,
  };
  return postureOf({ kind: "tls", tls }, now);
}

function datesOf({ dates }: ReturnType<typeof judged>["keyExchange" | "authentication"]): readonly string[] {
  return dates.map(({ from, what, source }) => `${from} ${what} ${source}`);
}

const nistShort = ["2031-01-01 deprecated NIST IR 8547", "2036-01-01 disallowed NIST IR 8547"];
const nistLong = ["2036-01-01 disallowed NIST IR 8547"];
const cnsa = ["2027-01-01 disallowed CNSA 2.0, new systems", "2034-01-01 disallowed CNSA 2.0"];
const older = { versions: ["TLSv1.2"], groups: [], ciphers: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] };

test("a key exchange is judged by the worst that it takes, with the dates that end it", () => {
  const rows: readonly (readonly [Partial<ObservedTls>, string, readonly string[]])[] = [
    [{}, "hybrid", []],
    [{ groups: ["X25519MLKEM768"] }, "hybrid", cnsa],
    [{ groups: ["X25519MLKEM768", "x25519"] }, "hybrid-preferred", [...nistLong, ...cnsa]],
    [{ groups: ["X25519MLKEM768", "x25519"], asksForHybrid: false }, "downgradable", [...nistLong, ...cnsa]],
    [{ versions: ["TLSv1.2", "TLSv1.3"] }, "hybrid-preferred", [...nistLong, ...cnsa]],
    [{ groups: ["x25519"] }, "classical", [...nistLong, ...cnsa]],
    [{ groups: ["ffdhe2048"] }, "classical", [...nistShort, ...cnsa]],
    [{ groups: ["ffdhe3072"] }, "classical", [...nistLong, ...cnsa]],
    [older, "classical", [...nistLong, ...cnsa]],
    [{ ...older, primeBits: 2048 }, "classical", [...nistShort, ...cnsa]],
    [{ ...older, primeBits: 1024 }, "weak", []],
    [{ versions: ["TLSv1", "TLSv1.3"] }, "weak", []],
    [{ ...older, ciphers: ["TLS_RSA_WITH_AES_128_GCM_SHA256"] }, "weak", []],
  ];
  for (const [over, name, dates] of rows) {
    const { keyExchange } = judged(over);
    assert.equal(keyExchange.verdict, name, JSON.stringify(over));
    assert.deepEqual(datesOf(keyExchange), dates, JSON.stringify(over));
    assert.ok(keyExchange.because.length > 0);
  }
});

test("authentication is judged by every certificate that is shown, with the dates that end it", () => {
  const rsa = { key: "RSA", keyBits: 2048, signature: "sha256WithRSAEncryption" };
  const rows: readonly (readonly [readonly Partial<ObservedCertificate>[], string, readonly string[]])[] = [
    [[{}], "post-quantum", []],
    [[{ key: "ML-DSA-65" }], "post-quantum", cnsa],
    [[{ key: "EC P-256" }], "classical", [...nistLong, ...cnsa]],
    [[rsa], "classical", [...nistShort, ...cnsa]],
    [[{ ...rsa, keyBits: 3072 }], "classical", [...nistLong, ...cnsa]],
    [[rsa, { key: "ML-DSA-65" }], "hybrid", [...nistLong, ...cnsa]],
    [[{ ...rsa, keyBits: 1024 }], "weak", []],
    [[{ ...rsa, signature: "sha1WithRSAEncryption" }], "weak", []],
    [[{}, { key: "EC P-256", notAfterUnixMs: now }], "weak", []],
    [[{ notBeforeUnixMs: now + 1 }], "weak", []],
  ];
  for (const [leaves, name, dates] of rows) {
    const { authentication } = judged({}, ...leaves);
    assert.equal(authentication.verdict, name, JSON.stringify(leaves));
    assert.deepEqual(datesOf(authentication), dates, JSON.stringify(leaves));
  }
  assert.equal(judged({ chains: [] }).authentication.verdict, "unknown");
});

test("a profile is named where the group, the cipher suite and the identity are there", () => {
  assert.deepEqual(judged({}).profiles, ["transition", "hybrid", "cnsa-2.0"]);
  assert.deepEqual(judged({}, { key: "EC P-256" }).profiles, ["transition"]);
  assert.deepEqual(judged({ ciphers: ["TLS_AES_128_GCM_SHA256"] }).profiles, []);
  assert.deepEqual(judged(older).profiles, []);
  assert.deepEqual(postureOf({ kind: "clear" }, now).profiles, []);
});
