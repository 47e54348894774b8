/** Classical roots and leafs are what the rules for root keys let be signed. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { certificateFacts, isIssuedBy, isLeafFor, parseCertificate } from "../crypto/certificate.ts";
import { generateKeyPair, type SigningKey, signingKey } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { subjectOf } from "../crypto/to-be-signed.ts";
import { createRoot, issueSvid } from "./authority.ts";
import { createClassicalRoot, issueClassicalSvid } from "./classical-authority.ts";
import { judgeCertificate } from "./issuance-rules.ts";

const now = Date.UTC(2026, 10, 21, 12);
const trustDomain = "acme.test";
const spiffeId = "spiffe://acme.test/agent/a";
const newKey = (id: "Ed25519" | "ECDSA-P384" | "ML-DSA-65"): SigningKey =>
  signingKey(generateKeyPair(signatureSuite(id)));

for (const id of ["Ed25519", "ECDSA-P384"] as const) {
  test(`${id}: a root is made and a leaf given out under the rules, of its twin's name and span`, async () => {
    const asked: Uint8Array[] = [];
    const plain = newKey(id);
    const key: SigningKey = { ...plain, sign: (message) => (asked.push(message), plain.sign(message)) };
    const certificate = await createClassicalRoot(trustDomain, "client", key, now);
    const root = parseCertificate(certificate) ?? assert.fail("no certificate");
    const mlDsaKey = newKey("ML-DSA-65");
    const which = { purpose: "client", generation: 1 } as const;
    const mlDsa = {
      generation: 1,
      key: mlDsaKey,
      certificate: await createRoot(trustDomain, which, mlDsaKey, now),
      issuesFromUnixMs: 0,
    };
    const approved = { spiffeId, purpose: "client", publicKey: newKey("ML-DSA-65").publicKey } as const;
    const svid = await issueSvid({ trustDomain, roots: { server: [mlDsa], client: [mlDsa] } }, approved, now);
    const roots = { server: { key, certificate }, client: { key, certificate } };
    const beside = { svid, purpose: "client", publicKey: newKey(id).publicKey } as const;
    const given = await issueClassicalSvid({ trustDomain, roots }, beside);
    const leaf = parseCertificate(given.certificate) ?? assert.fail("no certificate");
    const twin = parseCertificate(svid.certificate) ?? assert.fail("no certificate");
    assert.ok(isIssuedBy(leaf, root) && isLeafFor(leaf, "client") && !isLeafFor(leaf, "server"));
    const { uris, notBeforeUnixMs, notAfterUnixMs } = certificateFacts(twin);
    const facts = certificateFacts(leaf);
    assert.deepEqual(
      [facts.uris, facts.notBeforeUnixMs, facts.notAfterUnixMs],
      [uris, notBeforeUnixMs, notAfterUnixMs],
    );
    const rules = {
      purpose: "client",
      trustDomain,
      suite: key.suite,
      publicKey: key.publicKey,
      isUsed: false,
    } as const;
    const made = { subject: subjectOf(root), notAfterUnixMs: certificateFacts(root).notAfterUnixMs };
    const [rootTbs = new Uint8Array(0), leafTbs = new Uint8Array(0)] = asked;
    assert.equal(judgeCertificate(rootTbs, { ...rules, root: undefined }, now).kind, "root");
    assert.equal(judgeCertificate(leafTbs, { ...rules, root: made }, now).kind, "leaf");
  });
}
