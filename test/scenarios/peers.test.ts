/** Peers reach a server by its name: introduced by a relay, directly or through it; and nobody else does. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";

import { connectHttp, type ConnectOptions } from "../../src/app/connect.ts";
import type { Log } from "../../src/kernel/log.ts";
import { peerNameOf, readPeerName } from "../../src/identity/peer-name.ts";
import { toBase32 } from "../../src/kernel/base32.ts";
import { ownAddresses } from "../../src/host/peer/own-networks.ts";
import type { Segments } from "../../src/policy/segments.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { eventually, openPolicy } from "../support/gateway.ts";
import { type Oddity, oddRelay, relayedOnly } from "../support/odd-relay.ts";
import { type PeersScene, peersScene, silent } from "../support/peers-scene.ts";
import { postCall, type Posted } from "../support/post-call.ts";

async function connected(t: Cleanup, options: ConnectOptions): Promise<string> {
  const { url, close } = await connectHttp(options, 0);
  atEnd(t, close);
  return url;
}

/** A log that keeps its events. */
function keptLog(): { readonly log: Log; readonly events: (readonly [string, unknown])[] } {
  const events: (readonly [string, unknown])[] = [];
  const keep = (event: string, facts: unknown = {}): void => void events.push([event, facts]);
  return { log: { ...silent, info: keep, warn: keep, error: keep, debug: keep }, events };
}

function factsOf(events: readonly (readonly [string, unknown])[], name: string): readonly object[] {
  return events.filter(([event]) => event === name).map(([, facts]) => facts as object);
}

/** A scene whose relay is another one. */
async function behind(t: TestContext, oddity: Oddity): Promise<PeersScene> {
  return await peersScene(t, { relayFor: (gateway) => oddRelay(t, gateway, oddity, silent) });
}

test("a peer calls a server by its name alone, on one link for all calls", async (t) => {
  const { log, events } = keptLog();
  const scene = await peersScene(t);
  const url = await connected(t, { ...(await scene.caller()), log });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, id) => postCall(url, id)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(scene.stub.seen.length, 20);
  const reached = factsOf(events, "peer.reached");
  assert.deepEqual(
    reached.map((facts) => "kind" in facts && facts.kind),
    ["local"],
  );
});

test("where no direct way leads, calls go through the relay, which says why to the caller", async (t) => {
  const { log, events } = keptLog();
  const scene = await behind(t, { says: relayedOnly });
  const url = await connected(t, { ...(await scene.caller()), log });
  assert.equal((await postCall(url)).status, 200);
  const [reached] = factsOf(events, "peer.reached");
  assert.ok(reached !== undefined && "kind" in reached && "why" in reached);
  assert.equal(reached.kind, "relayed");
  assert.match(String(reached.why), /no direct connection came about/);
});

test("the gateway calls a server by its name as a peer, and is called by its own", async (t) => {
  const scene = await peersScene(t);
  const yaml = `servers: { files: { url: "${scene.exposed.peerName}" } }
peers: { via: ["${scene.relay.via}"], called: true }
${openPolicy}`;
  const caller = await scene.caller("agent/caller", "unknown");
  const second = await scene.restartGateway(yaml);
  await eventually("both are registered", () => scene.relay.peers().length === 2);
  const name = peerNameOf({ peerId: second.peerId ?? "", server: "files" });
  const peer = "spiffe://latticegate.local/gateway";
  const url = await connected(t, { ...caller, target: name, peer });
  assert.equal((await postCall(url)).status, 200, "by the gateway's name, and on by the server's");
  assert.equal(scene.stub.seen.length, 1);
});

/** Both answers have to be the same but for the name that was asked for. */
async function refusal(t: TestContext, options: ConnectOptions): Promise<Posted> {
  const url = await connected(t, { ...options, patienceMs: 100 });
  return await postCall(url);
}

test("a caller who isn't allowed can't tell a peer from one that doesn't exist", async (t) => {
  const segments: Segments = [
    { name: "all", callers: ["*"], peers: ["*"], servers: ["*"], effect: "allow" },
    { name: "not-him", callers: ["*/agent/stranger"], peers: ["*"], servers: ["*"], effect: "deny" },
  ];
  const scene = await peersScene(t, { relay: { segments: () => segments } });
  const real = scene.exposed.peerName ?? "";
  const invented = peerNameOf({ peerId: toBase32(randomBytes(32)), server: "files" });
  const denied = await refusal(t, await scene.caller("agent/stranger", real));
  const absent = await refusal(t, await scene.caller("agent/stranger", invented));
  const idOf = (name: string): string => readPeerName(name)?.peerId ?? "";
  assert.equal(denied.status, 502);
  assert.equal(denied.text.replaceAll(idOf(real), "ID"), absent.text.replaceAll(idOf(invented), "ID"));
  assert.match(denied.text, /There is no such peer here/);
  const known = await refusal(t, await scene.caller("agent/friend", real));
  assert.equal(known.status, 200, "another one is introduced");
});

test("whom the peer itself doesn't allow isn't introduced, nor another of its servers", async (t) => {
  const scene = await peersScene(t, { expose: { allow: ["spiffe://*/agent/friend"] } });
  const stranger = await refusal(t, await scene.caller("agent/stranger"));
  assert.match(stranger.text, /There is no such peer here/);
  const other = (scene.exposed.peerName ?? "").replace(/files$/, "payroll");
  const wrong = await refusal(t, await scene.caller("agent/friend", other));
  assert.match(wrong.text, /There is no such peer here/);
  assert.equal((await refusal(t, await scene.caller("agent/friend"))).status, 200);
  assert.equal(scene.stub.seen.length, 1);
});

test("rules that are taken back end the streams they allowed", async (t) => {
  let segments: Segments = [{ name: "all", callers: ["*"], peers: ["*"], servers: ["*"], effect: "allow" }];
  const scene = await peersScene(t, { relay: { segments: () => segments } });
  const url = await connected(t, await scene.caller());
  assert.equal((await postCall(url)).status, 200);
  segments = [];
  scene.relay.refresh();
  assert.deepEqual(scene.relay.streams(), []);
});

test("peers on one network find each other with nothing but a join token each", async (t) => {
  if (ownAddresses().length === 0) {
    t.skip("this machine is on no network");
    return;
  }
  const alone = { via: [], isLocal: true };
  const scene = await peersScene(t, { expose: { peers: alone } });
  const url = await connected(t, { ...(await scene.caller()), peers: alone });
  assert.equal((await postCall(url)).status, 200);
});
