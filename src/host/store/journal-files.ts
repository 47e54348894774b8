/**
 * The audit log on append-only files: entries go into the open bundle with one write per turn of the event loop,
 * and soon, at most once a second, a signed head covers them (docs/formats/log.md).
 *
 * Why one write per turn: the entries of all calls that the turn read from their sockets are collected and written
 * in its check phase (setImmediate), right after the poll phase that brought them. A write(2) into the page cache
 * takes a few microseconds; handing it to the thread pool and back takes longer than the write itself, and would
 * let entries overtake each other.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { framedBytes } from "../../audit/bundle.ts";
import { type SealedEntry, sealEntry } from "../../audit/entry.ts";
import { type RotationCause, rotationDraft } from "../../audit/rotation.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { LogGeneration } from "../../crypto/log-key.ts";
import type { Journal } from "../../gate/ports.ts";
import { concat, toBase64 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { GrowingTree } from "../../merkle/growing-tree.ts";
import { leafHash } from "../../merkle/hashing.ts";
import { bundlePath, type Tile, tileWidth } from "../../merkle/tiles.ts";
import type { EntryDraft, Receipt } from "../../model/entry.ts";
import { type BundleFile, openBundleFile } from "./bundle-file.ts";
import { type DailyTurn, dailyTurn } from "./daily-turn.ts";
import { type GroupCommit, groupCommit } from "./group-commit.ts";
import { type HeadTimer, headTimer, shortestHeadPauseMs } from "./head-pace.ts";
import { hasDailyHead, type HeadSigning, publishHead, type TreeSnapshot } from "./journal-heads.ts";
import type { Durability, JournalOptions } from "./journal-options.ts";
import { type PendingSyncs, pendingSyncs, syncFound } from "./pending-syncs.ts";
import { recoverJournal, type Recovery } from "./journal-recovery.ts";
import {
  closedRefusal,
  headsStoppedRefusal,
  headUnavailable,
  stoppedRefusal,
  unavailable,
} from "./journal-refusals.ts";
import {
  crossingFile,
  type GenerationSigners,
  type PendingCrossing,
  publicGeneration,
  requireNext,
  requireSigners,
  signersOf,
  unfinishedRotation,
} from "./journal-rotation.ts";
import {
  checkpointFile,
  folderMode,
  lockFile,
  openBundlePath,
  readIfThere,
  writeAtomically,
} from "./log-folder.ts";
import { type Release, takeWriterLock } from "./writer-lock.ts";

/** The newest signed head. */
export interface JournalHead {
  readonly size: number;
  /** Base64, as in the checkpoint. */
  readonly root: string;
  /** Undefined if no signature of a head found at the start says when it was made. */
  readonly atUnixMs: number | undefined;
}

/** Its functions may be passed on by themselves. */
export interface FileJournal extends Journal {
  /** How many entries the log has. */
  readonly size: () => number;
  readonly durability: Durability;
  readonly head: () => JournalHead | null;
  /** The keys that sign. */
  readonly generation: () => LogGeneration;
  /**
   * Takes the log to its next generation of keys: an entry says so, and the head that ends with this entry is signed
   * by both. Entries are appended all the while. Resolves when the crossing is on disk; if that fails it is tried
   * again until the journal is closed, and then by the next start.
   * @throws Refusal `bad_config` if the keys can't follow; `bad_state` during another rotation;
   * `journal_unavailable` if its entry can't be written, or the crossing wasn't before the journal was closed
   */
  readonly rotate: (next: GenerationSigners, cause: RotationCause) => Promise<void>;
  /** Resolves once a signed head covers every entry written so far. Rejects with `journal_unavailable`. */
  readonly checkpoint: () => Promise<void>;
  /** Writes what is pending and a last head, and lets go of the log. Later appends are refused. */
  readonly close: () => Promise<void>;
  readonly recovered: {
    /** Of an entry that was never acknowledged; cut off. */
    readonly tornBytes: number;
    /**
     * Calls that were let through and have no outcome, oldest first. Whoever opens the journal appends their
     * outcomes before `gateway.start`, since the next recovery looks back no further than that.
     */
    readonly openCalls: readonly EntryDraft[];
  };
}

