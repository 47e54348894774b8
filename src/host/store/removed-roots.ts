/**
 * `renewals/<N>.pruned` of a log that is written (docs/formats/renewal.md): what retention puts down for renewals
 * before it removes entries, and what a new renewal takes for those that are gone already.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import { splitBundle } from "../../audit/bundle.ts";
import { readNote } from "../../audit/checkpoint.ts";
import type { LogFiles } from "../../audit/log-walk.ts";
import { findPruned } from "../../audit/prune.ts";
import { readRenewalBody, type Renewal, type RenewalBody } from "../../audit/renewal.ts";
import { findRenewals } from "../../audit/renewals.ts";
import {
  leavesOfRemoved,
  removedRoots,
  removedRootsPath,
  rootOfLeafHashes,
} from "../../audit/removed-entries.ts";
import { hashes } from "../../crypto/hash.ts";
import { hashSuite, type RenewalHash } from "../../crypto/suites/symmetric.ts";
import { concat } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { leafHash, rootOf } from "../../merkle/hashing.ts";
import { bundlePath, tileWidth } from "../../merkle/tiles.ts";
import { fileMode, readIfThereAsync, sizeIfThere, syncFoldersOf, writeAtomically } from "./log-folder.ts";

/** Looked for in one go: a few milliseconds. */
const bundlesAtOnce = 1024;

/** How many of the full bundles before entry `end` aren't there any more: the first ones. */
async function removedBundles(folder: string, end: number): Promise<number> {
  let index = 0;
  while (index * tileWidth < end && sizeIfThere(folder, bundlePath(index)) === undefined) {
    index++;
    if (index % bundlesAtOnce === 0) await nextTurn();
  }
  return index;
}

/**
 * Puts down, for every renewal that wraps entries before `first`, what stands for them in its tree; on disk once this
 * resolves. Whatever lies there of entries that are there still, such as a torn end, is written anew.
 * @throws Refusal `bad_log` if a renewal can't be read, or lacks what stands for entries that are gone already; the
 * system's error
 */
export async function keepRemovedRoots(folder: string, first: number, signal?: AbortSignal): Promise<void> {
  const files: LogFiles = (path) => readIfThereAsync(folder, path);
  const notes = await findRenewals(files);
  if (notes.size === 0) return;
  const gone = await removedBundles(folder, first);
  const wrapped = [...notes].map(([number, note]) =>
    unfinished(folder, { body: bodyOf(number, note), first, gone }),
  );
  const due = wrapped.filter(({ from, to }) => from < to);
  if (due.length === 0) return;
  for (let bundle = Math.min(...due.map(({ from }) => from)); bundle * tileWidth < first; bundle++) {
    if (signal?.aborted === true) return;
    const bytes = await files(bundlePath(bundle));
    const growing = due.filter(({ from, to }) => from <= bundle && bundle < to);
    if (bytes === undefined || growing.length === 0) continue;
    appendRoots(growing, splitBundle(bytes).entries, bundle);
  }
  for (const each of due) await append(folder, each);
  await syncFoldersOf(
    folder,
    due.map(({ path }) => path),
  );
}

interface Unfinished {
  readonly path: string;
  readonly hash: RenewalHash;
  readonly size: number;
  /** The bundles whose roots are still to be put down. */
  readonly from: number;
  readonly to: number;
  readonly roots: Uint8Array[];
}

function bodyOf(number: number, note: Uint8Array): RenewalBody {
  const body = readRenewalBody(readNote(note)?.text ?? "");
  if (body?.number === number) return body;
  const text = `Nothing is removed: renewals/${number} can't be read; run "latticegate audit verify" on the log.`;
  throw new Refusal("bad_log", text);
}

