/**
 * The evidence types of one call. Each stage's output extends its input, so a stage can't be skipped:
 * Received → Identified → Delegated → InSession → Read → Confirmed → Opened → Located → Observed → Judged → Journaled →
 * (answer) → recorded.
 */
import type { CallRisk, SessionWatch } from "../detect/session-watch.ts";
import type { SessionFlow } from "../inspect/flow-memory.ts";
import type { Finding } from "../model/finding.ts";
import type { Caller, TokenProof } from "../model/caller.ts";
import { type Channel, nameOf, type ServerLink } from "../model/channel.ts";
import type { Receipt } from "../model/entry.ts";
import type { MessageProof } from "../model/message-proof.ts";
import type { Denial, Permit, Question } from "../policy/decide.ts";
import { Refusal, type RefusalCode } from "../kernel/refusal.ts";
import type { Frame, RequestId } from "../wire/frame.ts";
import type { SseEvent } from "../wire/sse.ts";
import type { TargetUrl } from "../wire/target-url.ts";

/** Header names and values in turn, as they stood on the wire. */
export type HeaderList = readonly string[];

/** What headers begin with that repeat an argument (MCP 2026-07-28, `x-mcp-header`); in lower case. */
export const parameterPrefix = "mcp-param-";

/** Looks a header up by its lower-case name. */
export type HeaderReader = (lowerCaseName: string) => string | undefined;

/** Where the answer goes. The front that made the call owns it. */
export interface Reply {
  /** A whole answer: head, body, end. */
  readonly whole: (status: number, headers: HeaderList, body: Uint8Array) => void;
  /** The head of a stream, or of a long answer whose length may be known. */
  readonly open: (status: number, headers: HeaderList, bodyBytes?: number) => void;
  /** Resolves when more may be written. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** The end, with what is left to be written. */
  readonly close: (last?: Uint8Array) => void;
  /** Breaks the stream off, so that the reader can't take it for complete. */
  readonly cut: () => void;
  /** Ends the link, once what was written has left; absent where there is none of its own. */
  readonly hangUp?: () => void;
  /** The caller went away; or was sent away, and the signal's reason is the Refusal that says why. */
  readonly gone: AbortSignal;
}

/** A caller that came with an access token. */
export type TokenCaller = Caller & { readonly proof: TokenProof };
/** Why nobody is there any more to take an answer; undefined while somebody is. */
export function whyGone({ gone }: Pick<Reply, "gone">): "caller_gone" | RefusalCode | undefined {
  if (!gone.aborted) return undefined;
  const reason: unknown = gone.reason;
  return reason instanceof Refusal ? reason.code : "caller_gone";
}

export interface Received {
  readonly id: string;
  readonly atUnixMs: number;
  readonly channel: Channel;
  /** Whom the request's access token proves, where the link itself proves nobody. INVARIANT: the listener has judged it. */
  readonly presented?: TokenCaller;
  /** The name under which the upstream is configured. */
  readonly server: string;
  /** The virtual server through which the call came to this one. */
  readonly via?: string;
  /** What the client itself wants to reach through a forward server. */
  readonly targetUrl?: TargetUrl;
  readonly verb: "POST" | "GET" | "DELETE";
  readonly header: HeaderReader;
  readonly headers: HeaderList;
  /** Empty for GET and DELETE. */
  readonly body: Uint8Array;
  readonly reply: Reply;
  /** INVARIANT: only `open` writes this, and who makes a call once more that was opened. */
  readonly signature?: Signature;
}

/** A message's signature that counts. */
export interface Signature {
  readonly proof: MessageProof;
  /** Whom it is for. */
  readonly audience: string;
  /** Whether this end signs the answer, or verifies in passing what another one signs. */
  readonly end: "serving" | "between";
}

/** + who asks. */
export interface Identified extends Received {
  readonly caller: Caller;
}

/** + for whom. */
export interface Delegated extends Identified {
  /** INVARIANT: only `delegated` writes this: the caller acts for whom it has proven, and for nobody else. */
  readonly delegation: "checked";
}

/** + in which of its clients' sessions. */
export interface InSession extends Delegated {
  /** As the log names it; never the token. Not MCP's session, which is `session`. */
  readonly clientSession: string;
  /** When it began, to the second. */
  readonly sessionBeganUnixMs: number;
  /** What was read in it; absent where nothing of that is remembered. */
  readonly flow?: SessionFlow;
  /** What watches its calls; absent where nothing does. */
  readonly watch?: SessionWatch;
}

