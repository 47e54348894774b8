/** Who gets past the front door, and what everybody else is told. */
import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import tls from "node:tls";

import { makeJoinToken, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { issueLeaf } from "../../src/crypto/certificate.ts";
import { generateKeyPair } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { join, renew } from "../../src/host/net/enrol-client.ts";
import { clientTlsOptions, type Credentials } from "../../src/host/net/tls.ts";
import { systemClock } from "../../src/host/system.ts";
import { createRoot, issueSvid } from "../../src/identity/authority.ts";
import { readJoinToken, writeJoinToken } from "../../src/identity/join-token.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { authorityOf } from "../support/authority.ts";
import { helloOf } from "../support/hello.ts";
import { newSigningKey } from "../support/keys.ts";

function endpoint(gateway: TestGateway): { readonly host: string; readonly port: number } {
  return { host: "127.0.0.1", port: Number(gateway.address.split(":")[1]) };
}

/** Bytes the server sent before it closed the connection. */
function rawAnswer(gateway: TestGateway, send: (socket: net.Socket) => void): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = net.connect(endpoint(gateway), () => send(socket));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  });
}

const handshakeFailure = Buffer.from([21, 3, 3, 0, 2, 2, 40]);

for (const [who, options] of [
  ["an X25519-only client", { ecdhCurve: "X25519", minVersion: "TLSv1.3" }],
  ["a TLS 1.2 client", { maxVersion: "TLSv1.2" }],
] as const) {
  test(`${who} gets alert 40 and nothing else, and one log line says why`, async (t) => {
    const gateway = await testGateway(t, openPolicy);
    const hello = await helloOf(options);
    const answer = await rawAnswer(gateway, (socket) => socket.write(hello));
    assert.deepEqual(answer, handshakeFailure);
    const lines = gateway.log.filter((line) => line.includes("link.refused"));
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /no post-quantum group offered|no TLS 1\.3 offered/);
  });
}

test("a client that can do hybrid but shares a key for X25519 only ends on the hybrid group", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const { credentials, identity } = await enrol(gateway);
  const socket = tls.connect({
    ...clientTlsOptions({
      profile: gateway.config.profile,
      serverRoots: identity.server_roots,
      peerSpiffeId: identity.gateway,
      credentials,
    }),
    ...endpoint(gateway),
    ecdhCurve: "X25519:X25519MLKEM768",
  });
  await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  assert.equal(groupOf(socket), "X25519MLKEM768");
  socket.destroy();
});

test("each group of the profile is negotiated as itself, and the server's session says so too", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const enrolment = await enrol(gateway);
  for (const group of gateway.config.profile.groups) {
    const socket = tls.connect({ ...tlsOf(gateway, enrolment), ...endpoint(gateway), ecdhCurve: group.id });
    await answered(socket); // A link whose session names another group is cut before it answers.
    assert.equal(groupOf(socket), group.id);
    socket.destroy();
  }
});

test("no session is ever resumed, so no link skips the check of its certificate", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const enrolment = await enrol(gateway);
  const sessions: Buffer[] = [];
  const first = tls.connect({ ...tlsOf(gateway, enrolment), ...endpoint(gateway) });
  first.on("session", (session: Buffer) => sessions.push(session));
  await answered(first);
  first.destroy();
  for (const session of sessions) {
    const again = tls.connect({ ...tlsOf(gateway, enrolment), ...endpoint(gateway), session });
    await answered(again);
    assert.equal(again.isSessionReused(), false);
    again.destroy();
  }
});

for (const [what, bytes] of [
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  ["random bytes", Buffer.from("8f3a9c01d2", "hex")],
  ["a record that claims 65,535 bytes", Buffer.from([22, 3, 1, 255, 255, 1])],
  ["an empty record", Buffer.from([22, 3, 1, 0, 0])],
] as const) {
  test(`${what} instead of a ClientHello is refused at once`, async (t) => {
    const gateway = await testGateway(t, openPolicy);
    const answer = await rawAnswer(gateway, (socket) => socket.write(bytes));
    assert.ok(answer.length === 0 || answer[0] === 21, "nothing but an alert");
    assert.equal(gateway.log.filter((line) => line.includes("link.refused")).length, 1);
  });
}

