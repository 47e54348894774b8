/** What operators are told of servers' tools: a row for each, the changes of one, the versions there were. */

/** `removed` is no reason to refuse a call: the server says itself that it hasn't got it. */
export type ToolState = "pinned" | "changed" | "new" | "held" | "removed";

/** Names and sentences are as servers have them: whoever shows them to people makes what is hidden in them visible. */
export interface ToolRow {
  readonly server: string;
  readonly tool: string;
  readonly state: ToolState;
  readonly isCalled: boolean;
  /** `read-only` if an operator or an approved manifest says so; a server's own annotations say nothing. */
  readonly effect: "read-only" | "any";
  /** ISO 8601. */
  readonly firstSeen: string;
  /** Under which it is called. */
  readonly pinnedHash?: string;
  /** Of what the server says now, where that is something else. */
  readonly offeredHash?: string;
  /** A sentence each. */
  readonly findings: readonly string[];
}

export interface ToolChanges extends ToolRow {
  /** Unified, a line each; empty where nothing differs. */
  readonly diff: readonly string[];
}

/** What was pinned at a time. */
export interface ToolVersion {
  readonly version: number;
  /** ISO 8601. */
  readonly at: string;
  readonly what: string;
  readonly who: string;
  readonly because: string;
  readonly tools: number;
  readonly isNow: boolean;
}
