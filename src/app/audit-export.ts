/** A run of a log's entries → an audit bundle, for commands. What is handed out was verified as its reader will. */
import { setTimeout as pause } from "node:timers/promises";

import {
  type AuditBundle,
  auditBundlePieces,
  maxAuditBundleBytes,
  maxAuditBundleEntries,
} from "../audit/audit-bundle.ts";
import { findCrossings, type Generations, readDueHead, walkGenerations } from "../audit/generations.ts";
import type { Head } from "../audit/head.ts";
import { proofFromTiles } from "../audit/prove-entry.ts";
import { judgeBundle } from "../audit/verify-audit-bundle.ts";
import { formatLogKey, keysHash, type LogKey } from "../crypto/log-key.ts";
import { headPatienceMs, longestHeadPauseMs } from "../host/store/head-pace.ts";
import { type LogReader, openLogReader } from "../host/store/log-reader.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { rangeProof } from "../merkle/range.ts";
import { readKeyFile } from "./log-verification.ts";
import { whyNoHead } from "./receipts.ts";
import { beginningOf, removedHint } from "./removed-beginning.ts";

/** Which entries; each index counts, and an end that isn't given is that of the entries there are. */
export type ExportRange =
  | { readonly kind: "indexes"; readonly from: number | undefined; readonly to: number | undefined }
  | {
      readonly kind: "times";
      readonly sinceUnixMs: number | undefined;
      /** The moment after the last one. */
      readonly untilUnixMs: number | undefined;
    }
  /** From a call's first entry to its last, with what stands between them. */
  | { readonly kind: "call"; readonly callId: string };

export interface ExportWanted {
  /** The log, or a copy of it. */
  readonly folder: string;
  /** File with the log's public key. */
  readonly key: string;
  readonly range: ExportRange;
  /** Whether to wait for a head that covers all of it. */
  readonly wait: boolean;
}

export interface Exported {
  readonly bundle: AuditBundle;
  /** Entries under the head. */
  readonly size: number;
  /** Entries that were asked for and are there, but not under a head yet. */
  readonly uncovered: number;
  /** Of the generation that signed the head. */
  readonly fingerprint: string;
}

const pollMs = 250;

/** @throws Refusal `bad_config` if there is nothing to export or too much; `bad_log` if the log isn't as it was signed */
export async function exportAudit({ folder, key, range, wait }: ExportWanted): Promise<Exported> {
  const logKey = await readKeyFile(key);
  const reader = openLogReader(folder);
  const [first, last] = await placesOf(reader, range);
  const signed = await headOver(reader, logKey, { last, patienceMs: wait ? headPatienceMs : 0 });
  const { size } = signed.head;
  if (first >= size) {
    const hint = `--wait waits for the next one, ${longestHeadPauseMs / 1000} s at most while the gateway runs`;
    throw new Refusal(
      "bad_state",
      `Entry ${first} isn't under a head yet: the newest covers ${size}; ${hint}.`,
    );
  }
  const end = Math.min(last + 1, size);
  const made = await bundleOf(reader, signed, { first, end });
  return { ...made, size, uncovered: last + 1 - end };
}

interface Signed {
  readonly checkpoint: Uint8Array;
  readonly head: Head;
  readonly generations: Generations;
}

/** The newest head, or the first one that covers entry `last`, if it comes within the patience there is. */
async function headOver(
  reader: LogReader,
  logKey: LogKey,
  { last, patienceMs }: { readonly last: number; readonly patienceMs: number },
): Promise<Signed> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const signed = await signedHead(reader, logKey);
    if (signed.head.size > last || patienceMs === 0) return signed;
    if (waitedMs >= patienceMs) {
      const why = `the newest head covers ${signed.head.size} entries`;
      throw new Refusal("bad_state", `No head covers entry ${last} yet: ${why}. ${whyNoHead}`);
    }
    await pause(pollMs);
  }
}

async function signedHead({ files }: LogReader, logKey: LogKey): Promise<Signed> {
  const checkpoint = await files("checkpoint");
  if (checkpoint === undefined) throw new Refusal("bad_log", "The log has no signed head.");
  const generations = walkGenerations(await findCrossings(files, logKey), logKey);
  const [fault] = generations.faults;
  if (fault !== undefined)
    throw new Refusal("bad_log", `${fault.text}; \`latticegate audit verify\` tells more.`);
  const reading = readDueHead(checkpoint, generations);
  if (reading.kind === "signed") return { checkpoint, head: reading.head, generations };
  throw new Refusal("bad_log", `The log's head isn't to be trusted: ${reading.why}.`);
}

