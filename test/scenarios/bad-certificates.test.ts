/** Certificates that prove nobody: none opens a link, each is told to the operator, and others are served on. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import type { Credentials } from "../../src/host/net/tls.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { revocationsAlpn } from "../../src/host/net/front-door.ts";
import { authorityOf } from "../support/authority.ts";
import {
  issuerOf,
  issuerWith,
  type OddIssuer,
  type OddLeaf,
  oddCertificate,
  oddCredentials,
  privateKey,
  testId,
} from "../support/odd-certificates.ts";
import {
  asked,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  rawLink,
  testGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { entriesOf, logged } from "../support/records.ts";

const serverAuth = "1.3.6.1.5.5.7.3.1";
const [clientRootName, serverRootName] = ["latticegate.local client root", "latticegate.local server root"];
const day = 24 * 3_600_000;

interface House {
  readonly gateway: TestGateway;
  readonly enrolment: Enrolment;
  readonly clientRoot: OddIssuer;
  readonly serverRoot: OddIssuer;
}

async function house(t: TestContext): Promise<House> {
  const gateway = await testGateway(t, openPolicy);
  const { roots } = await authorityOf(gateway);
  return {
    gateway,
    enrolment: await enrol(gateway, "agent/good"),
    clientRoot: issuerWith(clientRootName, roots.client[0].key),
    serverRoot: issuerWith(serverRootName, roots.server[0].key),
  };
}

/** Connects with whatever TLS lets this client say, and asks something. */
async function attempt(
  { gateway, enrolment }: House,
  credentials: Credentials,
  alpn?: string,
): Promise<"answered" | "cut"> {
  const { profile } = gateway.config;
  const { sigalgs: _, ...options } = clientTlsOptions({
    profile,
    serverRoots: enrolment.identity.server_roots,
    peerSpiffeId: enrolment.identity.gateway,
    credentials,
    ...(alpn !== undefined && { alpn }),
  });
  const [host = "", port = ""] = gateway.address.split(":");
  return await new Promise((resolve) => {
    // Old keys can't even be loaded at today's level of security.
    const link = tls.connect({
      ...options,
      ciphers: `${profile.ciphers}:DEFAULT@SECLEVEL=0`,
      host,
      port: Number(port),
    });
    link.on("secureConnect", () => link.write("GET /mcp/x HTTP/1.1\r\nHost: x\r\n\r\n"));
    link.once("data", () => {
      resolve("answered");
      link.destroy();
    });
    link.on("error", () => resolve("cut")).on("close", () => resolve("cut"));
  });
}

async function turnedAway(t: TestContext, bad: BadCertificate): Promise<void> {
  const scene = await house(t);
  const { gateway, enrolment } = scene;
  const other = await rawLink(gateway, enrolment);
  assert.equal(await asked(other), "403");
  assert.equal(await attempt(scene, await bad.credentials(scene)), "cut");
  await eventually("the operator is told why", () => logged(gateway, "link.refused").length === 1);
  assert.match(String(logged(gateway, "link.refused")[0]?.["reason"]), bad.reason);
  assert.equal(await asked(other), "403", "those who are in go on");
  const next = await rawLink(gateway, enrolment);
  assert.equal(await asked(next), "403", "and others come in");
  for (const link of [other, next]) link.destroy();
  const recorded = (await entriesOf(gateway, "identity.refuse")).length;
  assert.equal(recorded, bad.isOurs ? 1 : 0, "what a root of ours issued is in the audit log, no stranger's");
}

interface BadCertificate {
  readonly credentials: (house: House) => Promise<Credentials>;
  readonly reason: RegExp;
  /** A root of ours signed it, and it names somebody. */
  readonly isOurs: boolean;
}

/** A leaf of our own client root that differs in one thing. */
function ours(difference: Partial<OddLeaf>, reason: RegExp): BadCertificate {
  return {
    credentials: ({ clientRoot }) =>
      oddCredentials({ key: privateKey("ml-dsa-65"), issuer: clientRoot, ...difference }),
    reason,
    isOurs: difference.names?.some((name) => "uri" in name) ?? true,
  };
}

/** The same, where the handshake doesn't let the certificate through. */
function stranger(difference: Partial<OddLeaf>, reason: RegExp): BadCertificate {
  return { ...ours(difference, reason), isOurs: false };
}

function foreign(kind: Parameters<typeof privateKey>[0], reason: RegExp): BadCertificate {
  return {
    credentials: () =>
      oddCredentials({ key: privateKey(kind), issuer: issuerOf(clientRootName, privateKey(kind)) }),
    reason,
    isOurs: false,
  };
}

