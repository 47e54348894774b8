/** What a root's key signs when somebody asks who isn't trusted: our own leafs and our own root, to the byte. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  id_kp_serverAuth,
  Name,
  SubjectAlternativeName,
  TBSCertificate,
  Validity,
} from "@peculiar/asn1-x509";
import * as fc from "fast-check";

import {
  certificateFacts,
  issueLeaf,
  type LeafRequest,
  type ParsedCertificate,
  parseCertificate,
} from "../crypto/certificate.ts";
import { generateKeyPair, signingKey, type SigningKey } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { subjectOf } from "../crypto/to-be-signed.ts";
import { type Authority, createRoot, issueSvid, rootName } from "./authority.ts";
import { judgeCertificate, type RootKey } from "./issuance-rules.ts";

const now = Date.UTC(2026, 10, 21, 12);
const hour = 3_600_000;
const suite = signatureSuite("ML-DSA-65");
const domain = "acme.test";
const [rootPair, leafKey] = [generateKeyPair(suite), generateKeyPair(suite).publicKey];

/** What the key was asked to sign, last. */
let asked: Uint8Array = new Uint8Array(0);
const key: SigningKey = {
  ...signingKey(rootPair),
  sign: (message) => ((asked = message), signingKey(rootPair).sign(message)),
};
const rootPem = await createRoot(domain, { purpose: "client", generation: 1 }, key, now);
const rootTbs = asked;
const root = parseCertificate(rootPem);
assert.ok(root);
const fresh: RootKey = {
  purpose: "client",
  trustDomain: domain,
  suite,
  publicKey: key.publicKey,
  root: undefined,
  isUsed: false,
};
const made = { ...fresh, root: { subject: subjectOf(root), notAfterUnixMs: now + 5 * 365 * 24 * hour } };
const used = { ...made, isUsed: true };

async function leafTbs(change: Partial<LeafRequest> = {}): Promise<Uint8Array> {
  await issueLeaf({
    commonName: "a",
    publicKey: leafKey,
    issuer: { commonName: rootName(domain, { purpose: "client", generation: 1 }), key },
    spiffeId: `spiffe://${domain}/agent/a`,
    purpose: "client",
    notBeforeUnixMs: now - 60_000,
    notAfterUnixMs: now + hour,
    ...change,
  });
  return asked;
}

function bent(bytes: Uint8Array, change: (tbs: TBSCertificate) => void): Uint8Array {
  const tbs = AsnConvert.parse(bytes, TBSCertificate);
  change(tbs);
  return new Uint8Array(AsnConvert.serialize(tbs));
}

