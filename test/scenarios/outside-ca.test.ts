/** An organisation's own authority above ours: what it signed is taken into use, and nothing less than that. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { KeyUsageFlags } from "@peculiar/asn1-x509";

import { importIssuing, requestIssuing } from "../../src/app/outside-authority.ts";
import { listRoots, retireRoots, rotateRoot } from "../../src/app/root-operations.ts";
import { isIssuedBy, parseCertificate } from "../../src/crypto/certificate.ts";
import { systemClock } from "../../src/host/system.ts";
import { type Purpose, purposes } from "../../src/identity/authority.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { certificateOf, ecKey, type OutsideCertificate, readRequest, rsaKey } from "../support/outside-ca.ts";

const root = { name: "Acme Root", key: rsaKey(3072) };
const middle = { name: "Acme Issuing Policy", key: ecKey("P-384") };
const rootPem = certificateOf({ subject: root.name, publicKey: root.key.publicKey, issuer: root });
const middlePem = certificateOf({ subject: middle.name, publicKey: middle.key.publicKey, issuer: root });

async function fileWith(t: TestContext, text: string): Promise<string> {
  const file = path.join(await temporaryFolder(t), "chain.pem");
  await writeFile(file, text);
  return file;
}

async function requestedAt(
  gateway: TestGateway,
  purpose: Purpose,
): Promise<Pick<OutsideCertificate, "subject" | "publicKey">> {
  return readRequest(await requestIssuing(gateway.config, purpose, systemClock));
}

test("with an outside authority above both directions, links go on, and newcomers join under it", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  for (const purpose of purposes) {
    const issuing = certificateOf({
      ...(await requestedAt(gateway, purpose)),
      issuer: middle,
      pathLength: 0,
    });
    const file = await fileWith(t, rootPem + issuing + middlePem);
    const report = await importIssuing(gateway.config, { purpose, file, clock: systemClock });
    assert.equal(report.generation, 2);
    await retireRoots(gateway.config, purpose, { isEarly: true, clock: systemClock });
  }
  await eventually("the gateway took them up", () =>
    gateway.log.some(
      (line) =>
        line.includes("roots_changed") && line.includes('"server":"2"') && line.includes('"client":"2"'),
    ),
  );
  const enrolment = await enrol(gateway);
  const { status } = await clientOf(t, gateway, enrolment).post("stub", toolCall("echo"));
  assert.equal(status, 200);
  for (const pem of [...enrolment.identity.server_roots, ...enrolment.identity.client_roots]) {
    const anchor = parseCertificate(pem);
    assert.equal(
      anchor?.issuer,
      anchor?.subject,
      "peers trust our key, and not all that its authority signs",
    );
    assert.equal(anchor?.publicKey.asymmetricKeyType, "ml-dsa-65");
  }
  const [, { outside = "" } = {}] = await listRoots(gateway.config, systemClock);
  const [issuing, above] = outside.split(/(?=-----BEGIN)/).map((pem) => parseCertificate(pem));
  const leaf = parseCertificate(enrolment.identity.certificate);
  assert.ok(issuing && above && leaf);
  assert.ok(
    isIssuedBy(leaf, issuing) && isIssuedBy(issuing, above),
    "who trusts the outside authority can follow the chain",
  );
  const states = (await listRoots(gateway.config, systemClock)).map(
    ({ purpose, state }) => `${purpose} ${state}`,
  );
  assert.deepEqual(states, ["client retired", "client issuing", "server retired", "server issuing"]);
});

test("a request is the same until it is answered, and asks for no more than we need", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const [one, two] = [await requestedAt(gateway, "client"), await requestedAt(gateway, "client")];
  assert.ok(one.publicKey.equals(two.publicKey));
  const file = await fileWith(t, rootPem);
  await assert.rejects(
    importIssuing(gateway.config, { purpose: "server", file, clock: systemClock }),
    (error: unknown) => error instanceof Refusal && /ca request --for server/.test(error.message),
  );
  await rotateRoot(gateway.config, "client", systemClock);
  assert.equal(
    (await listRoots(gateway.config, systemClock)).filter(({ purpose }) => purpose === "client").length,
    3,
  );
});

const weakRsa = { name: "Acme Old", key: rsaKey(2048) };
const weakCurve = { name: "Acme Curve", key: ecKey("secp256k1") };
const selfSigned = (issuer: OutsideCertificate["issuer"], part: Partial<OutsideCertificate> = {}): string =>
  certificateOf({ subject: issuer.name, publicKey: issuer.key.publicKey, issuer, ...part });

type Ours = Pick<OutsideCertificate, "subject" | "publicKey">;
const wrong: readonly (readonly [string, (ours: Ours) => string, RegExp])[] = [
  [
    "for another key",
    () => certificateOf({ subject: "x", publicKey: ecKey().publicKey, issuer: root }) + rootPem,
    /the key that was requested/,
  ],
  ["without its root", (ours) => certificateOf({ ...ours, issuer: middle }) + middlePem, /isn't in the file/],
  ["alone", (ours) => certificateOf({ ...ours, issuer: root }), /every one above it/],
  [
    "of another root of that name",
    (ours) => certificateOf({ ...ours, issuer: { ...root, key: ecKey() } }) + rootPem,
    /didn't sign it/,
  ],
  [
    "that is no authority's",
    (ours) => certificateOf({ ...ours, issuer: root, isCa: false }) + rootPem,
    /no certificate authority/,
  ],
  [
    "that may not sign",
    (ours) => certificateOf({ ...ours, issuer: root, usage: KeyUsageFlags.digitalSignature }) + rootPem,
    /may not sign/,
  ],
  [
    "under a root that allows no intermediate",
    (ours) => certificateOf({ ...ours, issuer: root }) + selfSigned(root, { pathLength: 0 }),
    /only 0 authorities/,
  ],
  [
    "that has ended",
    (ours) => certificateOf({ ...ours, issuer: root, days: [-10, -1] }) + rootPem,
    /has ended/,
  ],
  [
    "that begins tomorrow",
    (ours) => certificateOf({ ...ours, issuer: root, days: [1, 10] }) + rootPem,
    /isn't valid yet/,
  ],
  [
    "signed with SHA-1",
    (ours) => certificateOf({ ...ours, issuer: root, digest: "sha1" }) + rootPem,
    /doesn't count/,
  ],
  [
    "under RSA of 2048 bits",
    (ours) => certificateOf({ ...ours, issuer: weakRsa }) + selfSigned(weakRsa),
    /2048 bits/,
  ],
  [
    "under an odd curve",
    (ours) => certificateOf({ ...ours, issuer: weakCurve }) + selfSigned(weakCurve),
    /secp256k1/,
  ],
  [
    "for another trust domain",
    (ours) => certificateOf({ ...ours, issuer: root, permits: "other.test" }) + rootPem,
    /may not vouch for/,
  ],
  [
    "with a critical extension nobody knows",
    (ours) => certificateOf({ ...ours, issuer: root, critical: "1.2.3.4" }) + rootPem,
    /1\.2\.3\.4/,
  ],
  ["of too many", (ours) => certificateOf({ ...ours, issuer: root }) + rootPem.repeat(6), /more than 6/],
  [
    "too long",
    (ours) => certificateOf({ ...ours, issuer: root }) + rootPem + " ".repeat(200_000),
    /longer than/,
  ],
  [
    "that is none",
    () => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".repeat(2),
    /can't be read/,
  ],
];

test("a chain with anything wrong is refused with the reason, and changes nothing", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const ours = await requestedAt(gateway, "client");
  const before = await listRoots(gateway.config, systemClock);
  for (const [what, make, reason] of wrong) {
    const file = await fileWith(t, make(ours));
    await assert.rejects(
      importIssuing(gateway.config, { purpose: "client", file, clock: systemClock }),
      (error: unknown) => {
        assert.ok(error instanceof Refusal, what);
        assert.match(error.message, reason, what);
        return true;
      },
    );
  }
  assert.deepEqual(await listRoots(gateway.config, systemClock), before);
  const right =
    certificateOf({ ...ours, issuer: root, permits: "latticegate.local", pathLength: 0 }) + rootPem;
  await importIssuing(gateway.config, {
    purpose: "client",
    file: await fileWith(t, right),
    clock: systemClock,
  });
});
