/**
 * A whole log: tlog-tiles for what has to be there, docs/formats/log.md (its table of files, "Generations of keys" and
 * "Verifying") for the rest. Everything is computed from the entries, and every stored tile compared with that.
 */
import { readdirSync } from "node:fs";
import path from "node:path";

import { demand, exists, hex, join, readBounded, reasonOf, same, toBase64 } from "./bytes.ts";
import { demandAllRequired, type Head, readHead, signersOf } from "./checkpoint.ts";
import { type Crossing, readCrossing, sameKeys } from "./crossing.ts";
import { type Entry, readEntry } from "./entry.ts";
import type { Generation } from "./key-file.ts";
import { append, emptyFrontier, leafHash, rootOf, treeHash } from "./merkle.ts";
import { isAmong, mostNoteBytes } from "./note.ts";
import { mostProofBytes } from "./proof.ts";
import {
  bundleOf,
  demandSameTile,
  mostBundleBytes,
  parseTileName,
  readBundle,
  readTile,
  shapeOf,
  splitBundle,
  type TileFile,
  tileNames,
  tilePath,
  tileWidth,
} from "./tiles.ts";

/** All leaf hashes are kept in memory. */
const mostEntries = 4_194_304;
const mostFindings = 100;
/** Two a day for eleven years. */
const mostKeptHeads = 8192;

export interface Verdict {
  readonly ok: boolean;
  readonly origin: string | null;
  readonly size: number | null;
  /** Base64. */
  readonly root: string | null;
  /** Kinds of the keys that signed the newest head. */
  readonly signedBy: readonly string[];
  readonly findings: readonly string[];
  /** What is no fault, but worth a line. */
  readonly notes: readonly string[];
}

interface Kept {
  readonly where: string;
  readonly head: Head;
}

interface Reading {
  readonly folder: string;
  readonly findings: string[];
  readonly notes: string[];
}

export function verifyLog(folder: string, given: readonly Generation[], keptHead?: string): Verdict {
  const reading: Reading = { folder, findings: [], notes: [] };
  const head = attempt(reading, "checkpoint", () => readHeadFile(path.join(folder, "checkpoint")));
  if (head === undefined) return verdict(reading, undefined, []);
  attempt(reading, "checkpoint", () =>
    demand(head.origin === given[0]?.keys[0]?.name, `is of ${head.origin}, the keys of another log`),
  );
  attempt(reading, "checkpoint", () => demand(head.size <= mostEntries, `more than ${mostEntries} entries`));
  if (head.size > mostEntries) return verdict(reading, head, []);

  const crossings = readCrossings(reading);
  const kept = [...keptHeads(reading, keptHead)];
  const entries = [...entriesUnder(reading, head.size)];
  const isWhole = entries.length === head.size;
  if (isWhole) entries.push(...entriesBehind(reading, head.size, entries));
  const records = readRecords(reading, entries);

  const roots = rootsAt(entries, [
    head.size,
    ...kept.map((one) => one.head.size),
    ...crossings.map((c) => c.head.size),
  ]);
  if (isWhole) compareTiles(reading, entries);
  demandRootOfTiles(reading, head);

  const generations = followKeys(reading, given, crossings);
  compareCrossings(reading, { crossings, entries, records, size: head.size, origin: head.origin });
  const judge = { generations, crossings, roots, origin: head.origin };
  const signedBy = attempt(reading, "checkpoint", () => judgeHead(head, judge)) ?? [];
  for (const one of crossings) attempt(reading, `crossings/${one.to}`, () => judgeHead(one.head, judge));
  for (const { where, head: older } of kept) {
    attempt(reading, where, () => {
      demand(older.size <= head.size, `has ${older.size} entries, the log ${head.size}: it was rolled back`);
      judgeHead(older, judge);
      if (where.endsWith(".first")) demandHashSignature(older, generations);
    });
  }
  return verdict(reading, head, signedBy);
}

function verdict({ findings, notes }: Reading, head: Head | undefined, signedBy: readonly string[]): Verdict {
  return {
    ok: findings.length === 0,
    origin: head?.origin ?? null,
    size: head?.size ?? null,
    root: head === undefined ? null : toBase64(head.root),
    signedBy,
    findings,
    notes,
  };
}

function attempt<T>({ findings }: Reading, where: string, act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    const reason = reasonOf(error);
    if (findings.length < mostFindings) findings.push(`${where}: ${reason}`);
    return undefined;
  }
}