test("a ClientHello that arrives byte by byte is served like any other", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const hello = await helloOf({ ecdhCurve: "X25519MLKEM768", minVersion: "TLSv1.3" });
  const answer = await new Promise<Buffer>((resolve) => {
    const socket = net.connect({ ...endpoint(gateway), noDelay: true }, () => {
      let at = 0;
      const next = (): void => {
        if (at < hello.length) socket.write(hello.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    });
    socket.once("data", (data: Buffer) => {
      resolve(data);
      socket.destroy();
    });
  });
  assert.equal(answer[0], 22, "a handshake record: the ServerHello");
});

test("a peer that says nothing is let go after the hello timeout", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const answer = await rawAnswer(gateway, () => {});
  assert.equal(answer.length, 0);
  assert.match(gateway.log.join(""), /no complete ClientHello in time/);
});

test("a client without a certificate is cut after the handshake, before a byte of HTTP", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const { identity } = await enrol(gateway);
  const outcome = await attempt(gateway, { server_roots: identity.server_roots, gateway: identity.gateway });
  assert.equal(outcome, "cut");
  assert.match(gateway.log.join(""), /showed no certificate/);
});

test("an expired certificate opens no link", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const enrolment = await enrol(gateway);
  const credentials = await leafOf(gateway, { notBeforeUnixMs: 1e12, notAfterUnixMs: 1.1e12 });
  assert.equal(await attempt(gateway, enrolment.identity, credentials), "cut");
  assert.match(gateway.log.join(""), /CERT_HAS_EXPIRED/);
});

test("a certificate of another authority opens no link, though it bears the same names", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const enrolment = await enrol(gateway);
  const suite = signatureSuite("ML-DSA-65");
  const foreignKey = newSigningKey("ml-dsa-65");
  const foreign = {
    key: foreignKey,
    certificate: await createRoot(
      "latticegate.local",
      { purpose: "client", generation: 1 },
      foreignKey,
      Date.now(),
    ),
    generation: 1,
    issuesFromUnixMs: 0,
  };
  const key = generateKeyPair(suite);
  const svid = await issueSvid(
    { trustDomain: "latticegate.local", roots: { client: [foreign], server: [foreign] } },
    { spiffeId: "spiffe://latticegate.local/agent/test", purpose: "client", publicKey: key.publicKey },
    Date.now(),
  );
  assert.equal(await attempt(gateway, enrolment.identity, credentialsOf(key, svid.certificate)), "cut");
  assert.match(gateway.log.join(""), /certificate isn't accepted/);
});

