/** What a relay, a rendezvous or an authority may try that isn't what it should be: nothing is delivered. */
import assert from "node:assert/strict";
import net from "node:net";
import { pipeline } from "node:stream";
import { test, type TestContext } from "node:test";

import { connectHttp, type ConnectOptions } from "../../src/app/connect.ts";
import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { startExpose } from "../../src/app/expose.ts";
import { systemClock } from "../../src/host/system.ts";
import type { RendezvousWord } from "../../src/wire/rendezvous.ts";
import { atEnd } from "../support/cleanup.ts";
import { eventually, freshState, stubServer, type StubServer } from "../support/gateway.ts";
import { type Oddity, oddRelay, relayedOnly } from "../support/odd-relay.ts";
import { type PeersScene, peersScene, silent } from "../support/peers-scene.ts";
import { postCall, type Posted } from "../support/post-call.ts";

async function behind(t: TestContext, oddity: Oddity): Promise<PeersScene> {
  return await peersScene(t, { relayFor: (gateway) => oddRelay(t, gateway, oddity, silent) });
}

/** One call, by who doesn't wait long. */
async function called(t: TestContext, options: ConnectOptions): Promise<Posted> {
  const { url, close } = await connectHttp({ ...options, patienceMs: 100 }, 0);
  atEnd(t, close);
  return await postCall(url);
}

const deceits: readonly (readonly [what: string, oddity: Oddity, says: RegExp])[] = [
  [
    "a relay that swaps the peer for another",
    {
      says: relayedOnly,
      joins: (caller) => {
        const other = net.connect(1, "127.0.0.1", () => undefined);
        pipeline(caller, other, caller, () => undefined);
      },
    },
    /can't be reached/,
  ],
  [
    "a relay that replays what a peer said before",
    {
      says: relayedOnly,
      joins: replayed(),
    },
    /can't be reached/,
  ],
  ["a relay that changes a byte", { says: relayedOnly, joins: (caller, peer) => changed(caller, peer) }, /./],
  ["a relay that truncates", { says: relayedOnly, joins: (caller, peer) => truncated(caller, peer) }, /./],
  ["a relay that reorders", { says: relayedOnly, joins: (caller, peer) => reordered(caller, peer) }, /./],
];

/** Passes what comes, with what is to become of each chunk that goes to the caller. */
function passing(
  caller: net.Socket,
  peer: net.Socket,
  change: (chunk: Buffer, number: number) => readonly Buffer[],
): void {
  let number = 0;
  caller.on("data", (chunk: Buffer) => peer.write(chunk));
  peer.on("data", (chunk: Buffer) => {
    for (const each of change(chunk, (number += 1))) caller.write(each);
  });
  const end = (): void => [caller, peer].forEach((each) => each.destroy());
  caller.once("close", end);
  peer.once("close", end);
}

function changed(caller: net.Socket, peer: net.Socket): void {
  passing(caller, peer, (chunk) => {
    const copy = Buffer.from(chunk);
    const at = copy.length - 1;
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
    return [copy];
  });
}

function truncated(caller: net.Socket, peer: net.Socket): void {
  passing(caller, peer, (chunk) => [chunk.subarray(0, chunk.length - 1)]);
}

function reordered(caller: net.Socket, peer: net.Socket): void {
  passing(caller, peer, (chunk) => {
    const half = chunk.length >> 1;
    return [chunk.subarray(half), chunk.subarray(0, half)];
  });
}

/** The first stream goes through; of the others the caller is told what the first one was. */
function replayed(): NonNullable<Oddity["joins"]> {
  const kept: Buffer[] = [];
  let isFirst = true;
  return (caller, peer) => {
    if (isFirst) {
      isFirst = false;
      passing(caller, peer, (chunk) => {
        kept.push(chunk);
        return [chunk.subarray(0, 100)]; // It isn't to be used.
      });
      return;
    }
    caller.once("data", () => kept.forEach((chunk) => caller.write(chunk)));
  };
}

for (const [what, oddity, says] of deceits) {
  test(`${what} delivers nothing`, async (t) => {
    const scene = await behind(t, oddity);
    const posted = await called(t, await scene.caller());
    assert.equal(posted.status, 502);
    assert.match(posted.text, says);
    assert.equal(scene.stub.seen.length, 0);
  });
}

