/** Another profile on a running gateway: sidecars, exposed servers and what is under way go over without a failed call. */
import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { parseConfig } from "../../src/app/config.ts";
import { openTunnel, type Tunnel } from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { openOperatorTunnel } from "../../src/app/operator-tunnel.ts";
import { applyProfile, rollBack, rotateTlsKeys } from "../../src/app/profile-operations.ts";
import { listRoots, retireRoots, rotateRoot } from "../../src/app/root-operations.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  clientOf,
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
import { httpsServer, publicAuthority } from "../support/https-server.ts";
import { call, sidecar, tunnelOf } from "../support/hybrid.ts";
import { checkLog, entriesOf, logged } from "../support/records.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const hybrid = { group: "X25519MLKEM768", key: "ML-DSA-65" };
const cnsa = { group: "SecP384r1MLKEM1024", key: "ML-DSA-87" };

interface Suites {
  readonly group: string;
  readonly key: string;
}

/** Of the last call there. */
async function suitesOf(gateway: TestGateway): Promise<Suites> {
  const last = (await entriesOf(gateway, "call.decision")).at(-1);
  return { group: last?.facts["link.group"] ?? "", key: last?.facts["peer.cert.alg"] ?? "" };
}

/** Calls until the record says that they come on such links. */
async function callsUntil(gateway: TestGateway, tunnel: Tunnel, suites: Suites): Promise<void> {
  await eventually(
    `calls on ${suites.group} with ${suites.key}`,
    async () => {
      assert.equal((await call(tunnel)).status, 200);
      const now = await suitesOf(gateway);
      return now.group === suites.group && now.key === suites.key;
    },
    20_000,
  );
}