function readHeadFile(file: string): Head {
  return readHead(readBounded(file, mostNoteBytes));
}

// Heads and crossings that are kept

function* keptHeads(reading: Reading, given: string | undefined): Generator<Kept> {
  const folder = path.join(reading.folder, "checkpoints");
  const names = exists(folder) ? readdirSync(folder).sort() : [];
  if (names.length > mostKeptHeads) reading.findings.push(`checkpoints: more than ${mostKeptHeads}`);
  for (const name of names.slice(0, mostKeptHeads)) {
    const where = `checkpoints/${name}`;
    if (!/^\d{4}-\d\d-\d\d(\.first)?$/.test(name)) {
      reading.notes.push(`${where}: isn't named after a day`);
      continue;
    }
    const head = attempt(reading, where, () => readHeadFile(path.join(folder, name)));
    if (head !== undefined) yield { where, head };
  }
  if (given === undefined) return;
  const head = attempt(reading, given, () => readHeadFile(given));
  if (head !== undefined) yield { where: given, head };
}

function readCrossings(reading: Reading): readonly Crossing[] {
  const folder = path.join(reading.folder, "crossings");
  const names = exists(folder) ? readdirSync(folder) : [];
  const found: Crossing[] = [];
  for (const name of names) {
    const number = /^([2-9]|[1-9]\d{1,3})\.tlog-proof$/.exec(name)?.[1];
    if (number === undefined || Number(number) > 1024) {
      reading.notes.push(`crossings/${name}: isn't named after a generation`);
      continue;
    }
    const read = () => readCrossing(readBounded(path.join(folder, name), mostProofBytes), Number(number));
    const crossing = attempt(reading, `crossings/${number}`, read);
    if (crossing !== undefined) found.push(crossing);
  }
  return found.sort((a, b) => a.to - b.to);
}

// Entries

function* entriesUnder(reading: Reading, size: number): Generator<Uint8Array> {
  for (let index = 0; index * tileWidth < size; index += 1) {
    const width = Math.min(tileWidth, size - index * tileWidth);
    const bundle = attempt(reading, tilePath("entries", index, width), () =>
      readBundle(reading.folder, index, width),
    );
    // What comes behind couldn't be counted.
    if (bundle === undefined) return;
    yield* bundle;
  }
}

/** Full bundles that no head covers yet, and `open/N`, which also repeats what the partial bundle has. */
function entriesBehind(reading: Reading, size: number, known: readonly Uint8Array[]): readonly Uint8Array[] {
  const entries = [...known];
  const { folder, notes } = reading;
  for (;;) {
    const index = Math.floor(entries.length / tileWidth);
    const name = tilePath("entries", index, tileWidth);
    if (!exists(path.join(folder, name))) break;
    const bundle = attempt(reading, name, () => readBundle(folder, index, tileWidth));
    if (bundle === undefined) break;
    entries.push(...bundle.slice(entries.length % tileWidth));
  }
  const open = path.join(folder, "open");
  const names = exists(open) ? readdirSync(open) : [];
  const filling = Math.floor(entries.length / tileWidth);
  if (entries.length % tileWidth > 0 && !names.includes(String(filling)))
    notes.push(`open/${filling}: is missing, as in a copy for others`);
  for (const name of names) {
    if (name !== String(filling)) notes.push(`open/${name}: isn't the bundle that is being filled`);
    else attempt(reading, `open/${name}`, () => entries.push(...openEntries(reading, name, entries)));
  }
  if (entries.length > size) notes.push(`${entries.length - size} entries aren't yet under a head`);
  return entries.slice(size);
}

function openEntries(reading: Reading, name: string, known: readonly Uint8Array[]): readonly Uint8Array[] {
  const split = splitBundle(readBounded(path.join(reading.folder, "open", name), mostBundleBytes));
  const torn = split.entries.findIndex((entry) => entry.includes(0));
  const entries = torn === -1 ? split.entries : split.entries.slice(0, torn);
  if (torn !== -1 || split.rest > 0) reading.notes.push(`open/${name}: ends in what was never acknowledged`);
  demand(entries.length <= tileWidth, `has ${entries.length} entries`);
  const covered = known.slice(Number(name) * tileWidth);
  demand(entries.length >= covered.length, "has fewer entries than the partial bundle");
  for (const [at, entry] of covered.entries())
    demand(
      same(entry, entries[at] ?? new Uint8Array()),
      `differs from the partial bundle at its entry ${at}`,
    );
  return entries.slice(covered.length);
}