function extension(id: string, value: object, critical = true): Extension {
  return new Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function replaced(tbs: TBSCertificate, id: string, value: object, critical = true): void {
  const others = [...(tbs.extensions ?? [])];
  const at = others.findIndex(({ extnID }) => extnID === id);
  assert.notEqual(at, -1);
  tbs.extensions?.splice(at, 1, extension(id, value, critical));
}

const uris = (...names: readonly string[]): SubjectAlternativeName =>
  new SubjectAlternativeName(names.map((name) => new GeneralName({ uniformResourceIdentifier: name })));

test("what the authority issues is a leaf, with the name and number that are in it", async () => {
  for (const id of ["agent/a", "gateway", "agent/team.one/b_2", `agent/${"x".repeat(300)}`]) {
    const spiffeId = `spiffe://${domain}/${id}`;
    const root = { generation: 1, key, certificate: rootPem, issuesFromUnixMs: 0 };
    const authority: Authority = { trustDomain: domain, roots: { client: [root], server: [root] } };
    const svid = await issueSvid(authority, { spiffeId, purpose: "client", publicKey: leafKey }, now);
    const serial = parseCertificate(svid.certificate)?.serialNumber.toLowerCase();
    const leaf = { kind: "leaf", spiffeId, serial, notAfterUnixMs: now + hour };
    assert.deepEqual(judgeCertificate(asked, used, now), leaf);
    assert.deepEqual(judgeCertificate(asked, used, now + 10_000), leaf, "one that waited");
  }
});

const attacks: readonly (readonly [string, RegExp, () => Promise<Uint8Array>])[] = [
  ["no certificate", /no certificate/, () => Promise.resolve(Uint8Array.of(1, 2, 3))],
  ["nothing", /no certificate/, () => Promise.resolve(new Uint8Array(0))],
  ["another trust domain", /trust domain/, () => leafTbs({ spiffeId: "spiffe://evil.test/agent/a" })],
  ["a name that is no SPIFFE ID", /trust domain/, () => leafTbs({ spiffeId: "https://acme.test/a" })],
  ["a name with a query", /trust domain/, () => leafTbs({ spiffeId: `spiffe://${domain}/agent/a?b` })],
  ["the other purpose", /written as a client leaf/, () => leafTbs({ purpose: "server" })],
  ["a longer life", /too long/, () => leafTbs({ notAfterUnixMs: now + hour + 2000 })],
  ["a life in years", /too long/, () => leafTbs({ notAfterUnixMs: now + 9000 * hour })],
  ["a life that is over", /ended/, () => leafTbs({ notAfterUnixMs: now - 1000 })],
  ["a beginning in the past", /in the past/, () => leafTbs({ notBeforeUnixMs: now - hour })],
  ["a beginning in the future", /in the future/, () => leafTbs({ notBeforeUnixMs: now + 5000 })],
  ["another issuer", /issuer/, () => leafTbs({ issuer: { commonName: "another root", key } })],
  ["another subject", /subject/, () => leafTbs({ commonName: "www.example.com" })],
  [
    "two URIs",
    /exactly one URI/,
    async () =>
      bent(await leafTbs(), (tbs) =>
        replaced(
          tbs,
          id_ce_subjectAltName,
          uris(`spiffe://${domain}/agent/a`, `spiffe://${domain}/agent/b`),
          false,
        ),
      ),
  ],
  [
    "no URI",
    /exactly one URI/,
    async () => bent(await leafTbs(), (tbs) => replaced(tbs, id_ce_subjectAltName, uris(), false)),
  ],
  [
    "a DNS name beside the URI",
    /written as a client leaf/,
    async () =>
      bent(await leafTbs(), (tbs) => {
        const names = uris(`spiffe://${domain}/agent/a`);
        names.push(new GeneralName({ dNSName: "www.example.com" }));
        replaced(tbs, id_ce_subjectAltName, names, false);
      }),
  ],
  [
    "a second list of names",
    /exactly one URI/,
    async () =>
      bent(await leafTbs(), (tbs) =>
        tbs.extensions?.push(extension(id_ce_subjectAltName, uris(`spiffe://${domain}/agent/b`), false)),
      ),
  ],
  [
    "a CA certificate",
    /written as a client leaf/,
    async () =>
      bent(await leafTbs(), (tbs) =>
        replaced(tbs, id_ce_basicConstraints, new BasicConstraints({ cA: true })),
      ),
  ],
  [
    "no basic constraints",
    /written as a client leaf/,
    async () => bent(await leafTbs(), (tbs) => void tbs.extensions?.shift()),
  ],
  [
    "both purposes",
    /written as a client leaf/,
    async () =>
      bent(await leafTbs(), (tbs) =>
        replaced(tbs, id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_clientAuth, id_kp_serverAuth]), false),
      ),
  ],
  [
    "a further extension",
    /written as a client leaf/,
    async () =>
      bent(await leafTbs(), (tbs) =>
        tbs.extensions?.push(extension("2.5.29.54", new BasicConstraints({ cA: false }), false)),
      ),
  ],
  [
    "another algorithm",
    /written as a client leaf/,
    async () => bent(await leafTbs(), (tbs) => void (tbs.signature.algorithm = "1.3.101.112")),
  ],
  [
    "a short serial number",
    /serial/,
    async () => bent(await leafTbs(), (tbs) => void (tbs.serialNumber = Uint8Array.of(1, 2, 3).buffer)),
  ],
  [
    "a negative serial number",
    /serial/,
    async () =>
      bent(await leafTbs(), (tbs) => void (tbs.serialNumber = new Uint8Array(16).fill(0x80).buffer)),
  ],
  ["bytes behind it", /written as a client leaf/, async () => Uint8Array.from([...(await leafTbs()), 0])],
  [
    "version 1",
    /written as a client leaf/,
    async () => bent(await leafTbs(), (tbs) => void (tbs.version = 0)),
  ],
  [
    "a subject of two parts",
    /subject/,
    async () =>
      bent(await leafTbs(), (tbs) => void (tbs.subject = new Name([...tbs.subject, ...tbs.subject]))),
  ],
];

for (const [what, why, make] of attacks) {
  test(`a leaf with ${what} is refused`, async () => {
    const judged = judgeCertificate(await make(), used, now);
    assert.ok(judged.kind === "refused", judged.kind);
    assert.match(judged.why, why);
  });
}

