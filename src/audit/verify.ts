/**
 * Verifies a log from outside, with nothing but its files and the text of its public key. It assumes that whoever
 * holds the files may have changed any of them; it can't see entries taken away that no head, here or kept
 * elsewhere (`seen`), ever covered.
 */
import { type Hashes, hashes as ourHashes } from "../crypto/hash.ts";
import type { LogKey } from "../crypto/log-key.ts";
import { logHash } from "../crypto/suites/symmetric.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { tilePath, tileWidth } from "../merkle/tiles.ts";
import { type ChainFault } from "./chain.ts";
import { reconcile } from "./differences.ts";
import { findCrossings, type Generations, readDueHead, walkGenerations } from "./generations.ts";
import type { Head, HeadReading } from "./head.ts";
import { judgeRotations } from "./judge-rotations.ts";
import { type BuiltTree, type EntryDifference, type Evidence, type LogFiles, walkLog } from "./log-walk.ts";
import type { Renewal } from "./renewal.ts";
import { judgeRenewals } from "./renewals.ts";

export interface Finding {
  readonly what:
    | "changed"
    | "removed"
    | "added"
    | "reordered"
    | "cut"
    | "torn"
    | "missing"
    | "signature"
    | "root"
    | "crossing"
    | "renewal"
    | "rolled back"
    | "forked";
  /** Of the first entry that it is about. */
  readonly index?: number;
  readonly path?: string;
  /** One sentence for people. */
  readonly text: string;
}

export type Verdict =
  | {
      readonly kind: "intact";
      readonly origin: string;
      /** Entries under the signed head. */
      readonly size: number;
      readonly root: Uint8Array;
      /** Entries under the head that retention removed, as the log itself says: known by their hashes only. */
      readonly pruned: number;
      /** Entries behind it: chained, not signed yet. */
      readonly uncovered: number;
      /** What an interrupted write left behind the last entry. */
      readonly tornBytes: number;
      readonly signedBy: readonly string[];
      /** When the head was signed; undefined if no signature on it says so. */
      readonly headAtUnixS: number | undefined;
      readonly lastEntryAtUnixMs: number | undefined;
      /** Of the log's keys, oldest first; the newest signed the head. */
      readonly generations: readonly GenerationSpan[];
      /** Oldest first; each wraps what it says, as the log lies there. */
      readonly renewals: readonly Renewal[];
    }
  | { readonly kind: "broken"; readonly findings: readonly Finding[] };

/** Which heads a generation of the log's keys signs. */
export interface GenerationSpan {
  readonly number: number;
  readonly algorithms: readonly string[];
  /** From the head of that many entries on; undefined for one whose beginning nothing here tells. */
  readonly fromSize: number | undefined;
  /** Of the rotation. */
  readonly sinceUnixMs: number | undefined;
  /** Up to the head of that many entries, which the next one signs too; undefined for the one that signs now. */
  readonly toSize: number | undefined;
  /** Whether its keys were in the key file, or else were found by walking the crossings. */
  readonly isGiven: boolean;
}

export interface VerifyOptions {
  readonly files: LogFiles;
  /** Of any generations; `readLogKey` reads it. */
  readonly logKey: LogKey;
  /** A head of this log that was kept elsewhere. */
  readonly seen?: Uint8Array;
  /** What the names of hashes stand for; node:crypto's if absent. */
  readonly hashes?: Hashes;
}

/** Findings beyond this many are not told: the first are what matters. */
const maxFindings = 32;