/** A gateway in front of an exposed server, and a sidecar before it. */
async function scene(
  t: TestContext,
  url?: string,
): Promise<{
  readonly gateway: TestGateway;
  readonly tunnel: Tunnel;
  /** The exposed server, for its records. */
  readonly exposed: TestGateway;
}> {
  const first = await testGateway(t, openPolicy);
  const state = await freshState(t);
  const joinToken = await makeJoinToken(
    first.config,
    { path: "server/stub", address: first.address },
    systemClock,
  );
  const exposing = { state, joinToken, clock: systemClock, log: silent };
  const exposed = await startExpose({
    ...exposing,
    server: { url: url ?? (await stubServer(t)).url },
    listen: "127.0.0.1:0",
    allow: [],
  });
  atEnd(t, exposed.stop);
  const { address } = first;
  await first.stop();
  const servers = `servers: { stub: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, {
    folder: first.folder,
    listen: address,
  });
  const options = await sidecar(t, gateway, "stub");
  const tunnel = await tunnelOf(t, { ...options, patienceMs: 10_000 });
  return { gateway, tunnel, exposed: { ...gateway, config: { ...gateway.config, state } } };
}

test("from hybrid to cnsa-2.0 and back, with an exposed server behind: no call fails, and both hops go over", async (t) => {
  const { gateway, tunnel, exposed } = await scene(t);
  assert.equal((await call(tunnel)).status, 200);
  assert.deepEqual([await suitesOf(gateway), await suitesOf(exposed)], [hybrid, hybrid]);
  const how = { overlapMs: 60_000, clock: systemClock };

  await applyProfile(gateway.config, "cnsa-2.0", how);
  await callsUntil(gateway, tunnel, cnsa);
  assert.equal(tunnel.identity.profile.name, "cnsa-2.0");
  await eventually(
    "the link to the exposed server too",
    async () => {
      assert.equal((await call(tunnel)).status, 200);
      const behind = await suitesOf(exposed);
      return behind.group === cnsa.group && behind.key === cnsa.key;
    },
    20_000,
  );

  await rollBack(gateway.config, how);
  await callsUntil(gateway, tunnel, hybrid);
  await checkLog(gateway);
  const changes = (await entriesOf(gateway, "crypto.change")).map(({ facts }) => [
    facts["what"],
    facts["before"],
    facts["after"],
  ]);
  assert.deepEqual(changes, [
    ["begin", undefined, "hybrid"],
    ["apply", "hybrid", "cnsa-2.0"],
    ["rollback", "cnsa-2.0", "hybrid"],
  ]);
  const applied = (await entriesOf(gateway, "crypto.change"))[1]?.facts ?? {};
  assert.deepEqual([applied["before_log"], applied["after_log"]], ["Ed25519 ML-DSA-65", "ML-DSA-87"]);
  assert.deepEqual(
    [applied["before_ciphers"], applied["after_ciphers"]],
    ["TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"],
  );
});

test("the links of an exposed server to its own https server go over too", async (t) => {
  const { certificate: cert, key } = publicAuthority(t).issue("server");
  const behind = await httpsServer(t, { cert, key, ecdhCurve: "X25519MLKEM768:SecP384r1MLKEM1024" });
  const { gateway, tunnel, exposed } = await scene(t, behind.url);
  const lastGroup = async (): Promise<string | undefined> => {
    assert.equal((await call(tunnel)).status, 200);
    return (await entriesOf(exposed, "call.outcome")).at(-1)?.facts["upstream_group"];
  };
  assert.equal(await lastGroup(), "X25519MLKEM768");
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 60_000, clock: systemClock });
  await eventually("the new group", async () => (await lastGroup()) === "SecP384r1MLKEM1024", 20_000);
});

test("what only the old profile has is taken until the deadline, and refused from then on", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const old = await enrol(gateway);
  const client = clientOf(t, gateway, old);
  const status = async (): Promise<number> => {
    const answer = await client.post("stub", toolCall("echo"));
    // Said goodbye to while it asked; a sidecar asks again by itself.
    return answer.status === 408 ? await status() : answer.status;
  };
  assert.equal(await status(), 200);
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 4000, clock: systemClock });
  await eventually("new links are of the new group", async () => {
    assert.equal(await status(), 200);
    return (await suitesOf(gateway)).group === cnsa.group;
  });
  assert.equal((await suitesOf(gateway)).key, hybrid.key);
  await eventually("the deadline", () => logged(gateway, "link.ended").length > 0, 10_000);
  assert.equal(logged(gateway, "link.ended")[0]?.["reason"], "suite_forbidden");
  await assert.rejects(status());
  await eventually("a new link gets no further than its hello", () =>
    rawLink(gateway, old).then(
      () => false,
      (error: unknown) => /alert/i.test(String(error)),
    ),
  );
});

test("without an overlap everything else ends at once, with the calls on it", async (t) => {
  const arrived = Promise.withResolvers<undefined>();
  const stub = await stubServer(t, () => arrived.resolve(undefined)); // It never answers.
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const call = clientOf(t, gateway, await enrol(gateway)).post("stub", toolCall("echo"));
  const broken = assert.rejects(call);
  await arrived.promise;
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 0, clock: systemClock });
  await broken;
  const [ended] = logged(gateway, "link.ended");
  assert.deepEqual([ended?.["reason"], ended?.["calls"]], ["suite_forbidden", 1]);
});

test("a deadline that takes only the classical groups closes their doors, towards servers too", async (t) => {
  const { certificate: cert, key } = publicAuthority(t).issue("127.0.0.1");
  const web = await httpsServer(t, { cert, key, ecdhCurve: "X25519" });
  const stub = await stubServer(t);
  const gateway = await testGateway(
    t,
    `profile: transition
crypto: { memory: "off" }
servers:
  open: { url: "${stub.url}" }
  web: { url: "${web.url}", link: { key_exchange: hybrid-preferred } }
${openPolicy}`,
    { listen: "{ address: 127.0.0.1:0, key_exchange: hybrid-preferred, classical_servers: [open] }" },
  );
  const enrolment = await enrol(gateway);
  const hybridClient = clientOf(t, gateway, enrolment);
  const weak = { ecdhCurve: "X25519" };
  const classical = clientOf(t, gateway, enrolment, weak);
  const reached = async (): Promise<number> => (await hybridClient.post("web", toolCall("a"))).status;
  assert.equal((await classical.post("open", toolCall("a"))).status, 200);
  assert.equal(await reached(), 200);
  await applyProfile(gateway.config, "hybrid", { overlapMs: 2000, clock: systemClock });
  await eventually("the change is taken up", () => isInForce(gateway, "hybrid"));
  assert.equal((await clientOf(t, gateway, enrolment, weak).post("open", toolCall("a"))).status, 200);
  await eventually("its door is closed", () =>
    clientOf(t, gateway, enrolment, weak)
      .post("open", toolCall("a"))
      .then(
        () => false,
        (error: unknown) => /alert/i.test(String(error)),
      ),
  );
  await eventually("the server isn't reached any more", async () => (await reached()) === 502);
});

/** Its roots may be taken up a moment before it. */
function isInForce(gateway: TestGateway, name: string): boolean {
  return logged(gateway, "identity.roots_changed").some(({ profile }) => profile === name);
}

test("who was away comes back with its old identity, and gets one of the new algorithm", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = await sidecar(t, gateway, "stub");
  const tunnel = await openTunnel(options);
  assert.equal((await call(tunnel)).status, 200);
  await tunnel.close();
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 0, clock: systemClock });
  await eventually("the new one is in use", () => isInForce(gateway, "cnsa-2.0"));
  const back = await tunnelOf(t, { ...options, patienceMs: 10_000 });
  await callsUntil(gateway, back, cnsa);
});

test("the operator's own tunnel goes on under another profile, with the classical identity the authority has", async (t) => {
  const stub = await stubServer(t);
  const listen = "{ address: 127.0.0.1:0, authentication: hybrid-mtls }";
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`, {
    listen,
  });
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 60_000, clock: systemClock });
  await eventually("it is in use", () => isInForce(gateway, "cnsa-2.0"));
  const tunnel = await openOperatorTunnel(gateway.config, gateway.address, systemClock);
  atEnd(t, tunnel.close);
  const headers = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
  const body = Buffer.from(JSON.stringify(toolCall("echo")));
  assert.equal((await tunnel.to("stub")({ method: "POST", headers, body })).status, 200);
  assert.equal(tunnel.group(), cnsa.group);
});

