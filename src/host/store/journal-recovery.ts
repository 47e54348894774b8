/**
 * What a journal finds when it opens: the last signed head is checked against the files, and the entries behind
 * it are replayed. Bytes that a crash tore off are dropped; anything else that isn't as it was signed stops the
 * opening, since a log that repairs itself proves nothing.
 *
 * Checked here: the head's signatures; the tiles at its edge against its root; that every full tile and bundle
 * is there with its length; and the content of the bundles below the newest level-1 tile, at most 65,536 entries.
 * `verifyLog` checks everything.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { type Bundle, framedBytes, lengthBytes, splitBundle } from "../../audit/bundle.ts";
import { type Crossing, crossingPath, crossingsFolder, readCrossing } from "../../audit/crossing.ts";
import { type Entry, readEntry } from "../../audit/entry.ts";
import { type Head, readHead } from "../../audit/head.ts";
import { newestPrune } from "../../audit/prune.ts";
import { readRotation, rotationEvent } from "../../audit/rotation.ts";
import { sha256 } from "../../crypto/hash.ts";
import { hasSameKeys, type LogGeneration } from "../../crypto/log-key.ts";
import { equalInConstantTime } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { growTree, type GrowingTree } from "../../merkle/growing-tree.ts";
import { hashBytes, leafHash, rootOf } from "../../merkle/hashing.ts";
import {
  bundlePath,
  levelWidth,
  partialTileIds,
  tileHashes,
  type TileId,
  tilePath,
  tileWidth,
} from "../../merkle/tiles.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { RotationSaid, UncrossedRotation } from "./journal-rotation.ts";
import {
  checkpointFile,
  openBundlePath,
  openFolder,
  readIfThere,
  renameInto,
  sizeIfThere,
} from "./log-folder.ts";

export interface Recovery {
  /** Undefined for a new log. */
  readonly head: Head | undefined;
  readonly tree: GrowingTree;
  /** `event_hash` of the last entry. */
  readonly previousHash: string | null;
  /** The bundle to go on with. */
  readonly bundle: { readonly index: number; readonly entries: number; readonly bytes: number };
  readonly tornBytes: number;
  /** Decisions that let a call through since the last start and have no outcome, oldest first. */
  readonly openCalls: readonly EntryDraft[];
  /** The head's note if it was signed, but not published: that of a crossing. */
  readonly unpublishedHead: Uint8Array | undefined;
  /** A rotation of the log's keys that has its entry, but no crossing yet. */
  readonly rotation: (UncrossedRotation & RotationSaid) | undefined;
}

/**
 * @param generation of the log's keys, that which the newest crossing leads to
 * @throws Refusal `bad_log` naming what is missing or differs.
 */
export function recoverJournal(folder: string, origin: string, generation: LogGeneration): Recovery {
  const checkpoint = readIfThere(folder, checkpointFile);
  if (checkpoint === undefined) {
    requireNewLog(folder);
    const bundle = { index: 0, entries: 0, bytes: 0 };
    const tree = growTree(sha256);
    const nothing = { openCalls: [], unpublishedHead: undefined, rotation: undefined };
    return { head: undefined, tree, previousHash: null, bundle, tornBytes: 0, ...nothing };
  }
  const { head, unpublishedHead } = newestHead(folder, checkpoint, generation);
  if (head.origin !== origin) throw badLog(`${checkpointFile} is of the log ${head.origin}, not ${origin}`);
  const tree = resumeTree(folder, head);
  const prunedBefore = once(() => findPruned(folder, head.size));
  requireFullFiles(folder, head.size, prunedBefore);
  checkRecentBundles(folder, head.size, prunedBefore);
  const tail = replay(folder, { origin, size: head.size, next: generation.number + 1 }, tree);
  return {
    head,
    tree,
    ...tail,
    unpublishedHead,
    openCalls: findOpenCalls(folder, tree.size(), prunedBefore),
  };
}

function once(find: () => number): () => number {
  let found: number | undefined;
  return () => (found ??= find());
}

/** The first entry that retention keeps, as the newest `log.prune` under the head says; 0 if none does. */
function findPruned(folder: string, size: number): number {
  for (let index = Math.ceil(size / tileWidth) - 1; index >= 0; index--) {
    const start = index * tileWidth;
    const entries = readBundle(folder, index)?.entries.slice(0, size - start);
    if (entries === undefined) return 0;
    const found = newestPrune(entries, start);
    if (found === undefined) continue;
    const row = readRow(folder, { level: 0, index, width: Math.min(tileWidth, size - start) });
    const at = (found.index - start) * hashBytes;
    const isSigned = equalInConstantTime(
      leafHash(sha256, entries[found.index - start] ?? new Uint8Array()),
      row.subarray(at, at + hashBytes),
    );
    if (isSigned) return found.first;
    throw badLog(`entry ${found.index} isn't the one that was signed`, { entry: found.index });
  }
  return 0;
}