/** Reads the whole log once, and once more for its renewals; holds one bundle in memory. */
export async function verifyLog(options: VerifyOptions): Promise<Verdict> {
  const { files, logKey, seen, hashes = ourHashes } = options;
  const checkpoint = await files("checkpoint");
  if (checkpoint === undefined) {
    return broken([{ what: "missing", path: "checkpoint", text: "the signed head is missing" }]);
  }
  // After the head, so that a rotation in between is one behind it, whose entry is still to be read.
  const generations = walkGenerations(await findCrossings(files, logKey), logKey);
  const reading = readDueHead(checkpoint, generations);
  if (reading.kind === "unreadable") return broken([unsigned(reading)]);
  const claimed = reading.kind === "signed" ? reading.head : reading.body;
  const seenReading = seen === undefined ? undefined : readDueHead(seen, generations);
  const sizes = [...generations.crossings.values()].map(({ head }) => head.size);
  if (seenReading?.kind === "signed") sizes.push(seenReading.head.size);

  const evidence = await walkLog(files, claimed.size, new Set(sizes), hashes(logHash));
  const trusted = [evidence.fromEntries, evidence.fromTiles].find((built) => hasRoot(built, claimed));
  const renewed = await judgeRenewals(
    files,
    { origin: claimed.origin, size: claimed.size, pruned: evidence.pruned, named: evidence.renewals },
    { generations, hashes },
  );
  const findings = [
    ...generations.faults,
    ...(reading.kind === "signed" ? [] : [unsigned(reading)]),
    ...judgeFiles(evidence, claimed),
    ...judgePruned(evidence),
    ...judgeRotations(generations, {
      size: claimed.size,
      rotations: evidence.rotations,
      roots: trusted?.roots,
    }),
    ...judgeSeen(trusted, claimed, seenReading),
    ...renewed.faults,
  ];
  if (findings.length > 0 || reading.kind !== "signed") return broken(findings);
  const { origin, size, root, signedBy, atUnixS } = reading.head;
  return {
    kind: "intact",
    origin,
    size,
    root,
    pruned: evidence.pruned,
    uncovered: evidence.uncovered,
    tornBytes: evidence.tornTailBytes,
    signedBy,
    headAtUnixS: atUnixS,
    lastEntryAtUnixMs: evidence.lastAtUnixMs,
    generations: spansOf(generations, logKey),
    renewals: renewed.renewals,
  };
}

/** Which heads each generation signs, as far as keys and crossings say. */
export function spansOf({ known, crossings }: Generations, logKey: LogKey): readonly GenerationSpan[] {
  return known.map(({ number, keys }) => {
    const begin = crossings.get(number);
    return {
      number,
      algorithms: keys.map(({ kind }) => kind),
      fromSize: number === 1 ? 0 : begin?.head.size,
      sinceUnixMs: begin?.rotation.atUnixMs,
      toSize: crossings.get(number + 1)?.head.size,
      isGiven: logKey.some((given) => given.number === number),
    };
  });
}

/** What is gone was looked up at the log's end before the walk came there; the walk has to have found the same. */
function judgePruned({ pruned, prunedBefore }: Evidence): readonly Finding[] {
  if (pruned <= prunedBefore) return [];
  const text = `entries before ${pruned} were removed, but no log.prune under the head says so`;
  return [{ what: "removed", index: prunedBefore, text }];
}

type Claimed = Pick<Head, "size" | "root" | "origin">;

function broken(findings: readonly Finding[]): Verdict {
  return { kind: "broken", findings: findings.slice(0, maxFindings) };
}

function unsigned(reading: Exclude<HeadReading, { kind: "signed" }>): Finding {
  return { what: "signature", path: "checkpoint", text: `the head isn't to be trusted: ${reading.why}` };
}

/** The signed root tells which of entries and tiles are as they were; what differs from those was tampered with. */
function judgeFiles(evidence: Evidence, claimed: Claimed): readonly Finding[] {
  const { fromEntries, fromTiles } = evidence;
  const rows = reconcile(evidence.differences);
  if (hasRoot(fromEntries, claimed)) {
    return [
      ...missingFiles(evidence, claimed.size, { isProven: true }),
      ...rows.map(({ index }) => changedTile(index, claimed.size)),
      ...disagreeing(fromEntries),
      ...evidence.chain,
    ];
  }
  const findings = [
    ...entryFindings(rows, evidence, claimed.size),
    ...missingFiles(evidence, claimed.size, { isProven: false }),
    ...disagreeing(fromTiles),
  ];
  if (hasRoot(fromTiles, claimed)) return [...findings, ...unexplained(evidence.chain, findings)];
  const text = "entries and tiles don't add up to the root in the head";
  return [...findings, ...unexplained(evidence.chain, findings), { what: "root", path: "checkpoint", text }];
}

