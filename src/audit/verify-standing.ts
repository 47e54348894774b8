/**
 * Verifies a log though some algorithms have fallen: the verdict rests on those that stand alone. Where SHA-256 fell,
 * heads, tiles, chain and crossings prove nothing and the newest renewal by another hash proves what it wraps; where
 * signatures fell, what the others signed counts, if one of them is post-quantum (docs/formats/renewal.md).
 */
import { hashes as ourHashes } from "../crypto/hash.ts";
import type { LogKey } from "../crypto/log-key.ts";
import { type Standing, standingWithout, type Fallen } from "../crypto/suites/fallen.ts";
import { type HashId, logHash } from "../crypto/suites/symmetric.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { dailyHeads, daysOf } from "./daily-heads.ts";
import { claimedSize, type EntryRoots, rootsOfEntries } from "./entry-roots.ts";
import { crossingPath } from "./crossing.ts";
import { findCrossings, type Generations, readDueHead, walkGenerations } from "./generations.ts";
import type { LogFiles } from "./log-walk.ts";
import { findPrune } from "./prune.ts";
import { findRenewals, judgeEntries, judgeEvidence, readRenewals } from "./renewals.ts";
import type { Renewal } from "./renewal.ts";
import type { Finding, VerifyOptions } from "./verify.ts";

/** What still vouches for the log's first entries. */
export interface Anchor {
  /** `renewals/2`, or the file of a head. */
  readonly path: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly hash: HashId;
  readonly signedBy: readonly string[];
  /** When it was made, as it says itself; undefined for a head that doesn't. */
  readonly atUnixMs: number | undefined;
  /** Of a renewal. */
  readonly number?: number;
  readonly from?: number;
}

export type StandingVerdict =
  | {
      readonly kind: "proven";
      /** Of the largest one, of two the newer: the first `size` entries are those that it was made for. */
      readonly by: Anchor;
      /** Entries behind them, and files that prove nothing any more. */
      readonly unproven: number;
      /** Of the first `size` ones, those that aren't there: the log says that retention removed them. */
      readonly removed: number;
      readonly notes: readonly string[];
    }
  | { readonly kind: "unproven"; readonly unproven: number; readonly notes: readonly string[] }
  | { readonly kind: "broken"; readonly findings: readonly Finding[] };

/** Findings beyond this many are not told. */
const maxFindings = 32;

/** Reads the whole log once. */
export async function verifyStanding(
  options: VerifyOptions & { readonly fallen: readonly Fallen[] },
): Promise<StandingVerdict> {
  const { files, logKey, hashes = ourHashes } = options;
  const standing = standingWithout(options.fallen);
  const generations = await trustedGenerations(files, logKey, standing);
  const heads = standing.hash(logHash) ? await standingHeads(options, generations, standing) : fallenHeads;
  const all = readRenewals(await findRenewals(files), { generations, standing, hashes });
  const late = all.renewals.filter((renewal) => !isBefore(renewal, options.fallen));
  const renewals = all.renewals.filter((renewal) => !late.includes(renewal));
  const anchors = [...renewals.map(anchorOf), ...heads.anchors].sort(
    (a, b) => b.size - a.size || (b.number ?? 0) - (a.number ?? 0),
  );
  const notes = [
    ...heads.notes,
    ...all.faults.map(({ text }) => text),
    ...late.map(({ number }) => `renewals/${number} was made when something had fallen already`),
  ];
  // All entries there are, so that those that nothing proves can be told.
  const sizes = [await claimedSize(files), Number.MAX_SAFE_INTEGER];
  const wanted = sizes.map((size) => ({ hash: anchors[0]?.hash ?? logHash, size }));
  const roots = await rootsOfEntries(files, [...anchors, ...wanted], { hashes });
  const findings: readonly Finding[] = [
    ...generations.faults,
    ...renewals.flatMap((renewal) => judgeEntries(renewal, roots)),
    ...heads.anchors.flatMap((anchor) => judgeHead(anchor, roots)),
    ...(await judgeEvidence(files, renewals, hashes)),
  ];
  if (findings.length > 0) return { kind: "broken", findings: findings.slice(0, maxFindings) };
  const [by] = anchors;
  if (by === undefined) return { kind: "unproven", unproven: roots.count, notes };
  const removed = Math.min(roots.removed, by.size);
  const said = removed === 0 ? [] : await whoSaysRemoved(files, by);
  return { kind: "proven", by, unproven: roots.count - by.size, removed, notes: [...notes, ...said] };
}