for (const [what, override, reason] of [
  ["without a SPIFFE name", { spiffeId: "https://latticegate.local/x" }, /not in this trust domain/],
  ["of another trust domain", { spiffeId: "spiffe://evil.test/agent/x" }, /isn't accepted/],
  ["for servers used by a client", { purpose: "server" }, /isn't accepted/],
] as const) {
  test(`a mis-issued certificate (${what}) opens no link`, async (t) => {
    const gateway = await testGateway(t, openPolicy);
    const enrolment = await enrol(gateway);
    assert.equal(await attempt(gateway, enrolment.identity, await leafOf(gateway, override)), "cut");
    assert.match(gateway.log.join(""), reason);
  });
}

test("a revoked certificate is refused at the next call on an open link, and opens no new one", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const enrolment = await enrol(gateway);
  const client = clientOf(t, gateway, enrolment);
  assert.equal((await client.post("stub", toolCall("a"))).status, 200);
  assert.equal(
    revokeCertificates(gateway.config, enrolment.identity.spiffe_id, systemClock)?.certificates,
    1,
  );
  await eventually(
    "the call is refused",
    async () =>
      await client.post("stub", toolCall("a")).then(
        ({ status }) => status === 401,
        () => true,
      ),
  );
  assert.equal(await attempt(gateway, enrolment.identity, enrolment.credentials), "cut");
  assert.match(gateway.log.join(""), /it is revoked/);
});

test("a certificate that ends while its link is open is refused at the next call", async (t) => {
  let ahead = 0;
  const clock = { nowUnixMs: () => Date.now() + ahead };
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`, { clock });
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("stub", toolCall("a"))).status, 200);
  ahead = 2 * 3_600_000;
  assert.equal((await client.post("stub", toolCall("a"))).status, 401);
});

test("a join token works once", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const token = readJoinToken(
    await makeJoinToken(gateway.config, { path: "agent/x", address: gateway.address }, systemClock),
  );
  const csr = createSigningRequest(generateKeyPair(signatureSuite("ML-DSA-65")));
  await join(token, csr, gateway.config.profile);
  await assert.rejects(
    join(token, csr, gateway.config.profile),
    refusal("bad_join_token", /unknown, used or expired/),
  );
  assert.match(gateway.log.join(""), /"reason":"used"/);
});

test("a token made for an identity before it was revoked brings it back no more", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const { identity } = await enrol(gateway, "agent/x");
  const grant = { path: "agent/x", address: gateway.address };
  const token = readJoinToken(await makeJoinToken(gateway.config, grant, systemClock));
  revokeCertificates(gateway.config, identity.spiffe_id, systemClock);
  const csr = createSigningRequest(generateKeyPair(signatureSuite("ML-DSA-65")));
  await assert.rejects(join(token, csr, gateway.config.profile), refusal("bad_join_token", /unknown, used/));
});

test("nobody is given the gateway's own identity", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  await assert.rejects(
    makeJoinToken(gateway.config, { path: "gateway" }, systemClock),
    refusal("bad_config", /isn't given out/),
  );
});

test("strangers who finish their handshake and then say nothing count until they leave, and must leave", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = clientTlsOptions({
    profile: gateway.config.profile,
    serverRoots: [],
    peerSpiffeId: "",
    alpn: "latticegate-enrol",
  });
  const links = Array.from({ length: 280 }, () =>
    tls.connect({ ...options, ...endpoint(gateway), rejectUnauthorized: false }).on("error", () => {}),
  );
  atEnd(t, () => links.forEach((link) => link.destroy()));
  await eventually("those beyond the bound are turned away", () =>
    gateway.log.some((line) => line.includes("too many connections")),
  );
  await assert.rejects(enrol(gateway), "the bound holds while they stay");
  const stayed = () => links.filter(({ closed }) => !closed).length;
  const deadline = performance.now() + 20_000;
  while (stayed() > 0 && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(stayed(), 0);
  await enrol(gateway);
});

test("a join token is worth nothing after ten minutes", async (t) => {
  let ahead = 0;
  const clock = { nowUnixMs: () => Date.now() + ahead };
  const gateway = await testGateway(t, openPolicy, { clock });
  const token = readJoinToken(
    await makeJoinToken(gateway.config, { path: "agent/x", address: gateway.address }, clock),
  );
  ahead = 10 * 60_000;
  const csr = createSigningRequest(generateKeyPair(signatureSuite("ML-DSA-65")));
  await assert.rejects(
    join(token, csr, gateway.config.profile),
    refusal("bad_join_token", /unknown, used or expired/),
  );
});

test("the secret of a join token is never sent to a gateway with another root", async (t) => {
  const impostor = await testGateway(t, openPolicy);
  const real = await testGateway(t, openPolicy);
  const token = readJoinToken(
    await makeJoinToken(real.config, { path: "agent/x", address: impostor.address }, systemClock),
  );
  const csr = createSigningRequest(generateKeyPair(signatureSuite("ML-DSA-65")));
  await assert.rejects(join(token, csr, real.config.profile), refusal("bad_join_token", /Nothing was sent/));
  assert.doesNotMatch(impostor.log.join(""), /identity\.refused/);
});

test("a certificate is renewed by the key that holds it, also after it ended; by no other key and not for ever", async (t) => {
  let ahead = 0;
  const clock = { nowUnixMs: () => Date.now() + ahead };
  const gateway = await testGateway(t, openPolicy, { clock });
  const { identity, key } = await enrol(gateway);
  const known = { address: gateway.address, serverRoots: identity.server_roots, spiffeId: identity.gateway };
  const { profile } = gateway.config;
  const { certificate } = identity;
  ahead = 3 * 3_600_000; // It ended two hours ago.
  const renewed = await renew(known, profile, { certificate, csr: createSigningRequest(key) });
  assert.equal(renewed.spiffe_id, identity.spiffe_id);
  assert.notEqual(renewed.certificate, certificate);
  const other = createSigningRequest(generateKeyPair(signatureSuite("ML-DSA-65")));
  await assert.rejects(
    renew(known, profile, { certificate, csr: other }),
    refusal("bad_certificate", /another key/),
  );
  revokeCertificates(gateway.config, identity.spiffe_id, systemClock);
  await eventually("a revoked certificate isn't renewed", () =>
    renew(known, profile, { certificate, csr: createSigningRequest(key) }).then(
      () => false,
      (error: unknown) => error instanceof Refusal && /revoked/.test(error.message),
    ),
  );
});

test("a join token that isn't one is refused with what to do", () => {
  for (const text of ["", "lgjoin1.", "lgjoin1.AAAA", "x".repeat(10_000), "lgjoin2.AAAA"]) {
    assert.throws(() => readJoinToken(text), refusal("bad_join_token", /latticegate ca token/));
  }
  const token = {
    address: "127.0.0.1:1",
    secret: new Uint8Array(32),
    serverRootHash: new Uint8Array(32).fill(7),
    profile: "hybrid",
  } as const;
  const again = readJoinToken(writeJoinToken(token));
  assert.equal(again.address, token.address);
  assert.deepEqual(Buffer.from(again.serverRootHash), Buffer.from(token.serverRootHash));
});

test("two gateways with one state folder: the second one is told who holds it", async (t) => {
  const folder = await temporaryFolder(t);
  await testGateway(t, openPolicy, { folder });
  await assert.rejects(testGateway(t, openPolicy, { folder }), (error: unknown) => error instanceof Refusal);
});

function refusal(code: string, text: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code && text.test(error.message);
}

function tlsOf(gateway: TestGateway, { identity, credentials }: Enrolment): tls.ConnectionOptions {
  return clientTlsOptions({
    profile: gateway.config.profile,
    serverRoots: identity.server_roots,
    peerSpiffeId: identity.gateway,
    credentials,
  });
}

function groupOf(socket: tls.TLSSocket): unknown {
  const info = socket.getEphemeralKeyInfo();
  return info !== null && "name" in info ? info.name : undefined;
}

/** Asks something over HTTP and waits for an answer. */
async function answered(socket: tls.TLSSocket): Promise<void> {
  socket.write("GET /mcp/x HTTP/1.1\r\nHost: x\r\n\r\n");
  await new Promise<void>((resolve, reject) => {
    socket
      .once("data", () => resolve())
      .once("error", reject)
      .once("close", () => reject(new Error("cut")));
  });
}

/** A certificate of the gateway's own authority that its registrar would never issue. */
async function leafOf(
  gateway: TestGateway,
  override: {
    spiffeId?: string;
    purpose?: "server" | "client";
    notBeforeUnixMs?: number;
    notAfterUnixMs?: number;
  },
): Promise<Credentials> {
  const authority = await authorityOf(gateway);
  const key = generateKeyPair(signatureSuite("ML-DSA-65"));
  const certificate = await issueLeaf({
    commonName: "test",
    publicKey: key.publicKey,
    spiffeId: "spiffe://latticegate.local/agent/test",
    purpose: "client",
    notBeforeUnixMs: Date.now() - 60_000,
    notAfterUnixMs: Date.now() + 3_600_000,
    issuer: authority.roots.client[0],
    ...override,
  });
  return credentialsOf(key, certificate);
}

/** Connects and asks something over HTTP. */
function attempt(
  gateway: TestGateway,
  identity: { readonly server_roots: readonly string[]; readonly gateway: string },
  credentials?: Credentials,
): Promise<"answered" | "cut"> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...clientTlsOptions({
        profile: gateway.config.profile,
        serverRoots: identity.server_roots,
        peerSpiffeId: identity.gateway,
        ...(credentials && { credentials }),
      }),
      ...endpoint(gateway),
    });
    socket.on("secureConnect", () => socket.write("GET /mcp/x HTTP/1.1\r\nHost: x\r\n\r\n"));
    socket.once("data", () => {
      resolve("answered");
      socket.destroy();
    });
    socket.on("error", () => resolve("cut"));
    socket.on("close", () => resolve("cut"));
  });
}
