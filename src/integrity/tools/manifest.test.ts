import assert from "node:assert/strict";
import { test } from "node:test";

import { generateKeyPair, signingKey } from "../../crypto/keys.ts";
import { signatureSuite, type SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { type Manifest, manifestEntry, signManifest, verifyManifest } from "./manifest.ts";
import {
  isPublisherFingerprint,
  publisherKeysOf,
  readPublisherKeys,
  writePublisherKeys,
} from "./publisher-keys.ts";
import { readDeclaration } from "./tool-list.ts";
import { readTrust } from "./trust.ts";

const signer = (id: SignatureSuiteId) => signingKey(generateKeyPair(signatureSuite(id)));
const signers = [signer("ML-DSA-65"), signer("Ed25519")];
const worst = {
  effect: "destructive",
  egress: "external",
  dataSensitivity: "secret",
  reversible: false,
  idempotent: false,
  capabilities: { network: "any", filesystem: { read: "any", write: "any" }, subprocess: true, env: "any" },
} as const;

function declared(json: string): NonNullable<ReturnType<typeof readDeclaration>> {
  return readDeclaration(utf8(json)) ?? assert.fail(json);
}

const manifest: Manifest = {
  server: "https://mcp.example/mcp",
  publisher: "https://publisher.example/",
  specVersion: "2025-11-25",
  issuedAtUnixMs: 1_800_000_000_000,
  expiresAtUnixMs: 1_800_086_400_000,
  nonce: "AAECAwQFBgcICQoLDA0ODw",
  tools: [
    manifestEntry(declared('{"name":"a","version":"2"}'), readTrust({ effect: "read-only", egress: "none" })),
    manifestEntry(
      declared('{"name":"b","trust":{"effect":"read-only"}}'),
      readTrust({ effect: "destructive" }),
    ),
  ],
  prompts: [{ name: "p", contentHash: declared('{"name":"p"}').contentHash }],
  resources: [],
};

test("a manifest that is signed is verified, and says the same", async () => {
  const document = await signManifest(manifest, signers);
  const checked = verifyManifest(utf8(document), {
    server: manifest.server,
    nowUnixMs: manifest.issuedAtUnixMs,
  });
  const { fingerprint } = publisherKeysOf(signers);
  assert.deepEqual(checked, { kind: "verified", manifest: { ...manifest, signedBy: fingerprint } });
});

test("without one of its keys nothing is signed", async () => {
  await assert.rejects(signManifest(manifest, signers.slice(1)), /needs a key of ML-DSA-65/);
});

test("an entry's label stands for the one that a declaration doesn't have", () => {
  assert.deepEqual(
    manifest.tools.map(({ trust, version }) => [trust?.effect, version]),
    [
      ["read-only", "2"],
      [undefined, undefined],
    ],
  );
});

test("a publisher's keys are read as they are written, and nothing beside", () => {
  const keys = publisherKeysOf(signers);
  const jwks = writePublisherKeys(keys);
  assert.ok(isPublisherFingerprint(keys.fingerprint));
  assert.equal(readPublisherKeys(jwks.toReversed())?.fingerprint, keys.fingerprint);
  const [ed = {}, ml = {}] = jwks;
  for (const rows of [
    [],
    [ed],
    [ed, ed],
    [ed, ml, ed],
    [{ ...ed, d: "AA" }, ml],
    [ed, { ...ml, pub: ed["x"] }],
    [{ ...ed, crv: "X25519" }, ml],
    "x",
    null,
  ]) {
    assert.equal(readPublisherKeys(rows), undefined, JSON.stringify(rows).slice(0, 80));
  }
});

test("what a label doesn't say, or says in words that nobody knows, counts as the worst", () => {
  assert.equal(readTrust(undefined), undefined);
  for (const label of [
    {},
    null,
    "read-only",
    [],
    {
      effect: "READ-ONLY",
      egress: "None",
      reversible: "true",
      capabilities: { network: ["a", 7], subprocess: 0, filesystem: [] },
    },
  ]) {
    assert.deepEqual(readTrust(label), worst, JSON.stringify(label));
  }
});

test("what a label says in known words counts", () => {
  const capabilities = {
    network: [],
    filesystem: { read: ["/data"], write: [] },
    subprocess: false,
    env: ["HOME"],
  };
  const label = {
    effect: "writes-data",
    egress: "internal",
    dataSensitivity: "public",
    reversible: true,
    idempotent: true,
    capabilities,
  };
  assert.deepEqual(readTrust({ ...label, more: 1 }), label);
  assert.deepEqual(readTrust(readTrust({})), worst);
});

test("what is no manifest is malformed, whatever it is", () => {
  for (const text of [
    "",
    "{}",
    "[]",
    "null",
    '{"manifest":{}}',
    '{"manifest":7,"signature":{"signatures":[]},"keys":[]}',
    "\u0000",
  ]) {
    const checked = verifyManifest(utf8(text), { server: undefined, nowUnixMs: 0 });
    assert.deepEqual(checked, { kind: "fault", fault: "malformed" }, text);
  }
});