function hasRoot({ tree }: BuiltTree, { size, root }: Claimed): boolean {
  return tree.size() === size && equalInConstantTime(tree.root(), root);
}

function entryFindings(
  rows: readonly EntryDifference[],
  evidence: Evidence,
  size: number,
): readonly Finding[] {
  const findings: Finding[] = [];
  let lastReordered = Number.NEGATIVE_INFINITY;
  for (const { what, index, path } of rows) {
    if (index > evidence.lastPresent && what === "removed") continue;
    // Neighbours are one finding: what moved by one place moved the next one too.
    const isEcho = what === "reordered" && index === lastReordered + 1;
    if (what === "reordered") lastReordered = index;
    if (isEcho) continue;
    findings.push({ what, index, path, text: texts[what](index) });
  }
  const cut = evidence.lastPresent + 1;
  if (cut < size) {
    const text = `the log ends before entry ${cut}, but its head covers ${size} entries`;
    findings.push({ what: "cut", index: cut, text });
  }
  return findings;
}

const texts: Readonly<Record<EntryDifference["what"], (index: number) => string>> = {
  changed: (index) => `entry ${index} was changed`,
  removed: (index) => `entry ${index} was removed`,
  added: (index) => `something was put in before entry ${index}`,
  reordered: (index) => `entries were put into another order, from entry ${index} on`,
};

function changedTile(index: number, size: number): Finding {
  const tile = Math.floor(index / tileWidth);
  const path = tilePath({ level: 0, index: tile, width: Math.min(tileWidth, size - tile * tileWidth) });
  const text = `${path} was changed: it has another hash for entry ${index}, which itself is as it was signed`;
  return { what: "changed", index, path, text };
}

/**
 * Files behind the place where the log was cut are told by the cut.
 * @param isProven by the entries, and so without partial files
 */
function missingFiles(
  { missing, torn, lastPresent }: Evidence,
  size: number,
  { isProven }: { readonly isProven: boolean },
): readonly Finding[] {
  const told = missing.filter(({ path, index, kind }) => {
    if (isProven && kind === "redundant") return false;
    return !path.startsWith(entriesFolder) || index <= lastPresent;
  });
  const cut = lastPresent + 1 < size ? [] : torn;
  return [
    ...told.map(({ path, index, text, kind }): Finding => {
      if (kind !== "entries") return { what: "missing", path, text };
      const why = `${text}, and no log.prune under the head says that it may be`;
      return { what: "removed", index, path, text: why };
    }),
    ...cut.map(({ path, index }): Finding => {
      return { what: "torn", path, index, text: `${path} ends within an entry` };
    }),
  ];
}

const entriesFolder = "tile/entries/";

function disagreeing({ disagreeing }: BuiltTree): readonly Finding[] {
  return disagreeing.map((path) => {
    return { what: "changed", path, text: `${path} was changed: it isn't what the tiles below add up to` };
  });
}

/** The chain breaks at every entry that was tampered with; what is told already isn't told twice. */
function unexplained(chain: readonly ChainFault[], findings: readonly Finding[]): readonly ChainFault[] {
  const told = findings.flatMap(({ index }) => (index === undefined ? [] : [index]));
  return chain.filter((fault) => !told.some((index) => fault.index >= index && fault.index <= index + 2));
}

function judgeSeen(
  trusted: BuiltTree | undefined,
  claimed: Claimed,
  reading: HeadReading | undefined,
): readonly Finding[] {
  if (reading === undefined) return [];
  if (reading.kind !== "signed") {
    return [
      { what: "signature", path: "seen", text: `the head that was kept can't be used: ${reading.why}` },
    ];
  }
  const { size, root } = reading.head;
  if (size > claimed.size) {
    const text = `the log was rolled back: its head covers ${claimed.size} entries, but one of ${size} was seen`;
    return [{ what: "rolled back", index: claimed.size, text }];
  }
  const rootThen = trusted?.roots.get(size);
  if (size === 0 || rootThen === undefined || equalInConstantTime(rootThen, root)) return [];
  const text = `this isn't the log that was seen: its first ${size} entries have another root`;
  return [{ what: "forked", text }];
}