/** Some bytes of an answer are changed when the link is up, and calls are on it. */
function changedLater(caller: net.Socket, peer: net.Socket): void {
  let bytes = 0;
  passing(caller, peer, (chunk) => {
    bytes += chunk.length;
    if (bytes < handshakeBytes) return [chunk];
    const copy = Buffer.from(chunk);
    copy.writeUInt8(copy.readUInt8(copy.length - 1) ^ 1, copy.length - 1);
    return [copy];
  });
}

/** A flight of ML-DSA-65 and the greeting after it. */
const handshakeBytes = 18_500;

test("an answer that a relay changes on its way is no answer, and the caller is told that the call may have been carried out", async (t) => {
  const scene = await behind(t, { says: relayedOnly, joins: changedLater });
  const posted = await called(t, await scene.caller());
  assert.equal(posted.status, 502);
  assert.ok(!posted.text.includes('"result"'));
});

/** A second server of the same name under another key: what an authority could make that isn't honest. */
async function impostor(t: TestContext, scene: PeersScene): Promise<StubServer> {
  const { config, address } = scene.gateway;
  const joinToken = await makeJoinToken(config, { path: "server/files", address }, systemClock);
  const stub = await stubServer(t);
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: ["spiffe://*"],
    peers: { via: [scene.relay.via], isLocal: true }, // It lets callers in whom nobody introduced to it.
    state: await freshState(t),
    joinToken,
    clock: systemClock,
    log: silent,
  });
  atEnd(t, exposed.stop);
  await eventually("the impostor is registered", () => scene.relay.peers().length === 2);
  return stub;
}

test("a rendezvous that leads to another peer, with a certificate of the same authority and name, leads nowhere", async (t) => {
  let places: (RendezvousWord & { say: "introduced" })["places"] = [];
  const scene = await behind(t, {
    // The true peer, which would come to the caller by itself, is led nowhere.
    says: (word) => (word.say === "introduced" ? { ...word, places } : relayedOnly(word)),
    joins: (caller, peer) => [caller, peer].forEach((each) => each.destroy()),
  });
  const impostors = await impostor(t, scene);
  places = scene.relay
    .peers()
    .slice(1)
    .map(({ seen }) => seen);
  assert.equal(places.length, 1);
  const posted = await called(t, await scene.caller());
  assert.equal(posted.status, 502);
  assert.match(posted.text, /Expected the peer [a-z2-7]{52}, found [a-z2-7]{52}/);
  assert.deepEqual([scene.stub.seen.length, impostors.seen.length], [0, 0]);
});

const introductions: readonly (readonly [string, (introduction: string) => string])[] = [
  ["signed by nobody", (text) => `${text.slice(0, -8)}AAAAAAAA`],
  [
    "for another caller",
    (text) => {
      const [header, payload = "", signature] = text.split(".");
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as object;
      const other = JSON.stringify({ ...claims, sub: "spiffe://latticegate.local/agent/other" });
      return [header, Buffer.from(other).toString("base64url"), signature].join(".");
    },
  ],
];

for (const [what, change] of introductions) {
  test(`an introduction ${what} is heeded by no peer`, async (t) => {
    const scene = await behind(t, {
      says: (word) =>
        word.say === "introduction" ? { ...word, introduction: change(word.introduction) } : word,
    });
    const posted = await called(t, await scene.caller());
    assert.equal(posted.status, 502);
    assert.equal(scene.stub.seen.length, 0);
  });
}

test("who was introduced to one peer isn't let in by another with the same introduction", async (t) => {
  let kept: string | undefined;
  const scene = await behind(t, {
    says: (word) => {
      if (word.say !== "introduction") return word;
      kept ??= word.introduction;
      return { ...word, introduction: kept };
    },
  });
  const first = await called(t, await scene.caller("agent/first"));
  assert.equal(first.status, 200);
  const second = await called(t, await scene.caller("agent/second"));
  assert.equal(second.status, 502, "the first one's introduction is no other's");
  assert.equal(scene.stub.seen.length, 1);
});

test("a rendezvous that introduces whom the peer doesn't allow delivers nothing", async (t) => {
  const scene = await peersScene(t, {
    relayFor: (gateway) => oddRelay(t, gateway, { ignoresPeers: true }, silent),
    expose: { allow: ["spiffe://*/agent/friend"] },
  });
  const posted = await called(t, await scene.caller("agent/stranger"));
  assert.equal(posted.status, 502);
  assert.equal(scene.stub.seen.length, 0);
});
