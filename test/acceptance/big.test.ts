/**
 * Big and slow: long answers, readers that stop, streams that say nothing for minutes, a thousand of them at
 * once. What the gateway holds in memory stays within a named bound, and others are answered meanwhile. The
 * gateway is a process of its own; its high-water marks are printed at the end. `LATTICEGATE_IDLE_SECONDS` sets
 * how long the silent streams are silent; 150 by default.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, suite, test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import {
  type Answered,
  beginningOf,
  type Caller,
  digest,
  openSession,
  sidecarCaller,
  textOf,
} from "../support/big-caller.ts";
import {
  bigBytes,
  eventsOf,
  hashOf,
  longAnswer,
  mebi,
  notifications,
  shortAnswer,
} from "../support/big-payload.ts";
import { measured, printed, type Scene, scene, within } from "../support/big-scene.ts";
import { bodyOf } from "../support/big-server.ts";

const idleSeconds = Number(process.env["LATTICEGATE_IDLE_SECONDS"] ?? 150);

/** What may wait in a stream for its reader: the queue, and what is being written and read on both sides of it. */
const streamMebi = 6;
/** What a legacy session keeps for a client that comes back, as bytes that are in no queue any more. */
const keptMebi = 4;
/** An open stream or call: two sockets, one of them TLS, and what belongs to them. */
const openMebi = 0.25;
/** How many come at a time: the door lets in 256 strangers of one address, and this is no test of the door. */
const waveSize = 100;
/** Readers are cut when they took nothing for 60 s, which begins when all that fits between is written. */
const cutAfterMs = 90_000;

after(() => console.log(printed()));

async function arrivesWhole(asked: Promise<Answered>, pieces: Iterable<Buffer>): Promise<void> {
  const { status, hash } = await digest(await asked);
  assert.equal(status, 200);
  assert.equal(hash, hashOf(pieces));
}

suite("big and slow", { concurrency: true }, () => {
  test("long answers arrive as they were, and are never held twice", async (t) => {
    const at = await scene(t);
    await arrivesWhole(at.direct.ask("http", "quick"), bodyOf("quick", 1).pieces);
    const sidecar = await sidecarCaller(t, at.gateway, "http", "sidecar");
    for (const [caller, where, pid] of [
      [at.direct, "", undefined],
      [sidecar.caller, ", sidecar", sidecar.pid],
    ] as const) {
      for (const [name, what, boundMebi] of [
        ["declared", "50 MiB JSON of known length", streamMebi],
        ["undeclared", "50 MiB JSON of unknown length", streamMebi],
        ["event", "50 MiB in one event", 100],
        ["events", "50 MiB in 834 events", streamMebi],
      ] as const) {
        const asked = (): Promise<void> => arrivesWhole(caller.ask("http", name), bodyOf(name, 1).pieces);
        await measured(what + where, at, asked, { boundMebi, ...(pid !== undefined && { sidecar: pid }) });
      }
    }
    for (const name of ["declared", "events"] as const) {
      const ten = async (): Promise<void> => {
        const asks = Array.from({ length: 10 }, () => at.direct.ask("http", name));
        await Promise.all(asks.map((asked) => arrivesWhole(asked, bodyOf(name, 1).pieces)));
      };
      await measured(`10 × 50 MiB at once, ${name}`, at, ten, { boundMebi: 10 * streamMebi });
    }
    await measured(
      "50 MiB JSON, stdio",
      at,
      () => arrivesWhole(at.direct.ask("pipe", "whole"), longAnswer(1, bigBytes)),
      { boundMebi: 100 },
    );
    const events = eventsOf([...notifications(bigBytes, 1), shortAnswer(1)]);
    await measured(
      "50 MiB in 834 events, stdio",
      at,
      () => arrivesWhole(at.direct.ask("pipe", "events"), events),
      { boundMebi: streamMebi },
    );
    await longRequest(at);
    await tooLong(at);
  });

  for (const [what, stall] of [
    ["an HTTP server's stream", stalledOnHttp],
    ["an HTTP server's long answer", stalledOnLong],
    ["a stdio server's stream", stalledOnPipe],
    ["a stdio server's whole answer", stalledOnWhole],
    ["what a stdio server says unasked", stalledUnasked],
  ] as const) {
    test(`8 readers stop reading ${what}: memory is bounded, others go on, they are cut`, async (t) => {
      await stall(await scene(t), what);
    });
  }

  test(`streams that are silent for ${idleSeconds} s are alive, behind sidecar and gateway`, async (t) => {
    await silence(t, await scene(t));
  });

  test("1,000 open streams at once, of one caller and of several, each gets its event", async (t) => {
    const at = await scene(t);
    await thousandStreams(t, at, 1);
    await thousandStreams(t, at, 4);
    await thousandCalls(t, at);
  });
});

