/** An identity is renewed for another key only if the old key vouches for it, on this link, for this request. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import tls from "node:tls";

import { applyProfile } from "../../src/app/profile-operations.ts";
import { certificateFacts, parseCertificate } from "../../src/crypto/certificate.ts";
import { generateKeyPair, type KeyPair, signWith } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { askProfile, renew } from "../../src/host/net/enrol-client.ts";
import { channelBinding } from "../../src/host/net/channel-binding.ts";
import { enrolAlpn } from "../../src/host/net/front-door.ts";
import { hostAndPort } from "../../src/host/net/listen.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { systemClock } from "../../src/host/system.ts";
import { renewalProofText } from "../../src/identity/renewal-proof.ts";
import { toBase64 } from "../../src/kernel/bytes.ts";
import { profileOf, profileSchema } from "../../src/crypto/suites/profiles.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import {
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  testGateway,
  type TestGateway,
} from "../support/gateway.ts";

const next = generateKeyPair(signatureSuite("ML-DSA-65"));

function known(gateway: TestGateway, { identity }: Enrolment) {
  return {
    address: gateway.address,
    serverRoots: identity.server_roots,
    spiffeId: identity.gateway,
  };
}

/** Asks with a signature that is made for the link by `signature`. @returns status and text */
async function asks(
  gateway: TestGateway,
  enrolment: Enrolment,
  signature: (link: tls.TLSSocket, csr: Uint8Array) => Uint8Array | undefined,
): Promise<string> {
  const { serverRoots, spiffeId } = known(gateway, enrolment);
  const to = hostAndPort(gateway.address);
  const { profile } = gateway.config;
  const link = tls.connect({
    ...clientTlsOptions({ profile, serverRoots, peerSpiffeId: spiffeId, alpn: enrolAlpn }),
    ...to,
  });
  await once(link, "secureConnect");
  const csr = createSigningRequest(next);
  const signed = signature(link, csr);
  const body = {
    certificate: enrolment.identity.certificate,
    csr: toBase64(csr),
    ...(signed && { signature: toBase64(signed) }),
  };
  const request = http.request({
    ...to,
    createConnection: () => link,
    method: "POST",
    path: "/identity/renew",
  });
  request.setHeader("content-type", "application/json");
  request.end(JSON.stringify(body));
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const text = Buffer.concat(await response.toArray()).toString();
  link.destroy();
  return `${response.statusCode} ${text}`;
}

test("the old key vouches for the new one, and the new certificate is of that", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const enrolment = await enrol(gateway);
  const renewed = await renew(known(gateway, enrolment), gateway.config.profile, {
    certificate: enrolment.identity.certificate,
    csr: createSigningRequest(next),
    key: enrolment.key,
  });
  const certificate = parseCertificate(renewed.certificate);
  assert.ok(certificate?.publicKey.equals(next.publicKey));
});

const text = (link: tls.TLSSocket, csr: Uint8Array) => renewalProofText(channelBinding(link), csr);
const otherRequest = createSigningRequest(generateKeyPair(signatureSuite("ML-DSA-65")));

const wrong: readonly (readonly [
  string,
  (link: tls.TLSSocket, csr: Uint8Array, old: KeyPair) => Uint8Array | undefined,
])[] = [
  ["no signature", () => undefined],
  ["a signature by the new key", (link, csr) => signWith(next, text(link, csr))],
  ["a signature for another request", (link, _csr, old) => signWith(old, text(link, otherRequest))],
  [
    "a signature for another link",
    (_link, csr, old) => signWith(old, renewalProofText(new Uint8Array(32), csr)),
  ],
  ["a signature over the request alone", (_link, csr, old) => signWith(old, csr)],
  ["a signature of another length", (link, csr, old) => signWith(old, text(link, csr)).subarray(0, 3000)],
];
for (const [what, signature] of wrong) {
  test(`a renewal for another key with ${what} is refused`, async (t) => {
    const gateway = await testGateway(t, openPolicy);
    const enrolment = await enrol(gateway);
    const answer = await asks(gateway, enrolment, (link, csr) => signature(link, csr, enrolment.key));
    assert.match(answer, /^401 .*another key/);
  });
}

test("who asks is told what is in force, and the next certificate is of it", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const enrolment = await enrol(gateway);
  const { profile } = gateway.config;
  const at = known(gateway, enrolment);
  assert.equal((await askProfile(at, profile))?.profile.name, "hybrid");
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 0, clock: systemClock });
  await eventually("the new one is in use", async () => {
    const asked = await askProfile(at, profile);
    return asked?.profile.name === "cnsa-2.0" && asked.outgoing.length === 0;
  });
  const old = {
    certificate: enrolment.identity.certificate,
    csr: createSigningRequest(next),
    key: enrolment.key,
  };
  await assert.rejects(
    renew(at, profile, old),
    (error: unknown) => error instanceof Refusal && /ML-DSA-87/.test(error.message),
  );
  const stronger = generateKeyPair(signatureSuite("ML-DSA-87"));
  const renewed = await renew(at, profile, { ...old, csr: createSigningRequest(stronger) });
  const certificate = parseCertificate(renewed.certificate);
  assert.ok(certificate);
  assert.equal(certificateFacts(certificate).keyAlgorithm, "ML-DSA-87");
});

test("the example of what is in force, as the format's page has it, can be read", async () => {
  const page = await readFile(new URL("../../docs/formats/enrolment.md", import.meta.url), "utf8");
  const [, block = ""] = /gives\n\n```json\n(.*?)```/s.exec(page) ?? [];
  const { profile } = JSON.parse(block) as { readonly profile: unknown };
  assert.equal(profileOf(profileSchema.parse(profile)).name, "hybrid");
});