function isPruned(index: number, prunedBefore: () => number): boolean {
  return (index + 1) * tileWidth <= prunedBefore();
}

/** The published head, or that of the newest crossing if the last run died before it was published. */
function newestHead(
  folder: string,
  checkpoint: Uint8Array,
  generation: LogGeneration,
): Pick<Recovery, "unpublishedHead"> & { readonly head: Head } {
  const crossing = newestCrossing(folder, generation);
  const reading = readHead(checkpoint, crossing === undefined ? [generation] : [crossing.from, generation]);
  if (reading.kind !== "signed") throw badLog(`${checkpointFile}: ${reading.why}`);
  const { head } = reading;
  if (crossing !== undefined && head.size < crossing.head.size) {
    return { head: crossing.head, unpublishedHead: crossing.checkpoint };
  }
  if (head.generations.includes(generation.number)) return { head, unpublishedHead: undefined };
  throw badLog(
    `${checkpointFile} is signed by generation ${head.generations[0]} of the log's keys, which ended`,
  );
}

/** How the generation came; undefined for the first. Older crossings are there, and `verifyLog` checks them. */
function newestCrossing(folder: string, { number, keys }: LogGeneration): Crossing | undefined {
  for (let each = 2; each < number; each++) {
    if (sizeIfThere(folder, crossingPath(each)) === undefined)
      throw badLog(`${crossingPath(each)} is missing`);
  }
  if (sizeIfThere(folder, crossingPath(number + 1)) !== undefined) {
    throw badLog(`its keys have rotated to generation ${number + 1}, and these are of ${number}`);
  }
  if (number === 1) return undefined;
  const path = crossingPath(number);
  const bytes = readIfThere(folder, path);
  if (bytes === undefined) throw badLog(`${path} is missing`);
  const reading = readCrossing(bytes, number);
  if (reading.kind === "bad") throw badLog(`${path}: ${reading.why}`);
  if (hasSameKeys(reading.crossing.to.keys, keys)) return reading.crossing;
  throw badLog(`${path} leads to other keys than these of generation ${number}`);
}

function badLog(what: string, facts: Readonly<Record<string, string | number>> = {}): Refusal {
  const text = `The audit log can't be opened: ${what}. It isn't repaired; run "latticegate audit verify" on it.`;
  return new Refusal("bad_log", text, { facts });
}

function requireNewLog(folder: string): void {
  for (const name of ["tile", openFolder, "checkpoints", crossingsFolder]) {
    if (sizeIfThere(folder, name) !== undefined) {
      throw badLog(`${checkpointFile} is missing, though there is ${name}/`);
    }
  }
}

function resumeTree(folder: string, head: Head): GrowingTree {
  const rows = new Map(partialTileIds(head.size).map((id) => [id.level, readRow(folder, id)]));
  const tree = growTree(sha256, head.size, (level) => rows.get(level));
  if (!equalInConstantTime(tree.root(), head.root)) {
    throw badLog(
      `the tiles at its edge (${[...partialTileIds(head.size)].map(tilePath).join(", ")}) don't add up to the signed root`,
    );
  }
  return tree;
}

/** A partial tile, or as much of the full one that replaced it. */
function readRow(folder: string, id: TileId): Uint8Array {
  const length = id.width * hashBytes;
  const bytes =
    readIfThere(folder, tilePath(id)) ?? readIfThere(folder, tilePath({ ...id, width: tileWidth }));
  if (bytes === undefined) throw badLog(`${tilePath(id)} is missing`);
  if (bytes.length < length) throw badLog(`${tilePath(id)} is cut`);
  return bytes.subarray(0, length);
}