/** Its own entry mostly stands behind what is proven, until the next renewal. */
async function whoSaysRemoved(files: LogFiles, { size }: Anchor): Promise<readonly string[]> {
  const { index = 0 } = (await findPrune(files, await claimedSize(files))) ?? {};
  if (index < size) return [];
  return [`that entries might be removed is said by entry ${index}, which isn't proven`];
}

/** Of those of unknown date it is taken that they stood when it was made: nobody can tell otherwise. */
function isBefore({ atUnixMs }: Renewal, fallen: readonly Fallen[]): boolean {
  return fallen.every(({ fromUnixMs }) => fromUnixMs === undefined || atUnixMs < fromUnixMs);
}

function anchorOf({ number, size, root, hash, from, signedBy, atUnixMs }: Renewal): Anchor {
  return { path: `renewals/${number}`, size, root, hash, number, from, signedBy, atUnixMs };
}

/**
 * Without SHA-256 no crossing leads from key to key, since its entry names them by that hash: then the given keys are
 * all there are. Where two given generations met is still told by what both signed.
 */
async function trustedGenerations(files: LogFiles, logKey: LogKey, standing: Standing): Promise<Generations> {
  const found = await findCrossings(files, logKey);
  if (standing.hash(logHash)) return walkGenerations(found, logKey, standing);
  const given = new Set(logKey.map(({ number }) => number));
  const isBetween = (number: number): boolean => given.has(number) && given.has(number - 1);
  const between = new Map([...found].filter(([number]) => isBetween(number)));
  const { crossings, faults } = walkGenerations(between, logKey, standing);
  const paths = new Set([...given].filter(isBetween).map(crossingPath));
  return { known: logKey, crossings, faults: faults.filter(({ path }) => paths.has(path)) };
}

interface Heads {
  readonly anchors: readonly Anchor[];
  readonly notes: readonly string[];
}

const fallenHeads: Heads = { anchors: [], notes: [`no head counts: each is of a tree of ${logHash}`] };

/** The newest head if it counts, else the newest daily one that does; and one that was kept elsewhere. */
async function standingHeads(
  { files, seen }: VerifyOptions,
  generations: Generations,
  standing: Standing,
): Promise<Heads> {
  const read = (path: string, bytes: Uint8Array | undefined): Anchor | string => {
    if (bytes === undefined) return `${path} is missing`;
    const reading = readDueHead(bytes, generations, standing);
    if (reading.kind !== "signed") return `${path} doesn't count: ${reading.why}`;
    const { size, root, signedBy, atUnixS } = reading.head;
    const atUnixMs = atUnixS === undefined ? undefined : atUnixS * 1000;
    return { path, size, root, hash: logHash, signedBy, atUnixMs };
  };
  const heads = [read("checkpoint", await files("checkpoint"))];
  if (seen !== undefined) heads.push(read("seen", seen));
  for (const [number, { head }] of generations.crossings) {
    const { size, root, signedBy } = head;
    heads.push({ path: crossingPath(number), size, root, hash: logHash, signedBy, atUnixMs: undefined });
  }
  if (typeof heads[0] === "string") {
    const daily = await newestDaily(files, read);
    if (daily !== undefined) heads.push(daily);
  }
  return {
    anchors: heads.flatMap((head) => (typeof head === "string" ? [] : [head])),
    notes: heads.flatMap((head) => (typeof head === "string" ? [head] : [])),
  };
}

async function newestDaily(
  files: LogFiles,
  read: (path: string, bytes: Uint8Array) => Anchor | string,
): Promise<Anchor | undefined> {
  const days = await daysOf(files, await claimedSize(files));
  if (days === undefined) return undefined;
  for await (const { path, bytes } of dailyHeads(files, days, ".first")) {
    const head = read(path, bytes);
    if (typeof head !== "string") return head;
  }
  return undefined;
}

function judgeHead(
  { path, size, root }: Anchor,
  { rootAt, lackingAt, count }: EntryRoots,
): readonly Finding[] {
  const is = rootAt({ hash: logHash, size });
  const lacking = lackingAt({ hash: logHash, size });
  if (lacking !== undefined) {
    const text = `the tile with the hashes of the removed entries from ${lacking} on is missing or cut`;
    return [{ what: "missing", index: lacking, text }];
  }
  if (is === undefined) {
    const text = `the log was rolled back or cut: it has ${count} entries, but ${path} is a head of ${size}`;
    return [{ what: "rolled back", path, text }];
  }
  if (equalInConstantTime(is, root)) return [];
  return [{ what: "root", path, text: `the first ${size} entries have another root than ${path}` }];
}
