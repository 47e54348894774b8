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

import { type Bundle, lengthBytes, splitBundle } from "../../audit/bundle.ts";
import { type Entry, readEntry } from "../../audit/entry.ts";
import { type Head, readHead } from "../../audit/head.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { NoteVerifier } from "../../crypto/note-keys.ts";
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
}

/** @throws Refusal `bad_log` naming what is missing or differs. */
export function recoverJournal(folder: string, origin: string, logKey: readonly NoteVerifier[]): Recovery {
  const checkpoint = readIfThere(folder, checkpointFile);
  if (checkpoint === undefined) {
    requireNewLog(folder);
    const bundle = { index: 0, entries: 0, bytes: 0 };
    const tree = growTree(sha256);
    return { head: undefined, tree, previousHash: null, bundle, tornBytes: 0, openCalls: [] };
  }
  const reading = readHead(checkpoint, logKey);
  if (reading.kind !== "signed") throw badLog(`${checkpointFile}: ${reading.why}`);
  const { head } = reading;
  if (head.origin !== origin) throw badLog(`${checkpointFile} is of the log ${head.origin}, not ${origin}`);
  const tree = resumeTree(folder, head);
  requireFullFiles(folder, head.size);
  checkRecentBundles(folder, head.size);
  const tail = replay(folder, head.size, tree);
  return { head, tree, ...tail, openCalls: findOpenCalls(folder, tree.size()) };
}

function badLog(what: string, facts: Readonly<Record<string, string | number>> = {}): Refusal {
  const text = `The audit log can't be opened: ${what}. It isn't repaired; run "latticegate audit verify" on it.`;
  return new Refusal("bad_log", text, { facts });
}

function requireNewLog(folder: string): void {
  for (const name of ["tile", openFolder, "checkpoints"]) {
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

function requireFullFiles(folder: string, size: number): void {
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
    if (sizeIfThere(folder, openBundlePath(index)) === undefined)
      throw badLog(`${bundlePath(index)} is missing`);
  }
}

/** Entries against level 0, and level 0 against level 1, below the newest level-1 tile; and the open bundle. */
function checkRecentBundles(folder: string, size: number): void {
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

type Tail = Pick<Recovery, "previousHash" | "bundle" | "tornBytes">;

/** Appends the entries behind the head to the tree; stops where the log does. */
function replay(folder: string, size: number, tree: GrowingTree): Tail {
  let previousHash = size === 0 ? null : entryAt(folder, size - 1).eventHash;
  for (let index = Math.floor(size / tileWidth); ; index++) {
    const bundle = readBundle(folder, index);
    if (bundle === undefined) {
      requireNoneBehind(folder, index);
      return { previousHash, bundle: { index, entries: 0, bytes: 0 }, tornBytes: 0 };
    }
    let count = Math.max(0, size - index * tileWidth);
    for (const bytes of bundle.entries.slice(count)) {
      const entry = followingEntry(bytes, previousHash, tree.size());
      if (entry === undefined) break;
      previousHash = entry.eventHash;
      tree.append(leafHash(sha256, bytes));
      count++;
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
      return { previousHash, bundle: { index, entries: count, bytes: length }, tornBytes: torn };
    }
    if (bundle.isOpen) renameInto(join(folder, openBundlePath(index)), join(folder, bundlePath(index)));
  }
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
function findOpenCalls(folder: string, size: number): readonly EntryDraft[] {
  const ended = new Set<string>();
  const open: EntryDraft[] = [];
  for (let index = Math.ceil(size / tileWidth) - 1; index >= 0; index--) {
    const entries = requireBundle(folder, index).entries.slice(0, size - index * tileWidth);
    for (const bytes of entries.toReversed()) {
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