/** The first and the last entry. */
async function placesOf(reader: LogReader, range: ExportRange): Promise<readonly [number, number]> {
  const newest = (await reader.size()) - 1;
  if (newest < 0) throw new Refusal("bad_config", "The log has no entries yet.");
  if (range.kind === "indexes") {
    const { first, text } = await beginningOf(reader);
    const [from, to] = [range.from ?? first, range.to ?? newest];
    if (from < first && text !== undefined) {
      throw new Refusal(
        "bad_config",
        `${text} Entry ${from} can't be exported any more; ask from ${first} on.`,
      );
    }
    if (from <= to && to <= newest) return [from, to];
    throw new Refusal("bad_config", `The log has entries 0 to ${newest}; ${from} to ${to} aren't in it.`);
  }
  const found =
    range.kind === "call" ? await placesOfCall(reader, range.callId) : await placesAt(reader, range);
  if (found !== undefined) return found;
  const what = range.kind === "call" ? `about ${range.callId}` : "of that time";
  throw new Refusal("bad_config", `The log has no entry ${what}.${await removedHint(reader)}`);
}

async function placesOfCall(
  reader: LogReader,
  callId: string,
): Promise<readonly [number, number] | undefined> {
  const entries = await reader.find(callId);
  const [first, last] = [entries[0], entries.at(-1)];
  return first === undefined || last === undefined ? undefined : [first.index, last.index];
}

/** From the first entry of that time to the last one; what stands between belongs to the run, whatever its time. */
async function placesAt(
  reader: LogReader,
  {
    sinceUnixMs = Number.NEGATIVE_INFINITY,
    untilUnixMs = Number.POSITIVE_INFINITY,
  }: ExportRange & { kind: "times" },
): Promise<readonly [number, number] | undefined> {
  let [first, last]: [number | undefined, number] = [undefined, -1];
  for await (const { index, reading } of reader.forwards()) {
    if (reading.kind !== "entry") continue;
    const { atUnixMs } = reading.entry;
    if (atUnixMs < sinceUnixMs || atUnixMs >= untilUnixMs) continue;
    first ??= index;
    last = index;
  }
  return first === undefined ? undefined : [first, last];
}

async function bundleOf(
  reader: LogReader,
  { checkpoint, head, generations }: Signed,
  { first, end }: { readonly first: number; readonly end: number },
): Promise<Pick<Exported, "bundle" | "fingerprint">> {
  const by = head.generations.at(-1) ?? 1;
  const entries = await entriesOf(reader, first, end);
  const path = await proofFromTiles(reader.files, head.size, (subtree) =>
    rangeProof({ first, end, size: head.size }, subtree),
  );
  if (typeof path === "string")
    throw new Refusal("bad_log", `${path} isn't there; try again, or verify the log.`);
  const crossings = new Map<number, string>();
  for (const [number, bytes] of await findCrossings(reader.files, generations.known)) {
    // Of one that came after this head its reader would say that the log was rolled back.
    const text = fromUtf8(bytes);
    if (number <= by && text !== undefined) crossings.set(number, text);
  }
  const known = generations.known.filter(({ number }) => number <= by);
  const bundle = {
    keys: formatLogKey(known),
    checkpoint: fromUtf8(checkpoint) ?? "",
    crossings,
    first,
    entries,
    path,
  };
  requireRoom(bundle);
  const fingerprint = keysHash(known.find(({ number }) => number === by)?.keys ?? []);
  const verdict = judgeBundle(bundle, { fingerprint });
  if (verdict.kind === "intact") return { bundle, fingerprint };
  const why = verdict.findings.map(({ text }) => text).join("; ");
  throw new Refusal("bad_log", `Nothing was exported, since the log isn't as it was signed: ${why}.`);
}

async function entriesOf(reader: LogReader, first: number, end: number): Promise<readonly string[]> {
  if (end - first > maxAuditBundleEntries) throw tooMuch(`${maxAuditBundleEntries} entries`, first, end);
  const entries: string[] = [];
  for await (const { index, bytes } of reader.forwards(first)) {
    if (index >= end) break;
    const text = fromUtf8(bytes);
    if (text === undefined) throw new Refusal("bad_log", `Entry ${index} was changed: it isn't UTF-8 text.`);
    entries.push(text);
  }
  if (entries.length === end - first) return entries;
  throw new Refusal(
    "bad_log",
    `The head covers ${end} entries, but the log ends before entry ${first + entries.length}.`,
  );
}

function requireRoom(bundle: AuditBundle): void {
  let bytes = 0;
  for (const piece of auditBundlePieces(bundle)) bytes += Buffer.byteLength(piece);
  if (bytes <= maxAuditBundleBytes) return;
  throw tooMuch(`${maxAuditBundleBytes} bytes`, bundle.first, bundle.first + bundle.entries.length);
}

function tooMuch(most: string, first: number, end: number): Refusal {
  const text = `Entries ${first} to ${end - 1} are too many for one bundle, which has ${most} at most; export them in parts.`;
  return new Refusal("bad_config", text);
}
