/**
 * Appends concurrently and prints index and call id of each entry once it is acknowledged, until it is killed:
 * heads every few milliseconds, so that kills fall into every step of one, and small delays in between.
 */
import { once } from "node:events";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import type { Durability } from "../../src/host/store/journal-options.ts";
import { draft, keysFromText, open, signersOf } from "./log-fixture.ts";

export interface KillWriterOrder {
  readonly folder: string;
  /** As `keysToText` has them. */
  readonly keys: string;
  readonly durability: Durability;
  readonly round: number;
}

// Started ahead, it waits here until it is told what to write.
const [line] = (await once(createInterface(process.stdin), "line")) as [string];
const { folder, keys, durability, round } = JSON.parse(line) as KillWriterOrder;
const journal = await open(folder, {
  signers: signersOf(keysFromText(keys)),
  durability,
  checkpointEveryMs: 3,
});
writeSync(1, "open\n");

let next = 0;
async function appendForEver(): Promise<never> {
  for (;;) {
    const callId = `r${round}c${next++}`;
    const { index } = await journal.append(draft(0, { callId }));
    writeSync(1, `${index} ${callId}\n`);
    if (next % 97 === 0) await pause(1);
  }
}

await Promise.all(Array.from({ length: 24 }, appendForEver));