function unfinished(
  folder: string,
  { body, first, gone }: { readonly body: RenewalBody; readonly first: number; readonly gone: number },
): Unfinished {
  const { number, hash, size } = body;
  const path = removedRootsPath(number);
  const has = Math.floor((sizeIfThere(folder, path) ?? 0) / hashSuite(hash).digestBytes);
  // Entries that came back with a copy stand in this tree as they did when it was made.
  const kept = Math.min(Math.max(gone, body.from / tileWidth), Math.ceil(size / tileWidth));
  if (has < kept) {
    const text = `Nothing is removed: ${path} lacks what stands for entries that were removed; run "latticegate audit verify" on the log.`;
    throw new Refusal("bad_log", text);
  }
  const to = Math.min(first / tileWidth, Math.ceil(size / tileWidth));
  return { path, hash, size, from: kept, to, roots: [] };
}

/** By each hash once, however many renewals there are. */
function appendRoots(growing: readonly Unfinished[], entries: readonly Uint8Array[], bundle: number): void {
  const known = new Map<RenewalHash, readonly Uint8Array[]>();
  const whole = new Map<RenewalHash, Uint8Array>();
  for (const { hash: id, size, roots } of growing) {
    const hash = hashes(id);
    const leaves = known.get(id) ?? entries.map((entry) => leafHash(hash, entry));
    known.set(id, leaves);
    const width = size - bundle * tileWidth;
    const root = width < tileWidth ? rootOf(hash, leaves.slice(0, width)) : whole.get(id);
    roots.push(root ?? rootOf(hash, leaves));
    if (width >= tileWidth) whole.set(id, roots.at(-1) ?? new Uint8Array());
  }
}

async function append(folder: string, { path, hash, from, roots }: Unfinished): Promise<void> {
  const start = from * hashSuite(hash).digestBytes;
  const target = join(folder, path);
  await using file = await open(target, "r+").catch(() => open(target, "wx", fileMode));
  await file.truncate(start);
  const bytes = concat(roots);
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, start + done)).bytesWritten;
  }
  await file.datasync();
}

/**
 * Writes what stands for entries that are gone in the tree of a renewal that is being made: what stands in the tree of
 * `prior`, one of the same hash, as far as that goes; else their SHA-256 leaf hashes.
 * @returns from where on entries stand in the tree themselves
 */
export async function writeRemovedRoots(
  folder: string,
  { number, hash, size }: Pick<RenewalBody, "number" | "hash" | "size">,
  prior: Renewal | undefined,
): Promise<number> {
  const files: LogFiles = (path) => readIfThereAsync(folder, path);
  const gone = await removedBundles(folder, await findPruned(files, size));
  if (gone === 0) return 0;
  const known = removedRoots(files);
  const wholeOfPrior = prior === undefined ? 0 : Math.floor(prior.size / tileWidth);
  const roots: Uint8Array[] = [];
  let from = Math.min(prior?.from ?? 0, gone * tileWidth);
  for (let bundle = 0; bundle < gone; bundle++) {
    const isPriors = prior !== undefined && bundle < wholeOfPrior;
    const root = isPriors
      ? await known.at(prior.number, bundle, hashSuite(hash).digestBytes)
      : await byLeafHashes(files, hash, bundle);
    if (root === undefined) throw lost(isPriors ? removedRootsPath(prior.number) : "a tile", bundle);
    if (!isPriors) from = (bundle + 1) * tileWidth;
    roots.push(root);
  }
  await writeAtomically(folder, removedRootsPath(number), concat(roots));
  return from;
}

async function byLeafHashes(
  files: LogFiles,
  hash: RenewalHash,
  bundle: number,
): Promise<Uint8Array | undefined> {
  const leaves = await leavesOfRemoved(files, bundle);
  return leaves && rootOfLeafHashes(hashes(hash), leaves);
}

function lost(what: string, bundle: number): Refusal {
  return new Refusal(
    "bad_log",
    `The log isn't renewed: ${what} lacks what stands for the removed entries from ${bundle * tileWidth} on; run "latticegate audit verify" on it.`,
  );
}