function readRecords(reading: Reading, entries: readonly Uint8Array[]): readonly (Entry | undefined)[] {
  const ids = new Set<string>();
  let previous: Entry | undefined;
  return entries.map((bytes, at) => {
    const entry = attempt(reading, `entry ${at}`, () => readEntry(bytes));
    // Behind an entry that can't be read, the chain can't be judged.
    if (entry !== undefined && (at === 0 || previous !== undefined)) {
      const expected = previous?.eventHash ?? null;
      attempt(reading, `entry ${at}`, () =>
        demand(entry.previousHash === expected, "isn't chained to the entry before"),
      );
    }
    // SEP-3004 §2.1 wants them unique; docs/formats/entry.md lets a revocation repeat its own.
    if (entry !== undefined && ids.has(entry.eventId)) reading.notes.push(`entry ${at}: repeats an event_id`);
    if (entry !== undefined) ids.add(entry.eventId);
    previous = entry;
    return entry;
  });
}

// Tiles

function rootsAt(entries: readonly Uint8Array[], sizes: readonly number[]): ReadonlyMap<number, Uint8Array> {
  const asked = new Set(sizes);
  const roots = new Map<number, Uint8Array>();
  let frontier = emptyFrontier;
  if (asked.has(0)) roots.set(0, rootOf(frontier));
  for (const entry of entries) {
    frontier = append(frontier, leafHash(entry));
    if (asked.has(frontier.size)) roots.set(frontier.size, rootOf(frontier));
  }
  return roots;
}

/** Every tile that is there is what the entries make of it. */
function compareTiles(reading: Reading, entries: readonly Uint8Array[]): void {
  const { folder, notes } = reading;
  const levels = levelsOf(entries.map(leafHash));
  for (const name of attempt(reading, "tile", () => tileNames(folder)) ?? []) {
    const tile = parseTileName(name);
    if (tile === undefined) notes.push(`tile/${name}: isn't the path of a tile`);
    else
      attempt(reading, `tile/${name}`, () => demandSameTile(folder, tile, contentOf(tile, levels, entries)));
  }
}

function contentOf(
  { level, index, width }: TileFile,
  levels: readonly (readonly Uint8Array[])[],
  entries: readonly Uint8Array[],
): Uint8Array {
  const from: readonly Uint8Array[] = level === "entries" ? entries : (levels[level] ?? []);
  const part = from.slice(index * tileWidth, index * tileWidth + width);
  demand(part.length === width, "is for more entries than there are");
  return level === "entries" ? bundleOf(part) : join(...part);
}

function levelsOf(leaves: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const levels = [leaves];
  for (let below = leaves; below.length >= tileWidth;) {
    const { full } = shapeOf(below.length, 0);
    below = Array.from({ length: full }, (_, at) =>
      treeHash(below.slice(at * tileWidth, (at + 1) * tileWidth)),
    );
    levels.push(below);
  }
  return levels;
}

/** The root, once more and from the stored tiles alone: the right edge, and each full tile under its parent. */
function demandRootOfTiles(reading: Reading, head: Head): void {
  const peaks: Uint8Array[] = [];
  for (let level = 0; head.size >= tileWidth ** level; level += 1) {
    const { full, partial } = shapeOf(head.size, level);
    for (let index = 0; index < full; index += 1) {
      attempt(reading, tilePath(level, index, tileWidth), () => {
        const ours = treeHash(readTile(reading.folder, level, index, tileWidth));
        const parent = shapeOf(head.size, level + 1);
        const above = Math.floor(index / tileWidth);
        const hashes = readTile(
          reading.folder,
          level + 1,
          above,
          above < parent.full ? tileWidth : parent.partial,
        );
        demand(same(ours, hashes[index % tileWidth] ?? ours.subarray(1)), "isn't what the tile above has");
      });
    }
    if (partial === 0) continue;
    const edge = attempt(reading, tilePath(level, full, partial), () =>
      readTile(reading.folder, level, full, partial),
    );
    if (edge === undefined) return;
    peaks.unshift(...peaksOf(edge));
  }
  attempt(reading, "tile", () =>
    demand(same(rootOf({ peaks }), head.root), "the tiles lead to another root"),
  );
}

/** Roots of the complete subtrees under a partial tile, the largest first. */
function peaksOf(hashes: readonly Uint8Array[]): readonly Uint8Array[] {
  return hashes.reduce(append, emptyFrontier).peaks;
}

