/** Receipts of a log's calls, for commands: made from a log's folder, and verified offline. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { crossingPath, crossingsFolder } from "../audit/crossing.ts";
import { proveEntry } from "../audit/prove-entry.ts";
import { maxReceiptBytes, type ReceiptVerdict, verifyReceipt } from "../audit/receipt.ts";
import { maxGenerations } from "../crypto/log-key.ts";
import { headPatienceMs, longestHeadPauseMs } from "../host/store/head-pace.ts";
import { type LogReader, openLogReader } from "../host/store/log-reader.ts";
import { Refusal } from "../kernel/refusal.ts";
import { readKeyFile } from "./log-verification.ts";
import { removedHint } from "./removed-beginning.ts";

/** Which entry of a call. */
export type ReceiptEvent = "call.decision" | "call.outcome";

interface ReceiptWanted {
  /** The log, or a copy of it. */
  readonly folder: string;
  readonly callId: string;
  readonly event: ReceiptEvent;
}

const pollMs = 100;

/** To follow a sentence that says what no head covers, though there was time enough for one. */
export const whyNoHead = `A running gateway signs one ${longestHeadPauseMs / 1000} s after an entry at the latest; if it runs, its log says what keeps it ("journal.head_failed"). A copy gets it with the next synchronisation.`;

/**
 * The receipt of a call's entry; waits for the next head if none covers the entry yet.
 * @throws Refusal `bad_log` if the log doesn't have the entry, or not what its head was signed over; `bad_state` if no
 * head covers it in time
 */
export async function receiptOf({ folder, callId, event }: ReceiptWanted): Promise<Uint8Array> {
  const reader = openLogReader(folder);
  const entries = (await reader.find(callId)).flatMap(({ index, reading }) =>
    reading.kind === "entry" ? [{ index, event: reading.entry.event }] : [],
  );
  const index = entries.find((entry) => entry.event === event)?.index;
  if (index === undefined) {
    const has = entries.length === 0 ? "nothing" : entries.map((entry) => entry.event).join(", ");
    throw new Refusal(
      "bad_log",
      `Expected the ${event} of ${callId} in the log; of this call it has ${has}.${await removedHint(reader)}`,
    );
  }
  return await provenIn(reader, index);
}

/** The receipt of an entry; as `receiptOf`. */
export function receiptAt(folder: string, index: number): Promise<Uint8Array> {
  return provenIn(openLogReader(folder), index);
}

async function provenIn(reader: LogReader, index: number): Promise<Uint8Array> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const proven = await proveEntry(reader.files, index);
    if (proven.kind === "receipt") return proven.bytes;
    // Files may give way to others while they are read; what is really wrong stays wrong.
    if (waitedMs < headPatienceMs) await pause(pollMs);
    else if (proven.kind === "bad")
      throw new Refusal("bad_log", `No receipt of entry ${index}: ${proven.why}.`);
    else {
      const why = `the newest head covers ${proven.size} entries`;
      throw new Refusal("bad_state", `No head covers entry ${index} yet: ${why}. ${whyNoHead}`);
    }
  }
}

/** @throws Refusal `bad_config` if a file can't be read, or the key file has no log key */
export async function verifyReceiptFile(what: {
  readonly file: string;
  readonly key: string;
  /** The log's folder of crossings, or a copy. */
  readonly crossings?: string | undefined;
}): Promise<ReceiptVerdict> {
  const logKey = await readKeyFile(what.key);
  const crossings = what.crossings === undefined ? undefined : await readCrossings(what.crossings);
  return verifyReceipt(await readBounded(what.file), { logKey, ...(crossings && { crossings }) });
}

/** @param folder `crossings` itself, or the log it stands in */
export async function readCrossings(folder: string): Promise<ReadonlyMap<number, Uint8Array>> {
  const inside = path.join(folder, crossingsFolder);
  const names = (await readdir(inside).catch(() => undefined)) && inside;
  const found = new Map<number, Uint8Array>();
  const base = names ?? folder;
  const files = await readdir(base).catch((cause: unknown) => {
    throw new Refusal("bad_config", `${folder} can't be read.`, { cause });
  });
  for (let number = 2; number <= maxGenerations; number++) {
    const name = path.basename(crossingPath(number));
    if (files.includes(name)) found.set(number, await readFile(path.join(base, name)));
  }
  return found;
}

async function readBounded(file: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(file);
    // One byte more than a receipt may have is refused like any longer one.
    return bytes.subarray(0, maxReceiptBytes + 1);
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}
