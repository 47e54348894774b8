/** What an outlet does where the log's files aren't what it told, or what its head covers. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import type { Sink } from "../../host/outlets/sink.ts";
import type { Told } from "../../respond/events/told.ts";
import { appendMany, draft, open, origin } from "../../../test/support/log-fixture.ts";
import { outletScene } from "../../../test/support/outlets.ts";
import { withMark } from "./log-marks.ts";

/** Takes all but what `isDown` says. */
function taking(maxBatch = 100, more: { readonly inDoubt?: number; readonly isDown?: () => boolean } = {}) {
  const { inDoubt = 0, isDown = () => false } = more;
  const told: Told[] = [];
  const sink: Sink = {
    maxBatch,
    inDoubt,
    link: () => undefined,
    close: () => Promise.resolve(),
    send: (events) => {
      if (isDown()) return Promise.resolve({ taken: 0, failed: "away" });
      told.push(...events);
      return Promise.resolve({ taken: events.length });
    },
  };
  return { sink, told, uids: () => told.map(({ uid }) => uid.slice(origin.length)) };
}

function numbers(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, i) => `#${from + i}`);
}

test("a bundle that was cut is told as a gap, and what is behind it is told", async (t) => {
  const { journal, folder, log, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 600);
  await journal.checkpoint();
  const bundle = path.join(folder, "tile/entries/000");
  truncateSync(bundle, Math.floor(readFileSync(bundle).length / 2));
  const { sink, told, uids } = taking();
  await untilIdle(sink);
  const gap = told.findIndex(({ event }) => event === "outlet.gap");
  assert.ok(gap > 50 && gap < 200, "half of it is left");
  assert.deepEqual(uids(), [...numbers(0, gap), `#${gap}-255`, ...numbers(256, 600)]);
  assert.deepEqual(log.events, ["outlet.gap"]);
});

test("an end that was cut under its head stops the outlet, which says so, and goes on when it is back", async (t) => {
  const { journal, folder, store, log, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 30);
  await journal.checkpoint();
  const bundle = path.join(folder, "open/0");
  const whole = readFileSync(bundle);
  truncateSync(bundle, 200);
  const { sink, uids } = taking();
  await untilIdle(sink, () => {
    assert.match(
      store.of("siem")?.lastError ?? "",
      /^entry \d isn't in the log's files, and its head covers it$/,
    );
    writeFileSync(bundle, whole);
    return true;
  });
  assert.deepEqual(uids(), numbers(0, 30));
  assert.deepEqual(log.events, ["outlet.unreachable", "outlet.reached"]);
});

test("a log that lost its end and grew beyond it is told from there, after a word about what was lost", async (t) => {
  const { journal, folder, store, log, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 20);
  await journal.checkpoint();
  const copy = `${folder}-copy`;
  const filter = (file: string): boolean => !file.endsWith("lock");
  cpSync(folder, copy, { recursive: true, filter });
  await appendMany(journal, 20, 45);
  const before = taking(10);
  await untilIdle(before.sink);
  assert.deepEqual(before.uids(), numbers(0, 45));
  await journal.close();
  rmSync(folder, { recursive: true });
  cpSync(copy, folder, { recursive: true });
  const again = await open(folder);
  for (let i = 20; i < 60; i++) await again.append(draft(i, { callId: `other-${i}` }));
  const after = taking(10);
  await untilIdle(after.sink);
  await again.close();
  const [loss = "", ...rest] = after.uids();
  assert.match(loss, /^#lost-20-44-[0-9a-f]{8}$/);
  assert.deepEqual(rest, numbers(20, 60));
  assert.equal(after.told[1]?.callId, "other-20");
  assert.deepEqual(log.events, ["outlet.log_shorter"]);
  assert.equal(store.of("siem")?.cursor, 60);
  const later = taking();
  await untilIdle(later.sink);
  assert.deepEqual(later.uids(), [], "it is told once");
});

test("what was in doubt when the gateway ended is sent again when the receiver's end broke meanwhile", async (t) => {
  const { journal, untilIdle } = await outletScene(t);
  await appendMany(journal, 0, 300);
  const before = taking(100, { inDoubt: 2 });
  await untilIdle(before.sink);
  assert.deepEqual(before.uids(), numbers(0, 300));
  await appendMany(journal, 300, 310);
  let isDown = true;
  const after = taking(100, { inDoubt: 2, isDown: () => isDown });
  await untilIdle(after.sink, () => {
    isDown = false;
    return true;
  });
  assert.deepEqual(after.uids(), numbers(100, 310));
});

test("few marks are kept, and never far from where a log may have lost its end", () => {
  let marks: ReturnType<typeof withMark> = [];
  for (let cursor = 1; cursor <= 5000; cursor++) marks = withMark(marks, cursor, Buffer.from(String(cursor)));
  assert.ok(marks.length <= 30);
  for (let lost = 1; lost < 2500; lost++)
    assert.ok(marks.some(({ cursor }) => cursor <= 5000 - lost && cursor >= 5000 - 4 * lost));
});
