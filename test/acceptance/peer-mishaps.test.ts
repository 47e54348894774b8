/**
 * What happens to peers while calls go on between them: the relay dies, an address changes, an end is suspended for a
 * minute, a direct way opens. Calls go on by themselves, none is carried out twice, and what is lost is told. By real
 * processes in network namespaces; needs root and Linux.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { eventually } from "../support/gateway.ts";
import { inSpace } from "../support/lab.ts";
import { type NatKind, openSite, type Site, whyNoNats } from "../support/nat.ts";
import {
  type CalledHome,
  type CallingHome,
  homeOf,
  openCalled,
  openCalling,
  openPeerHouse,
  openRelay,
  type PeerHouse,
  type PeerRelay,
} from "../support/peer-house.ts";
import type { LoadOutcome, Told } from "../support/peer-orders.ts";

const skip = whyNoNats() ?? false;
const everyMs = 50;
const suspendedMs = 60_000;
/** Until the longest of what notices a dead end does, and then some for a busy machine. */
const backMs = 90_000;
const delayMs = 5;
/** Numbers of calls from there on aren't of a load. */
const besideLoad = 1_000_000;

interface Pair {
  readonly calling: CallingHome;
  readonly called: CalledHome;
  readonly sites: { readonly calling: Site; readonly called: Site };
  /** How the newest link to the server goes. */
  readonly kind: () => Promise<unknown>;
  /** SPIFFE ID of the relay that introduced the two for it. */
  readonly rendezvous: () => Promise<unknown>;
}

let subnet = 10;

async function openPair(
  t: TestContext,
  house: PeerHouse,
  {
    name,
    nats: [from, to],
    via,
  }: { readonly name: string; readonly nats: readonly [NatKind, NatKind]; readonly via?: readonly string[] },
): Promise<Pair> {
  const site = async (kind: NatKind, label: string): Promise<Site> =>
    await openSite(t, house.network, { kind, label, address: `203.0.113.${(subnet += 1)}` });
  const sites = { calling: await site(from, `${name}_a`), called: await site(to, `${name}_b`) };
  const found = via === undefined ? {} : { via };
  const [called, calling] = await Promise.all([
    openCalled(t, house, { name: `server-${name}`, home: homeOf(sites.called), ...found }),
    openCalling(
      t,
      house,
      { name: `caller-${name}`, home: homeOf(sites.calling), ...found },
      { probeEachMs: 1000 },
    ),
  ]);
  await calling.open(called.target);
  let newest: Told | undefined;
  const reached = async (): Promise<Told | undefined> => {
    newest = (await calling.told()).findLast(({ event }) => event === "peer.reached") ?? newest;
    return newest;
  };
  return {
    calling,
    called,
    sites,
    kind: async () => (await reached())?.["kind"],
    rendezvous: async () => (await reached())?.["rendezvous"],
  };
}

/** What was heard more than once, or neither answered nor told to be lost, or told not to be and was carried out. */
async function wrongIn({ calling }: Pair, { answered, failures }: LoadOutcome): Promise<readonly string[]> {
  const heard = (await calling.heard()).filter((call) => call < besideLoad);
  const [known, times] = [new Set(answered), Map.groupBy(heard, (call) => call)];
  const lost = new Set(failures.filter(({ isLost }) => isLost).map(({ call }) => call));
  return [
    ...[...times].filter(([, each]) => each.length > 1).map(([call]) => `${call} was carried out twice`),
    ...answered.filter((call) => !times.has(call)).map((call) => `${call} was answered by nobody`),
    ...heard
      .filter((call) => !known.has(call) && !lost.has(call))
      .map((call) => `${call} was said not to be sent`),
  ];
}

/** Settles once calls are answered again that began after it was asked. */
async function callsGoOn({ calling }: Pair): Promise<void> {
  let first = besideLoad;
  await eventually(
    "calls are answered",
    async () => {
      const { failures } = await calling.call({ first: (first += 10), count: 5, inFlight: 5 });
      return failures.length === 0;
    },
    backMs,
  );
}

function told(t: TestContext, what: string, { answered, failures }: LoadOutcome): void {
  const lost = failures.filter(({ isLost }) => isLost).length;
  t.diagnostic(
    `${what}: ${answered.length} calls answered, ${lost} lost and told so, ${failures.length - lost} told not to be sent`,
  );
}

test("what happens to peers while calls go on", { skip }, async (t) => {
  const house = await openPeerHouse(t);
  await Promise.all([
    t.test("the relay is killed", (s) => relayKilled(s, t, house)),
    t.test("one of two relays is killed", (s) => oneOfTwoKilled(s, t, house)),
    t.test("an address changes", (s) => addressChanges(s, t, house)),
    t.test("an end is suspended for a minute", (s) => suspended(s, t, house)),
    t.test("a direct way opens", (s) => opens(s, t, house)),
  ]);
});

type Scenario = (s: TestContext, t: TestContext, house: PeerHouse) => Promise<void>;