/**
 * Opens the log, or begins one.
 * @throws Refusal `bad_log` if what a head vouches for is missing or differs; `bad_state` if another process writes
 * it; `bad_config` if the signers aren't this log's.
 */
export async function openJournal(options: JournalOptions): Promise<FileJournal> {
  const { signers, dailySigner, generation: number = 1 } = options;
  const signing: GenerationSigners = { number, signers, dailySigner };
  const generation = requireSigners(options.origin, signing);
  mkdirSync(options.folder, { recursive: true, mode: folderMode });
  const release = takeWriterLock(join(options.folder, lockFile));
  try {
    const recovery = recoverJournal(options.folder, options.origin, generation);
    if (recovery.unpublishedHead !== undefined) {
      await writeAtomically(options.folder, checkpointFile, recovery.unpublishedHead);
    }
    const crossing = await unfinishedRotation(options, signing, recovery);
    const journal = new AppendOnlyLog(options, { ...recovery, signing, crossing }, release);
    // A log always has a head, so that one whose head was taken away isn't mistaken for a new one.
    if (recovery.head === undefined || crossing !== undefined) await journal.checkpoint();
    if (recovery.tornBytes > 0) options.log.warn("journal.torn_tail_dropped", { bytes: recovery.tornBytes });
    return journal;
  } catch (error) {
    release();
    throw error;
  }
}

interface Pending {
  readonly draft: EntryDraft;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (refusal: Refusal) => void;
}

/** Calls that end while the disk is full; beyond it memory would be the next to run out. */
const maxOwed = 10_000;
/** While heads can't be written, their tiles wait in memory: 32 MB for that many entries. */
const maxUncovered = 1_000_000;
const retryOwedMs = 1000;

class AppendOnlyLog implements FileJournal {
  readonly recovered: FileJournal["recovered"];
  readonly durability: Durability;
  readonly #options: JournalOptions;
  readonly #tree: GrowingTree;
  readonly #release: Release;
  readonly #heads: HeadTimer;
  readonly #daily: DailyTurn;
  /** Undefined if a write is enough to acknowledge an entry. */
  readonly #commits: GroupCommit | undefined;
  /** Why no entry is taken any more. */
  #stopped: Refusal | undefined;
  /** Why no head is signed any more. */
  #headsStopped: Refusal | undefined;
  #bundle: BundleFile;
  #bundleEntries: number;
  #previousHash: string | null;
  #head: JournalHead | null;
  #unpublished: readonly Tile[] = [];
  /** Of full bundles, and of folders: before the next head. */
  readonly #syncs: PendingSyncs;
  #pending: Pending[] = [];
  #owed: EntryDraft[] = [];
  #lostOwed = 0;
  #flushIsDue = false;
  #isClosed = false;
  #owedTimer: NodeJS.Timeout | undefined;
  #publishing: Promise<void> | undefined;
  #signing: GenerationSigners;
  #crossing: PendingCrossing | undefined;
  #crossed = Promise.withResolvers<void>();

