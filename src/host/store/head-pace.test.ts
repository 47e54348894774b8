import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { appendMany, newFolder, open } from "../../../test/support/log-fixture.ts";
import { headPace, headPatienceMs, longestHeadPauseMs, shortestHeadPauseMs } from "./head-pace.ts";
import type { FileJournal } from "./journal-files.ts";

test("few entries stretch the pause to fifteen times the shortest, and many end that at once", () => {
  const pace = headPace(1000);
  const pauses: number[] = [];
  for (let i = 0; i < 6; i++) {
    pauses.push(pace.pauseMs(1));
    pace.published(31);
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 15_000, 15_000]);
  assert.deepEqual([shortestHeadPauseMs, longestHeadPauseMs], [1000, Math.max(...pauses)]);
  assert.ok(headPatienceMs > longestHeadPauseMs, "who waits for a head waits for the longest pause");
  assert.equal(pace.pauseMs(32), 1000);
  pace.published(32);
  assert.equal(pace.pauseMs(1), 1000);
});

interface Paced {
  readonly journal: FileJournal;
  /** How long it takes until a head is begun; waits until it is written. */
  readonly pauseUntilHead: () => Promise<number>;
}

/** A journal under a clock that only the test moves. */
async function paced(t: TestContext): Promise<Paced> {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.UTC(2026, 10, 21, 12) });
  const heads = { begun: 0 };
  const clock = {
    nowUnixMs: () => {
      // The journal asks for the time when it begins a head, and only then.
      heads.begun++;
      return Date.now();
    },
  };
  const journal = await open(newFolder(), { checkpointEveryMs: 1000, clock });
  const pauseUntilHead = async (): Promise<number> => {
    const [from, before] = [Date.now(), heads.begun];
    while (heads.begun === before && Date.now() - from < 20_000) t.mock.timers.tick(500);
    const pause = Date.now() - from;
    await journal.checkpoint();
    assert.equal(heads.begun, before + 1);
    return pause;
  };
  return { journal, pauseUntilHead };
}

test("heads come by themselves: every second under load, less often when there is little to cover", async (t) => {
  const { journal, pauseUntilHead } = await paced(t);
  const pauses: number[] = [];
  for (const count of [3, 3, 3, 40, 40, 3, 3]) {
    await appendMany(journal, journal.size(), journal.size() + count);
    pauses.push(await pauseUntilHead());
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 1000, 1000, 1000, 2000]);
  t.mock.timers.reset();
  await journal.close();
});

test("entries that pile up while the log waits for its next head bring it within a second", async (t) => {
  const { journal, pauseUntilHead } = await paced(t);
  for (let i = 0; i < 4; i++) {
    await appendMany(journal, i, i + 1);
    await pauseUntilHead();
  }
  await appendMany(journal, 4, 5);
  t.mock.timers.tick(3000);
  await appendMany(journal, 5, 50);
  assert.equal(await pauseUntilHead(), 1000);
  t.mock.timers.reset();
  await journal.close();
});

test("a head that is asked for comes at once", async (t) => {
  const { journal } = await paced(t);
  await appendMany(journal, 0, 1);
  const from = Date.now();
  await journal.checkpoint();
  assert.deepEqual([journal.head()?.size, journal.head()?.atUnixMs], [1, from]);
  t.mock.timers.reset();
  await journal.close();
});