test("a server's root gives out servers and the gateway alone, and no leaf before there is a root", async () => {
  const server: RootKey = { ...used, purpose: "server" };
  for (const [id, expected] of [
    ["gateway", "leaf"],
    ["server/files", "leaf"],
    ["agent/a", "refused"],
    ["server", "refused"],
  ] as const) {
    const change = { spiffeId: `spiffe://${domain}/${id}`, commonName: id.split("/").at(-1) ?? "" };
    const judged = judgeCertificate(await leafTbs({ ...change, purpose: "server" }), server, now);
    assert.equal(judged.kind, expected, id);
  }
  assert.equal(judgeCertificate(await leafTbs(), fresh, now).kind, "refused");
});

test("a leaf doesn't outlive its root", async () => {
  const ending = { ...used, root: { ...made.root, notAfterUnixMs: now + hour - 1000 } };
  const judged = judgeCertificate(await leafTbs(), ending, now);
  assert.deepEqual(judged, { kind: "refused", why: "it outlives its root" });
});

test("a root is made, and made again, until it was used", () => {
  for (const state of [fresh, made]) assert.equal(judgeCertificate(rootTbs, state, now).kind, "root");
  assert.deepEqual(judgeCertificate(rootTbs, used, now), {
    kind: "refused",
    why: "the root of this key was made already",
  });
});

const roots: readonly (readonly [string, RegExp, (tbs: TBSCertificate) => void])[] = [
  [
    "a longer path",
    /constrained/,
    (tbs) => replaced(tbs, id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 1 })),
  ],
  [
    "no name constraints",
    /constrained/,
    (tbs) => {
      const at = tbs.extensions?.findIndex(({ extnID }) => extnID === id_ce_nameConstraints) ?? -1;
      tbs.extensions?.splice(at, 1);
    },
  ],
  [
    "another issuer",
    /itself/,
    (tbs) => {
      tbs.issuer = new Name([...tbs.issuer, ...tbs.issuer]);
    },
  ],
  [
    "twice the life",
    /too long/,
    (tbs) => {
      tbs.validity = new Validity({
        notBefore: tbs.validity.notBefore.getTime(),
        notAfter: new Date(now + 10 * 365 * 24 * hour),
      });
    },
  ],
];

for (const [what, why, change] of roots) {
  test(`a root with ${what} is refused`, () => {
    const judged = judgeCertificate(bent(rootTbs, change), fresh, now);
    assert.ok(judged.kind === "refused", judged.kind);
    assert.match(judged.why, why);
  });
}

test("a root of another trust domain or purpose is refused, one of a later generation isn't", async () => {
  for (const [trustDomain, purpose, generation, expected] of [
    [domain, "client", 1, "root"],
    [domain, "client", 2, "root"],
    ["evil.test", "client", 1, "refused"],
    [domain, "server", 1, "refused"],
  ] as const) {
    await createRoot(trustDomain, { purpose, generation }, key, now);
    assert.equal(judgeCertificate(asked, fresh, now).kind, expected, `${trustDomain} ${purpose}`);
  }
});

/** As OpenSSL reads it, once it is signed. */
function asIssued(tbs: Uint8Array): ParsedCertificate | undefined {
  const certificate = new Certificate({
    tbsCertificate: AsnConvert.parse(tbs, TBSCertificate),
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: suite.oid }),
    signatureValue: new ArrayBuffer(suite.signatureBytes),
  });
  return parseCertificate(new Uint8Array(AsnConvert.serialize(certificate)));
}

test("whatever byte of a leaf is changed, what still passes is a client leaf of this domain to OpenSSL too", async () => {
  const leaf = await leafTbs();
  let passed = 0;
  for (let at = 0; at < leaf.length; at++) {
    const changed = Uint8Array.from(leaf);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const judged = judgeCertificate(changed, used, now);
    if (judged.kind === "refused") continue;
    passed += 1;
    assert.ok(judged.kind === "leaf");
    const read = asIssued(changed);
    assert.ok(read);
    const { uris, otherNames, notAfterUnixMs, serial } = certificateFacts(read);
    assert.deepEqual([uris, otherNames, serial], [[judged.spiffeId], 0, judged.serial]);
    assert.ok(judged.spiffeId.startsWith(`spiffe://${domain}/`) && notAfterUnixMs <= now + hour + 1000);
    assert.deepEqual([read.ca, read.keyUsage], [false, ["1.3.6.1.5.5.7.3.2"]]);
  }
  assert.ok(passed > 100, "serial number, key and path are the asker's to choose");
});

test("bytes of any kind are refused, never a fault", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      (bytes) => judgeCertificate(bytes, used, now).kind === "refused",
    ),
    { numRuns: 500 },
  );
});
