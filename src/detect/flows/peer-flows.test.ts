import assert from "node:assert/strict";
import { test } from "node:test";

import { heldBy } from "../../../test/support/heap.ts";
import { seededRandom } from "../../kernel/seeded-random.ts";
import type { Message } from "./flow-window.ts";
import { type FlowFinding, type Hop, type LiveTerms, maxPeers, PeerFlows } from "./peer-flows.ts";

const lab: Hop = { direction: "outgoing", peer: "lab" };
const terms: LiveTerms = {
  windowMs: 600_000,
  exchanges: 16,
  burstBytes: 1_000_000,
  alertsOnLatency: () => true,
};
const startUnixMs = Date.UTC(2026, 0, 5, 9);
const minuteMs = 60_000;
const dayMs = 86_400_000;

/** A peer that is used for a while, one call after the other. */
class Use {
  readonly flows: PeerFlows;
  readonly #random = seededRandom(5);
  nowUnixMs = startUnixMs;

  constructor(changes: Partial<LiveTerms> = {}) {
    this.flows = new PeerFlows({ ...terms, ...changes });
  }

  call(changes: Partial<Message> = {}, pauseMs = 2000 * this.#spread()): readonly FlowFinding[] {
    this.nowUnixMs += pauseMs;
    const usual = {
      up: 900 + 200 * this.#random(),
      down: 1000 * this.#spread(),
      answerMs: 100 * this.#spread(),
    };
    const message = { startMs: this.nowUnixMs - startUnixMs, kind: "tool read", ...usual, ...changes };
    return this.flows.see(lab, message, this.nowUnixMs);
  }

  calls(count: number, changes: Partial<Message> = {}, pauseMs?: number): readonly FlowFinding[] {
    return Array.from({ length: count }, () => this.call(changes, pauseMs)).flat();
  }

