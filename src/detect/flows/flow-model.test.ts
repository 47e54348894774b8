import assert from "node:assert/strict";
import { test } from "node:test";

import { type Random, seededRandom } from "../../kernel/seeded-random.ts";
import { type FlowModel, flowScorer, type FlowVerdict, trainFlows } from "./flow-model.ts";
import type { FlowRecord } from "./flow-record.ts";
import { type FlowSummary, summaryOf } from "./flow-window.ts";
import { conformalP, surpriseAbove, surpriseBelow, tailOf } from "./tails.ts";

interface Habits {
  readonly calls: number;
  readonly up: (at: number) => number;
  readonly down: (at: number) => number;
  readonly pauseMs: (at: number) => number;
  readonly answerMs: (at: number) => number;
  readonly hour: number;
  readonly hellos: readonly [client: number, server: number];
}

/** What an agent does: some calls, with pauses in which it thinks. */
function habitsOf(random: Random): Habits {
  const spread = (): number =>
    Math.exp(0.6 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(6.28 * random()));
  return {
    calls: 4 + Math.floor(random() * 20),
    up: () => 400 + random() * 60,
    down: () => 300 + 500 * spread(),
    pauseMs: () => 2500 * spread(),
    answerMs: () => 120 * spread(),
    hour: 8 + Math.floor(random() * 10),
    hellos: [1533, 1210],
  };
}

function flowOf({ calls, up, down, pauseMs, answerMs, hour, hellos }: Habits): FlowSummary {
  const records: FlowRecord[] = [
    { tMs: 0, from: "client", type: 22, bytes: hellos[0], connection: 1 },
    { tMs: 1, from: "server", type: 22, bytes: hellos[1], connection: 1 },
  ];
  let tMs = 1;
  for (let at = 0; at < calls; at++) {
    tMs += pauseMs(at);
    for (let left = up(at); left > 0; left -= 16_384)
      records.push({ tMs, from: "client", type: 23, bytes: Math.min(left, 16_384), connection: 1 });
    tMs += answerMs(at);
    for (let left = down(at); left > 0; left -= 16_384)
      records.push({ tMs, from: "server", type: 23, bytes: Math.min(left, 16_384), connection: 1 });
  }
  return summaryOf(records, hour);
}

const random = seededRandom(7);
const benign = Array.from({ length: 400 }, () => flowOf(habitsOf(random)));
const model: FlowModel = trainFlows(benign);
const score = flowScorer(model);

function verdictOn(changes: Partial<Habits>): FlowVerdict {
  return score(flowOf({ ...habitsOf(seededRandom(99)), calls: 15, ...changes }));
}

const attacks: readonly (readonly [string, Partial<Habits>, RegExp])[] = [
  ["an exfiltration burst", { up: (at) => (at === 9 ? 900_000 : 420) }, /exfiltration burst|rare/],
  ["a drip", { up: () => 900 }, /drip|rare/],
  ["a beacon", { up: () => 410, down: () => 380, pauseMs: () => 30_000, answerMs: () => 50 }, /beacon|rare/],
  ["answers that somebody holds back", { answerMs: () => 900 }, /latency shift/],
  ["a bulk read", { down: () => 200_000 }, /bulk read|rare/],
  [
    "a tunnel",
    { calls: 250, up: () => 900, down: () => 900, pauseMs: () => 20, answerMs: () => 20 },
    /tunnel|rare/,
  ],
  ["work at night", { hour: 3 }, /unusual hour/],
];

for (const [what, changes, found] of attacks) {
  test(`${what} is at risk 0.6 or above, and says what it was found by`, () => {
    const verdict = verdictOn(changes);
    assert.ok(verdict.risk >= 0.6, `${verdict.risk} ${verdict.says}`);
    assert.match(verdict.found, found);
    assert.match(verdict.says, /p = .* among 400 benign flows/);
  });
}

test("a handshake without ML-KEM is certain, whatever else the flow is like", () => {
  const verdict = verdictOn({ hellos: [347, 122] });
  assert.deepEqual([verdict.risk, verdict.p, verdict.found], [1, 0, "classical handshake"]);
  assert.match(verdict.says, /1 of 1 handshakes had no ML-KEM: hellos of 347 and 122 bytes/);
});

test("of new benign flows about one in a hundred is at risk 0.6 or above", () => {
  const fresh = seededRandom(1234);
  const risks = Array.from({ length: 1000 }, () => score(flowOf(habitsOf(fresh))).risk);
  const share = risks.filter((risk) => risk >= 0.6).length / risks.length;
  assert.ok(share <= 0.03, `${share}`);
});

test("a model of few flows can't claim what it can't know: risk is bounded by their number", () => {
  const few = flowScorer(trainFlows(benign.slice(0, 50)));
  const { risk } = few(flowOf({ ...habitsOf(seededRandom(99)), calls: 15, up: () => 50_000 }));
  assert.ok(risk > 0.4 && risk < 0.3 * Math.log10(51) + 1e-9, `${risk}`);
  assert.throws(() => trainFlows(benign.slice(0, 10)), RangeError);
});

test("the same flows make the same model, and numbers that no flow has don't break it", () => {
  assert.equal(JSON.stringify(trainFlows(benign)), JSON.stringify(model));
  for (const flow of [
    summaryOf([]),
    flowOf({ ...habitsOf(random), calls: 0 }),
    flowOf({ ...habitsOf(random), up: () => 1e9 }),
  ]) {
    const verdict = score(flow);
    assert.ok(Number.isFinite(verdict.score) && verdict.risk >= 0 && verdict.risk <= 1);
  }
});

test("a tail says how rare a number is, and farther out is rarer", () => {
  const tail = tailOf(Array.from({ length: 1000 }, (_, at) => at));
  assert.ok(Math.abs(surpriseAbove(tail, 990) - Math.log(100)) < 0.1);
  assert.ok(Math.abs(surpriseBelow(tail, 9) - Math.log(100)) < 0.1);
  assert.ok(surpriseAbove(tail, 2000) > surpriseAbove(tail, 1100));
  assert.ok(surpriseAbove(tail, 1100) > surpriseAbove(tail, 999));
  assert.equal(conformalP(tail, 5000), 1 / 1001);
  assert.ok(Math.abs(conformalP(tail, 990) - 0.011) < 0.001);
});
