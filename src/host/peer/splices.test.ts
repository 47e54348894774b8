/** The blind relay: whom it joins, how long it waits, and what it lets pass. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test, type TestContext } from "node:test";

import { spliceReady } from "../../wire/rendezvous.ts";
import { eventually } from "../../../test/support/gateway.ts";
import { systemClock, systemLog } from "../system.ts";
import { openSplices, type SpliceLimits, type Splices } from "./splices.ts";

const log = systemLog({ level: "error", form: "json", write: () => undefined });
const ends = { caller: "spiffe://a/agent/a", peer: "spiffe://a/server/b", server: "files" };

function splicesOf(limits: Partial<SpliceLimits> = {}): Splices {
  return openSplices({ clock: systemClock, log, limits });
}

/** Two ends of one connection over loopback. */
async function connection(t: TestContext): Promise<readonly [mine: net.Socket, relays: net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) assert.fail("no address");
  const coming = once(server, "connection") as Promise<[net.Socket]>;
  const mine = net.connect(address.port, "127.0.0.1");
  mine.on("error", () => undefined);
  const [relays] = await coming;
  relays.on("error", () => undefined);
  t.after(() => {
    mine.destroy();
    relays.destroy();
    server.close();
  });
  return [mine, relays];
}

async function joined(
  t: TestContext,
  splices: Splices,
): Promise<readonly [caller: net.Socket, peer: net.Socket]> {
  const tokens = splices.offer(ends);
  const [caller, callers] = await connection(t);
  const [peer, peers] = await connection(t);
  splices.take(callers, tokens.caller);
  splices.take(peers, tokens.peer);
  for (const each of [caller, peer])
    assert.deepEqual(await read(each, spliceReady.length), Buffer.from(spliceReady));
  return [caller, peer];
}

async function read(socket: net.Socket, bytes: number): Promise<Buffer> {
  for (;;) {
    const chunk: unknown = socket.read(bytes);
    if (chunk instanceof Buffer) return chunk;
    await once(socket, "readable");
  }
}

test("what one end says the other hears, in both directions, and the bytes are counted", async (t) => {
  const splices = splicesOf();
  const [caller, peer] = await joined(t, splices);
  caller.write("to the peer");
  assert.equal(String(await read(peer, 11)), "to the peer");
  peer.write("back");
  assert.equal(String(await read(caller, 4)), "back");
  const [stream] = splices.list();
  assert.deepEqual([stream?.bytesToPeer, stream?.bytesToCaller], [11, 4]);
});

test("a token is good once, and one that was never given out is good for nothing", async (t) => {
  const splices = splicesOf();
  const tokens = splices.offer(ends);
  const [, first] = await connection(t);
  splices.take(first, tokens.caller);
  for (const token of [tokens.caller, "A".repeat(43)]) {
    const [stranger, strangers] = await connection(t);
    const closed = once(stranger, "close");
    stranger.resume();
    splices.take(strangers, token);
    await closed;
  }
});

test("both ends of a stream need a token of their own: one end can't be both", async (t) => {
  const splices = splicesOf();
  const tokens = splices.offer(ends);
  const [, one] = await connection(t);
  const [other, others] = await connection(t);
  other.resume();
  splices.take(one, tokens.caller);
  splices.take(others, tokens.caller);
  await once(other, "close");
  assert.deepEqual(splices.list(), []);
});

test("when one end leaves, the other is told", async (t) => {
  const splices = splicesOf();
  const [caller, peer] = await joined(t, splices);
  peer.resume();
  const closed = once(peer, "close");
  caller.destroy();
  await closed;
  await eventually("the stream is over", () => splices.list().length === 0);
});

test("an identity has no more streams than it may, nor has the relay", () => {
  const each = splicesOf({ streamsEach: 2 });
  each.offer(ends);
  each.offer(ends);
  assert.throws(() => each.offer(ends), /of one identity/);
  assert.doesNotThrow(() => each.offer({ caller: "x", peer: "y", server: "files" }));
  const all = splicesOf({ streams: 1 });
  all.offer(ends);
  assert.throws(() => all.offer({ caller: "x", peer: "y", server: "files" }), /as many streams as it may/);
});

test("a stream on which nothing passes is ended", async (t) => {
  const [caller] = await joined(t, splicesOf({ idleMs: 200 }));
  caller.resume();
  await once(caller, "close");
});

test("a stream is held to its rate, and loses nothing by it", async (t) => {
  const splices = splicesOf({ bytesPerSecond: 400_000 });
  const [caller, peer] = await joined(t, splices);
  const sent = Buffer.alloc(600_000, 7);
  caller.end(sent);
  let bytes = 0;
  for await (const chunk of peer) bytes += (chunk as Buffer).length;
  assert.equal(bytes, sent.length);
});

test("streams that aren't allowed any more are cut, and no others", async (t) => {
  const splices = splicesOf();
  const [caller] = await joined(t, splices);
  caller.resume();
  splices.cut(({ server }) => server === "another");
  assert.equal(splices.list().length, 1);
  const closed = once(caller, "close");
  splices.cut(({ server }) => server === "files");
  await closed;
});
