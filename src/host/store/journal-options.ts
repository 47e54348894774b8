/** What a log is opened with. */
import type { NoteSigner } from "../../crypto/note-keys.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Sync, Write } from "./bundle-file.ts";
import type { GenerationSigners } from "./journal-rotation.ts";

export interface JournalOptions {
  /** Made if it isn't there. Nothing else may write into it. */
  readonly folder: string;
  /** The log's name, and that of its keys: a URL without a scheme. */
  readonly origin: string;
  /** The keys of the generation that signs: at least what verifiers require; each named like the origin. */
  readonly signers: readonly NoteSigner[];
  /** Signs the first head of each UTC day, too. */
  readonly dailySigner?: NoteSigner;
  /** How long the log has been open before `dailySigner` signs: its half second is nothing to wait for at a start. 0 if absent. */
  readonly dailyAfterMs?: number;
  /** Which generation that is; 1 if absent. */
  readonly generation?: number;
  /** Keys of the generation after it, made already, for a rotation that the last run didn't bring to its end. */
  readonly next?: (number: number, kinds: readonly string[]) => Promise<GenerationSigners>;
  readonly clock: Clock;
  readonly log: Log;
  /** What entries survive once they are acknowledged; the death of this process alone if absent. */
  readonly durability?: Durability;
  /** Under load; up to fifteen times that when there is little to cover. 1,000 if absent. */
  readonly checkpointEveryMs?: number;
  /** pwrite(2) if absent. */
  readonly write?: Write;
  /** fdatasync(2) if absent. */
  readonly sync?: Sync;
}

/** The death of the process, or a loss of power as well. */
export type Durability = "process" | "power";
