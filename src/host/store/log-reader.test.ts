import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { appendMany, draft, newFolder, open } from "../../../test/support/log-fixture.ts";
import { type LoggedEntry, openLogReader } from "./log-reader.ts";

const folder = newFolder();
const journal = await open(folder);
await appendMany(journal, 0, 600);
await journal.checkpoint();
await appendMany(journal, 600, 610);

async function indexes(entries: AsyncIterable<LoggedEntry>): Promise<readonly number[]> {
  const all: number[] = [];
  for await (const { index, reading } of entries) {
    assert.equal(reading.kind === "entry" && reading.entry.callId, `call-${index}`);
    all.push(index);
  }
  return all;
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

test("entries are read forwards and backwards, from any place", async () => {
  const reader = openLogReader(folder);
  assert.equal(await reader.size(), 610);
  assert.deepEqual(await indexes(reader.forwards()), range(0, 610));
  assert.deepEqual(await indexes(reader.forwards(256)), range(256, 610));
  assert.deepEqual(await indexes(reader.forwards(610)), []);
  assert.deepEqual(await indexes(reader.backwards()), range(0, 610).toReversed());
  assert.deepEqual(await indexes(reader.backwards(257)), range(0, 257).toReversed());
});

test("a copy without open/ is read as far as its head goes", async () => {
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  rmSync(join(copy, "open"), { recursive: true });
  const reader = openLogReader(copy);
  assert.equal(await reader.size(), 600);
  assert.deepEqual(await indexes(reader.forwards(500)), range(500, 600));
});

test("a folder without a log has no entries", async () => {
  const reader = openLogReader(newFolder());
  assert.equal(await reader.size(), 0);
  assert.deepEqual(await indexes(reader.forwards()), []);
});

test("a call's entries are found by its id, and an id that only looks like it isn't", async () => {
  const own = newFolder();
  const journal = await open(own);
  await journal.append(draft(0, { callId: "wanted" }));
  await appendMany(journal, 0, 300);
  await journal.append(draft(0, { callId: "wanted", event: "call.outcome" }));
  await journal.append(draft(0, { callId: "wanted-not" }));
  const found = await openLogReader(own).find("wanted");
  assert.deepEqual(
    found.map(({ index }) => index),
    [0, 301],
  );
  assert.deepEqual(await openLogReader(own).find("call"), []);
  await journal.close();
});

test("follow yields what is there, then what is written, across bundles, until it is aborted", async () => {
  const own = newFolder();
  const journal = await open(own);
  await appendMany(journal, 0, 3);
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const { index } of openLogReader(own).follow(1, stop.signal)) {
    seen.push(index);
    if (index === 2) await appendMany(journal, 3, 300);
    if (index === 299) stop.abort();
  }
  assert.deepEqual(seen, range(1, 300));
  await journal.close();
});

test("the journal that is read from can be closed", async () => {
  await journal.close();
});
