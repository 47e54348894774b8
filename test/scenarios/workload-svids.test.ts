/** Workloads that enrol with an X.509 SVID of another authority: what is accepted, and what is refused at the door. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import { test } from "node:test";
import tls from "node:tls";

import { signWithOutsideKey } from "../../src/crypto/outside-key.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { channelBinding } from "../../src/host/net/channel-binding.ts";
import { enrolAlpn } from "../../src/host/net/front-door.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { svidProofText } from "../../src/identity/svid-proof.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import type { TestGateway } from "../support/gateway.ts";
import {
  authority,
  ecKey,
  type OutsideCertificate,
  outsideRoot,
  rsaKey,
  serverAuth,
} from "../support/outside-authority.ts";
import { recorded } from "../support/records.ts";
import { enrolAs, newKey, refusalOf, svidProof, workloadScene } from "../support/workload.ts";

const domain = "spiffe://latticegate.local";

test("a workload of SPIRE gets an identity of ours for its SVID, of whatever kind its key is", async (t) => {
  const { gateway, spire } = await workloadScene(t);
  for (const key of [ecKey("P-256"), ecKey("P-384"), rsaKey(2048)]) {
    const identity = await enrolAs(gateway, svidProof(spire.issue({ key })));
    assert.equal(identity.spiffe_id, `${domain}/agent/agents/builder`);
    assert.ok(identity.renewable_until !== undefined);
  }
  const between = spire.issue({ ...authority, name: "between" });
  await enrolAs(gateway, svidProof(between.issue({}), between));
  const issued = (await recorded(gateway, "identity")).filter(({ facts }) => facts["how"] === "svid:spire");
  assert.equal(issued.length, 4);
  assert.equal(issued[0]?.facts["subject"], "spiffe://prod.acme.test/ns/agents/sa/builder");
});

const between = (root: OutsideCertificate): readonly [OutsideCertificate, ...OutsideCertificate[]] => {
  const issuers = [root];
  for (let i = 0; i < 4; i++)
    issuers.unshift((issuers[0] ?? root).issue({ ...authority, key: ecKey(), name: `authority ${i}` }));
  return [(issuers[0] ?? root).issue({}), ...issuers.slice(0, 3)];
};

type Chain = readonly [OutsideCertificate, ...OutsideCertificate[]];
const uri =
  (...uris: readonly string[]) =>
  (root: OutsideCertificate): Chain => [root.issue({ uris })];

const wrong: readonly (readonly [string, (root: OutsideCertificate) => Chain, RegExp])[] = [
  ["of another authority", () => [outsideRoot().issue({})], /no certificate of the bundle/],
  [
    "that signs itself",
    () => [outsideRoot({ isAuthority: false, usage: 1, uris: [svid()] })],
    /bundle|clientAuth/,
  ],
  ["of another trust domain", uri("spiffe://test.acme.test/ns/agents/sa/builder"), /no entry takes SVIDs/],
  ["of this gateway's own trust domain", uri(`${domain}/ns/agents/sa/builder`), /no entry takes SVIDs/],
  [
    "whose trust domain is in capitals",
    uri("spiffe://PROD.ACME.TEST/ns/agents/sa/builder"),
    /exactly one SPIFFE ID/,
  ],
  ["with two names", uri(svid(), svid("other")), /exactly one SPIFFE ID/],
  ["without a name", uri(), /exactly one SPIFFE ID/],
  [
    "with a name that is no SPIFFE ID",
    uri("https://prod.acme.test/ns/agents/sa/builder"),
    /exactly one SPIFFE ID/,
  ],
  ["whose name climbs", uri("spiffe://prod.acme.test/ns/agents/sa/../gateway"), /exactly one SPIFFE ID/],
  ["whose name is encoded", uri("spiffe://prod.acme.test/ns/agents/sa/%2e%2e"), /exactly one SPIFFE ID/],
  ["whose name no entry knows", uri("spiffe://prod.acme.test/ns/agents/builder"), /spiffe_id doesn't match/],
  ["that has expired", (root) => [root.issue({ notAfterUnixMs: Date.now() - 1000 })], /expired/],
  [
    "that isn't valid yet",
    (root) => [root.issue({ notBeforeUnixMs: Date.now() + 120_000 })],
    /isn't valid yet/,
  ],
  ["for servers alone", (root) => [root.issue({ purposes: [serverAuth] })], /clientAuth/],
  ["signed with SHA-1", (root) => [root.issue({ digest: "sha1" })], /algorithm/],
  ["whose chain has a gap", between, /no certificate of the bundle/],
];

test("no SVID that is wrong gets an identity: the newcomer isn't told why, the log is", async (t) => {
  const { gateway, spire } = await workloadScene(t);
  for (const [what, make, reason] of wrong) {
    await t.test(`an SVID ${what}`, async () => {
      const verdict = await refusalOf(gateway, enrolAs(gateway, svidProof(...make(spire))));
      assert.equal(verdict.code, "proof_refused");
      assert.match(verdict.told, /the gateway's log says what is wrong/);
      assert.match(verdict.logged, reason);
    });
  }
  await enrolAs(gateway, svidProof(spire.issue({})));
});

test("a chain of too many, too long or unreadable certificates isn't even looked at", async (t) => {
  const { gateway, spire } = await workloadScene(t);
  const leaf = spire.issue({});
  for (const chain of [
    [],
    Array.from({ length: 5 }, () => leaf.der),
    [new Uint8Array(9000)],
    [Buffer.from("no certificate")],
  ]) {
    const key = leaf.key.privateKey.export({ format: "pem", type: "pkcs8" });
    const verdict = await refusalOf(gateway, enrolAs(gateway, { kind: "svid", chain, key }));
    assert.notEqual(verdict.logged, "");
  }
});

test("an SVID with an RSA key of 1024 bits is refused by both ends", async (t) => {
  const { gateway, spire } = await workloadScene(t);
  const weak = spire.issue({ key: rsaKey(1024) });
  await assert.rejects(enrolAs(gateway, svidProof(weak)), /The SVID's key can't be used/);
  const [enrolling] = await rawEnrolment(t, gateway);
  const answer = await enrolling({ chain: [weak.der], signature: new Uint8Array(128) });
  assert.deepEqual([answer.status, answer.error], [401, "proof_refused"]);
  assert.match(gateway.log.join("\n"), /too weak/);
});

test("a signature over another link's binding, another request or by another key gets nothing", async (t) => {
  const { gateway, spire } = await workloadScene(t);
  const leaf = spire.issue({});
  const csr = createSigningRequest(newKey());
  const [, bindingOfOther] = await rawEnrolment(t, gateway);
  const sign = (key: OutsideCertificate, binding: Uint8Array, request = csr): Uint8Array =>
    signWithOutsideKey(
      key.key.privateKey.export({ format: "pem", type: "pkcs8" }),
      svidProofText(binding, request),
    ) ?? new Uint8Array();
  for (const [what, signature] of [
    ["another link's binding", () => sign(leaf, bindingOfOther)],
    ["another request", (own: Uint8Array) => sign(leaf, own, createSigningRequest(newKey()))],
    ["another key", (own: Uint8Array) => sign(spire.issue({}), own)],
    ["no signature", () => new Uint8Array()],
  ] as const) {
    await t.test(what, async (inner) => {
      const [enrolling, own] = await rawEnrolment(inner, gateway);
      const before = gateway.log.length;
      const answer = await enrolling({ chain: [leaf.der], signature: signature(own), csr });
      assert.deepEqual([answer.status, answer.error], [401, "proof_refused"]);
      assert.match(gateway.log.slice(before).join("\n"), /over this link and this request/);
    });
  }
  const [enrolling, own] = await rawEnrolment(t, gateway);
  const answer = await enrolling({ chain: [leaf.der], signature: sign(leaf, own), csr });
  assert.equal(answer.status, 200, "the same, signed as it should be");
});

test("a bundle that changes counts at once, and one that can't be read keeps out its own workloads", async (t) => {
  const { gateway, spire, bundle } = await workloadScene(t);
  const next = outsideRoot();
  assert.equal((await refusalOf(gateway, enrolAs(gateway, svidProof(next.issue({}))))).code, "proof_refused");
  await writeFile(bundle, `${spire.pem}\n${next.pem}`);
  await enrolAs(gateway, svidProof(next.issue({})));
  await enrolAs(gateway, svidProof(spire.issue({})));
  await writeFile(bundle, next.pem);
  assert.equal(
    (await refusalOf(gateway, enrolAs(gateway, svidProof(spire.issue({}))))).code,
    "proof_refused",
  );
  await writeFile(bundle, "");
  const verdict = await refusalOf(gateway, enrolAs(gateway, svidProof(next.issue({}))));
  assert.equal(verdict.code, "busy");
  assert.match(verdict.logged, /bundle\.pem can't be read/);
  assert.doesNotMatch(verdict.told, /bundle\.pem/);
});

function svid(account = "builder"): string {
  return `spiffe://prod.acme.test/ns/agents/sa/${account}`;
}

interface RawProof {
  readonly chain: readonly Uint8Array[];
  readonly signature: Uint8Array;
  readonly csr?: Uint8Array;
}

/** A link to the enrolment door, its binding, and a way to send a proof on it that no sidecar would. */
async function rawEnrolment(
  t: Cleanup,
  gateway: TestGateway,
): Promise<
  readonly [(proof: RawProof) => Promise<{ readonly status: number; readonly error: unknown }>, Uint8Array]
> {
  const [host = "", port] = gateway.address.split(":");
  const { profile } = gateway.config;
  const link = tls.connect({
    ...clientTlsOptions({ profile, serverRoots: [], peerSpiffeId: "", alpn: enrolAlpn }),
    rejectUnauthorized: false,
    host,
    port: Number(port),
  });
  await once(link, "secureConnect");
  atEnd(t, () => link.on("error", () => undefined).destroy());
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const send = async ({ chain, signature, csr = createSigningRequest(newKey()) }: RawProof) => {
    const request = http.request({ createConnection: () => link, method: "POST", path: "/identity/svid" });
    request.end(JSON.stringify({ chain: chain.map(base64), signature: base64(signature), csr: base64(csr) }));
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    const text = Buffer.concat(await Array.fromAsync(response as AsyncIterable<Buffer>)).toString();
    return { status: response.statusCode ?? 0, error: (JSON.parse(text) as { error?: unknown }).error };
  };
  return [send, channelBinding(link)];
}
