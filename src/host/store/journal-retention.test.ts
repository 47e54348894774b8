import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import {
  appendMany,
  cause,
  draft,
  newFolder,
  newGeneration,
  open,
  signers,
  verify,
} from "../../../test/support/log-fixture.ts";
import { pruneDraft } from "../../audit/prune.ts";
import { verifyLog } from "../../audit/verify.ts";
import { bundlePath, tilePath, tileWidth } from "../../merkle/tiles.ts";
import type { FileJournal } from "./journal-files.ts";
import { newestAsOldAs, type Pruned, type Pruning, pruneLog } from "./journal-retention.ts";
import { publicGeneration } from "./journal-rotation.ts";
import { openLogReader } from "./log-reader.ts";

/** Entry i of `draft` happened at this moment. */
const momentOf = (i: number): number => 1_790_000_000_000 + i;

function prune(
  folder: string,
  journal: FileJournal,
  before: number,
  more: Partial<Pruning> = {},
): Promise<Pruned> {
  const beforeUnixMs = momentOf(before);
  const say = (first: number) => pruneDraft(first, beforeUnixMs, cause());
  return pruneLog({ folder, journal, beforeUnixMs, draft: say, ...more });
}

async function logOf(count: number): Promise<{ readonly folder: string; readonly journal: FileJournal }> {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, count);
  await journal.checkpoint();
  return { folder, journal };
}

function bundles(folder: string, upTo: number): readonly number[] {
  return Array.from({ length: upTo }, (_, i) => i).filter((i) => existsSync(join(folder, bundlePath(i))));
}

async function intact(folder: string): Promise<number> {
  const verdict = await verify(folder);
  return verdict.kind === "intact" ? verdict.pruned : assert.fail(JSON.stringify(verdict));
}

test("only whole bundles whose entries are all older go, and the log verifies, opens and goes on", async () => {
  const { folder, journal } = await logOf(1300);
  assert.deepEqual(await prune(folder, journal, 255), { first: 0, removed: 0 });
  assert.equal(journal.size(), 1300, "nothing to remove, nothing to say");
  assert.deepEqual(await prune(folder, journal, 700), { first: 512, removed: 512 });
  assert.deepEqual(bundles(folder, 5), [2, 3, 4]);
  assert.ok(existsSync(join(folder, tilePath({ level: 0, index: 0, width: tileWidth }))));
  assert.equal(await intact(folder), 512);
  assert.deepEqual(await prune(folder, journal, 800), { first: 768, removed: 256 });
  await journal.close();

  const again = await open(folder);
  assert.equal(again.size(), 1302);
  await appendMany(again, 1302, 1400);
  assert.deepEqual(await prune(folder, again, 800), { first: 768, removed: 0 });
  await again.close();
  assert.equal(await intact(folder), 768);
});

test("the bundle in which the head ends stays, however old its entries are", async () => {
  for (const count of [100, 256, 512, 600]) {
    const { folder, journal } = await logOf(count);
    const { first } = await prune(folder, journal, 10_000);
    assert.ok(first < count);
    await journal.close();
    await open(folder).then((again) => again.close());
    assert.equal(await intact(folder), first);
  }
});

test("entries out of the order of time are kept with the newest of their bundle", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 300);
  await journal.append(draft(300, { atUnixMs: momentOf(100_000) }));
  await appendMany(journal, 301, 1000);
  await journal.checkpoint();
  assert.deepEqual(await prune(folder, journal, 1000), { first: 256, removed: 256 });
  await journal.close();
});

test("no file goes if the head that covers the log.prune can't be written, and the next run goes on", async () => {
  const { folder, journal } = await logOf(1000);
  const headless = { ...pick(journal), checkpoint: () => Promise.reject(new Error("disk full")) };
  await assert.rejects(prune(folder, journal, 600, { journal: headless }));
  const silent = { ...pick(journal), checkpoint: () => Promise.resolve() };
  await assert.rejects(prune(folder, journal, 600, { journal: silent }), /no head covers/);
  assert.deepEqual(bundles(folder, 3), [0, 1, 2]);
  await journal.checkpoint();
  assert.deepEqual(await prune(folder, journal, 600), { first: 512, removed: 512 });
  await journal.close();
});