  constructor(
    options: JournalOptions,
    recovery: Recovery & {
      readonly signing: GenerationSigners;
      readonly crossing: PendingCrossing | undefined;
    },
    release: Release,
  ) {
    const { bundle, tree, tornBytes, openCalls } = recovery;
    this.#options = options;
    this.durability = options.durability ?? "process";
    this.#heads = headTimer(options.checkpointEveryMs ?? shortestHeadPauseMs, () => {
      // A failure has been logged, and the next head is planned.
      this.checkpoint().catch(() => undefined);
    });
    this.#commits = this.durability === "power" ? groupCommit(() => this.#sync(), stoppedRefusal) : undefined;
    this.#syncs = pendingSyncs(options.folder, (cause) => {
      this.#syncFailed(cause);
    });
    this.#tree = tree;
    this.#release = release;
    this.#previousHash = recovery.previousHash;
    const { head } = recovery;
    const atUnixMs = head?.atUnixS === undefined ? undefined : head.atUnixS * 1000;
    this.#head = head === undefined ? null : { size: head.size, root: toBase64(head.root), atUnixMs };
    this.#bundle = this.#openBundle(bundle.index, bundle.bytes);
    this.#bundleEntries = bundle.entries;
    this.recovered = { tornBytes, openCalls };
    this.#syncs.add(syncFound(options.folder, { from: head?.size ?? 0, to: bundle.index }));
    this.#signing = recovery.signing;
    this.#crossing = recovery.crossing;
    this.#crossed.promise.catch(() => undefined);
    this.#planHead();
    this.#daily = this.#dailyTurn();
  }

  readonly size = (): number => this.#tree.size();

  readonly head = (): JournalHead | null => this.#head;

  readonly generation = (): LogGeneration => publicGeneration(this.#signing);

  readonly rotate = async (next: GenerationSigners, cause: RotationCause): Promise<void> => {
    if (this.#crossing !== undefined) {
      throw new Refusal("bad_state", "The log's keys are being rotated already; wait until that is done.");
    }
    requireNext(this.#options.origin, this.#signing, next);
    if (this.#isClosed) throw closedRefusal();
    this.#crossing = this.#writeRotation(next, cause);
    this.#crossed = Promise.withResolvers();
    this.#crossed.promise.catch(() => undefined);
    // What keeps a head from being written is logged there, and tried again.
    this.checkpoint().catch(() => undefined);
    await this.#crossed.promise;
  };

  readonly append = (draft: EntryDraft): Promise<Receipt> =>
    new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(closedRefusal());
        return;
      }
      this.#pending.push({ draft, resolve, reject });
      if (this.#flushIsDue) return;
      this.#flushIsDue = true;
      setImmediate(() => {
        this.#flush();
      });
    });

  readonly owe = (draft: EntryDraft): void => {
    if (this.#owed.length >= maxOwed || this.#isClosed) {
      this.#lostOwed++;
      this.#options.log.error("journal.owed_entry_lost", { callId: draft.callId, lost: this.#lostOwed });
      return;
    }
    this.#owed.push(draft);
    this.#planOwed();
  };

  readonly checkpoint = (): Promise<void> => {
    this.#heads.cancel();
    this.#publishing ??= this.#publish().finally(() => {
      this.#publishing = undefined;
    });
    const size = this.#tree.size();
    // One that was under way may have begun before the newest entries.
    return this.#publishing.then(() => (this.#headSize() < size ? this.checkpoint() : undefined));
  };

  readonly close = async (): Promise<void> => {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    clearTimeout(this.#owedTimer);
    this.#daily.cancel();
    if (this.#owed.length > 0) {
      this.#options.log.error("journal.owed_entries_lost", { lost: this.#lostOwed + this.#owed.length });
    }
    try {
      await this.checkpoint();
    } finally {
      this.#crossed.reject(closedRefusal());
      this.#heads.cancel();
      await this.#commits?.settled();
      await this.#bundle.close();
      this.#release();
    }
  };

  /** Owed entries first, then those of this turn; what can't be written is refused, and the log is as before. */
  #flush(): void {
    this.#flushIsDue = false;
    const batch = this.#pending;
    this.#pending = [];
    try {
      while (this.#owed.length > 0) {
        const drafts = this.#owed.slice(0, this.#roomInBundle());
        this.#write(drafts);
        this.#owed.splice(0, drafts.length);
      }
      for (let done = 0; done < batch.length;) {
        const part = batch.slice(done, done + this.#roomInBundle());
        this.#acknowledge(part, this.#write(part.map(({ draft }) => draft)));
        done += part.length;
      }
    } catch (cause) {
      const refusal = unavailable(cause);
      this.#options.log.error("journal.write_failed", { error: refusal.message, entries: batch.length });
      // Those that were written are settled already, and a promise settles only once.
      for (const { reject } of batch) reject(refusal);
    }
    if (this.#owed.length > 0) this.#planOwed();
  }

  /** Now, or once the disk has them; in the order of the entries. */
  #acknowledge(part: readonly Pending[], first: number): void {
    const resolve = (): void => {
      part.forEach((pending, i) => {
        pending.resolve({ index: first + i });
      });
    };
    const reject = (refusal: Refusal): void => {
      for (const pending of part) pending.reject(refusal);
    };
    if (this.#commits === undefined) resolve();
    else this.#commits.add({ resolve, reject });
  }

  /** All that is written so far survives a loss of power once this resolves. */
  #sync(): Promise<void> {
    return this.#syncs.all(this.#bundle.sync());
  }

  #syncFailed(cause: unknown): void {
    const refusal = this.durability === "power" ? stoppedRefusal(cause) : headsStoppedRefusal(cause);
    this.#options.log.error("journal.sync_failed", { error: refusal.message });
    this.#headsStopped = refusal;
    if (this.durability === "power") this.#stopped = refusal;
  }

  /**
   * Appends entries for which the open bundle has room; the index of the first.
   * INVARIANT: chain and tree move on only after the bytes are in the file.
   */
  #write(drafts: readonly EntryDraft[]): number {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#tree.size() - this.#headSize() > maxUncovered) throw new Error("no head covers the log");
    const sealed: SealedEntry[] = [];
    let previousHash = this.#previousHash;
    for (const draft of drafts) {
      const entry = sealEntry(draft, previousHash);
      previousHash = entry.eventHash;
      sealed.push(entry);
    }
    this.#bundle.append(framedBytes(sealed.map(({ bytes }) => bytes)));
    const first = this.#tree.size();
    for (const { bytes } of sealed) this.#tree.append(leafHash(sha256, bytes));
    this.#previousHash = previousHash;
    this.#bundleEntries += sealed.length;
    this.#planHead();
    return first;
  }

  /**
   * Appends the entry of a rotation and holds the tree that ends with it.
   * INVARIANT: nothing is appended between the two, so whoever makes this head again makes the same one.
   */
  #writeRotation(next: GenerationSigners, cause: RotationCause): PendingCrossing {
    this.#flush();
    try {
      this.#roomInBundle();
      const draft = rotationDraft(this.generation(), publicGeneration(next), cause);
      const { bytes: entry } = sealEntry(draft, this.#previousHash);
      const proof = this.#tree.pathOfNext();
      const open = readIfThere(this.#options.folder, openBundlePath(this.#bundle.index)) ?? new Uint8Array();
      const bundle = concat([open.subarray(0, this.#bundle.length()), framedBytes([entry])]);
      // From here on nothing may fail: an entry without its crossing would be under a head of the old keys.
      const index = this.#write([draft]);
      const snapshot = this.#snapshot(Promise.resolve(bundle));
      return { from: this.#signing, to: next, entry, index, proof, snapshot };
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  /** How many more entries the bundle takes; a full one makes way first. Throws the system's error. */
  #roomInBundle(): number {
    if (this.#bundleEntries === tileWidth) this.#nextBundle();
    return tileWidth - this.#bundleEntries;
  }

  #nextBundle(): void {
    const full = this.#bundle;
    full.moveTo(join(this.#options.folder, bundlePath(full.index)));
    this.#bundle = this.#openBundle(full.index + 1, 0);
    this.#bundleEntries = 0;
    this.#syncs.add(full.sync(), openBundlePath(this.#bundle.index), bundlePath(full.index));
    full.close().catch((error: unknown) => {
      this.#options.log.warn("journal.close_failed", { error: String(error) });
    });
  }

  #openBundle(index: number, length: number): BundleFile {
    const path = join(this.#options.folder, openBundlePath(index));
    const { write, sync } = this.#options;
    return openBundleFile({ index, path }, length, { write, sync });
  }

  /** A log without a head is behind even when it is empty. */
  #headSize(): number {
    return this.#head?.size ?? -1;
  }

  #planHead(): void {
    if (!this.#isClosed) this.#heads.plan(this.#tree.size() - this.#headSize());
  }

  #dailyTurn(): DailyTurn {
    const { dailySigner, dailyAfterMs = 0, folder, clock } = this.#options;
    const isMissing = (): boolean =>
      dailySigner !== undefined && this.#tree.size() > 0 && !hasDailyHead(folder, clock.nowUnixMs());
    return dailyTurn(dailyAfterMs, isMissing, () => {
      // After one that is under way, which was begun without it; a failure has been logged, and the next head brings it.
      const before = this.#publishing ?? Promise.resolve();
      const sign = async (): Promise<void> => (this.#isClosed ? undefined : await this.checkpoint());
      before.then(sign, sign).catch(() => undefined);
    });
  }

  #planOwed(): void {
    if (this.#owedTimer !== undefined || this.#isClosed) return;
    this.#owedTimer = setTimeout(() => {
      this.#owedTimer = undefined;
      this.#flush();
    }, retryOwedMs).unref();
  }

  async #publish(): Promise<void> {
    const { log } = this.#options;
    try {
      this.#roomInBundle();
      if (this.#headSize() >= this.#tree.size() && !this.#daily.isDue()) return;
      // No head of its own covers a rotation's entry but the one that ends with it.
      if (this.#crossing !== undefined) await this.#cross(this.#crossing);
      else await this.#publishTree(this.#snapshot(), this.#signing);
      log.debug("journal.head", { size: this.#headSize() });
    } catch (cause) {
      const refusal = this.#headsStopped ?? headUnavailable(cause);
      log.error("journal.head_failed", { error: refusal.message, size: this.#tree.size() });
      throw refusal;
    } finally {
      this.#planHead();
    }
  }

  async #publishTree(snapshot: TreeSnapshot, signing: Omit<HeadSigning, "atUnixMs">): Promise<void> {
    const atUnixMs = this.#options.clock.nowUnixMs();
    await this.#sync();
    const dailySigner = this.#daily.hasCome() ? signing.dailySigner : undefined;
    await publishHead(this.#options.folder, snapshot, { ...signing, dailySigner, atUnixMs });
    if (dailySigner !== undefined) this.#daily.taken();
    if (this.#head !== null) this.#heads.published(snapshot.size - this.#head.size);
    this.#head = { size: snapshot.size, root: toBase64(snapshot.root), atUnixMs };
    const published = new Set(snapshot.fullTiles);
    this.#unpublished = this.#unpublished.filter((tile) => !published.has(tile));
  }

  /** The head that both generations sign; from then on the new one signs alone. */
  async #cross(crossing: PendingCrossing): Promise<void> {
    const { from, to, snapshot } = crossing;
    await this.#publishTree(snapshot, {
      signers: [...signersOf(from), ...signersOf(to)],
      dailySigner: undefined,
      before: (checkpoint) => crossingFile(crossing, checkpoint),
    });
    this.#signing = to;
    this.#crossing = undefined;
    this.#crossed.resolve();
    this.#options.log.info("journal.keys_rotated", { generation: to.number, size: snapshot.size });
  }

  /** @param partialBundle of the open bundle as it is now; read if absent */
  #snapshot(partialBundle = this.#readBundle()): TreeSnapshot {
    this.#unpublished = [...this.#unpublished, ...this.#tree.takeFullTiles()];
    return {
      origin: this.#options.origin,
      size: this.#tree.size(),
      root: this.#tree.root(),
      fullTiles: this.#unpublished,
      partialTiles: this.#tree.partialTiles(),
      partialBundle,
    };
  }

  /** Asked for at once, so that the read is in line before the bundle is closed. */
  #readBundle(): Promise<Uint8Array> {
    const bytes = this.#bundle.read(this.#bundle.length());
    bytes.catch(() => undefined);
    return bytes;
  }
}
