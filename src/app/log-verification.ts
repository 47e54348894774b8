/** A log folder and its public key file → a verdict. */
import { readFile } from "node:fs/promises";

import type { Renewal } from "../audit/renewal.ts";
import { type Finding, type GenerationSpan, verifyLog } from "../audit/verify.ts";
import { type StandingVerdict, verifyStanding } from "../audit/verify-standing.ts";
import { type LogKey, readLogKey } from "../crypto/log-key.ts";
import { checkpointFile } from "../host/store/log-folder.ts";
import type { Fallen } from "../crypto/suites/fallen.ts";
import { type LogReader, openLogReader } from "../host/store/log-reader.ts";
import { Refusal } from "../kernel/refusal.ts";
import { bundleFolder, tileWidth } from "../merkle/tiles.ts";

export interface LogToVerify {
  /** The log, or a copy of it. */
  readonly folder: string;
  /** File with the log's public key. */
  readonly key: string;
  /** File with a checkpoint kept from earlier. */
  readonly seen?: string;
  /** Told now and then how many entries have been looked at, and how many there are. */
  readonly onEntries?: (done: number, all: number) => void;
}

export type LogVerdict =
  | {
      readonly kind: "intact";
      readonly size: number;
      /** Of those, how many retention removed. */
      readonly pruned: number;
      readonly uncovered: number;
      /** ISO 8601, or "an unknown time". */
      readonly headAt: string;
      readonly headAtUnixMs: number | undefined;
      readonly signedBy: readonly string[];
      /** Of the log's keys, oldest first. */
      readonly generations: readonly GenerationSpan[];
      readonly renewals: readonly Renewal[];
    }
  | { readonly kind: "broken"; readonly findings: readonly Finding[] };

/** @throws Refusal `bad_config` if the key or the kept checkpoint can't be read */
export async function verifyLogFolder(what: LogToVerify): Promise<LogVerdict> {
  const logKey = await readKeyFile(what.key);
  const seen = what.seen === undefined ? undefined : await readNamed(what.seen);
  const reader = openLogReader(what.folder);
  const files = await counting(reader, what.onEntries);
  let head = await files(checkpointFile);
  let verdict = await verifyLog({ files, logKey, ...(seen && { seen }) });
  // What retention removed meanwhile only a newer head speaks of.
  for (let again = 0; verdict.kind === "broken" && again < maxRepeats; again++) {
    const newer = await files(checkpointFile);
    if (isSame(head, newer)) break;
    head = newer;
    verdict = await verifyLog({ files, logKey, ...(seen && { seen }) });
  }
  if (verdict.kind === "broken") return verdict;
  const { size, pruned, uncovered, headAtUnixS, signedBy, generations, renewals } = verdict;
  const headAtUnixMs = headAtUnixS === undefined ? undefined : headAtUnixS * 1000;
  const headAt = headAtUnixMs === undefined ? "an unknown time" : new Date(headAtUnixMs).toISOString();
  return { kind: "intact", size, pruned, uncovered, headAt, headAtUnixMs, signedBy, generations, renewals };
}

/** The log's files, told of each bundle of entries that is read. */
async function counting(reader: LogReader, onEntries: LogToVerify["onEntries"]): Promise<LogReader["files"]> {
  // A log whose size can't be told is broken, which the verifier says better.
  const all = onEntries && (await reader.size().catch(() => undefined));
  if (onEntries === undefined || all === undefined) return reader.files;
  const bundles = new Set<string>();
  return async (path) => {
    if (path.startsWith(bundleFolder)) {
      bundles.add(path);
      onEntries(Math.min(all, bundles.size * tileWidth), all);
    }
    return await reader.files(path);
  };
}

/** A log that is tampered with while it is verified stays broken. */
const maxRepeats = 2;

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

/** What is still proven though these have fallen. @throws Refusal `bad_config` as `verifyLogFolder` */
export async function verifyLogFolderWithout(
  what: LogToVerify,
  fallen: readonly Fallen[],
): Promise<StandingVerdict> {
  const logKey = await readKeyFile(what.key);
  const seen = what.seen === undefined ? undefined : await readNamed(what.seen);
  const { files } = openLogReader(what.folder);
  return await verifyStanding({ files, logKey, fallen, ...(seen && { seen }) });
}

/** @throws Refusal `bad_config` if it isn't there or has no log key */
export async function readKeyFile(file: string): Promise<LogKey> {
  return readLogKey((await readNamed(file)).toString("utf8"));
}

async function readNamed(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}
