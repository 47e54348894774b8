/** The live stream's batches of calls, the list of the last ones, and their stages. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { callEntries, loggedCall } from "../../test/support/logged-calls.ts";
import { callInFull } from "./call-detail.ts";
import { keptStages } from "./kept-stages.ts";
import { type LiveBatch, liveCalls } from "./live-calls.ts";
import { recentCalls } from "./recent-calls.ts";

function watched() {
  const sent: LiveBatch[] = [];
  const waiting: (() => void)[] = [];
  const watching = { is: true };
  const live = liveCalls({
    isWatched: () => watching.is,
    send: (batch) => sent.push(batch),
    later: (act) => waiting.push(act),
    chance: () => 0.5,
    nowUnixMs: () => 5,
  });
  const tick = (): void => waiting.splice(0).forEach((act) => act());
  return { live, sent, waiting, watching, tick };
}

test("a batch has at most twenty calls, exact counts, and refused ones before others", () => {
  const { live, sent, waiting, tick } = watched();
  for (let i = 0; i < 500; i++) live.see(loggedCall({ callId: `a${i}` }));
  for (let i = 0; i < 3; i++) live.see(loggedCall({ callId: `d${i}`, verdict: "denied" }));
  assert.equal(waiting.length, 1);
  tick();
  assert.equal(sent.length, 1);
  const [batch] = sent;
  assert.equal(batch?.calls.length, 20);
  assert.equal(batch?.calls.filter(({ verdict }) => verdict === "denied").length, 3);
  const counts = { calls: 503, allowed: 500, denied: 3, held: 0, error: 0, postQuantum: 503 };
  assert.deepEqual(batch?.counts, counts);
  live.see(loggedCall({ verdict: "held" }));
  tick();
  assert.deepEqual(sent[1]?.counts, { ...counts, calls: 1, allowed: 0, denied: 0, held: 1, postQuantum: 1 });
  assert.deepEqual(sent[1]?.totals, { ...counts, calls: 504, held: 1, postQuantum: 504 });
});

test("where refused calls come in floods, half of the places are left to others", () => {
  const { live, sent, tick } = watched();
  for (let i = 0; i < 100; i++) live.see(loggedCall({ verdict: i % 2 === 0 ? "denied" : "allowed" }));
  tick();
  assert.equal(sent[0]?.calls.filter(({ verdict }) => verdict === "denied").length, 10);
  assert.equal(sent[0]?.calls.length, 20);
});

test("while nobody watches nothing waits and nothing is sent, and the totals go on", () => {
  const { live, sent, waiting, watching, tick } = watched();
  watching.is = false;
  for (let i = 0; i < 10; i++) live.see(loggedCall({}));
  assert.equal(waiting.length, 0);
  watching.is = true;
  live.see(loggedCall({}));
  tick();
  assert.equal(sent[0]?.counts.calls, 1);
  assert.equal(sent[0]?.totals.calls, 11);
});

test("nobody who was erased goes out with a batch that waits", () => {
  const { live, sent, tick } = watched();
  live.see(loggedCall({ caller: "spiffe://a.example/agent/gone" }));
  live.forget();
  tick();
  assert.doesNotMatch(JSON.stringify(sent), /gone/);
  assert.equal(sent[0]?.counts.calls, 1);
});

test("the last calls are listed newest first, those under way with them, and told of once when they end", () => {
  const ended: unknown[] = [];
  const recent = recentCalls((call) => ended.push(call));
  for (let i = 0; i < 600; i++) {
    const { decision, outcome } = callEntries({ callId: `c${i}`, atUnixMs: i });
    recent.see(decision);
    if (i !== 0) recent.see(outcome);
  }
  const listed = recent.list(1000);
  assert.equal(listed.length, 501);
  assert.equal(listed[0]?.callId, "c599");
  assert.deepEqual([listed.at(-1)?.callId, listed.at(-1)?.isUnderWay, listed.at(-1)?.ms], ["c0", true, null]);
  assert.equal(ended.length, 599);
  assert.equal(recent.find("c1"), undefined);
  assert.equal(recent.find("c0")?.outcome, undefined);
  recent.forget(["spiffe://a.example/agent/x"]);
  assert.deepEqual(recent.list(1000), []);
});

test("a call in full says its link, its risk, what was found where, and its server's link", () => {
  const told = callInFull(
    loggedCall({ risk: 0.7, findings: "secret=arguments.body told.override", serverGroup: "X25519MLKEM768" }),
  );
  assert.equal(told.call.verdict, "allowed");
  assert.deepEqual(told.findings, [
    { kind: "secret", at: "arguments.body", in: "call" },
    { kind: "told.override", at: null, in: "call" },
  ]);
  assert.equal(told.risk?.call, 0.7);
  assert.deepEqual(
    [told.link.keyExchange, told.link.group, told.link.level, told.link.certificate],
    ["hybrid", "X25519MLKEM768", 3, "ML-DSA-65"],
  );
  assert.equal(told.serverLink?.keyExchange, "hybrid");
  assert.equal(callInFull(loggedCall({ isPlain: true })).serverLink?.keyExchange, "none");
  assert.equal(callInFull(loggedCall({})).serverLink, null);
});

test("stages follow each other from the call's begin, of the last calls alone", () => {
  const stages = keptStages(2);
  stages.keep("a", {
    startMs: 100,
    decidedMs: 101,
    journaledMs: 103,
    forwardedMs: 103.5,
    answeredMs: 110,
    endMs: 112,
  });
  stages.keep("b", { startMs: 200, endMs: 201 });
  assert.deepEqual(stages.of("a"), [
    { stage: "judge", fromMs: 0, ms: 1 },
    { stage: "journal", fromMs: 1, ms: 2 },
    { stage: "server", fromMs: 3.5, ms: 6.5 },
    { stage: "answer", fromMs: 10, ms: 2 },
  ]);
  assert.deepEqual(stages.of("b"), [{ stage: "judge", fromMs: 0, ms: 1 }]);
  stages.keep("c", { startMs: 300, endMs: 301 });
  assert.deepEqual(stages.of("a"), []);
});
