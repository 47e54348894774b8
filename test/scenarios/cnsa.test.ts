/** The profile cnsa-2.0: one group and one signature algorithm on every link, without a word to sidecars. */
import assert from "node:assert/strict";
import { test } from "node:test";
import tls from "node:tls";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp, openTunnel } from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { certificateFacts, parseCertificate } from "../../src/crypto/certificate.ts";
import { listRoots } from "../../src/app/root-operations.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  asked,
  enrol,
  eventually,
  openPolicy,
  rawLink,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const profile = "profile: cnsa-2.0\n";

async function sidecarOptions(gateway: TestGateway, state: string, name: string) {
  const joinToken = await makeJoinToken(
    gateway.config,
    { path: name, address: gateway.address },
    systemClock,
  );
  return { state, joinToken, clock: systemClock, log: silent };
}

test("a call under cnsa-2.0: SecP384r1MLKEM1024, and ML-DSA-87 on both ends and above them", async (t) => {
  const stub = await stubServer(t);
  const first = await testGateway(t, `${profile}${openPolicy}`);
  const exposedState = await freshState(t);
  const exposed = await startExpose({
    ...(await sidecarOptions(first, exposedState, "server/stub")),
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: [],
  });
  atEnd(t, exposed.stop);
  await first.stop();
  const servers = `servers: { stub: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${profile}${servers}\n${openPolicy}`, { folder: first.folder });

  const state = await freshState(t);
  const options = { ...(await sidecarOptions(gateway, state, "agent/a")), target: "stub" };
  const connection = await connectHttp(options, 0);
  const answer = await fetch(connection.url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(toolCall("echo")),
  });
  assert.equal(answer.status, 200);
  await answer.text();
  assert.equal(stub.seen.length, 1);
  await connection.close();

  // A start without the token knows the profile from the identity it has.
  const tunnel = await openTunnel({ target: "stub", state, clock: systemClock, log: silent });
  atEnd(t, tunnel.close);
  const { identity } = tunnel;
  assert.equal(identity.profile.name, "cnsa-2.0");
  const pems = [
    ...identity.credentials().map((own) => own.certificate),
    ...identity.serverRoots,
    ...identity.clientRoots,
  ];
  for (const pem of pems) {
    const certificate = parseCertificate(pem);
    assert.ok(certificate);
    assert.equal(certificateFacts(certificate).keyAlgorithm, "ML-DSA-87");
  }
  const link = tls.connect({
    ...clientTlsOptions({
      profile: identity.profile,
      serverRoots: identity.serverRoots,
      peerSpiffeId: identity.gateway.spiffeId,
      credentials: identity.credentials(),
    }),
    host: "127.0.0.1",
    port: Number(gateway.address.split(":")[1]),
  });
  await new Promise<void>((resolve, reject) => link.once("secureConnect", resolve).once("error", reject));
  const info = link.getEphemeralKeyInfo();
  assert.deepEqual(
    [info !== null && "name" in info ? info.name : "", link.getCipher().standardName],
    ["SecP384r1MLKEM1024", "TLS_AES_256_GCM_SHA384"],
  );
  const shown = link.getPeerX509Certificate();
  assert.ok(shown);
  assert.equal(certificateFacts(shown).keyAlgorithm, "ML-DSA-87");
  link.destroy();
});

test("under cnsa-2.0 a client of the profile hybrid gets no further than its hello", async (t) => {
  const gateway = await testGateway(t, `${profile}${openPolicy}`);
  const [host = "", port = ""] = gateway.address.split(":");
  const weaker = resolveProfile("hybrid", ["ML-KEM-768", "ML-DSA-65"]);
  const options = clientTlsOptions({ profile: weaker, serverRoots: [], peerSpiffeId: "" });
  const link = tls.connect({ ...options, host, port: Number(port), rejectUnauthorized: false });
  const end = await new Promise<string>((resolve) => {
    link.once("secureConnect", () => resolve("let in"));
    link.once("error", (error) => resolve(error.message));
  });
  assert.match(end, /alert/i);
  await eventually("the log says why", () =>
    gateway.log.some((line) => line.includes("no post-quantum group offered")),
  );
});

test("a state folder whose config names another profile goes over to it, with what it had taken meanwhile", async (t) => {
  const first = await testGateway(t, openPolicy);
  const enrolment = await enrol(first);
  await first.stop();
  const second = await testGateway(t, `${profile}${openPolicy}`, { folder: first.folder });
  const link = await rawLink({ ...second, config: first.config }, enrolment);
  assert.equal(await asked(link), "403");
  const suites = (await listRoots(second.config, systemClock)).map(({ purpose, suite, state }) => [
    purpose,
    suite,
    state,
  ]);
  assert.deepEqual(suites, [
    ["client", "ML-DSA-65", "trusted"],
    ["client", "ML-DSA-87", "issuing"],
    ["server", "ML-DSA-65", "trusted"],
    ["server", "ML-DSA-87", "issuing"],
  ]);
});