/** Who acted, as the log names it, however far the call came. */
export function principalOf({ caller, channel, presented }: Received & Partial<Identified>): string {
  return (caller ?? presented)?.id ?? nameOf(channel);
}

/** + the message. */
export interface Read extends InSession {
  /** Absent for GET and DELETE, which carry none, and for what goes beside MCP. */
  readonly frame?: Frame;
  /** Through a forward server: nothing of MCP, but what clients need to come to speak it (OAuth). */
  readonly isBesideMcp?: boolean;
}

/** + what it says of who sent it. */
export interface Confirmed extends Read {
  /** INVARIANT: only `confirm` writes this: nothing in `_meta` contradicts the caller's proof. */
  readonly claims: "uncontradicted";
}

/** + what is proven of the message by its signature; where this end serves, without it. */
export interface Opened extends Confirmed {
  /** INVARIANT: only `open` writes this: a signature that is there counts. */
  readonly opened: "checked";
  /** Why it goes no further without a signature: "no" for a better reason comes first. */
  readonly unsigned?: Refusal;
  /** Its client, or who called for it, offers signatures with this message, and wants to know whether they are taken. */
  readonly offersSignatures?: boolean;
}

/** + where it goes: a server there is, in a session of the caller's. */
export interface Located extends Opened {
  /** The upstream's own session id, if the caller holds one and it is theirs. */
  readonly session?: string;
  /** The task it is about, where it is known which call began it. */
  readonly task?: KnownTask;
}

/** A task, as the call that began it left it. */
export interface KnownTask {
  readonly tool: string;
  /** What was to be taken out of that call's answer. */
  readonly redactions: Permit["redactions"];
}

/** + what the models and the inspectors say of it. Each is asked when it is needed, once. */
export interface Observed extends Located {
  /** Absent of what names nothing, and where nothing watches calls; undefined where the models failed. */
  readonly risk?: () => CallRisk | undefined;
  readonly findings: () => readonly Finding[];
}

/** + what was decided. */
export interface Judged extends Observed {
  readonly question: Question;
  readonly verdict: Permit | Denial;
}

/** + the decision is on disk, and it was yes. */
export interface Journaled extends Judged {
  /** The gateway's own question, asked in a caller's session: nobody else said it. */
  readonly isOwn?: true;
  readonly verdict: Permit;
  readonly receipt: Receipt;
}

/** Longer answers are passed on unread, and needn't be whole before they are: reading costs time that others wait for. */
export const inspectBytes = 1024 * 1024;

/** What the server said, where something of it was replaced: the bytes of its body or event, and the message in them. */
interface AsItCame {
  readonly bytes: Uint8Array;
  readonly message: Uint8Array;
}

/** An event, and why the gateway had to say it in the server's stead, if it had. */
export type AnswerEvent = SseEvent & {
  readonly refusal?: Refusal;
  readonly asItCame?: AsItCame;
};

/** The call whose answer a stream is the rest of. */
export interface ResumedCall {
  readonly callId: string;
  readonly requestId: RequestId;
}

/** What came back from an upstream. */
export type Answer = AnswerOf & {
  /** The link it came on, where there is one that says something: none to a process, or within this machine. */
  readonly link?: ServerLink;
  /** What the log says of it beside, by the names of its facts; known when it has been read. */
  readonly facts?: () => Readonly<Record<string, string>>;
};

type AnswerOf =
  | {
      readonly kind: "whole";
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: Uint8Array;
      /** The message in the body, where that isn't the message itself. */
      readonly message?: Uint8Array;
      readonly asItCame?: AsItCame;
    }
  | {
      /** Longer than `inspectBytes`; `chunks` throw if it breaks off. */
      readonly kind: "long";
      readonly status: number;
      readonly headers: HeaderList;
      readonly bodyBytes?: number;
      readonly chunks: AsyncIterable<Uint8Array>;
    }
  | {
      readonly kind: "stream";
      readonly status: number;
      readonly headers: HeaderList;
      readonly events: AsyncIterable<AnswerEvent>;
      readonly resumes?: ResumedCall;
    };