function requireFullFiles(folder: string, size: number, prunedBefore: () => number): void {
  for (let level = 0; levelWidth(size, level + 1) > 0; level++) {
    for (let index = 0; index < levelWidth(size, level + 1); index++) {
      const path = tilePath({ level, index, width: tileWidth });
      const bytes = sizeIfThere(folder, path);
      if (bytes !== tileWidth * hashBytes)
        throw badLog(`${path} is ${bytes === undefined ? "missing" : "cut"}`);
    }
  }
  for (let index = 0; index < levelWidth(size, 1); index++) {
    if (sizeIfThere(folder, bundlePath(index)) !== undefined) continue;
    // The last one may have been filled without having been renamed yet.
    if (sizeIfThere(folder, openBundlePath(index)) !== undefined || isPruned(index, prunedBefore)) continue;
    throw badLog(`${bundlePath(index)} is missing`);
  }
}

/** Entries against level 0, and level 0 against level 1, below the newest level-1 tile; and the open bundle. */
function checkRecentBundles(folder: string, size: number, prunedBefore: () => number): void {
  const [full, open] = [levelWidth(size, 1), size % tileWidth];
  const first = full - (full % tileWidth);
  const level1 = partialTileIds(size).find((id) => id.level === 1);
  const parents = level1 === undefined ? [] : tileHashes(readRow(folder, level1));
  for (let index = first; index < full; index++) {
    const id = { level: 0, index, width: tileWidth };
    const hashes = tileHashes(readRow(folder, id));
    const parent = parents[index - first];
    if (parent === undefined || !equalInConstantTime(rootOf(sha256, hashes), parent)) {
      throw badLog(`${tilePath(id)} isn't as it was signed`);
    }
    if (readBundle(folder, index) !== undefined || !isPruned(index, prunedBefore))
      checkEntries(folder, index, hashes);
  }
  if (open > 0)
    checkEntries(folder, full, tileHashes(readRow(folder, { level: 0, index: full, width: open })));
}

function checkEntries(folder: string, index: number, hashes: readonly Uint8Array[]): void {
  const { entries } = requireBundle(folder, index);
  hashes.forEach((hash, i) => {
    const entry = entries[i];
    const number = index * tileWidth + i;
    if (entry === undefined)
      throw badLog(`entry ${number} is missing, though it was signed`, { entry: number });
    if (!equalInConstantTime(leafHash(sha256, entry), hash)) {
      throw badLog(`entry ${number} isn't the one that was signed`, { entry: number });
    }
  });
}

function requireBundle(folder: string, index: number): Bundle {
  const bundle = readBundle(folder, index);
  if (bundle === undefined) throw badLog(`${bundlePath(index)} is missing`);
  return bundle;
}

function readBundle(folder: string, index: number): (Bundle & { readonly isOpen: boolean }) | undefined {
  const full = readIfThere(folder, bundlePath(index));
  const bytes = full ?? readIfThere(folder, openBundlePath(index));
  return bytes === undefined ? undefined : { ...splitBundle(bytes), isOpen: full === undefined };
}

type Tail = Pick<Recovery, "previousHash" | "bundle" | "tornBytes" | "rotation">;

/** Appends the entries behind the head to the tree; stops where the log does. */
function replay(
  folder: string,
  { origin, size, next }: { readonly origin: string; readonly size: number; readonly next: number },
  tree: GrowingTree,
): Tail {
  let rotation: Recovery["rotation"];
  let previousHash = size === 0 ? null : entryAt(folder, size - 1).eventHash;
  for (let index = Math.floor(size / tileWidth); ; index++) {
    const bundle = readBundle(folder, index);
    if (bundle === undefined) {
      requireNoneBehind(folder, index);
      return { previousHash, bundle: { index, entries: 0, bytes: 0 }, tornBytes: 0, rotation };
    }
    let count = Math.max(0, size - index * tileWidth);
    for (const bytes of bundle.entries.slice(count)) {
      const entry = followingEntry(bytes, previousHash, tree.size());
      if (entry === undefined) break;
      previousHash = entry.eventHash;
      const proof = tree.pathOfNext();
      tree.append(leafHash(sha256, bytes));
      count++;
      if (entry.event !== rotationEvent) continue;
      requireTurn(entry, { next, isSecond: rotation !== undefined, number: tree.size() - 1 });
      rotation = uncrossed(entry, { origin, proof, tree, ofBundle: bundle.entries.slice(0, count) });
    }
    const whole = bundle.entries.slice(0, count);
    const length = whole.reduce((sum, entry) => sum + lengthBytes + entry.length, 0);
    const torn = bundle.tornBytes + framedLength(bundle.entries.slice(count));
    if (count > tileWidth || (torn > 0 && (!bundle.isOpen || count === tileWidth))) {
      throw badLog(`bundle ${index} holds more than ${tileWidth} entries`);
    }
    if (count < tileWidth) {
      if (!bundle.isOpen) throw badLog(`${bundlePath(index)} is cut`);
      requireNoneBehind(folder, index);
      return { previousHash, bundle: { index, entries: count, bytes: length }, tornBytes: torn, rotation };
    }
    if (bundle.isOpen) renameInto(join(folder, openBundlePath(index)), join(folder, bundlePath(index)));
  }
}

