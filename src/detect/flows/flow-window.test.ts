import assert from "node:assert/strict";
import { test } from "node:test";

import { heldBy } from "../../../test/support/heap.ts";
import type { FlowRecord } from "./flow-record.ts";
import { classicalHandshakes } from "./handshake-sizes.ts";
import { featureNames, featuresOf } from "./flow-features.ts";
import { FlowWindow, maxExchanges, summaryOf } from "./flow-window.ts";
import { isByQuotedRule } from "./quoted-rule.ts";

function data(tMs: number, from: FlowRecord["from"], bytes: number, connection = 1): FlowRecord {
  return { tMs, from, type: 23, bytes, connection };
}

function hello(tMs: number, from: FlowRecord["from"], bytes: number, connection = 1): FlowRecord {
  return { tMs, from, type: 22, bytes, connection };
}

test("requests and what answers them become exchanges, on each connection by itself", () => {
  const { exchanges, up, down } = summaryOf([
    data(0, "client", 400),
    data(1, "client", 100),
    data(10, "client", 300, 2),
    data(51, "server", 1000),
    data(52, "server", 500),
    data(60, "server", 200, 2),
    data(160, "client", 450),
  ]);
  assert.deepEqual(exchanges, [
    { startMs: 0, isFirst: true, up: 500, down: 1500, upRecords: 2, downRecords: 2, answerMs: 50 },
    { startMs: 10, isFirst: true, up: 300, down: 200, upRecords: 1, downRecords: 1, answerMs: 50 },
    { startMs: 160, isFirst: false, gapMs: 100, up: 450, down: 0, upRecords: 1, downRecords: 0 },
  ]);
  assert.deepEqual([up, down], [1250, 1700]);
});

test("a handshake without ML-KEM is told from its hellos, one with a retry isn't taken for one", () => {
  const hybrid = [hello(0, "client", 1533), hello(1, "server", 1210), data(2, "client", 400)];
  const retried = [
    hello(0, "client", 1533),
    hello(1, "server", 90),
    hello(2, "client", 1600),
    hello(3, "server", 1210),
    data(4, "client", 400),
  ];
  const more = [...hybrid.slice(0, 2), hello(1, "server", 60), ...hybrid.slice(2)];
  assert.deepEqual(classicalHandshakes(summaryOf(more)), []);
  const classical = [hello(0, "client", 347), hello(1, "server", 122), data(2, "client", 400)];
  assert.deepEqual(classicalHandshakes(summaryOf(hybrid)), []);
  assert.deepEqual(classicalHandshakes(summaryOf(retried)), []);
  assert.equal(classicalHandshakes(summaryOf(classical)).length, 1);
  assert.deepEqual(classicalHandshakes(summaryOf(classical.slice(0, 2))), [], "one that came to nothing");
  assert.deepEqual(classicalHandshakes(summaryOf([data(0, "client", 400)])), [], "one that wasn't seen");
});

test("what is no record changes nothing, and time that goes back stands still", () => {
  const window = new FlowWindow();
  for (const each of [
    data(Number.NaN, "client", 400),
    data(0, "client", Number.NaN),
    data(0, "client", -1),
    data(0, "client", Number.POSITIVE_INFINITY),
    data(0, "client", 400, Number.NaN),
  ])
    window.see(each);
  assert.equal(window.summary().records, 0);
  window.see(data(1000, "client", 400));
  window.see(data(10, "server", 400));
  window.see({ ...data(20, "client", 400), type: 99 });
  const { exchanges, firstMs, lastMs, records } = window.summary();
  assert.equal(exchanges[0]?.answerMs, 0);
  assert.deepEqual([firstMs, lastMs, records], [1000, 1000, 3]);
});

test("a million records on a million connections, as big as numbers get, stay within bounds", () => {
  const window = new FlowWindow();
  for (let at = 0; at < 1_000_000; at++) {
    const size = at % 3 === 0 ? Number.MAX_VALUE : at % 5000;
    window.see({
      tMs: at,
      from: at % 2 === 0 ? "client" : "server",
      type: at % 256,
      bytes: size,
      connection: at,
    });
    window.see(data(at, "client", 400, at));
  }
  const summary = window.summary();
  assert.equal(summary.exchanges.length, maxExchanges);
  assert.ok(summary.handshakes.length <= 64);
  assert.ok(summary.exchangeCount > 900_000);
  const features = featuresOf(summary);
  assert.equal(features.length, featureNames.length);
  assert.ok(features.every(Number.isFinite));
});

test("of a flow without end a window holds no more than of a long one", () => {
  const held = heldBy(() => {
    const window = new FlowWindow();
    for (let at = 0; at < 300_000; at++) {
      window.see(data(at, "client", 400, at));
      window.see(data(at, "server", 400, at));
    }
    return window;
  });
  assert.ok(held < 256 * 1024, `${held} bytes`);
});

test("an empty flow has features too", () => {
  assert.ok(featuresOf(summaryOf([])).every(Number.isFinite));
  assert.equal(isByQuotedRule(summaryOf([])), false);
});

test("the quoted rule flags even sizes in number, and what comes faster than a record a millisecond", () => {
  const many = Array.from({ length: 300 }, (_, at) => data(at * 5, "client", 1000));
  assert.equal(isByQuotedRule(summaryOf(many)), true);
  assert.equal(isByQuotedRule(summaryOf(many.slice(0, 20))), false);
  const fast = many.slice(0, 20).map((each, at) => ({ ...each, tMs: at * 0.1 }));
  assert.equal(isByQuotedRule(summaryOf(fast)), true);
});
