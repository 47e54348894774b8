/** The renewals of a log: which there are, whether the log's keys vouch for them, and whether they are of this log. */
import type { Hashes } from "../crypto/hash.ts";
import { everythingStands, type Standing } from "../crypto/suites/fallen.ts";
import { hashSuite, logHash } from "../crypto/suites/symmetric.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import type { IndexedEntry } from "./chain.ts";
import { type EntryRoots, rootsOfEntries, type WantedRoot } from "./entry-roots.ts";
import { type Generations, whyWrongGeneration } from "./generations.ts";
import { readHead } from "./head.ts";
import type { LogFiles } from "./log-walk.ts";
import {
  maxRenewals,
  noteDigest,
  readRenewal,
  type Renewal,
  renewalNamed,
  renewalPath,
  renewedFilesPath,
  renewedHeadPath,
} from "./renewal.ts";
import { removedRootsPath } from "./removed-entries.ts";
import { readRenewedFiles, renewedFileReader, renewedFilesRoot } from "./renewed-files.ts";

export interface RenewalFault {
  readonly what: "missing" | "renewal" | "rolled back";
  readonly path: string;
  readonly text: string;
}

/** The notes there are, unread, by their numbers: up to the first that isn't there. */
export async function findRenewals(files: LogFiles): Promise<ReadonlyMap<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  for (let number = 1; number <= maxRenewals; number++) {
    const bytes = await files(renewalPath(number));
    if (bytes === undefined) break;
    found.set(number, bytes);
  }
  return found;
}

export interface RenewalContext {
  readonly generations: Generations;
  readonly standing?: Standing;
  readonly hashes: Hashes;
}

/** What the keys vouch for, oldest first; the log itself isn't looked at. */
export function readRenewals(
  notes: ReadonlyMap<number, Uint8Array>,
  { generations, standing = everythingStands, hashes }: RenewalContext,
): { readonly renewals: readonly Renewal[]; readonly faults: readonly RenewalFault[] } {
  const renewals: Renewal[] = [];
  const faults: RenewalFault[] = [];
  for (const [number, bytes] of notes) {
    const reading = readRenewal(bytes, generations.known, standing);
    const why =
      reading.kind === "bad"
        ? reading.why
        : (whyOutOfPlace(reading.renewal, number, renewals.at(-1)) ??
          whyWrongGeneration(reading.renewal, generations));
    if (reading.kind === "signed" && why === undefined) {
      renewals.push({ ...reading.renewal, note: noteDigest(bytes, hashes(reading.renewal.hash)) });
    } else faults.push(fault(number, `doesn't hold: ${why ?? "nobody vouches for it"}`));
  }
  return { renewals, faults };
}

function whyOutOfPlace(
  { number, size }: Omit<Renewal, "note">,
  expected: number,
  before: Renewal | undefined,
): string | undefined {
  if (number !== expected) return `it is renewal ${number}`;
  if (before === undefined || size >= before.size) return undefined;
  return `it wraps ${size} entries, the one before it ${before.size}`;
}

/** The log as far as a walk has read it. */
export interface WalkedRenewals {
  readonly origin: string;
  /** Of its head. */
  readonly size: number;
  /** How many entries retention removed, the oldest. */
  readonly pruned: number;
  /** Entries that say of a renewal that it was made; also those behind the head. */
  readonly named: readonly IndexedEntry[];
}

/** Everything that renewals say against the log as it lies there; a second pass over it, if there are any. */
export async function judgeRenewals(
  files: LogFiles,
  log: WalkedRenewals,
  context: RenewalContext,
): Promise<{ readonly renewals: readonly Renewal[]; readonly faults: readonly RenewalFault[] }> {
  const notes = await findRenewals(files);
  const { renewals, faults } = readRenewals(notes, context);
  const judged = [...faults, ...judgeNames(log, notes, renewals)];
  if (renewals.length === 0) return { renewals, faults: judged };
  const wanted: WantedRoot[] = renewals.flatMap((renewal) => [
    renewal,
    { hash: logHash, size: renewal.size },
  ]);
  // In a copy without `open/`, the last bundle is there as that of the head.
  wanted.push({ hash: logHash, size: log.size });
  const roots = await rootsOfEntries(files, wanted, { hashes: context.hashes });
  const ofEntries = renewals.flatMap((renewal) => judgeEntries(renewal, roots));
  const ofFiles = await judgeEvidence(files, renewals, context.hashes);
  const ofHeads = await judgeHeads(files, renewals, roots, context);
  return { renewals, faults: [...judged, ...ofEntries, ...ofFiles, ...ofHeads] };
}

