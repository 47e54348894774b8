/** Whom a certificate proves, and each reason why it proves nobody. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { CertificateFacts } from "../crypto/certificate.ts";
import { Refusal } from "../kernel/refusal.ts";
import { callerOf, provenSpiffeId, type Trust } from "./admission.ts";

const trust: Trust = {
  domain: "acme.test",
  identityAlgorithms: ["ML-DSA-65"],
  groups: ["X25519MLKEM768"],
  revokedSerials: new Set(["dead"]),
  issuers: new Set(["root"]),
};
const facts: CertificateFacts = {
  serial: "01ab",
  uris: ["spiffe://acme.test/agent/a"],
  otherNames: 0,
  keyAlgorithm: "ML-DSA-65",
  notBeforeUnixMs: 0,
  notAfterUnixMs: 2000,
};

test("one URI name in the trust domain, the right key, not revoked: that is who it is", () => {
  assert.equal(provenSpiffeId(facts, trust), "spiffe://acme.test/agent/a");
});

const wrong: readonly (readonly [string, Partial<CertificateFacts>])[] = [
  ["no name", { uris: [] }],
  ["two names", { uris: ["spiffe://acme.test/agent/a", "spiffe://acme.test/agent/b"] }],
  ["a DNS name beside it", { otherNames: 1 }],
  ["another trust domain", { uris: ["spiffe://evil.test/agent/a"] }],
  ["a domain that only begins alike", { uris: ["spiffe://acme.test.evil/agent/a"] }],
  ["another scheme", { uris: ["https://acme.test/agent/a"] }],
  ["no path", { uris: ["spiffe://acme.test"] }],
  ["a path that climbs", { uris: ["spiffe://acme.test/agent/../gateway"] }],
  ["an escaped path", { uris: ["spiffe://acme.test/agent/%61"] }],
  ["a classical key", { keyAlgorithm: "Ed25519" }],
  ["a weaker key", { keyAlgorithm: "ML-DSA-44" }],
  ["a revoked serial", { serial: "dead" }],
];
for (const [what, part] of wrong) {
  test(`a certificate with ${what} proves nobody`, () => {
    assert.throws(
      () => provenSpiffeId({ ...facts, ...part }, trust),
      (error: unknown) => error instanceof Refusal && error.code === "bad_certificate",
    );
  });
}

const channel = {
  group: "X25519MLKEM768",
  peer: {
    kind: "svid" as const,
    keyAlgorithm: "ML-DSA-65",
    spiffeId: "spiffe://acme.test/agent/a",
    serial: "01ab",
    issuer: "root",
    notAfterUnixMs: 2000,
  },
  remote: "127.0.0.1:1",
};
const isNobody = (error: unknown): boolean => error instanceof Refusal && error.code === "no_identity";

test("a link proves its caller until its certificate ends or is revoked or its root isn't trusted, and not a moment longer", () => {
  assert.equal(callerOf(channel, trust, 1999).id, channel.peer.spiffeId);
  assert.throws(() => callerOf(channel, trust, 2000), isNobody);
  assert.throws(
    () => callerOf({ ...channel, peer: { ...channel.peer, serial: "dead" } }, trust, 1),
    isNobody,
  );
  assert.throws(
    () => callerOf({ ...channel, peer: { ...channel.peer, issuer: "a root that ended" } }, trust, 1),
    isNobody,
  );
});

test("a caller is what its link proved, and says by which certificate", () => {
  assert.deepEqual(callerOf(channel, trust, 0), {
    id: "spiffe://acme.test/agent/a",
    chain: [],
    proof: { kind: "svid", serial: "01ab", issuer: "root", notAfterUnixMs: 2000 },
  });
});

test("the log is told which certificate was turned away, and the peer why", () => {
  const turnedAway = [
    () => provenSpiffeId({ ...facts, keyAlgorithm: "ML-DSA-44" }, trust),
    () => callerOf(channel, trust, 2000),
  ];
  for (const judge of turnedAway) {
    assert.throws(judge, (error: unknown) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.facts["serial"], "01ab");
      assert.match(error.message, /its key is ML-DSA-44, not ML-DSA-65|connect again with a renewed one/);
      return true;
    });
  }
});