const now = Date.now();
const unissued = /UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|SIGNATURE/;
const badCertificates: Readonly<Record<string, BadCertificate>> = {
  "an expired certificate": ours(
    { notBeforeUnixMs: now - 2 * day, notAfterUnixMs: now - day },
    /CERT_HAS_EXPIRED/,
  ),
  "one that isn't valid yet": ours(
    { notBeforeUnixMs: now + day, notAfterUnixMs: now + 2 * day },
    /CERT_NOT_YET_VALID/,
  ),
  "one for another purpose": ours({ usage: "1.3.6.1.5.5.7.3.4" }, /INVALID_PURPOSE/),
  "one for servers": ours({ usage: serverAuth }, /INVALID_PURPOSE/),
  "one with two URI names": ours(
    { names: [{ uri: testId }, { uri: "spiffe://latticegate.local/agent/good" }] },
    /exactly one URI name/,
  ),
  "one with a DNS name beside its URI": ours(
    { names: [{ uri: testId }, { dns: "localhost" }] },
    /exactly one URI name/,
  ),
  "one without a name": ours({ names: [] }, /exactly one URI name/),
  "one of another trust domain": ours(
    { names: [{ uri: "spiffe://evil.test/agent/test" }] },
    /isn't accepted/,
  ),
  "one with an ML-DSA-44 key": stranger({ key: privateKey("ml-dsa-44") }, /showed no certificate/),
  "one of a foreign root of the same name": foreign("ml-dsa-65", unissued),
  "a client's, signed by the servers' root": {
    credentials: ({ serverRoot }) => oddCredentials({ key: privateKey("ml-dsa-65"), issuer: serverRoot }),
    reason: unissued,
    isOurs: true,
  },
  "a client's, signed by the servers' root in the clients' root's name": {
    credentials: ({ serverRoot }) =>
      oddCredentials({ key: privateKey("ml-dsa-65"), issuer: { ...serverRoot, name: clientRootName } }),
    reason: unissued,
    isOurs: false,
  },
  "one of a chain of 60 certificates": {
    credentials: async ({ clientRoot }) => {
      const issuer = { ...clientRoot, name: "nobody" };
      const more = await oddCertificate({ key: privateKey("ml-dsa-65"), issuer });
      return await oddCredentials(
        { key: privateKey("ml-dsa-65"), issuer: clientRoot },
        ...Array<string>(60).fill(more),
      );
    },
    reason: /handshake/,
    isOurs: false,
  },
  "one that has a megabyte": stranger({ padding: 1024 * 1024 }, /handshake/),
  "an RSA-1024 leaf of a foreign authority": foreign("rsa-1024", /showed no certificate/),
  "an RSA-2048 leaf of a foreign authority": foreign("rsa-2048", /showed no certificate/),
  "an ECDSA leaf of a foreign authority": foreign("ec", /showed no certificate/),
  "one that is signed by itself": {
    credentials: () => {
      const key = privateKey("ml-dsa-65");
      return oddCredentials({ key, issuer: issuerOf("test", key) });
    },
    reason: unissued,
    isOurs: false,
  },
};

for (const [what, bad] of Object.entries(badCertificates)) {
  test(`${what} opens no link`, (t) => turnedAway(t, bad));
}

const badServers: Readonly<Record<string, BadCertificate>> = {
  "a server's, signed by the clients' root": ours({ usage: serverAuth }, /this authority didn't issue it/),
  "a client's of the servers' root": {
    credentials: ({ serverRoot }) => oddCredentials({ key: privateKey("ml-dsa-65"), issuer: serverRoot }),
    reason: /isn't for servers/,
    isOurs: true,
  },
  "an expired one": {
    credentials: ({ serverRoot }) =>
      oddCredentials({
        key: privateKey("ml-dsa-65"),
        issuer: serverRoot,
        usage: serverAuth,
        notAfterUnixMs: now - 1000,
      }),
    reason: /it has ended/,
    isOurs: true,
  },
};

for (const [what, bad] of Object.entries(badServers)) {
  test(`with ${what} nobody is told what is revoked`, async (t) => {
    const scene = await house(t);
    assert.equal(await attempt(scene, await bad.credentials(scene), revocationsAlpn), "cut");
    await eventually("the operator is told why", () => logged(scene.gateway, "link.refused").length === 1);
    assert.match(String(logged(scene.gateway, "link.refused")[0]?.["reason"]), bad.reason);
  });
}