function pick({
  append,
  checkpoint,
  head,
}: FileJournal): Pick<FileJournal, "append" | "checkpoint" | "head"> {
  return { append, checkpoint, head };
}

test("a run that died between its entry and the last file is finished by the next", async () => {
  const { folder, journal } = await logOf(1300);
  const over = new AbortController();
  const checkpoint = async (): Promise<void> => {
    await journal.checkpoint();
    over.abort();
  };
  await prune(folder, journal, 1100, { journal: { ...pick(journal), checkpoint }, signal: over.signal });
  rmSync(join(folder, bundlePath(0)));
  await journal.close();
  assert.equal(await intact(folder), 256);
  const again = await open(folder);
  assert.deepEqual(await prune(folder, again, 0), { first: 1024, removed: 768 });
  await again.close();
  assert.equal(await intact(folder), 1024);
});

test("a bundle beyond what log.prune says stops the opening, and so does any without one", async () => {
  const { folder, journal } = await logOf(1300);
  await prune(folder, journal, 600);
  await journal.close();
  rmSync(join(folder, bundlePath(2)));
  await assert.rejects(open(folder), { code: "bad_log", message: /tile\/entries\/002 is missing/ });
});

test("a log whose rotation was pruned verifies with the first key and the newest", async () => {
  const { folder, journal } = await logOf(300);
  const next = newGeneration(2);
  await journal.rotate(next, cause());
  await appendMany(journal, 301, 1300);
  await journal.checkpoint();
  // The rotation's entry happened long after those of the fixture.
  assert.deepEqual(await prune(folder, journal, 86_400_000_000), { first: 1280, removed: 1280 });
  await journal.close();
  const { files } = openLogReader(folder);
  for (const generation of [{ number: 1, signers, dailySigner: undefined }, next]) {
    const verdict = await verifyLog({ files, logKey: [publicGeneration(generation)] });
    assert.equal(verdict.kind === "intact" && verdict.pruned, 1280, JSON.stringify(verdict));
  }
  await open(folder, { signers: next.signers, generation: 2 }).then((again) => again.close());
});

test("readers begin with the first entry that is there", async () => {
  const { folder, journal } = await logOf(1000);
  await prune(folder, journal, 600);
  await journal.close();
  const reader = openLogReader(folder);
  assert.deepEqual(
    [await reader.first(), await reader.prunedBefore(), await reader.size()],
    [512, 512, 1001],
  );
  const indexes: number[] = [];
  for await (const { index } of reader.forwards()) indexes.push(index);
  assert.deepEqual([indexes[0], indexes.at(-1), indexes.length], [512, 1000, 489]);
  const backwards: number[] = [];
  for await (const { index } of reader.backwards()) backwards.push(index);
  assert.equal(backwards.at(-1), 512);
  assert.deepEqual(await reader.find("call-3"), []);
});

test("the newest entry of before a moment is found in whichever bundle it stands, whatever came behind it", async () => {
  const { folder, journal } = await logOf(600);
  const found = (i: number): Promise<number | undefined> =>
    newestAsOldAs(folder, journal.size(), momentOf(i));
  for (const i of [0, 255, 256, 511, 512, 599]) assert.equal(await found(i), momentOf(i));
  assert.equal(await found(10_000), momentOf(599));
  assert.equal(await found(-1), undefined);
  // A clock that ran ahead, and was put back.
  await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      journal.append(draft(600 + i, { atUnixMs: momentOf(100_000 + i) })),
    ),
  );
  assert.equal(await found(10_000), momentOf(599));
  await journal.append(draft(900, { atUnixMs: momentOf(700) }));
  assert.equal(await found(10_000), momentOf(700));
  await journal.close();
});