  #spread(): number {
    return Math.exp(0.4 * Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(6.28 * this.#random()));
  }
}

function kindsOf(findings: readonly FlowFinding[]): readonly string[] {
  return findings.map(({ kind }) => kind);
}

test("work that goes on as it did raises nothing", () => {
  const use = new Use();
  assert.deepEqual(use.calls(5000), []);
});

const attacks: readonly (readonly [string, string, (use: Use) => readonly FlowFinding[]])[] = [
  ["a burst out", "flow.exfiltration-burst", (use) => use.calls(1, { up: 5_000_000, down: 500 })],
  [
    "a burst out in parts",
    "flow.exfiltration-burst",
    (use) => use.calls(16, { up: 400_000, down: 500 }).filter(({ kind }) => kind !== "flow.drip"),
  ],
  ["a drip", "flow.drip", (use) => use.calls(32, { up: 3000 })],
  [
    "a beacon",
    "flow.beacon",
    (use) => Array.from({ length: 32 }, (_, at) => use.call({ up: 1000 + (at % 3) }, 10_000)).flat(),
  ],
  ["answers that somebody holds back", "flow.latency", (use) => use.calls(32, { answerMs: 600 })],
  ["a bulk read", "flow.bulk-read", (use) => use.calls(16, { down: 10_000_000 })],
  ["a tunnel", "flow.tunnel", (use) => use.calls(64, { up: 1000, down: 1000, answerMs: 1 }, 2)],
];

for (const [what, kind, attack] of attacks) {
  test(`${what} after usual work is told once, with a sentence`, () => {
    const use = new Use();
    use.calls(16 * 20);
    const found = attack(use);
    assert.deepEqual(kindsOf(found), [kind]);
    assert.match(found[0]?.says ?? "", /\. None of its last 20 flows was like that\.$/);
    assert.ok((found[0]?.risk ?? 0) > 0.35 && (found[0]?.risk ?? 1) < 0.45, "twenty flows say no more");
  });
}

test("of a peer that nobody knows only a burst and a bulk read are told", () => {
  assert.deepEqual(kindsOf(new Use().calls(1, { up: 5_000_000, down: 500 })), ["flow.exfiltration-burst"]);
  assert.deepEqual(kindsOf(new Use().calls(16, { down: 10_000_000 })), ["flow.bulk-read"]);
  for (const changes of [{ up: 9000 }, { answerMs: 9000 }])
    assert.deepEqual(new Use().calls(64, changes), []);
  assert.deepEqual(new Use().calls(1, { up: 5_000_000, down: 500 })[0]?.risk, undefined);
});

test("slow answers are told where that was asked for, and a few percent never", () => {
  const quiet = new Use({ alertsOnLatency: () => false });
  quiet.calls(16 * 20);
  assert.deepEqual(quiet.calls(32, { answerMs: 600 }), []);
  const steady = new Use();
  steady.calls(16 * 20, { answerMs: 100 });
  assert.deepEqual(steady.calls(64, { answerMs: 120 }), []);
});

test("each tool is compared with itself: a slow one among quick ones is no shift", () => {
  const use = new Use();
  for (let round = 0; round < 80; round++) {
    use.calls(6, { kind: "tool read" });
    use.calls(2, { kind: "tool export", answerMs: 5000 });
  }
  assert.deepEqual(use.calls(32, { kind: "tool export", answerMs: 5000 }), []);
});

test("what goes on is told once an hour, and after a day of being told it is what is usual", () => {
  const use = new Use();
  use.calls(16 * 20);
  const found: FlowFinding[] = [];
  for (let at = 0; at < 40 * 60; at++) found.push(...use.call({ up: 5_000_000, down: 500 }, minuteMs));
  assert.ok(found.length >= 20 && found.length <= 26, `${found.length}`);
  assert.deepEqual(use.calls(60, { up: 5_000_000, down: 500 }, minuteMs), []);
});

test("work in an hour of the week in which there never was any is told after two weeks", () => {
  const use = new Use();
  for (let day = 0; day < 16; day++) {
    use.nowUnixMs = startUnixMs + day * dayMs;
    use.calls(64);
  }
  use.nowUnixMs = startUnixMs + 16 * dayMs - 6 * 3_600_000;
  const found = use.calls(16, { up: 8000 }, 1000).filter(({ kind }) => kind === "flow.hour");
  assert.equal(found.length, 1);
  assert.match(
    found[0]?.says ?? "",
    /went out at 03:0\d UTC; in that hour of the week nothing ever did since 2026-01-05/,
  );
});

test("a flow ends after its time, and a clock that was set back ends it too", () => {
  const use = new Use({ exchanges: 256 });
  assert.deepEqual(use.calls(4, { down: 10_000_000 }), []);
  assert.deepEqual(kindsOf(use.call({}, 600_000)), ["flow.bulk-read"]);
  const back = new Use({ exchanges: 256 });
  assert.deepEqual(back.calls(4, { down: 10_000_000 }), []);
  assert.deepEqual(kindsOf(back.call({}, -dayMs)), ["flow.bulk-read"]);
});

test("numbers that are none are left out, and 300,000 exchanges of 20,000 peers stay within bounds", () => {
  const flows = new PeerFlows(terms);
  for (let at = 0; at < 200_000; at++) {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, -1, Number.MAX_VALUE][at % 4] ?? 0;
    const message = { startMs: at, up: at % 3 === 0 ? odd : 100, down: 100, answerMs: odd };
    flows.see(
      { direction: "incoming", peer: `peer-${at % 20_000}` },
      message,
      at % 7 === 0 ? odd : startUnixMs + at,
    );
  }
  assert.equal(flows.size, maxPeers);
  const one = new PeerFlows(terms);
  for (let at = 0; at < 100_000; at++)
    one.see(lab, { startMs: at, up: 500, down: 500, answerMs: 1 }, startUnixMs + at);
  assert.equal(one.size, 1);
});

test("a peer takes at most 64 KB, however many tools it is asked for", () => {
  const peers = 100;
  const held = heldBy(() => {
    const flows = new PeerFlows({ ...terms, exchanges: 120 });
    for (let peer = 0; peer < peers; peer++) {
      for (let at = 0; at < 959; at++) {
        const message = {
          startMs: at * 1000.5,
          up: 500 + at,
          down: 700 + at,
          answerMs: 1.5 + at,
          kind: `tool ${"n".repeat(50)}${at}`,
        };
        flows.see({ direction: "incoming", peer: `peer-${peer}` }, message, startUnixMs + at);
      }
    }
    return flows;
  });
  assert.ok(held / peers < 64 * 1024, `${held / peers} bytes`);
});
