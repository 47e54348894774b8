/** The gate's ports, each with its contract in words. Only host/ implements them. */
import type { SigningKey } from "../crypto/keys.ts";
import type { CallSide, RunningDigest } from "../crypto/subject-keys.ts";
import type { CallWatch } from "../detect/session-watch.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Caller } from "../model/caller.ts";
import type { Direction } from "../integrity/claims.ts";
import type { Envelope } from "../integrity/envelope.ts";
import type { FlowMemory } from "../inspect/flow-memory.ts";
import type { KeySet } from "../integrity/key-set.ts";
import type { SignedCall } from "../integrity/long-answers.ts";
import type { EntryDraft, Receipt } from "../model/entry.ts";
import type { MessageChange, MessageProof, SignatureFault, SignatureMode } from "../model/message-proof.ts";
import type { Denial } from "../policy/decide.ts";
import type { PastCalls } from "../policy/history/past-calls.ts";
import type { Answer, Journaled, Judged, Located, Observed, Read, Received } from "./call.ts";
import type { TaskRegister } from "./task-register.ts";
import type { UnansweredCalls } from "./unanswered.ts";
import type { PinnedTools, ServerSignatures, World } from "./world.ts";

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
  ) => { readonly id: string; readonly beganUnixMs: number };
}

/**
 * What is done about findings by itself.
 *
 * `seen` is told of each call when models and inspectors have seen it and before it is decided, and returns the world
 * it is judged under: the one it was given, unless something was done. It is immediate; what it did is on disk.
 */
