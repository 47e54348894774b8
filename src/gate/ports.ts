/** The gate's ports, each with its contract in words. Only host/ implements them. */
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { EntryDraft, Receipt } from "../model/entry.ts";
import type { Answer, Journaled, Located } from "./call.ts";

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

/**
 * The virtual servers: each joins several.
 *
 * `route` finds out which member a call that names something is for. It returns that member's call, with
 * the body and headers the member is to see and a reply that gives the client what it is to see; a call for
 * all of them (a handshake, a list) comes back as it was, and is answered by `Upstreams`. What it has to ask
 * members for goes down the path of a call by itself. It rejects with a Refusal `unknown_name`,
 * `no_such_session` or `upstream_failed`.
 */
export interface VirtualServers {
  readonly route: (call: Located) => Promise<Located>;
}

/** What the path of a call needs beside the call and the world. */
export interface Ports {
  readonly journal: Journal;
  readonly upstreams: Upstreams;
  readonly virtual: VirtualServers;
  readonly clock: Clock;
  readonly log: Log;
  /** Binds a session id to its caller; 32 bytes. */
  readonly sessionKey: Uint8Array;
}