/** Each entry has its renewal, and each renewal its entry; that of the newest may still be to come. */
function judgeNames(
  { origin, size, pruned, named }: WalkedRenewals,
  notes: ReadonlyMap<number, Uint8Array>,
  renewals: readonly Renewal[],
): readonly RenewalFault[] {
  const faults: RenewalFault[] = [];
  const byNumber = new Map(renewals.map((renewal) => [renewal.number, renewal]));
  const told = new Set<number>();
  for (const { index, entry } of named) {
    const { number = Number.NaN, note = "" } = renewalNamed(entry) ?? {};
    told.add(number);
    const renewal = byNumber.get(number);
    // Behind the head it may have come after the notes were looked for.
    if (!notes.has(number) && index < size) {
      const text = `${renewalPath(number)} is missing, though entry ${index} says that it was made`;
      faults.push({ what: "missing", path: renewalPath(number), text });
    } else if (renewal !== undefined && renewal.note !== note) {
      faults.push(fault(number, `isn't the one that entry ${index} says was made`));
    }
  }
  for (const { number, origin: of, size: wrapped } of renewals) {
    if (of !== origin) faults.push(fault(number, `is of the log ${of}`));
    // Its entry stands behind what it wraps, and may have been removed since.
    if (number < notes.size && !told.has(number) && pruned <= wrapped)
      faults.push(fault(number, "was made, but no entry says so"));
  }
  return faults;
}

/** Whether the entries it wraps are those that are there. */
export function judgeEntries(renewal: Renewal, roots: EntryRoots): readonly RenewalFault[] {
  const { number, hash, size, root } = renewal;
  const { count, removed } = roots;
  const is = roots.rootAt(renewal);
  const path = renewalPath(number);
  const lacking = roots.lackingAt(renewal);
  if (lacking !== undefined) {
    const file = removedRootsPath(number);
    const text = `${file} is missing or cut: nothing stands for the removed entries from ${lacking} on, which ${path} wraps`;
    return [{ what: "missing", path: file, text }];
  }
  if (is === undefined) {
    const text = `the log was rolled back or cut: it has ${count} entries, but ${path} wraps ${size}`;
    return [{ what: "rolled back", path, text }];
  }
  if (equalInConstantTime(is, root)) return [];
  const or = removed > 0 ? `, or ${removedRootsPath(number)} was changed` : "";
  return [fault(number, `wraps other entries: the first ${size} have another ${hash} root${or}`)];
}

/** Whether the files it wraps are those that are there. */
export async function judgeEvidence(
  files: LogFiles,
  renewals: readonly Renewal[],
  hashes: Hashes,
): Promise<readonly RenewalFault[]> {
  const read = renewedFileReader(files);
  const faults: RenewalFault[] = [];
  for (const { number, hash: id, evidence } of renewals) {
    const [hash, path] = [hashes(id), renewedFilesPath(number)];
    const bytes = await files(path);
    const list = bytes && readRenewedFiles(bytes, hashSuite(id).digestBytes);
    const isWhole = list?.length === evidence.count;
    if (list === undefined || !isWhole || !equalInConstantTime(renewedFilesRoot(hash, list), evidence.root)) {
      const text = `${path} ${bytes === undefined ? "is missing" : `isn't the list that ${renewalPath(number)} names`}`;
      faults.push({ what: bytes === undefined ? "missing" : "renewal", path, text });
      continue;
    }
    for (const { path: file, leaf } of list) {
      const is = await read(file, id, hash);
      if (is !== undefined && equalInConstantTime(is.leaf, leaf)) continue;
      const what = is === undefined ? "missing" : "renewal";
      const how = is === undefined ? "is missing" : "was changed";
      faults.push({ what, path: file, text: `${file} ${how}, which ${renewalPath(number)} wraps` });
    }
  }
  return faults;
}

/** Whether the head it wraps is one of this log. */
async function judgeHeads(
  files: LogFiles,
  renewals: readonly Renewal[],
  { rootAt }: EntryRoots,
  { generations, standing }: RenewalContext,
): Promise<readonly RenewalFault[]> {
  const faults: RenewalFault[] = [];
  for (const { number, size } of renewals) {
    const path = renewedHeadPath(number);
    const reading = readHead((await files(path)) ?? new Uint8Array(), generations.known, standing);
    const root = rootAt({ hash: logHash, size });
    const isOurs =
      reading.kind === "signed" && (root === undefined || equalInConstantTime(reading.head.root, root));
    if (isOurs) continue;
    const why = reading.kind === "signed" ? `it isn't the head of ${size} entries` : reading.why;
    faults.push({ what: "renewal", path, text: `${path} isn't the head that was wrapped: ${why}` });
  }
  return faults;
}

function fault(number: number, text: string): RenewalFault {
  const path = renewalPath(number);
  return { what: "renewal", path, text: `${path} ${text}` };
}