export interface Responses {
  readonly seen: (call: Observed, world: World) => World;
  /** The world that a call would be judged under now. */
  readonly now: () => World;
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

/** Whose messages to whom. */
export interface Route {
  /** SPIFFE ID of the end that signs. */
  readonly signer: string;
  readonly audience: string;
}

/**
 * What this end knows and does about message signatures: its own keys, those of others, what it has seen.
 *
 * Concurrency: all but `sign`, `answer` and `pass` are immediate. `take` looks and remembers in one go: of two equal
 * messages one passes. Durability: pins and who signs are on disk at once; what was seen is lost with the process, and
 * messages signed before it began are stale. Bounds: what is remembered is bounded; where no more can be, `take` says
 * `busy`, and nothing is forgotten that could be shown again. Failure: `sign` rejects with what the key's holder says;
 * `answer` with a Refusal. Promises that nobody keeps within a second suspend their route by themselves, and are
 * recorded; a statement that contradicts one cuts its signer's pin.
 */
export interface Signatures {
  /** SPIFFE ID under which this end signs. */
  readonly id: string;
  /** The keys of that fingerprint, if they were seen. */
  readonly keySet: (fingerprint: string) => KeySet | undefined;
  /** Messages signed before are stale. */
  readonly notBeforeUnixMs: number;
  /**
   * Remembers a message whose signature is right. An answer is never stale: it names a call that was made just now.
   * @returns why it can't be taken; nothing if it can
   */
  readonly take: (
    proof: MessageProof,
    to: { readonly audience: string; readonly direction: Direction },
    nowUnixMs: number,
  ) => SignatureFault | "busy" | undefined;
  /** A message that was taken wasn't carried out here: signed better, it may come again. */
  readonly release: (proof: MessageProof, audience: string) => void;
  /** Promises of that route are overdue. */
  readonly isSuspended: (route: Route, nowUnixMs: number) => boolean;
  /** That caller has signed, or passed on what others signed: it has to go on. */
  readonly signs: (caller: string, nowUnixMs: number) => void;
  /** Signs, or promises to sign, a message that is sent now. */
  readonly sign: (message: MessageToSign) => Promise<Envelope>;
  /** Calls that may be answered on another stream. */
  readonly unanswered: UnansweredCalls;
  /** What the answer to that call was, which was too long to be signed in place, or can't be. */
  readonly noteLong: (call: SignedCall, digest: string) => void;
  readonly nowUnixMs: () => number;
  /** Answers what other ends ask about signatures, as the end that serves. */
  readonly answer: (call: Journaled, terms: ServerSignatures) => Promise<Answer>;
  /** Takes in what two other ends say to each other about signatures, and passes it on as it is. */
  readonly pass: (
    call: Journaled,
    forward: () => Promise<Answer>,
    terms: ServerSignatures,
  ) => Promise<Answer>;
}

export interface MessageToSign {
  readonly direction: Direction;
  readonly audience: string;
  readonly method: string;
  /** Digest of the message. */
  readonly body: string;
  /** Of an answer: the digest of its call's payload. */
  readonly request?: string;
  readonly mode: Exclude<SignatureMode, "none">;
  /** What was changed of what another had signed. */
  readonly changed?: MessageChange;
  /** Of an answer to a call that was promised a signature: the batch of that. */
  readonly calls?: string;
  /** At least; the algorithm of this end's identity by default. */
  readonly algorithm?: string;
}

/**
 * What the servers' tools were when they were pinned.
 *
 * `shown` takes a message of that call's server that lists tools, and resolves with it as clients may see it: the very
 * same bytes if nothing in it is to be replaced. What it finds is durable, and counts for calls, before it resolves. It
 * may ask the server something itself, in the call's session, for a bounded time. Concurrency: lists of one server are
 * remembered one after the other. Failure: it rejects with a Refusal `upstream_failed` for a list that two readers could
 * read in two ways or that is too much, and `bad_state` if what was pinned can't be read; the list is then withheld.
 */
export interface Tools {
  readonly shown: (
    call: Journaled,
    listed: {
      readonly message: Uint8Array;
      /** Of the page; absent for the first. */
      readonly cursor?: string;
    },
  ) => Promise<Uint8Array>;
  /** What that server's tools are held to at this moment: a list may just have changed it. */
  readonly pinnedNow: (server: string) => PinnedTools | undefined;
}

/** A call that rules hold, as people are asked about it. */
export interface HeldCall {
  readonly caller: string;
  readonly chain: readonly string[];
  readonly server: string;
  readonly method: string;
  /** What it names, as the log may have it. */
  readonly name: string;
  /** All of it that the server would act on, and who asks; of another call it is another text. */
  readonly content: string;
  /** What it says, for people: bounded, with nothing hidden in it. */
  readonly said: readonly SaidArgument[];
  readonly held: NonNullable<Denial["held"]>;
}

/** One argument of a call, as it is shown to people: its name, and its value as JSON. */
export interface SaidArgument {
  readonly name: string;
  readonly value: string;
  /** There is more of it than is shown. */
  readonly isCut?: true;
}

/** How a held call stands. */
export type Held =
  /** People have approved this very call; that is used up now. */
  | { readonly kind: "taken"; readonly request: string }
  | {
      readonly kind: "waiting";
      readonly request: string;
      readonly have: number;
      readonly need: number;
      readonly expiresUnixMs: number;
      /** An earlier request of the same call that is over, in whose place this one is asked. */
      readonly before?: { readonly request: string; readonly state: string };
    }
  | {
      readonly kind: "denied";
      readonly request: string;
      readonly expiresUnixMs: number;
      /** What who denied it wants the caller to know. */
      readonly reason?: string;
    }
  /** Nobody is asked: too many calls wait already. */
  | { readonly kind: "full"; readonly whose: "caller" | "all"; readonly most: number };

/**
 * The people who let held calls through.
 *
 * `settle` takes the approval of that very call, or says how it stands, and asks people if nobody has. Durability: what it
 * says is on disk. Concurrency: it is immediate, and atomic with all that share the state: of two equal calls one takes an
 * approval, and none takes it twice. An approval that is taken is used up, whatever becomes of the call. Bounds: requests
 * of a caller, and in all; beyond them it says `full`. Failure: throws, and nothing may go through.
 */
export interface Approvals {
  readonly settle: (call: HeldCall) => Held;
}

/**
 * What calls asked, kept for a while where an operator wants it. `take` returns at once and never throws; what can't be
 * kept is lost and counted, and no call waits for it or fails because of it.
 */
export interface Captures {
  readonly take: (call: Judged) => void;
}

/**
 * Who looks on as calls go, to count and to time them. `begun` is told of each call before anything is asked of it, and
 * `ended` when its outcome is known, in the log or not, before its answer has left. Both are immediate and never throw.
 */
export interface CallOnlooker {
  readonly begun: (call: Received) => void;
  readonly ended: (call: Received & Partial<Read>, outcome: EntryDraft) => void;
}

/** What the path of a call needs beside the call and the world. */
export interface Ports {
  readonly journal: Journal;
  /** Absent where answers aren't given any: what servers say of receipts then passes as it is. */
  readonly receipts?: Receipts;
  readonly digests: Digests;
  /** Absent where nothing of that kind is kept. */
  readonly captures?: Captures;
  /** Absent where no server's tools are pinned. */
  readonly tools?: Tools;
  /** Absent where no calls are remembered: conditions that ask for them err there. */
  readonly history?: PastCalls;
  /** Absent where nobody can be asked: held calls are denied there. */
  readonly approvals?: Approvals;
  readonly upstreams: Upstreams;
  readonly virtual: VirtualServers;
  readonly clock: Clock;
  readonly log: Log;
  /** Binds a session id to its caller; 32 bytes. */
  readonly sessionKey: Uint8Array;
  /** Which calls began tasks; absent where there are no rules but the one. */
  readonly tasks?: TaskRegister;
  readonly clientSessions: ClientSessions;
  /** What sessions have read; absent where no rule can ask for it. Lost with the process. */
  readonly flow?: FlowMemory;
  /** What models say of sessions' calls; absent where no rule can ask for it. Lost with the process. */
  readonly watch?: CallWatch;
  /** Absent where calls aren't counted. */
  readonly onlooker?: CallOnlooker;
  /** What is done about findings; absent where nothing is. */
  readonly responses?: Responses;
  /** The keys of delegations that count here, of which the first one signs; absent where none do. */
  readonly delegations?: () => readonly [SigningKey, ...SigningKey[]];
  /** Absent where nothing is known of message signatures. */
  readonly signatures?: Signatures;
}
