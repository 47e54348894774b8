/** The audit log on disks that are full or read-only, and with two writers: refused or recovered, never forked. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";

import { openLogReader } from "../../src/host/store/log-reader.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  draft,
  keysToText,
  newFolder,
  newPrivateKeys,
  open,
  signersOf,
  verify,
} from "../support/log-fixture.ts";
import type { KillWriterOrder } from "../support/log-kill-writer.ts";

/** A file system of its own; undefined where none can be mounted. */
function smallDisk(t: TestContext, size: string): string | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-disk-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", folder]).status !== 0)
    return undefined;
  atEnd(t, () => spawnSync("umount", ["-l", folder]));
  return folder;
}

for (const durability of ["process", "power"] as const) {
  test(`on a full disk entries are refused, with room again they are taken, durability ${durability}`, async (t) => {
    const disk = smallDisk(t, "2m");
    if (disk === undefined) return t.skip("no tmpfs can be mounted here");
    const [folder, ballast] = [path.join(disk, "log"), path.join(disk, "ballast")];
    writeFileSync(ballast, Buffer.alloc(1_000_000));
    let journal = await open(folder, { durability });
    const acknowledged: string[] = [];
    const append = async (i: number): Promise<boolean> => {
      try {
        const { index } = await journal.append(draft(i));
        assert.equal(index, acknowledged.length);
        acknowledged.push(`call-${i}`);
        return true;
      } catch (error) {
        assert.equal((error as { code?: string }).code, "journal_unavailable");
        return false;
      }
    };
    let next = 0;
    while (await append(next++)) assert.ok(next < 10_000, "the disk never was full");
    assert.match(String(await journal.checkpoint().catch((error: unknown) => error)), /ENOSPC/);
    assert.equal((await verify(folder)).kind, "intact", "while the disk is full");
    rmSync(ballast);
    assert.ok(await append(next++));
    await journal.checkpoint();
    await journal.close();

    journal = await open(folder, { durability });
    assert.ok(await append(next++));
    await journal.close();
    const found: string[] = [];
    for await (const { reading } of openLogReader(folder).forwards()) {
      found.push(reading.kind === "entry" ? reading.entry.callId : "unreadable");
    }
    assert.deepEqual(found, acknowledged);
    const verdict = await verify(folder);
    assert.equal(verdict.kind === "intact" && verdict.size, acknowledged.length, JSON.stringify(verdict));
  });
}

test("a log on a read-only disk isn't opened, and is there when the disk can be written again", async (t) => {
  const disk = smallDisk(t, "4m");
  if (disk === undefined) return t.skip("no tmpfs can be mounted here");
  const folder = path.join(disk, "log");
  const journal = await open(folder);
  await journal.append(draft(0));
  await journal.close();
  const remount = (how: string): void =>
    assert.equal(spawnSync("mount", ["-o", `remount,${how}`, disk]).status, 0);
  remount("ro");
  await assert.rejects(open(folder), /EROFS|read-only/);
  assert.equal((await verify(folder)).kind, "intact");
  remount("rw");
  const again = await open(folder);
  assert.deepEqual(await again.append(draft(1)), { index: 1 });
  await again.close();
});

test("of processes that open one log at once one writes it, the others are refused, and nothing forks", async () => {
  const privateKeys = newPrivateKeys();
  const [signers, keys] = [signersOf(privateKeys), keysToText(privateKeys)];
  const folder = newFolder();
  for (let round = 0; round < 4; round++) {
    const writers = [0, 1, 2].map(() => {
      const child = spawn(process.execPath, ["test/support/log-kill-writer.ts"], { stdio: "pipe" });
      child.stderr.resume();
      return { child, lines: createInterface(child.stdout), exited: once(child, "exit") };
    });
    const order: KillWriterOrder = { folder, keys, durability: "process", round };
    for (const { child } of writers) child.stdin.write(`${JSON.stringify(order)}\n`);
    const outcomes = await Promise.all(
      writers.map(({ lines, exited }) => Promise.race([once(lines, "line"), exited.then(() => undefined)])),
    );
    assert.equal(outcomes.filter((outcome) => outcome !== undefined).length, 1, `round ${round}`);
    for (const { child, exited } of writers) {
      child.kill("SIGKILL");
      await exited;
    }
    await open(folder, { signers }).then((journal) => journal.close());
    assert.equal((await verify(folder, signers)).kind, "intact");
  }
});
