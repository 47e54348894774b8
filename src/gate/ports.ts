/** The gate's ports, each with its contract in words. Only host/ implements them. */
import type { SigningKey } from "../crypto/keys.ts";
import type { CallSide, RunningDigest } from "../crypto/subject-keys.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Caller } from "../model/caller.ts";
import type { EntryDraft, Receipt } from "../model/entry.ts";
import type { Answer, Journaled, Located } from "./call.ts";

/**
 * The append-only audit log.
 *
 * Durability: `append` resolves once the entry has been handed to the operating system, so that it
 * survives the death of this process at any later moment; in the class `power` once the disk has it, so
 * that it survives a loss of power. Concurrency: one writer a log; calls may overlap, entries take the
 * order of the calls, and so do their acknowledgements. Failure: `append` rejects with a Refusal
 * `journal_unavailable` and the entry is then not in the log; nobody retries for the caller; a later
 * append may succeed. Only if the disk failed to keep what was written (class `power`) a refused entry may
 * be found in the log by the next start, and no append succeeds until then. `owe` never fails: the entry
 * is written before the next entry that succeeds.
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
  /** In what the newest link to a server is less than it was, in short, where it is used all the same. */
  readonly regression?: (server: string) => string | undefined;
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

/**
 * The sessions of clients, which are not MCP's: a caller, for whom it acts, one process of a client.
 *
 * `mint` begins one and returns its token, which is worth nothing to another caller. `use` returns the session's id
 * for the log and counts as its use; without a token, all that a caller asks for the same others is one session.
 * It throws a Refusal `session_ended` for a token that is another's, unknown or ended, and `bad_message` for a
 * part's name that can't be one. Both are immediate; what is remembered is bounded, and lost with the process:
 * a session that may have been used shortly before goes on.
 */
export interface ClientSessions {
  readonly mint: (caller: Caller, nowUnixMs: number) => string;
  readonly use: (
    caller: Caller,
    named: { readonly token: string | undefined; readonly part: string | undefined },
    nowUnixMs: number,
  ) => string;
}

/**
 * Receipts of entries that are in the log.
 *
 * `of` resolves with the receipt of the entry with that index as text, or with undefined if none can be had soon:
 * too many wait already, or no head can be made. It never rejects, and takes a bounded time.
 */
export interface Receipts {
  readonly of: (index: number) => Promise<string | undefined>;
}

/**
 * Keyed digests of what is asked and answered, for the log: of the call's own key, which goes with its caller's. Equal
 * texts of two calls have different ones. @throws Refusal `journal_unavailable` if the caller's key can't be had
 */
export interface Digests {
  readonly begin: (
    call: { readonly callId: string; readonly principal: string },
    side: CallSide,
  ) => RunningDigest;
}

/** What the path of a call needs beside the call and the world. */
export interface Ports {
  readonly journal: Journal;
  /** Absent where answers aren't given any: what servers say of receipts then passes as it is. */
  readonly receipts?: Receipts;
  readonly digests: Digests;
  readonly upstreams: Upstreams;
  readonly virtual: VirtualServers;
  readonly clock: Clock;
  readonly log: Log;
  /** Binds a session id to its caller; 32 bytes. */
  readonly sessionKey: Uint8Array;
  readonly clientSessions: ClientSessions;
  /** The keys of delegations that count here, of which the first one signs; absent where none do. */
  readonly delegations?: () => readonly [SigningKey, ...SigningKey[]];
}
