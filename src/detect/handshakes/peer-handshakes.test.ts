import assert from "node:assert/strict";
import { test } from "node:test";

import { maxPeers, PeerHandshakes, type SeenHandshake } from "./peer-handshakes.ts";

const usual: SeenHandshake = { client: "a_b", isRetried: false, failedBefore: 0, tookMs: 12 };
const minuteMs = 60_000;

function scene(judgesLatency = true) {
  const handshakes = new PeerHandshakes(judgesLatency);
  let nowUnixMs = Date.UTC(2026, 0, 1);
  return {
    handshakes,
    /** @returns the kinds of what was found */
    links: (count: number, changes: Partial<SeenHandshake> = {}): readonly string[] =>
      Array.from({ length: count }, () => {
        nowUnixMs += minuteMs;
        return handshakes.see("agent", { ...usual, ...changes }, nowUnixMs).map(({ kind }) => kind);
      }).flat(),
  };
}

test("links like those before raise nothing, whatever they are like", () => {
  assert.deepEqual(scene().links(500), []);
  assert.deepEqual(scene().links(500, { isRetried: true, tookMs: 900 }), []);
});

test("an identity that two TLS clients use in turn is told; one that was updated, or rolled back, isn't", () => {
  const { links } = scene();
  const other = { client: "c_d" };
  assert.deepEqual([...links(9), ...links(9, other), ...links(9), ...links(9, other)], []);
  assert.deepEqual(links(1), ["handshake.clients"]);
  assert.deepEqual([...links(1, other), ...links(1)], [], "once an hour");
});

test("hellos that suddenly need another key share are told, and those that always did aren't", () => {
  const { links } = scene();
  links(30);
  assert.deepEqual(links(5, { isRetried: true }), []);
  assert.deepEqual(links(3, { isRetried: true }), ["handshake.retries"]);
});

test("a link after many that failed is told", () => {
  assert.deepEqual(scene().links(1, { failedBefore: 4 }), []);
  assert.deepEqual(scene().links(1, { failedBefore: 5 }), ["handshake.failures"]);
});

test("handshakes that take longer are told where that was asked for, a single one never", () => {
  const { links } = scene();
  for (let at = 0; at < 30; at++) links(1, { tookMs: 10 + (at % 5) });
  assert.deepEqual(links(3, { tookMs: 300 }), []);
  assert.deepEqual(links(1, { tookMs: 300 }), ["handshake.latency"]);
  const quiet = scene(false);
  quiet.links(30);
  assert.deepEqual(quiet.links(10, { tookMs: 300 }), []);
});

test("numbers that are none and clocks that jump change nothing, and peers and clients are bounded", () => {
  const handshakes = new PeerHandshakes(true);
  for (let at = 0; at < 50_000; at++) {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, -1][at % 3] ?? 0;
    const seen = {
      client: `client-${at}`,
      isRetried: false,
      failedBefore: odd === -1 ? -1 : Number.NaN,
      tookMs: odd,
    };
    assert.deepEqual(handshakes.see(`peer-${at % 10_000}`, seen, at % 5 === 0 ? odd : at), []);
  }
  assert.equal(handshakes.size, maxPeers);
});
