/** Calls that wait for people, as rows of the state database. */
import type { DatabaseSync } from "node:sqlite";

import type { SealedSecret } from "../../crypto/sealed.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** `used` by the one call it let through; `expired` before it was approved, or before it was used. */
const requestStates = ["waiting", "approved", "denied", "used", "expired"] as const;
export type RequestState = (typeof requestStates)[number];

/** What one rule asks of the people. */
interface RuleTerms {
  readonly rule: string;
  readonly because: string;
  readonly approvers: number;
  /** Patterns of who may; anybody who can decide at all if absent. */
  readonly from?: readonly string[];
}

/** A call that is asked about. */
export interface AskedCall {
  /** Keyed digest of the very call and of what the rules ask: of another call it is another. */
  readonly digest: string;
  readonly caller: string;
  /** On behalf of whom. */
  readonly chain: readonly string[];
  readonly server: string;
  readonly method: string;
  readonly name: string;
  readonly terms: readonly RuleTerms[];
  /** How long it may wait, and how long an approval counts. */
  readonly expiresMs: number;
  /** What people are shown of its arguments, sealed under the name it is given. */
  readonly seal: (id: string) => SealedSecret;
}

/** Who decides. */
export interface Approver {
  /** `operator`, or `person:NAME`. */
  readonly name: string;
  /** Names under which that person calls: its own calls it doesn't approve. */
  readonly also: readonly string[];
  /** How it proved that. */
  readonly login: string;
}

export interface Vote {
  readonly by: string;
  readonly login: string;
  readonly what: "approve" | "deny";
  /** The rules it counts for. */
  readonly rules: readonly string[];
  readonly atUnixMs: number;
  readonly reason?: string;
}

export interface ApprovalRequest extends Omit<AskedCall, "seal" | "digest"> {
  readonly id: string;
  readonly state: RequestState;
  readonly askedUnixMs: number;
  readonly expiresUnixMs: number;
  readonly votes: readonly Vote[];
  /** How many different people have approved, and how many it takes at least. */
  readonly have: number;
  readonly need: number;
  /** Absent when it is over. */
  readonly shown?: SealedSecret;
}

/** For the audit log. */
export interface ApprovalEvent {
  readonly event: "approval.request" | "approval.decision" | "approval.use";
  readonly facts: Readonly<Record<string, string>>;
}

export interface UnrecordedApprovalEvent extends ApprovalEvent {
  readonly id: number;
  /** Of the entry, the same however often it is written. */
  readonly callId: string;
  readonly atUnixMs: number;
  /** Whose call. */
  readonly caller: string;
  readonly tool: string | null;
}

/** INVARIANT: of one call there is one request that may still let it through. */
export const approvalSchema = `
  create table if not exists approvals (
    id text primary key, digest text not null,
    state text not null check (state in ('waiting', 'approved', 'denied', 'used', 'expired')),
    caller text not null, chain text not null, server text not null, method text not null, name text not null,
    terms text not null, expires_ms integer not null, asked_unix_ms integer not null,
    expires_unix_ms integer not null, nonce text, sealed text
  ) strict;
  create unique index if not exists approvals_open on approvals (digest) where state in ('waiting', 'approved');
  create index if not exists approvals_digest on approvals (digest, asked_unix_ms);
  create index if not exists approvals_state on approvals (state, expires_unix_ms);
  create table if not exists approval_votes (
    request text not null references approvals (id) on delete cascade, approver text not null, login text not null, what text not null, rules text not null,
    at_unix_ms integer not null, reason text, primary key (request, approver)
  ) strict;
  create table if not exists approval_events (
    id integer primary key autoincrement, call_id text not null, at_unix_ms integer not null, event text not null,
    caller text not null, tool text, facts text not null, recorded integer not null default 0
  ) strict;
  create index if not exists approval_events_unrecorded on approval_events (id) where recorded = 0;
`;

export function requestOf(db: DatabaseSync, row: Record<string, unknown>): ApprovalRequest {
  const state = requestStates.find((each) => each === row["state"]);
  if (state === undefined) throw new Refusal("bad_state", "A request in the state database can't be read.");
  const id = String(row["id"]);
  const terms = JSON.parse(String(row["terms"])) as ApprovalRequest["terms"];
  const votes = votesOf(db, id);
  const have = votes.filter(({ what }) => what === "approve").length;
  const [nonce, sealed] = [row["nonce"], row["sealed"]];
  return {
    id,
    state,
    caller: String(row["caller"]),
    chain: JSON.parse(String(row["chain"])) as readonly string[],
    server: String(row["server"]),
    method: String(row["method"]),
    name: String(row["name"]),
    terms,
    expiresMs: Number(row["expires_ms"]),
    askedUnixMs: Number(row["asked_unix_ms"]),
    expiresUnixMs: Number(row["expires_unix_ms"]),
    votes,
    have,
    need: have + missingOf({ terms, votes }),
    ...(typeof nonce === "string" && typeof sealed === "string" && { shown: { nonce, sealed } }),
  };
}

function votesOf(db: DatabaseSync, id: string): readonly Vote[] {
  return db
    .prepare("select * from approval_votes where request = ? order by at_unix_ms, approver")
    .all(id)
    .map((row) => ({
      by: String(row["approver"]),
      login: String(row["login"]),
      what: row["what"] === "approve" ? ("approve" as const) : ("deny" as const),
      rules: JSON.parse(String(row["rules"])) as readonly string[],
      atUnixMs: Number(row["at_unix_ms"]),
      ...(typeof row["reason"] === "string" && { reason: row["reason"] }),
    }));
}

/** How many more people it takes at least: one may approve for several rules. */
export function missingOf({ terms, votes }: Pick<ApprovalRequest, "terms" | "votes">): number {
  const missing = terms.map(({ rule, approvers }) => {
    const have = votes.filter((vote) => vote.what === "approve" && vote.rules.includes(rule)).length;
    return Math.max(0, approvers - have);
  });
  return Math.max(...missing, terms.length === 0 ? 1 : 0);
}

export function approvalEventOf(row: Record<string, unknown>): UnrecordedApprovalEvent {
  const event = (["approval.request", "approval.use"] as const).find((each) => each === row["event"]);
  return {
    id: Number(row["id"]),
    callId: String(row["call_id"]),
    atUnixMs: Number(row["at_unix_ms"]),
    event: event ?? "approval.decision",
    caller: String(row["caller"]),
    tool: typeof row["tool"] === "string" ? row["tool"] : null,
    facts: JSON.parse(String(row["facts"])) as ApprovalEvent["facts"],
  };
}
