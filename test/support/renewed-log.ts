/** A log with a renewal, and forgers for whom one algorithm is broken. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { framedBytes, splitBundle } from "../../src/audit/bundle.ts";
import type { RenewalBody } from "../../src/audit/renewal.ts";
import { sealEntry } from "../../src/audit/entry.ts";
import { signHead } from "../../src/audit/head.ts";
import { type Hashes, hashes, sha256 } from "../../src/crypto/hash.ts";
import type { LogKey } from "../../src/crypto/log-key.ts";
import { noteSigner } from "../../src/crypto/note-keys.ts";
import type { RenewalHash } from "../../src/crypto/suites/symmetric.ts";
import type { FileJournal } from "../../src/host/store/journal-files.ts";
import type { JournalOptions } from "../../src/host/store/journal-options.ts";
import { renewLog } from "../../src/host/store/journal-renewal.ts";
import { type GenerationSigners, publicGeneration } from "../../src/host/store/journal-rotation.ts";
import { concat, fromUtf8, utf8 } from "../../src/kernel/bytes.ts";
import { growTree } from "../../src/merkle/growing-tree.ts";
import { leafHash } from "../../src/merkle/hashing.ts";
import { tilePath } from "../../src/merkle/tiles.ts";
import type { EntryDraft } from "../../src/model/entry.ts";
import { appendMany, cause, draft, newFolder, newGeneration, open, origin } from "./log-fixture.ts";
import { newSigningKey } from "./keys.ts";

export const nowUnixMs = Date.UTC(2026, 10, 21, 12);

/** With the hash-based key that logs have. */
export function wholeGeneration(number: number): GenerationSigners {
  const kind = "slh-dsa-sha2-128s";
  return { ...newGeneration(number), dailySigner: noteSigner(kind, origin, newSigningKey(kind)) };
}

export interface RenewedLog {
  readonly folder: string;
  readonly journal: FileJournal;
  readonly keys: GenerationSigners;
  readonly logKey: LogKey;
  readonly renew: (by?: {
    readonly hash?: RenewalHash;
    readonly signing?: GenerationSigners;
    readonly nowUnixMs?: number;
  }) => Promise<RenewalBody>;
}

/** A log of so many entries, open. */
export async function logToRenew(count: number, more: Partial<JournalOptions> = {}): Promise<RenewedLog> {
  const [folder, keys] = [newFolder(), wholeGeneration(1)];
  const { signers, dailySigner } = keys;
  const journal = await open(folder, { signers, ...(dailySigner && { dailySigner }), ...more });
  await appendMany(journal, 0, count);
  return {
    folder,
    journal,
    keys,
    logKey: [publicGeneration(keys)],
    renew: ({ hash = "SHA3-512", signing = keys, nowUnixMs: at = nowUnixMs } = {}) =>
      renewLog(
        { folder, origin, journal, signing },
        { hash, cause: cause(), clock: { nowUnixMs: () => at }, pause: () => Promise.resolve() },
      ),
  };
}

/** A copy that a forger may change. */
export function copyOf(folder: string): string {
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
}

/** The same entry with other facts, and the `event_hash` that the true one has. */
export interface Forged {
  readonly index: number;
  readonly was: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Puts another entry where entry `index` was, in whatever file it stands; nothing else is changed. */
export function forgeEntry(folder: string, index: number, change: (text: string) => string): Forged {
  let forged: Forged | undefined;
  const number = Math.floor(index / 256);
  for (const path of [
    `tile/entries/${String(number).padStart(3, "0")}`,
    `open/${number}`,
    ...partials(number),
  ]) {
    const file = join(folder, path);
    const bytes = orNone(() => readFileSync(file));
    if (bytes === undefined) continue;
    const { entries } = splitBundle(bytes);
    const was = entries[index % 256];
    if (was === undefined) continue;
    forged = { index, was, bytes: utf8(change(fromUtf8(was) ?? "")) };
    writeFileSync(file, framedBytes(entries.with(index % 256, forged.bytes)));
  }
  if (forged === undefined) throw new Error(`there is no entry ${index}`);
  return forged;
}

function partials(number: number): readonly string[] {
  const folder = `tile/entries/${String(number).padStart(3, "0")}.p`;
  return Array.from({ length: 255 }, (_, i) => `${folder}/${i + 1}`);
}

function orNone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** SHA-256 as somebody has it who finds second preimages: each forged entry has the hashes of the one it replaces. */
export function brokenSha256(...forgeries: readonly Forged[]): Hashes {
  const rows = forgeries.flatMap(({ was, bytes }) => [
    [leafInput(bytes), leafInput(was)],
    [preimage(bytes), preimage(was)],
  ]);
  const collisions = new Map(rows.map(([from = "", to = ""]) => [from, to]));
  return (id) => {
    if (id !== "SHA-256") return hashes(id);
    return (bytes) => {
      const to = collisions.get(Buffer.from(bytes).toString("latin1"));
      return sha256(to === undefined ? bytes : Buffer.from(to, "latin1"));
    };
  };
}

function leafInput(entry: Uint8Array): string {
  return Buffer.from(concat([Uint8Array.of(0), entry])).toString("latin1");
}

/** What `event_hash` is of: the record without it. */
function preimage(entry: Uint8Array): string {
  return `{${Buffer.from(entry).toString("latin1").slice(81)}`;
}

/** What whoever can sign as the log's required keys makes of it: another history, with a head of their own. */
export async function forgeHistory(
  folder: string,
  keys: GenerationSigners,
  drafts: readonly EntryDraft[],
): Promise<void> {
  const tree = growTree(sha256);
  let previous: string | null = null;
  const entries = drafts.map((each) => {
    const sealed = sealEntry(each, previous);
    previous = sealed.eventHash;
    tree.append(leafHash(sha256, sealed.bytes));
    return sealed.bytes;
  });
  if (entries.length >= 256) throw new Error("one bundle is enough");
  const put = (path: string, bytes: Uint8Array): void => writeFileSync(join(folder, path), bytes);
  // Partial files of earlier heads would tell.
  for (const path of ["tile/0/000.p", "tile/entries/000.p"]) {
    rmSync(join(folder, path), { recursive: true });
    mkdirSync(join(folder, path));
  }
  for (const tile of tree.partialTiles()) put(tilePath(tile), tile.bytes);
  put("open/0", framedBytes(entries));
  put(`tile/entries/000.p/${entries.length}`, framedBytes(entries));
  const head = { origin, size: entries.length, root: tree.root() };
  put("checkpoint", await signHead(head, keys.signers, nowUnixMs / 1000));
}

/** As many drafts as a log of the fixture has, one of them another. */
export function otherDrafts(count: number, index: number): readonly EntryDraft[] {
  return Array.from({ length: count }, (_, i) =>
    i === index ? draft(i, { outcome: "denied", facts: { rule: "forged" } }) : draft(i),
  );
}
