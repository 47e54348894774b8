/** What the models are shown of a session, one call and one answer after the other, and what they say of each call. */

import type { Finding } from "../model/finding.ts";

export interface SeenCall {
  readonly server: string;
  readonly tool: string;
  /** As parsed from JSON. */
  readonly args: unknown;
  /** An operator or an approved manifest says that it only reads. */
  readonly isReadOnly: boolean;
  /** What the client says that it is about; "" where it says nothing. */
  readonly purpose: string;
}

interface SeenAnswer {
  readonly server: string;
  /** The tool, or the method of what was read otherwise. */
  readonly tool: string;
  /** All that it says, in order, each with its place in the message. */
  readonly texts: readonly { readonly at: string; readonly text: string }[];
}

/** Between 0 and 1: 0.6 is what one benign session in a hundred has, 0.9 one in a thousand. */
export interface CallRisk {
  readonly call: number;
  /** The highest so far of its session, this call included; half of it after 30 minutes. */
  readonly session: number;
  /** In whose answer the call, or what it says, was found: `server/tool`; "" where nothing was. */
  readonly source: string;
  /** One sentence for people; values are masked. */
  readonly because: string;
  /** How much each group of features says, by its name. */
  readonly parts: Readonly<Record<string, number>>;
}

/** One session. INVARIANT: `score` changes nothing but the session's risk; what was let through is told by `called`, then `read`. */
export interface SessionWatch {
  readonly score: (call: SeenCall, nowUnixMs: number) => CallRisk;
  readonly called: (call: SeenCall, nowUnixMs: number) => void;
  /** @returns where it speaks to its reader as one who gives orders; it says nothing of whether that is meant ill */
  readonly read: (answer: SeenAnswer, nowUnixMs: number) => readonly Finding[];
}

/** All sessions, within bounds; in memory. */
export interface CallWatch {
  /** @param identity whose habits are known, beside those of the session itself */
  readonly of: (session: string, identity: string) => SessionWatch;
}
