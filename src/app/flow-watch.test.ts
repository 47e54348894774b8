/** That what watches never stands in the way of what it watches. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Journal } from "../gate/ports.ts";
import { systemLog } from "../host/system.ts";
import type { Clock } from "../kernel/clock.ts";
import type { EntryDraft } from "../model/entry.ts";
import { detectSchema } from "./config/detect.ts";
import { watchFlows } from "./flow-watch.ts";

const burst = { direction: "outgoing", peer: "lab", startMs: 0, up: 10_000_000, down: 10 } as const;
const clock: Clock = { nowUnixMs: () => Date.UTC(2026, 0, 1) };

function scene(
  append: (entry: EntryDraft) => Promise<never>,
  at: Clock = clock,
  detect: object = {},
  threats?: { readonly alert_on_latency_spike: boolean },
) {
  const lines: string[] = [];
  const log = systemLog({ level: "debug", clock, form: "json", write: (line) => void lines.push(line) });
  const journal = { append } as unknown as Journal;
  const config = { detect: detectSchema.parse(detect), threat_detection: threats };
  return { watch: watchFlows(config, { journal, clock: at, log }), lines };
}

test("a detector that throws is logged once, and whoever tells it of a call notices nothing", () => {
  const failing: Clock = {
    nowUnixMs: () => {
      throw new Error("no clock");
    },
  };
  const { watch, lines } = scene(() => Promise.reject(new Error("unused")), failing);
  for (let call = 0; call < 5; call++) watch.onExchange?.(burst);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /flows\.failed.*no clock/);
});

test("a finding that can't be recorded is in the log all the same, with why it isn't on record", async () => {
  const { watch, lines } = scene(() => Promise.reject(new Error("disk full")));
  watch.onExchange?.(burst);
  await watch.stop();
  assert.match(lines[0] ?? "", /flow\.finding.*flow\.exfiltration-burst/);
  assert.match(lines[1] ?? "", /flows\.unrecorded.*disk full/);
});

test("more findings than can be recorded wait in bounded number; the log has them all", async () => {
  const { promise, resolve } = Promise.withResolvers<never>();
  let appended = 0;
  const { watch, lines } = scene(() => {
    appended++;
    return promise;
  });
  for (let at = 0; at < 500; at++) watch.onExchange?.({ ...burst, peer: `web https://${at}.test` });
  assert.equal(lines.length, 500);
  resolve(undefined as never);
  await watch.stop();
  assert.equal(appended, 64);
});

test("what isn't watched is not asked for", () => {
  const { watch } = scene(() => Promise.reject(new Error("unused")), clock, {
    flows: "off",
    handshakes: false,
  });
  assert.deepEqual([watch.onExchange, watch.onLink], [undefined, undefined]);
});

for (const [what, flows, threats, told] of [
  ["nobody, by default", {}, undefined, []],
  ["those named", { alert_on_latency_spike: ["lab", "web"] }, undefined, ["lab", "web https://a.test"]],
  ["all", { alert_on_latency_spike: true }, undefined, ["lab", "other", "web https://a.test"]],
  [
    "all, as threat_detection says",
    {},
    { alert_on_latency_spike: true },
    ["lab", "other", "web https://a.test"],
  ],
] as const) {
  test(`servers of which it is told that they became slow: ${what}`, () => {
    const peers = ["lab", "other", "web https://a.test"];
    const { watch, lines } = scene(() => Promise.reject(new Error("unused")), clock, { flows }, threats);
    for (let call = 0; call < 2000; call++) {
      const answerMs = (call < 1500 ? 50 : 500) * (1 + (call % 7) / 10);
      for (const peer of peers) {
        watch.onExchange?.({
          direction: "outgoing",
          peer,
          startMs: call * 1000,
          up: 500,
          down: 900,
          answerMs,
        });
      }
    }
    const found = lines.map((line) => JSON.parse(line) as { readonly peer: string; readonly kind?: string });
    const slow = found.filter(({ kind }) => kind === "flow.latency").map(({ peer }) => peer);
    assert.deepEqual(
      slow.toSorted((a, b) => (a < b ? -1 : 1)),
      told,
    );
  });
}