async function longRequest(at: Scene): Promise<void> {
  const padding = "x".repeat(8 * mebi - 1024);
  const ask = async (): Promise<void> => {
    const { status, body } = await at.direct.ask("http", "hash", { padding });
    assert.equal(status, 200);
    assert.match(await textOf({ status, body }), /"hash":"[0-9a-f]{64}"/);
  };
  await measured("a request of nearly 8 MiB", at, ask, { boundMebi: 16 });
}

async function tooLong(at: Scene): Promise<void> {
  const refused = async (): Promise<void> => {
    for (let i = 0; i < 10; i += 1) {
      const answer = await at.direct.ask("http", "huge-declared");
      assert.equal(answer.status, 502);
      assert.match(await textOf(answer), /longer than 67108864 bytes/);
    }
  };
  await measured("10 × 80 MiB of known length, refused", at, refused, { boundMebi: streamMebi });
  const cut = async (): Promise<void> => {
    for (let i = 0; i < 10; i += 1) await assert.rejects(digest(await at.direct.ask("http", "huge")));
  };
  await measured("10 × 80 MiB of unknown length, cut", at, cut, { boundMebi: streamMebi });
}

/** Eight readers that read a little and stop, until they are cut. `released`: what they held is given up. */
async function stalled(
  at: Scene,
  what: string,
  options: {
    readonly open: (id: number) => Promise<Answered>;
    readonly released: () => Promise<boolean> | boolean;
    readonly boundMebi: number;
  },
): Promise<void> {
  await at.direct.ask("http", "quick").then(digest);
  const readers = await measured(
    `8 readers stop, ${what}`,
    at,
    async () => {
      const opened = await Promise.all(Array.from({ length: 8 }, (_, i) => options.open(i + 1)));
      for (const each of opened) await beginningOf(each, 1000);
      await within(120, `${what} is given up`, options.released);
      return opened;
    },
    { boundMebi: options.boundMebi },
  );
  for (const reader of readers) await assert.rejects(digest(reader), "it was cut, not ended");
}

async function stalledOnHttp(at: Scene, what: string): Promise<void> {
  const open = (id: number): Promise<Answered> => at.direct.ask("http", "events", { id });
  await stalled(at, what, { open, released: () => at.server.abandoned() === 8, boundMebi: 8 * streamMebi });
}

async function stalledOnLong(at: Scene, what: string): Promise<void> {
  const open = (): Promise<Answered> => at.direct.ask("http", "declared");
  await stalled(at, what, { open, released: () => at.server.abandoned() === 8, boundMebi: 8 * streamMebi });
}

/** A session's process is read no faster than its slowest reader; when that one is cut, it answers again. */
async function stalledOnPipe(at: Scene, what: string): Promise<void> {
  const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession(at.direct, "pipe")));
  const open = (id: number): Promise<Answered> =>
    at.direct.legacy("pipe", legacyCall("events", id, { progressToken: id }), sessions[id - 1]);
  const released = async (): Promise<boolean> => await allAnswer(at.direct, sessions);
  await stalled(at, what, { open, released, boundMebi: 8 * (streamMebi + keptMebi) });
}

/** Nobody waits for who listens to what is said unasked: the process goes on while the reader stalls. */
async function stalledUnasked(at: Scene, what: string): Promise<void> {
  const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession(at.direct, "pipe")));
  const open = async (id: number): Promise<Answered> => {
    const stream = await at.direct.listen("pipe", sessions[id - 1]);
    await digest(await at.direct.legacy("pipe", legacyCall("flood", id), sessions[id - 1]));
    return stream;
  };
  const released = async (): Promise<boolean> => {
    await pause(cutAfterMs); // A call of the session's would be told the rest instead.
    return await allAnswer(at.direct, sessions);
  };
  await stalled(at, what, { open, released, boundMebi: 8 * (streamMebi + keptMebi) });
}

/**
 * The answer is there as a whole, once for each reader, and no longer than until its reader is cut; and twice in
 * pieces: the ones it is being put together from, and those before, which aren't collected yet.
 */
