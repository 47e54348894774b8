/** How a peer's key vouches for its certificate: the vector is good, and nothing that differs from it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { issueLeaf, issueRoot, parseCertificate } from "../crypto/certificate.ts";
import { generateKeyPair, signingKey } from "../crypto/keys.ts";
import { Refusal } from "../kernel/refusal.ts";
import { certifiedPeer, certifyPeer, type PeerCertification, peerKeySuite } from "./peer-certification.ts";

interface Vector extends PeerCertification {
  readonly now: string;
  readonly peer_id: string;
  readonly certificate: string;
}

const vector = JSON.parse(readFileSync("test/vectors/peer/certification.json", "utf8")) as Vector;
const { key, certification } = vector;
const certificate = parseCertificate(vector.certificate) ?? assert.fail("no certificate");
const now = Date.parse(vector.now);

/** Another certificate of the same identity under the same kind of root. */
async function otherCertificate(spiffeId: string): ReturnType<typeof issued> {
  return await issued(spiffeId);
}

async function issued(spiffeId: string) {
  const root = generateKeyPair(peerKeySuite);
  const span = { notBeforeUnixMs: now - 60_000, notAfterUnixMs: now + 3_600_000 };
  const issuer = { commonName: "acme.test server root", key: signingKey(root) };
  await issueRoot({ ...issuer, trustDomain: "acme.test", ...span });
  const { publicKey } = generateKeyPair(peerKeySuite);
  const pem = await issueLeaf({
    issuer,
    publicKey,
    commonName: "files",
    spiffeId,
    purpose: "server",
    ...span,
  });
  return parseCertificate(pem) ?? assert.fail("no certificate");
}

test("the vector's certification is its peer's, for its certificate", () => {
  assert.equal(certifiedPeer({ key, certification }, certificate, now), vector.peer_id);
});

test("what was certified is good until the certificate ends", async () => {
  const said = await certifyPeer(generateKeyPair(peerKeySuite), certificate);
  assert.match(certifiedPeer(said, certificate, now), /^[a-z2-7]{52}$/);
  assert.throws(() => certifiedPeer(said, certificate, now + 86_400_000), /it has ended/);
});

test("another certificate isn't certified by it, not even one of the same name", async () => {
  const other = await otherCertificate("spiffe://acme.test/server/files");
  assert.throws(() => certifiedPeer({ key, certification }, other, now), /another certificate/);
});

test("another key doesn't take over what a peer signed", () => {
  const spki = generateKeyPair(peerKeySuite).publicKey.export({ type: "spki", format: "der" });
  const said = { key: spki.toString("base64url"), certification };
  assert.throws(() => certifiedPeer(said, certificate, now), Refusal);
});

const broken: readonly (readonly [string, PeerCertification])[] = [
  ["a key that is none", { key: "AAAA", certification }],
  ["a key with bytes behind it", { key: `${key}AAAA`, certification }],
  ["a changed signature", { key, certification: `${certification.slice(0, -6)}AAAAAA` }],
  ["another header", { key, certification: `e30.${certification.split(".").slice(1).join(".")}` }],
  ["no JWS at all", { key, certification: "x" }],
];
for (const [what, said] of broken) {
  test(`${what} certifies nothing`, () => {
    assert.throws(() => certifiedPeer(said, certificate, now), Refusal);
  });
}