test("a join token names the profile in force, not the file's", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const named = async (): Promise<string> =>
    readJoinToken(await makeJoinToken(gateway.config, { path: "agent/a" }, systemClock)).profile;
  assert.equal(await named(), "hybrid");
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 60_000, clock: systemClock });
  assert.equal(await named(), "cnsa-2.0");
});

test("what the config rules out since isn't gone back to", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  await gateway.stop();
  const how = { overlapMs: 60_000, clock: systemClock };
  await applyProfile(gateway.config, "cnsa-2.0", how);
  const stricter = parseConfig(
    "state: ./state\nprofile: cnsa-2.0\np2p_connectivity: { allowed_algos: [ML-KEM-1024, ML-DSA-87] }",
    path.join(gateway.folder, "latticegate.yaml"),
  );
  await assert.rejects(
    rollBack(stricter, how),
    (error: unknown) => error instanceof Refusal && /hybrid .*allowed_algos/.test(error.message),
  );
  assert.equal((await rollBack(gateway.config, how)).after, "hybrid");
});

test("TLS keys are replaced when somebody asks for it, without a failed call", async (t) => {
  const { gateway, tunnel } = await scene(t);
  const keyOf = (): string => tunnel.identity.credentials()[0]?.privateKey ?? "";
  assert.equal((await call(tunnel)).status, 200);
  const before = keyOf();
  await rotateTlsKeys(gateway.config, systemClock);
  await eventually("another key", async () => {
    assert.equal((await call(tunnel)).status, 200);
    return keyOf() !== before;
  });
});

test("a new root issues as soon as everybody knows it, and the old one can be retired then", async (t) => {
  const { gateway, tunnel } = await scene(t);
  assert.equal((await call(tunnel)).status, 200);
  for (const purpose of ["server", "client"] as const) {
    await rotateRoot(gateway.config, purpose, systemClock);
  }
  const early = { isEarly: false, clock: systemClock };
  await assert.rejects(retireRoots(gateway.config, "server", early), Refusal);
  await eventually(
    "they issue",
    async () => {
      assert.equal((await call(tunnel)).status, 200);
      const roots = await listRoots(gateway.config, systemClock);
      return roots.filter(({ state }) => state === "issuing").every(({ generation }) => generation === 2);
    },
    30_000,
  );
  for (const purpose of ["server", "client"] as const) {
    await eventually(
      `nobody needs the old ${purpose} root`,
      async () => {
        assert.equal((await call(tunnel)).status, 200);
        return await retireRoots(gateway.config, purpose, early).then(
          () => true,
          (error: unknown) => {
            assert.ok(error instanceof Refusal && /may be in use until/.test(error.message));
            return false;
          },
        );
      },
      30_000,
    );
  }
  for (let calls = 0; calls < 5; calls++) assert.equal((await call(tunnel)).status, 200);
});

for (const [name, refusal] of [
  ["hybrid", /in force already/],
  ["classical", /no profile "classical"; there are transition, hybrid, cnsa-2.0/],
] as const) {
  test(`applying ${name} to a hybrid gateway is refused, and nothing is changed`, async (t) => {
    const gateway = await testGateway(t, openPolicy);
    const how = { overlapMs: 1000, clock: systemClock };
    await assert.rejects(
      applyProfile(gateway.config, name, how),
      (error: unknown) => error instanceof Refusal && refusal.test(error.message),
    );
    await assert.rejects(rollBack(gateway.config, how), /never changed/);
  });
}

test("two commands that apply the same profile at once: one does, the other is told, and the gateway starts again", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const how = { overlapMs: 60_000, clock: systemClock };
  const both = await Promise.allSettled([0, 1].map(() => applyProfile(gateway.config, "cnsa-2.0", how)));
  const refused = both.filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 1);
  assert.match(String((refused[0] as PromiseRejectedResult).reason), /in force already|changed meanwhile/);
  await gateway.stop();
  const again = await testGateway(t, openPolicy, { folder: gateway.folder });
  const client = await enrol(again, "agent/later");
  assert.equal(client.identity.spiffe_id, "spiffe://latticegate.local/agent/later");
});