async function stalledOnWhole(at: Scene, what: string): Promise<void> {
  const open = (id: number): Promise<Answered> => at.direct.ask("pipe", "whole", { id });
  const released = async (): Promise<boolean> => {
    await pause(cutAfterMs);
    return true;
  };
  await stalled(at, what, { open, released, boundMebi: 10 * 50 + 8 * streamMebi });
}

function legacyCall(name: string, id: number, _meta: object = {}): object {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: {}, _meta } };
}

async function allAnswer(caller: Caller, sessions: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(
    sessions.map((session) => caller.legacy("pipe", legacyCall("quick", 99), session)),
  );
  for (const answer of answers) assert.match(await textOf(answer), /"result"/);
  return true;
}

async function silence(t: TestContext, at: Scene): Promise<void> {
  const { server } = at;
  const http = (await sidecarCaller(t, at.gateway, "http", "quiet")).caller;
  const pipes = (await sidecarCaller(t, at.gateway, "pipe", "quiet-pipe")).caller;
  const session = await openSession(pipes, "pipe");
  const streams = await Promise.all([
    http.listen("http"),
    http.ask("http", "", { method: "subscriptions/listen" }),
    at.direct.listen("http"),
    pipes.listen("pipe", session),
    pipes.ask("pipe", "", { method: "subscriptions/listen", id: 7 }),
  ]);
  for (const { status } of streams) assert.equal(status, 200);
  await within(30, "the server has its three", () => server.silent.size === 3);
  await pause(idleSeconds * 1000);
  for (const each of server.silent) each.write("data: awake\n\n");
  assert.match(await textOf(await pipes.legacy("pipe", legacyCall("tell", 1), session)), /"result"/);
  assert.match(await textOf(await pipes.ask("pipe", "tell")), /"result"/);
  for (const [i, stream] of streams.entries()) await saying(stream, i < 3 ? /awake/ : /list_changed/);
}

async function thousandStreams(t: TestContext, at: Scene, callers: number): Promise<void> {
  const { server } = at;
  const sidecars = await Promise.all(
    Array.from({ length: callers }, (_, i) => sidecarCaller(t, at.gateway, "http", `crowd-${callers}-${i}`)),
  );
  const open = async (): Promise<void> => {
    const streams: Answered[] = [];
    for (let wave = 0; wave < 1000; wave += waveSize) {
      const opening = Array.from({ length: waveSize }, (_, i) => {
        const caller = sidecars[i % callers]?.caller ?? at.direct;
        const id = wave + i;
        return id % 2 < 1
          ? caller.listen("http")
          : caller.ask("http", "", { method: "subscriptions/listen", id });
      });
      streams.push(...(await Promise.all(opening)));
    }
    for (const { status } of streams) assert.equal(status, 200);
    assert.equal(server.silent.size, 1000);
    for (const each of server.silent) each.write("data: awake\n\n");
    for (const stream of streams) await saying(stream, /awake/);
    for (const { body } of streams) body.destroy();
    await within(60, "all are released", () => server.silent.size === 0);
  };
  const [first] = sidecars;
  await measured(`1,000 streams of ${callers} caller(s)`, at, open, {
    boundMebi: 1000 * openMebi,
    ...(callers === 1 && first !== undefined && { sidecar: first.pid }),
  });
}

async function thousandCalls(t: TestContext, at: Scene): Promise<void> {
  const { caller, pid } = await sidecarCaller(t, at.gateway, "http", "slow");
  const call = async (): Promise<void> => {
    const calls: Promise<Answered>[] = [];
    for (let wave = waveSize; wave <= 1000; wave += waveSize) {
      while (calls.length < wave) calls.push(caller.ask("http", "together", { id: calls.length }));
      await within(60, `${wave} have arrived`, () => at.server.waiting.length === wave);
    }
    for (const answer of at.server.waiting) answer();
    for (const [id, asked] of calls.entries()) await arrivesWhole(asked, [shortAnswer(id)]);
  };
  await measured("1,000 slow calls at once", at, call, { boundMebi: 1000 * openMebi, sidecar: pid });
}

/** Reads until the stream has said it. */
async function saying({ body }: Answered, what: RegExp): Promise<void> {
  let said = "";
  while (!what.test(said)) {
    const chunk = body.read() as Buffer | null;
    if (chunk !== null) said += chunk.toString();
    else await Promise.race([once(body, "readable"), ended(body)]);
  }
}

async function ended(body: Answered["body"]): Promise<never> {
  await new Promise((resolve) => body.once("close", resolve));
  throw new Error("the stream ended before");
}