const relayKilled: Scenario = async (s, t, house) => {
  const relay = await openRelay(t, house, { name: "other", port: 9445 });
  const via = [relay.via];
  const punched = await openPair(t, house, { name: "kept", nats: ["preserving", "preserving"], via });
  const relayed = await openPair(t, house, { name: "cut", nats: ["symmetric", "symmetric"], via });
  await Promise.all([callsGoOn(punched), callsGoOn(relayed)]);
  const loads = [await punched.calling.load(everyMs), await relayed.calling.load(everyMs)] as const;
  await pause(1000);
  await relay.process.stop("SIGKILL");
  await pause(2000);
  await relay.again();
  await Promise.all([callsGoOn(punched), callsGoOn(relayed)]);
  const [direct, through] = [await loads[0](), await loads[1]()];
  told(s, "direct", direct);
  told(s, "relayed", through);
  assert.deepEqual(direct.failures, [], "who needs no relay doesn't notice");
  assert.deepEqual(await wrongIn(punched, direct), []);
  assert.deepEqual(await wrongIn(relayed, through), []);
  assert.equal(await punched.kind(), "direct");
  assert.equal(await relayed.kind(), "relayed");
};

const oneOfTwoKilled: Scenario = async (s, t, house) => {
  const relays = new Map<string, PeerRelay>();
  for (const [name, port] of [
    ["left", 9545],
    ["right", 9645],
  ] as const)
    relays.set(`spiffe://latticegate.local/server/${name}`, await openRelay(t, house, { name, port }));
  const via = [...relays.values()].map((relay) => relay.via);
  const pair = await openPair(t, house, { name: "two", nats: ["symmetric", "symmetric"], via });
  await callsGoOn(pair);
  const used = String(await pair.rendezvous());
  const end = await pair.calling.load(everyMs);
  await pause(1000);
  await relays.get(used)?.process.stop("SIGKILL");
  await callsGoOn(pair);
  const outcome = await end();
  told(s, "through the other one", outcome);
  const other = String(await pair.rendezvous());
  assert.ok(relays.has(other) && other !== used, `${other} after ${used}`);
  assert.deepEqual(await wrongIn(pair, outcome), []);
};

const addressChanges: Scenario = async (s, t, house) => {
  const called = await openPair(t, house, { name: "moved", nats: ["preserving", "preserving"] });
  const calling = await openPair(t, house, { name: "roams", nats: ["preserving", "preserving"] });
  await Promise.all([callsGoOn(called), callsGoOn(calling)]);
  const loads = [await called.calling.load(everyMs), await calling.calling.load(everyMs)] as const;
  await pause(1000);
  await called.sites.called.move("203.0.113.201");
  const home = homeOf(calling.sites.calling);
  inSpace(home, "addr", "flush", "dev", "eth0");
  inSpace(home, "addr", "add", "192.168.1.77/24", "dev", "eth0");
  inSpace(home, "route", "replace", "default", "via", "192.168.1.1");
  const began = performance.now();
  const back = async (pair: Pair, whose: string): Promise<void> => {
    await callsGoOn(pair);
    s.diagnostic(`back after ${((performance.now() - began) / 1000).toFixed(1)} s: ${whose}`);
  };
  await Promise.all([back(called, "the provider of the called end"), back(calling, "the calling end")]);
  const outcomes = [await loads[0](), await loads[1]()] as const;
  told(s, "the called end's provider gives it another", outcomes[0]);
  told(s, "the calling end takes another", outcomes[1]);
  assert.deepEqual(await wrongIn(called, outcomes[0]), []);
  assert.deepEqual(await wrongIn(calling, outcomes[1]), []);
};

const suspended: Scenario = async (s, t, house) => {
  const called = await openPair(t, house, { name: "sleeps", nats: ["preserving", "preserving"] });
  const calling = await openPair(t, house, { name: "dozes", nats: ["symmetric", "symmetric"] });
  await Promise.all([callsGoOn(called), callsGoOn(calling)]);
  const loads = [await called.calling.load(everyMs), await calling.calling.load(everyMs)] as const;
  await pause(500);
  called.called.process.process.kill("SIGSTOP");
  calling.calling.signal("SIGSTOP");
  await pause(suspendedMs);
  called.called.process.process.kill("SIGCONT");
  calling.calling.signal("SIGCONT");
  await Promise.all([callsGoOn(called), callsGoOn(calling)]);
  const outcomes = [await loads[0](), await loads[1]()] as const;
  told(s, "the called end", outcomes[0]);
  told(s, "the calling end", outcomes[1]);
  assert.deepEqual(await wrongIn(called, outcomes[0]), []);
  assert.deepEqual(await wrongIn(calling, outcomes[1]), []);
};

const opens: Scenario = async (s, t, house) => {
  const { network } = house;
  const pair = await openPair(t, house, { name: "opens", nats: ["preserving", "preserving"] });
  const { calling, called } = pair.sites;
  await network.conduct(new Map([calling, called].map(({ edge }) => [edge, { delayMs }])));
  calling.block(called.address);
  await callsGoOn(pair);
  assert.equal(await pair.kind(), "relayed");
  const end = await pair.calling.load(everyMs);
  await pause(1000);
  calling.unblock();
  await eventually("the direct way is used", async () => (await pair.kind()) === "direct", backMs);
  await pause(500);
  const outcome = await end();
  told(s, "from relayed to direct", outcome);
  assert.deepEqual(outcome.failures, []);
  assert.deepEqual(await wrongIn(pair, outcome), []);
};
