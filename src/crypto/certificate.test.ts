/** Certificates: what is issued is what was asked for, and what can't be read is none. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate, id_ce_nameConstraints, NameConstraints } from "@peculiar/asn1-x509";
import * as fc from "fast-check";

import {
  certificateFacts,
  isIssuedBy,
  issueLeaf,
  issueRoot,
  type LeafRequest,
  parseCertificate,
} from "./certificate.ts";
import { generateKeyPair, signingKey } from "./keys.ts";
import { signatureSuite } from "./suites/signatures.ts";

const suite = signatureSuite("ML-DSA-65");
const newKey = () => signingKey(generateKeyPair(suite));
const [rootKey, leafKey] = [newKey(), newKey()];
const now = Date.UTC(2026, 10, 21);
const span = { notBeforeUnixMs: now, notAfterUnixMs: now + 3_600_000 };
const rootPem = await issueRoot({ commonName: "root", key: rootKey, trustDomain: "acme.test", ...span });
const leafOf = (part: Partial<LeafRequest>): Promise<string> =>
  issueLeaf({
    commonName: "a",
    publicKey: leafKey.publicKey,
    issuer: { commonName: "root", key: rootKey },
    spiffeId: "spiffe://acme.test/agent/a",
    purpose: "client",
    ...span,
    ...part,
  });
const leafPem = await leafOf({});

test("a leaf has one SPIFFE URI, its key, its span, and its issuer's signature", () => {
  const [root, leaf] = [parseCertificate(rootPem), parseCertificate(leafPem)];
  assert.ok(root && leaf);
  const facts = certificateFacts(leaf);
  assert.deepEqual(
    [facts.uris, facts.otherNames, facts.keyAlgorithm],
    [["spiffe://acme.test/agent/a"], 0, "ML-DSA-65"],
  );
  assert.deepEqual(
    [facts.notBeforeUnixMs, facts.notAfterUnixMs],
    [span.notBeforeUnixMs, span.notAfterUnixMs],
  );
  assert.ok(isIssuedBy(leaf, root));
  assert.equal(leaf.ca, false);
  assert.equal(root.ca, true);
  assert.deepEqual(
    leaf.publicKey.export({ type: "spki", format: "der" }),
    leafKey.publicKey.export({ type: "spki", format: "der" }),
  );
});

test("another root of the same name hasn't issued it", async () => {
  const other = parseCertificate(
    await issueRoot({ commonName: "root", key: newKey(), trustDomain: "acme.test", ...span }),
  );
  const leaf = parseCertificate(leafPem);
  assert.ok(other && leaf);
  assert.equal(isIssuedBy(leaf, other), false);
});

test("two certificates never share a serial number, and it is positive", async () => {
  const roots = Array.from({ length: 50 }, () =>
    issueRoot({ commonName: "r", key: rootKey, trustDomain: "acme.test", ...span }),
  );
  const serials = (await Promise.all(roots)).map((pem) => {
    const parsed = parseCertificate(pem);
    return parsed === undefined ? "" : certificateFacts(parsed).serial;
  });
  assert.equal(new Set(serials).size, 50);
  for (const serial of serials) assert.match(serial, /^[0-7]?[0-9a-f]+$/);
});

test("bytes that are no certificate are read as none, a changed one never as issued", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => parseCertificate(bytes) === undefined));
  const der = parseCertificate(leafPem)?.raw ?? Buffer.alloc(0);
  const root = parseCertificate(rootPem);
  assert.ok(root);
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ by;
      const leaf = parseCertificate(changed);
      if (leaf === undefined) return;
      let isIssued: boolean;
      try {
        isIssued = isIssuedBy(leaf, root);
      } catch {
        isIssued = false; // OpenSSL can't even take its algorithm.
      }
      assert.equal(isIssued, false, `byte ${at}`);
    }),
    { numRuns: 300 },
  );
});

test("a leaf is for its one purpose, a root for signing certificates of its trust domain only", async () => {
  for (const [purpose, oid] of [
    ["client", "1.3.6.1.5.5.7.3.2"],
    ["server", "1.3.6.1.5.5.7.3.1"],
  ] as const) {
    assert.deepEqual(parseCertificate(await leafOf({ purpose }))?.keyUsage, [oid]);
  }
  const root = parseCertificate(rootPem);
  assert.ok(root);
  assert.ok(root.verify(root.publicKey));
  const written = AsnConvert.parse(root.raw, Certificate).tbsCertificate.extensions ?? [];
  const constraints = written.find(({ extnID }) => extnID === id_ce_nameConstraints);
  assert.ok(constraints?.critical);
  const { permittedSubtrees } = AsnConvert.parse(constraints.extnValue, NameConstraints);
  const domains = Array.from(permittedSubtrees ?? [], ({ base }) => base.uniformResourceIdentifier);
  assert.deepEqual(domains, ["acme.test"]);
});

test("a leaf vouches for nobody, even with its own key and name", async () => {
  const leaf = parseCertificate(leafPem);
  const forged = parseCertificate(await leafOf({ issuer: { commonName: "a", key: leafKey } }));
  assert.ok(leaf && forged);
  assert.equal(isIssuedBy(forged, leaf), false);
});

test("whatever a name holds, it is read as one name, and never as another's", async () => {
  const [own, others] = ["spiffe://acme.test/agent/a", "spiffe://acme.test/agent/b"];
  for (const end of [`, URI:${others}`, ", DNS:x", '"', "\0b", "\n", ",URI:x", `\\u002c URI:${others}`]) {
    const leaf = parseCertificate(await leafOf({ spiffeId: `${own}${end}` }));
    assert.ok(leaf);
    const { uris, otherNames } = certificateFacts(leaf);
    assert.deepEqual([uris.length, otherNames], [1, 0], end);
    assert.ok(!uris.includes(own) && !uris.includes(others), end);
  }
});
