import assert from "node:assert/strict";
import { fdatasync } from "node:fs";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";

import {
  appendMany,
  draft,
  newFolder,
  open,
  rememberingLog,
  verify,
} from "../../../test/support/log-fixture.ts";
import type { Sync } from "./bundle-file.ts";
import { openLogReader } from "./log-reader.ts";

const fdatasyncOf = promisify(fdatasync);

/** A disk whose syncs begin when the test says so, or fail. */
function heldDisk() {
  let gate: PromiseWithResolvers<void> | undefined;
  let failure: Error | undefined;
  let syncs = 0;
  const sync: Sync = async (fd) => {
    syncs++;
    await gate?.promise;
    if (failure !== undefined) throw failure;
    await fdatasyncOf(fd);
  };
  return {
    sync,
    syncs: () => syncs,
    hold: () => void (gate = Promise.withResolvers()),
    release: () => gate?.resolve(),
    fail: () => void (failure = Object.assign(new Error("EIO: no"), { code: "EIO" })),
  };
}

test("with durability power an entry is acknowledged when the disk has it, with process when it is written", async () => {
  for (const durability of ["power", "process"] as const) {
    const disk = heldDisk();
    const journal = await open(newFolder(), { durability, sync: disk.sync });
    disk.hold();
    let isAcknowledged = false;
    const receipt = journal.append(draft(0)).then(() => (isAcknowledged = true));
    await turn();
    await turn();
    assert.equal(journal.size(), 1);
    assert.equal(isAcknowledged, durability === "process");
    disk.release();
    await receipt;
    await journal.close();
  }
});

test("entries that come while a sync is under way share the next one, and keep their order", async () => {
  const disk = heldDisk();
  const journal = await open(newFolder(), { durability: "power", sync: disk.sync });
  const before = disk.syncs();
  disk.hold();
  const acknowledged: number[] = [];
  const all: Promise<void>[] = [];
  for (let i = 0; i < 50; i++) {
    all.push(journal.append(draft(i)).then(({ index }) => void acknowledged.push(index)));
    await turn();
  }
  assert.deepEqual(acknowledged, []);
  disk.release();
  await Promise.all(all);
  assert.deepEqual(
    acknowledged,
    Array.from({ length: 50 }, (_, i) => i),
  );
  assert.equal(disk.syncs() - before, 2);
  await journal.close();
});

test("entries of several bundles are acknowledged when all of these are on the disk", async () => {
  const folder = newFolder();
  const journal = await open(folder, { durability: "power" });
  await appendMany(journal, 0, 700);
  // Died here: no head, no close.
  rmSync(join(folder, "lock"));
  const again = await open(folder, { durability: "power" });
  assert.equal(again.size(), 700);
  await again.close();
  const verdict = await verify(folder);
  assert.equal(verdict.kind === "intact" && verdict.size, 700);
});

test("a sync that fails refuses its entries and stops the log until it is opened again", async () => {
  const folder = newFolder();
  const disk = heldDisk();
  const log = rememberingLog();
  const journal = await open(folder, { durability: "power", sync: disk.sync, log });
  await appendMany(journal, 0, 10);
  disk.fail();
  const message = /The disk didn't keep what the audit log wrote \(EIO\).*started again/;
  const refusal = { code: "journal_unavailable", message };
  await Promise.all([10, 11].map((i) => assert.rejects(journal.append(draft(i)), refusal)));
  await assert.rejects(journal.append(draft(12)), refusal);
  await assert.rejects(journal.checkpoint(), { code: "journal_unavailable" });
  assert.ok(log.events.includes("journal.sync_failed"));
  await assert.rejects(journal.close(), { code: "journal_unavailable" });

  const again = await open(folder, { durability: "power" });
  assert.ok(again.size() >= 10 && again.size() <= 12, "what was refused may be there, nothing else");
  await again.append(draft(13));
  await again.close();
  const ids: string[] = [];
  for await (const { reading } of openLogReader(folder).forwards()) {
    ids.push(reading.kind === "entry" ? reading.entry.callId : "unreadable");
  }
  assert.equal(ids.includes("call-12"), false);
  assert.equal((await verify(folder)).kind, "intact");
});

test("with durability process a sync that failed once lets no further head be signed, and calls go on", async () => {
  const disk = heldDisk();
  const healing = heldDisk();
  let isBad = false;
  const sync: Sync = (fd) => (isBad ? disk.sync(fd) : healing.sync(fd));
  const said: unknown[] = [];
  const say = (event: string, fields?: Readonly<Record<string, unknown>>): void => {
    said.push(`${event}: ${String(fields?.["error"])}`);
  };
  const log = { error: say, warn: say, info: () => {}, debug: () => {} };
  const journal = await open(newFolder(), { sync, log });
  disk.fail();
  isBad = true;
  await appendMany(journal, 0, 5);
  const message = /calls go on, but no head is signed until the gateway is started again/;
  await assert.rejects(journal.checkpoint(), { code: "journal_unavailable", message });
  isBad = false;
  await assert.rejects(journal.checkpoint(), { code: "journal_unavailable", message });
  for (const event of ["journal.sync_failed", "journal.head_failed"]) {
    const lines = said.filter((line) => String(line).startsWith(event));
    assert.ok(lines.length > 0 && lines.every((line) => message.test(String(line))), lines.join("\n"));
  }
  await appendMany(journal, 5, 9);
  assert.deepEqual([journal.size(), journal.head()?.size], [9, 0]);
  await assert.rejects(journal.close());
});
