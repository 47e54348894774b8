/** Proofs of classical identities: the vectors verify, and whatever else is changed about them doesn't. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { certificateFacts, issueLeaf, issueRoot, parseCertificate } from "../crypto/certificate.ts";
import { sha256 } from "../crypto/hash.ts";
import { generateKeyPair, type SigningKey, signingKey } from "../crypto/keys.ts";
import { signatureSuite, type SignatureSuiteId } from "../crypto/suites/signatures.ts";
import { fromBase64, toHex } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type LinkBinding, type LinkProof, proveLink, signedContent, verifyLinkProof } from "./link-proof.ts";

interface VectorEnd {
  readonly spiffe_id: string;
  readonly certificate_sha256: string;
}

interface Vector {
  readonly algorithm: SignatureSuiteId;
  readonly role: "client";
  readonly now: string;
  readonly exporter: string;
  readonly client: VectorEnd;
  readonly server: VectorEnd;
  readonly root: string;
  readonly proof: { readonly certificate: string; readonly signature: string };
  readonly signed_content: string;
}

const end = ({ spiffe_id: spiffeId, certificate_sha256: hash }: VectorEnd): LinkBinding["client"] => ({
  spiffeId,
  certificateHash: Buffer.from(hash, "hex"),
});

for (const file of readdirSync("test/vectors/link-proof")) {
  const vector = JSON.parse(readFileSync(`test/vectors/link-proof/${file}`, "utf8")) as Vector;
  const binding: LinkBinding = {
    exporter: Buffer.from(vector.exporter, "hex"),
    client: end(vector.client),
    server: end(vector.server),
  };
  const signature = fromBase64(vector.proof.signature) ?? assert.fail("no base64");
  const proof: LinkProof = { certificate: vector.proof.certificate, signature };
  const suite = signatureSuite(vector.algorithm);
  const trust = { suite, roots: [vector.root], revokedSerials: new Set<string>() };
  const now = Date.parse(vector.now);
  const verify = (changed: Partial<LinkBinding> = {}, of = proof): unknown =>
    verifyLinkProof(of, { binding: { ...binding, ...changed }, role: vector.role }, trust, now);

  test(`${file}: what is signed is the bytes of the format page, and verifies`, () => {
    const certificate = parseCertificate(proof.certificate) ?? assert.fail("no certificate");
    assert.equal(toHex(signedContent(binding, vector.role, sha256(certificate.raw))), vector.signed_content);
    const { serial, notAfterUnixMs } = certificateFacts(certificate);
    assert.deepEqual(verify(), { keyAlgorithm: vector.algorithm, serial, notAfterUnixMs });
  });

  const other = { ...binding.server, certificateHash: new Uint8Array(32) };
  const changes: readonly (readonly [string, Partial<LinkBinding>])[] = [
    ["exporter", { exporter: new Uint8Array(32) }],
    ["client's ML-DSA certificate", { client: { ...other, spiffeId: binding.client.spiffeId } }],
    ["server's ML-DSA certificate", { server: other }],
    ["server's name", { server: { ...binding.server, spiffeId: "spiffe://acme.test/server/b" } }],
  ];
  for (const [what, change] of changes) {
    test(`${file}: of another ${what} it verifies no more`, () => {
      assert.throws(() => verify(change), /isn't one over this link/);
    });
  }

  test(`${file}: of a changed signature it verifies no more, whatever was changed`, () => {
    for (const at of [0, 20, signature.length - 1]) {
      const changed = Uint8Array.from(signature, (byte, i) => (i === at ? byte ^ 1 : byte));
      assert.throws(() => verify({}, { ...proof, signature: changed }), Refusal);
    }
    for (const odd of [new Uint8Array(0), signature.subarray(1), new Uint8Array(1000)]) {
      assert.throws(() => verify({}, { ...proof, signature: odd }), /isn't one over this link/);
    }
  });
}

const suite = signatureSuite("Ed25519");
const newKey = (of = suite): SigningKey => signingKey(generateKeyPair(of));
const now = Date.UTC(2026, 10, 21);
const span = { notBeforeUnixMs: now - 60_000, notAfterUnixMs: now + 3_600_000 };
const [rootKey, leafKey] = [newKey(), newKey()];
const rootOf = (part: Partial<Parameters<typeof issueRoot>[0]> = {}): Promise<string> =>
  issueRoot({ commonName: "root", key: rootKey, trustDomain: "acme.test", ...span, ...part });
const root = await rootOf();
const alice = "spiffe://acme.test/agent/a";
const binding: LinkBinding = {
  exporter: new Uint8Array(32).fill(7),
  client: { spiffeId: alice, certificateHash: new Uint8Array(32).fill(1) },
  server: { spiffeId: "spiffe://acme.test/gateway", certificateHash: new Uint8Array(32).fill(2) },
};

async function proofWith(part: Partial<Parameters<typeof issueLeaf>[0]>): Promise<LinkProof> {
  const certificate = await issueLeaf({
    commonName: "a",
    publicKey: leafKey.publicKey,
    issuer: { commonName: "root", key: rootKey },
    spiffeId: alice,
    purpose: "client",
    ...span,
    ...part,
  });
  return await proveLink(binding, "client", { certificate, key: leafKey });
}

const ecdsaKey = newKey(signatureSuite("ECDSA-P384"));
const mlDsaRootKey = newKey(signatureSuite("ML-DSA-65"));
type Row = readonly [what: string, proof: LinkProof, reason: RegExp, roots?: readonly string[]];
const refused: readonly Row[] = [
  [
    "under a root of the same name and another key",
    await proofWith({}),
    /no .* root/,
    [await rootOf({ key: newKey() })],
  ],
  ["under no root at all", await proofWith({}), /no .* root/, []],
  ["under a root that has ended", await proofWith({}), /no .* root/, [await rootOf({ notAfterUnixMs: now })]],
  [
    "under a root that is no classical one",
    await proofWith({ issuer: { commonName: "root", key: mlDsaRootKey } }),
    /no .* root/,
    [await rootOf({ key: mlDsaRootKey })],
  ],
  [
    "under a leaf",
    await proofWith({}),
    /no .* root/,
    [(await proofWith({ commonName: "root" })).certificate],
  ],
  ["that begins later", await proofWith({ notBeforeUnixMs: now + 1000 }), /isn't valid now/],
  ["that has ended", await proofWith({ notAfterUnixMs: now }), /isn't valid now/],
  ["of the other direction", await proofWith({ purpose: "server" }), /isn't one of a client/],
  [
    "of another name",
    await proofWith({ spiffeId: "spiffe://acme.test/agent/b" }),
    /agent\/b's, and the link/,
  ],
  ["of the same name and more", await proofWith({ spiffeId: `${alice}/b` }), /agent\/a\/b's, and the link/],
  [
    "of another algorithm",
    await proofWith({ publicKey: ecdsaKey.publicKey }),
    /its key is ECDSA-P384, not Ed25519/,
  ],
  ["for another key", await proofWith({ publicKey: newKey().publicKey }), /isn't one over this link/],
  ["that can't be read", { ...(await proofWith({})), certificate: "PEM" }, /can't be read/],
  ["that is a root", { ...(await proofWith({})), certificate: root }, /isn't one of a client/],
];
for (const [what, proof, reason, roots = [root]] of refused) {
  test(`a proof with a certificate ${what} is refused with the reason`, () => {
    const trust = { suite, roots, revokedSerials: new Set<string>() };
    assert.throws(
      () => verifyLinkProof(proof, { binding, role: "client" }, trust, now),
      (error: unknown) =>
        error instanceof Refusal && error.code === "bad_certificate" && reason.test(error.message),
    );
  });
}

test("a proof counts until its certificate is revoked, under any of the roots", async () => {
  const proof = await proofWith({});
  const roots = [await rootOf({ key: newKey() }), root];
  const verify = (revoked: readonly string[]): { readonly serial: string } =>
    verifyLinkProof(
      proof,
      { binding, role: "client" },
      { suite, roots, revokedSerials: new Set(revoked) },
      now,
    );
  const { serial } = verify(["00"]);
  assert.throws(() => verify([serial]), /is revoked/);
});

test("no two bindings give the same bytes by moving what stands in one field into the next", () => {
  const hash = new Uint8Array(0);
  const moved = (client: string, server: string): string =>
    toHex(
      signedContent(
        {
          exporter: new Uint8Array(32),
          client: { spiffeId: client, certificateHash: hash },
          server: { spiffeId: server, certificateHash: hash },
        },
        "client",
        hash,
      ),
    );
  assert.notEqual(moved("ab", "c"), moved("a", "bc"));
  assert.notEqual(moved("abc", ""), moved("", "abc"));
});
