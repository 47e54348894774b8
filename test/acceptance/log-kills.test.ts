/**
 * 200 random kills in a row of a process that writes one log: after each one the log opens, every entry that was
 * ever acknowledged is in its place with its bytes, the head that was seen last is a prefix of the log, and the
 * whole log verifies. `LATTICEGATE_KILL_SEED` repeats a run's moments, `LATTICEGATE_LOG_KILLS` sets how often.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { verifyLog } from "../../src/audit/verify.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { atEnd } from "../support/cleanup.ts";
import type { KillWriterOrder } from "../support/log-kill-writer.ts";
import { keysToText, logKeyOf, newFolder, newPrivateKeys, open, signersOf } from "../support/log-fixture.ts";

const kills = Number(process.env["LATTICEGATE_LOG_KILLS"] ?? 200);
const seed = Number(process.env["LATTICEGATE_KILL_SEED"] ?? randomInt(2 ** 31));
/** A log grows until it is a few bundles and tiles long; then another one begins. */
const killsPerLog = 10;
/** After the first acknowledgement: long enough for several heads and a bundle or two. */
const longestMs = 60;

/** Numbers below 1 that follow from a seed (mulberry32). */
function chance(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Acknowledged {
  readonly index: number;
  readonly callId: string;
}

/** Started while the round before is checked; it waits for its order. */
function spawnWriter(): ChildProcess {
  const writer = spawn(process.execPath, ["test/support/log-kill-writer.ts"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  writer.stdin?.on("error", () => undefined);
  return writer;
}

/** What it acknowledged until it was killed, `afterMs` after the first. */
async function writeUntilKilled(
  writer: ChildProcess,
  order: KillWriterOrder,
  afterMs: number,
): Promise<readonly Acknowledged[]> {
  const chunks: Buffer[] = [];
  const stdout = writer.stdout ?? assert.fail();
  stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const closed = once(writer, "close");
  writer.stdin?.write(`${JSON.stringify(order)}\n`);
  await Promise.race([
    once(stdout, "data"),
    closed.then(() => assert.fail("the writer ended before it opened the log")),
  ]);
  // The random moment itself, not a wait for something.
  await pause(afterMs);
  writer.kill("SIGKILL");
  await closed;
  const lines = Buffer.concat(chunks).toString().split("\n").slice(0, -1);
  return lines
    .filter((line) => line !== "open")
    .map((line) => {
      const [index = "", callId = ""] = line.split(" ");
      return { index: Number(index), callId };
    });
}

for (const durability of ["process", "power"] as const) {
  const count = Math.ceil(kills / 2);
  test(`${count} kills at random moments with durability ${durability} lose nothing and fork nothing`, async (t) => {
    const next = chance(seed + (durability === "power" ? 1 : 0));
    const privateKeys = newPrivateKeys();
    const [signers, keys] = [signersOf(privateKeys), keysToText(privateKeys)];
    let [folder, seen, entries]: [string, Uint8Array | undefined, number] = ["", undefined, 0];
    let acknowledged = new Map<number, string>();
    let waiting = spawnWriter();
    atEnd(t, () => waiting.kill("SIGKILL"));
    for (let round = 0; round < count; round++) {
      if (round % killsPerLog === 0) {
        [folder, seen, acknowledged] = [newFolder(), undefined, new Map()];
        const made = path.dirname(folder);
        atEnd(t, () => rmSync(made, { recursive: true }));
      }
      const afterMs = next() * longestMs;
      const writer = waiting;
      waiting = spawnWriter();
      const order = { folder, keys, durability, round };
      for (const { index, callId } of await writeUntilKilled(writer, order, afterMs)) {
        assert.ok(!acknowledged.has(index), `entry ${index} was acknowledged twice`);
        acknowledged.set(index, callId);
        entries++;
      }
      const at = `seed ${seed}, ${durability}, kill ${round} after ${afterMs.toFixed(1)} ms`;
      seen = await checkLog(folder, { signers, seen, acknowledged, at });
    }
    assert.ok(entries > count, "it was killed at work");
    t.diagnostic(`seed ${seed}: ${entries} acknowledged entries are where they were`);
  });
}

/** As the kill left it, and after a start that goes on with it. @returns the newest head, kept for the next time */
async function checkLog(
  folder: string,
  known: {
    readonly signers: ReturnType<typeof signersOf>;
    readonly seen: Uint8Array | undefined;
    readonly acknowledged: ReadonlyMap<number, string>;
    readonly at: string;
  },
): Promise<Uint8Array | undefined> {
  const { signers, seen, acknowledged, at } = known;
  const { files, forwards } = openLogReader(folder);
  const logKey = logKeyOf(signers);
  // A head exists before the first entry can be acknowledged.
  if (acknowledged.size > 0) {
    const left = await verifyLog({ files, logKey, ...(seen && { seen }) });
    assert.equal(left.kind, "intact", `${at}: ${JSON.stringify(left)}`);
  }
  const journal = await open(folder, { signers });
  await journal.close();
  const after = await verifyLog({ files, logKey, ...(seen && { seen }) });
  assert.equal(after.kind === "intact" && after.uncovered, 0, `${at}: ${JSON.stringify(after)}`);
  const missing = new Map(acknowledged);
  for await (const { index, reading } of forwards()) {
    const expected = missing.get(index);
    if (expected === undefined) continue;
    assert.equal(reading.kind === "entry" && reading.entry.callId, expected, at);
    missing.delete(index);
  }
  assert.equal(missing.size, 0, `${at}: entries ${[...missing.keys()].join(", ")} are gone`);
  return readFileSync(path.join(folder, "checkpoint"));
}
