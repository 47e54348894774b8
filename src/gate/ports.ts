/** The gate's ports, each with its contract in words. Only host/ implements them. */
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { EntryDraft, Receipt } from "../model/entry.ts";
import type { Answer, Journaled } from "./call.ts";

/**
 * The append-only audit log.
 *
 * Durability: `append` resolves once the entry has been handed to the operating system, so that it
 * survives the death of this process at any later moment. Concurrency: one writer a log; calls may
 * overlap, entries take the order of the calls. Failure: `append` rejects with a Refusal
 * `journal_unavailable` and the entry is then not in the log; nobody retries for the caller; a later
 * append may succeed. `owe` never fails: the entry is written before the next entry that succeeds.
 */
export interface Journal {
  readonly append: (draft: EntryDraft) => Promise<Receipt>;
  readonly owe: (draft: EntryDraft) => void;
}

/**
 * The servers behind the gateway.
 *
 * `forward` sends the call once: it never retries, since it can't know what the first attempt did. It
 * resolves with the whole answer, or with the head of a stream. It rejects with a Refusal
 * `upstream_failed`, `upstream_timeout`, `answer_too_large`, `no_such_session` or `busy`. When
 * `call.reply.gone` aborts, the upstream is told as its transport and era tell it. A stream that
 * breaks throws from its iterator.
 */
export interface Upstreams {
  readonly forward: (call: Journaled) => Promise<Answer>;
}

/** What the path of a call needs beside the call and the world. */
export interface Ports {
  readonly journal: Journal;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly log: Log;
  /** Binds a session id to its caller; 32 bytes. */
  readonly sessionKey: Uint8Array;
}
