/** Peers meet through NATs of each kind, by real processes in network namespaces. Needs root and Linux. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { natKinds, openSite, whyNoNats } from "../support/nat.ts";
import {
  carriedBy,
  expectedPath,
  openPairs,
  type PairOutcome,
  type PeerPair,
} from "../support/peer-pairs.ts";
import { openCalled, openCalling, openPeerHouse } from "../support/peer-house.ts";

const skip = whyNoNats() ?? false;
const conduct = { delayMs: 5, mtu: 1280 };
const work = { meetings: 1, calls: 1000, lonely: 1, millions: 1 };

test("peers meet directly wherever their NATs let them, through the relay where not", { skip }, async (t) => {
  const house = await openPeerHouse(t);
  const { pairs, called, ...all } = await openPairs(t, house);
  await all.conduct(conduct);
  const outcomes = new Map<PeerPair, PairOutcome>();
  for (const pair of pairs) outcomes.set(pair, await carriedBy(pair, work));
  t.diagnostic(`${work.calls} calls of each pair, 1280 bytes; caller \\ called`);
  t.diagnostic("".padEnd(20) + natKinds.map((kind) => kind.padEnd(20)).join(""));
  for (const kind of natKinds) {
    const row = [...outcomes].filter(([{ nats }]) => nats[0] === kind).map(([, outcome]) => shown(outcome));
    t.diagnostic(kind.padEnd(20) + row.map((cell) => cell.padEnd(20)).join(""));
  }
  assert.deepEqual([...outcomes].flatMap(wrongIn), []);
  await t.test("two homes behind one NAT meet on their own network", async (s) => {
    for (const [i, { site, home: server }] of called.entries()) {
      const [, home] = site.homes;
      if (home === undefined) continue; // In the public network itself.
      const neighbour = await openCalling(s, house, { name: `neighbour${i}`, home });
      const [met] = await neighbour.meet(server.target, 1);
      assert.equal(met?.path?.kind, "local", `${site.kind}: ${met?.failure ?? met?.path?.why ?? ""}`);
    }
  });
});

function shown({ kind, met, answered }: PairOutcome): string {
  return `${kind} ${met[0]?.toFixed(0) ?? "never"} ms, ${answered}`;
}

function wrongIn([{ nats }, { kind, why, answered, failures }]: readonly [
  PeerPair,
  PairOutcome,
]): readonly string[] {
  const expected = expectedPath(nats);
  const isRight = kind === expected.kind && why.includes(expected.why);
  const isWhole = answered === work.calls && failures.length === 0;
  return isRight && isWhole
    ? []
    : [`${nats.join(" to ")}: ${kind}, ${why}, ${answered} answered, ${failures[0] ?? ""}`];
}

test(
  "two fresh folders on one network find each other with nothing but a join token",
  { skip },
  async (t) => {
    const house = await openPeerHouse(t);
    const site = { kind: "preserving", label: "lan", address: "203.0.113.50", homes: 2 } as const;
    const { homes } = await openSite(t, house.network, site);
    const [one, other] = homes;
    assert.ok(one !== undefined && other !== undefined);
    const called = await openCalled(t, house, { name: "files", home: one, isLocal: true });
    for (const [name, home] of [
      ["beside", one],
      ["across", other],
    ] as const) {
      const caller = await openCalling(t, house, { name, home, isLocal: true });
      const [met] = await caller.meet(called.target, 1);
      assert.equal(met?.path?.kind, "local", `${name}: ${met?.failure ?? ""}`);
      await caller.open(called.target);
      const { ms, failures } = await caller.call({ count: work.calls, inFlight: 50 });
      assert.deepEqual(failures.slice(0, 3), []);
      assert.equal(ms.length, work.calls);
    }
  },
);