// Generations of keys

/** From the keys that were given to those of all generations, over crossings that hold and agree. */
function followKeys(
  reading: Reading,
  given: readonly Generation[],
  crossings: readonly Crossing[],
): ReadonlyMap<number, Generation> {
  const known = new Map(given.map((generation) => [generation.number, generation]));
  const newest = Math.max(...known.keys(), ...crossings.map(({ to }) => to));
  const first = Math.min(...known.keys());
  const follow = (to: number) => {
    const crossing = crossings.find((one) => one.to === to);
    attempt(reading, `crossings/${to}`, () => {
      demand(crossing !== undefined, "is missing, or doesn't hold");
      const { before, after } = crossing;
      const knownBefore = known.get(to - 1);
      const knownAfter = known.get(to);
      demand(knownBefore !== undefined || knownAfter !== undefined, "isn't next to keys that are known");
      demand(
        knownBefore === undefined || sameKeys(knownBefore, before),
        `has other keys of generation ${to - 1}`,
      );
      demand(knownAfter === undefined || sameKeys(knownAfter, after), `has other keys of generation ${to}`);
      known.set(to - 1, before);
      known.set(to, after);
    });
  };
  for (let to = first + 1; to <= newest; to += 1) follow(to);
  for (let to = first; to >= 2; to -= 1) follow(to);
  return known;
}

interface Compared {
  readonly crossings: readonly Crossing[];
  readonly entries: readonly Uint8Array[];
  readonly records: readonly (Entry | undefined)[];
  readonly size: number;
  readonly origin: string;
}

function compareCrossings(reading: Reading, { crossings, entries, records, size, origin }: Compared): void {
  let before = 0;
  for (const { to, index, entryBytes, head } of crossings) {
    attempt(reading, `crossings/${to}`, () => {
      demand(head.origin === origin, "is of another log");
      demand(head.size > before, "isn't behind the crossing before");
      before = head.size;
      const stored = entries[index];
      demand(stored !== undefined, `has ${head.size} entries, the log fewer: it was rolled back`);
      demand(same(stored, entryBytes), `has another entry than the log at ${index}`);
      demand(
        head.size <= size || to === crossings.at(-1)?.to,
        `has more entries than the head: it was rolled back`,
      );
      if (head.size > size) reading.notes.push(`the rotation to generation ${to} was broken off`);
    });
  }
  for (const [at, record] of records.entries()) {
    if (record?.eventType !== "log.rotate" || crossings.some(({ index }) => index === at)) continue;
    if (at < size) reading.findings.push(`entry ${at}: is a rotation without a crossing`);
    else reading.notes.push(`entry ${at}: a rotation that was broken off`);
  }
}

// Heads

interface Judge {
  readonly generations: ReadonlyMap<number, Generation>;
  readonly crossings: readonly Crossing[];
  readonly roots: ReadonlyMap<number, Uint8Array>;
  readonly origin: string;
}

/** @returns the kinds of keys that signed it, of the generation that signs at its size */
function judgeHead(head: Head, { generations, crossings, roots, origin }: Judge): readonly string[] {
  demand(head.origin === origin, `is of another log, ${head.origin}`);
  const crossing = crossings.findLast((one) => one.head.size <= head.size);
  const number = crossing?.to ?? 1;
  const generation = generations.get(number);
  demand(generation !== undefined, `the keys of generation ${number}, which signs here, aren't known`);
  const signed = signersOf(
    head,
    [...generations.values()].flatMap(({ keys }) => keys),
  );
  demandAllRequired(generation.keys, signed);
  if (crossing?.head.size === head.size) demandAllRequired(crossing.before.keys, signed);
  const root = roots.get(head.size);
  demand(root !== undefined, `has ${head.size} entries, more than could be read`);
  demand(same(root, head.root), `the entries lead to another root, ${hex(root)}`);
  return generation.keys.filter((key) => isAmong(key, signed)).map(({ kind }) => kind.name);
}

/** The day's first head has the SLH-DSA signature, if its keys have such a key. */
function demandHashSignature(head: Head, generations: ReadonlyMap<number, Generation>): void {
  const keys = [...generations.values()]
    .flatMap((one) => one.keys)
    .filter(({ kind }) => kind.name.startsWith("slh-"));
  const signed = signersOf(head, keys);
  demand(keys.length === 0 || signed.length > 0, "has no SLH-DSA signature");
}
