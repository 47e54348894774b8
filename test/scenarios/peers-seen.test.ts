/** What everybody is told of peers: the log, rules, the control API, status and doctor; and what a relay says of itself. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { connectHttp } from "../../src/app/connect.ts";
import { loadConfig } from "../../src/app/config.ts";
import { liveDocument } from "../../src/app/crypto/live-document.ts";
import { mapAnswer } from "../../src/app/control/traffic-answers.ts";
import { peerFindings } from "../../src/app/peer/doctor-peers.ts";
import { keepRelayStatus, readRelayStatus } from "../../src/app/peer/relay-status.ts";
import { startRelay } from "../../src/app/peer/relay.ts";
import { everybody } from "../../src/app/peer/segments-file.ts";
import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { systemClock } from "../../src/host/system.ts";
import { peerNameOf } from "../../src/identity/peer-name.ts";
import { atEnd } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import { controlOf } from "../support/control.ts";
import { eventually, freshState, openPolicy, type TestGateway } from "../support/gateway.ts";
import { oddRelay, relayedOnly } from "../support/odd-relay.ts";
import { type PeersScene, peersScene, silent } from "../support/peers-scene.ts";
import { postCall } from "../support/post-call.ts";
import { entriesOf, type Recorded } from "../support/records.ts";

const ofGateway = "spiffe://latticegate.local/gateway";

interface Between {
  readonly scene: PeersScene;
  readonly gateway: TestGateway;
  /** A call by the gateway's name as a peer, and on by the server's. */
  readonly call: () => Promise<number>;
}

/** A gateway that is a peer at both of its ends. */
async function between(t: TestContext, rules: string, isRelayed: boolean, ofServer = ""): Promise<Between> {
  const scene = await peersScene(
    t,
    isRelayed ? { relayFor: (gateway) => oddRelay(t, gateway, { says: relayedOnly }, silent) } : {},
  );
  const caller = await scene.caller("agent/caller", "unknown");
  const yaml = `servers: { files: { url: "${scene.exposed.peerName}"${ofServer} } }
peers: { via: ["${scene.relay.via}"], called: true }
${rules}`;
  const gateway = await scene.restartGateway(yaml);
  await writeFile(path.join(gateway.folder, "latticegate.yaml"), `state: ./state\n${yaml}`);
  await eventually("both are registered", () => scene.relay.peers().length === 2);
  const target = peerNameOf({ peerId: gateway.peerId ?? "", server: "files" });
  const { url, close } = await connectHttp({ ...caller, target, peer: ofGateway }, 0);
  atEnd(t, close);
  return { scene, gateway, call: async () => (await postCall(url)).status };
}

/** What was decided of the newest call of a tool. */
async function decided(gateway: TestGateway): Promise<Recorded | undefined> {
  return (await entriesOf(gateway, "call.decision")).findLast(({ tool }) => tool !== null);
}

const denying = openPolicy.replace(
  "policies:",
  'policies:\n  - { name: nothing-relayed, callers: ["*"], tools: ["*"], effect: deny, because: No relays., when: \'link.path == "relayed"\' }',
);

test("the log, the API and the doctor say how peers are reached", async (t) => {
  const { gateway, call, scene } = await between(t, openPolicy, false);
  assert.equal(await call(), 200);
  const [decision] = await entriesOf(gateway, "call.decision");
  assert.equal(decision?.facts["link.path"], "local");
  const live = liveDocument.parse((await controlOf(gateway).ask("GET /crypto")).body);
  assert.equal(live.peer, gateway.peerId);
  assert.equal(live.links[0]?.path?.kind, "local");
  assert.equal(live.servers[0]?.path?.kind, "local");
  assert.match(live.rendezvous[0]?.seen ?? "", /^127\.0\.0\.1:\d+$/);
  const map = mapAnswer.parse((await controlOf(gateway).ask("GET /map")).body);
  assert.deepEqual(
    map.links.map((link) => link.path?.kind),
    ["local", "local"],
  );
  const config = loadConfig(path.join(gateway.folder, "latticegate.yaml"));
  const findings = await peerFindings(config);
  assert.deepEqual(
    findings.map(({ level }) => level),
    ["ok", "ok"],
  );
  assert.match(findings.at(-1)?.text ?? "", /on the local network/);
  const { stdout } = await cli(["status", "--config", path.join(gateway.folder, "latticegate.yaml")]);
  assert.match(stdout, /^Peer +files: reached on the local network$/m);
  await scene.exposed.stop();
  await eventually("the doctor says what is wrong", async () =>
    (await peerFindings(config)).some(({ level, what }) => level === "wrong" && what === "peer files"),
  );
});

test("a rule refuses what comes through a relay, and the doctor says why it does", async (t) => {
  const relayed = await between(t, denying, true);
  assert.equal(await relayed.call(), 200, "an answer, which says no");
  const entry = await decided(relayed.gateway);
  assert.equal(entry?.outcome, "denied");
  assert.equal(entry?.facts["rule"], "nothing-relayed");
  assert.equal(entry?.facts["link.path"], "relayed");
  const direct = await between(t, denying, false);
  assert.equal(await direct.call(), 200);
  assert.equal((await decided(direct.gateway))?.outcome, "allowed");
});

test("a server that mustn't be relayed is never called through a relay", async (t) => {
  const { call, gateway, scene } = await between(t, openPolicy, true, ", relayed: false");
  const over = new AbortController();
  const calling = Promise.race([call(), once(over.signal, "abort")]);
  await eventually("it was decided", async () => (await decided(gateway)) !== undefined);
  // Longer than a relayed link takes, and a direct one is looked for.
  await pause(5000);
  const live = liveDocument.parse((await controlOf(gateway).ask("GET /crypto")).body);
  assert.deepEqual([scene.stub.seen.length, live.servers[0]?.path], [0, null]);
  over.abort();
  await calling;
});

test("a relay tells who stands with it and what it carries, and only while it runs", async (t) => {
  const scene = await peersScene(t);
  const state = await freshState(t);
  const { config, address } = scene.gateway;
  const relay = await startRelay({
    listen: "127.0.0.1:0",
    segments: () => everybody,
    state,
    joinToken: await makeJoinToken(config, { path: "server/second", address }, systemClock),
    clock: systemClock,
    log: silent,
  });
  atEnd(t, relay.stop);
  const about = { clock: systemClock, log: silent, pid: process.pid };
  const end = await keepRelayStatus(state, relay, about);
  const { stdout } = await cli(["relay", "status", "--state", state]);
  assert.match(stdout, /^Relay second runs at 127\.0\.0\.1:\d+ since /);
  assert.match(stdout, /^Carried +0 streams, 0 bytes to the peer, 0 back$/m);
  const status = await readRelayStatus(state, systemClock.nowUnixMs());
  assert.deepEqual([status.spiffe_id, status.peers, status.streams], [relay.spiffeId, [], []]);
  await assert.rejects(readRelayStatus(state, systemClock.nowUnixMs() + 60_000), { code: "bad_state" });
  await end();
  const none = await cli(["relay", "status", "--state", state]);
  assert.notEqual(none.code, 0);
  assert.match(none.stderr, /No relay runs on/);
  await rm(path.join(state, "relay.json"), { force: true });
});