function requireTurn(
  entry: Entry,
  { next, isSecond, number }: { readonly next: number; readonly isSecond: boolean; readonly number: number },
): void {
  if (!isSecond && readRotation(entry)?.number === next) return;
  throw badLog(`entry ${number} rotates the log's keys out of turn`, { entry: number });
}

/** A rotation whose entry is the last of `tree`, and of the bundle's entries. */
function uncrossed(
  entry: Entry,
  at: {
    readonly origin: string;
    readonly proof: readonly Uint8Array[];
    readonly tree: GrowingTree;
    readonly ofBundle: readonly Uint8Array[];
  },
): Recovery["rotation"] {
  const { origin, proof, tree, ofBundle } = at;
  const says = readRotation(entry);
  const bytes = ofBundle.at(-1);
  if (says === undefined || bytes === undefined) return undefined;
  const snapshot = {
    origin,
    size: tree.size(),
    root: tree.root(),
    fullTiles: tree.takeFullTiles(),
    partialTiles: tree.partialTiles(),
    partialBundle: Promise.resolve(framedBytes(ofBundle)),
  };
  const kinds = entry.facts["algorithms"]?.split(" ") ?? [];
  return { entry: bytes, index: tree.size() - 1, proof, snapshot, says, kinds };
}

function framedLength(entries: readonly Uint8Array[]): number {
  return entries.reduce((sum, entry) => sum + lengthBytes + entry.length, 0);
}

/** Undefined if a loss of power left zeros in it: then it and what follows are torn. */
function followingEntry(bytes: Uint8Array, previousHash: string | null, number: number): Entry | undefined {
  const reading = readEntry(bytes);
  if (reading.kind === "unreadable") {
    if (bytes.includes(0)) return undefined;
    throw badLog(`entry ${number} can't be read: ${reading.why}`, { entry: number });
  }
  if (reading.entry.previousHash !== previousHash) {
    throw badLog(`entry ${number} doesn't follow the one before`, { entry: number });
  }
  return reading.entry;
}

function requireNoneBehind(folder: string, index: number): void {
  const names = sizeIfThere(folder, openFolder) === undefined ? [] : readdirSync(join(folder, openFolder));
  const stray = names.find((name) => name !== String(index));
  if (stray !== undefined)
    throw badLog(`${openFolder}/${stray} is there, but the log ends in bundle ${index}`);
  if (sizeIfThere(folder, bundlePath(index + 1)) !== undefined) {
    throw badLog(`${bundlePath(index)} is missing, though there is ${bundlePath(index + 1)}`);
  }
}

function entryAt(folder: string, number: number): Entry {
  const { entries } = requireBundle(folder, Math.floor(number / tileWidth));
  const bytes = entries[number % tileWidth];
  const reading = bytes === undefined ? undefined : readEntry(bytes);
  if (reading?.kind !== "entry") throw badLog(`entry ${number} can't be read`, { entry: number });
  return reading.entry;
}

/** From the tail to the last `gateway.start`; holds no more ids than calls were under way at once. */
function findOpenCalls(folder: string, size: number, prunedBefore: () => number): readonly EntryDraft[] {
  const ended = new Set<string>();
  const open: EntryDraft[] = [];
  for (let index = Math.ceil(size / tileWidth) - 1; index >= 0; index--) {
    const bundle = readBundle(folder, index);
    if (bundle === undefined && isPruned(index, prunedBefore)) break;
    const { entries } = bundle ?? requireBundle(folder, index);
    for (const bytes of entries.slice(0, size - index * tileWidth).reverse()) {
      const reading = readEntry(bytes);
      if (reading.kind !== "entry") continue;
      const { entry } = reading;
      if (entry.event === "gateway.start") return open.reverse();
      if (entry.event === "call.outcome") ended.add(entry.callId);
      if (entry.event !== "call.decision" || ended.delete(entry.callId) || entry.outcome !== "allowed")
        continue;
      const { atUnixMs, callId, principal, tool, outcome, facts } = entry;
      open.push({ event: "call.decision", atUnixMs, callId, principal, tool, outcome, facts });
    }
  }
  return open.reverse();
}
