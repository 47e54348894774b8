/**
 * Calls that wait for people, in the state database: what is asked for, who approved it, and that an approval was used.
 *
 * Durability: each change is on disk when the call returns. Concurrency: every change is one transaction, whichever of
 * the processes that share the file makes it; of two equal calls one takes an approval. Failure: throws, and nothing was
 * changed. What people are shown of a call's arguments is sealed, and is gone when the request is over.
 */
import { randomBytes, randomUUIDv7 } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";
import { matcher } from "../../policy/patterns.ts";
import {
  type ApprovalEvent,
  approvalEventOf,
  type ApprovalRequest,
  approvalSchema,
  type Approver,
  type AskedCall,
  missingOf,
  requestOf,
  type RequestState,
  type UnrecordedApprovalEvent,
  type Vote,
} from "./approval-rows.ts";
import { openDatabase, transaction } from "./database.ts";

/** What becomes of a held call now. */
export type Settled =
  /** It may go through, and no other; the request was waiting until now if `isNew`. */
  | { readonly kind: "taken"; readonly request: ApprovalRequest }
  | {
      readonly kind: "waiting";
      readonly request: ApprovalRequest;
      readonly isNew: boolean;
      /** What became of the one before, if this one takes its place. */
      readonly before?: { readonly id: string; readonly state: RequestState };
    }
  | { readonly kind: "denied"; readonly request: ApprovalRequest }
  /** Too many wait: of this caller, or in all. */
  | { readonly kind: "full"; readonly whose: "caller" | "all"; readonly most: number };

export interface ApprovalStore {
  /** Takes the approval of that very call if there is one; otherwise says how it stands, and asks if nobody has. */
  readonly settle: (call: AskedCall, nowUnixMs: number) => Settled;
  /**
   * @throws Refusal `bad_state` if there is no such request, it is over, or that approver has decided already; `denied`
   * if it may not
   */
  readonly decide: (
    id: string,
    vote: { readonly by: Approver; readonly what: Vote["what"]; readonly reason?: string },
    nowUnixMs: number,
  ) => ApprovalRequest;
  /** Newest first; those that are over too if `all`. */
  readonly list: (options: { readonly all: boolean }, nowUnixMs: number) => readonly ApprovalRequest[];
  readonly of: (id: string, nowUnixMs: number) => ApprovalRequest | undefined;
  /** Ends what is too old, and forgets what has been over for long; a bounded part of it each time. */
  readonly sweep: (nowUnixMs: number) => void;
  /** Ends all that might still go through. */
  readonly expireAll: (nowUnixMs: number) => void;
  readonly unrecorded: () => readonly UnrecordedApprovalEvent[];
  readonly recorded: (id: number) => void;
  readonly close: () => void;
}

export interface ApprovalBounds {
  /** Requests that wait, or are approved and not used yet. */
  readonly open: number;
  readonly openOfCaller: number;
  /** Those that are over, for people to look up. */
  readonly over: number;
  readonly overMs: number;
}

/** People can't look through more; an agent that repeats itself costs no more than this. */
export const defaultApprovalBounds: ApprovalBounds = {
  open: 1000,
  openOfCaller: 20,
  over: 10_000,
  overMs: 30 * 24 * 3_600_000,
};

/** Rows that one sweep touches of each kind. */
const sweptAtOnce = 500;
const maxListed = 1000;

/** @throws Refusal `bad_state` if the file can't be opened or isn't ours */
export function openApprovals(file: string, bounds = defaultApprovalBounds): ApprovalStore {
  const db = openDatabase(file, (db) => db.exec(approvalSchema));
  const of = (id: string): ApprovalRequest | undefined => {
    const row = db.prepare("select * from approvals where id = ?").get(id);
    return row === undefined ? undefined : requestOf(db, row);
  };
  return {
    settle: (call, nowUnixMs) => transaction(db, () => settle(db, call, { bounds, nowUnixMs })),
    decide: (id, vote, nowUnixMs) => {
      const decided = transaction(db, () => {
        const request = of(id);
        if (request === undefined) return undefined;
        if (isOverdue(request, nowUnixMs)) return expire(db, request, nowUnixMs);
        return vetted(request, vote) ?? decide(db, request, { ...vote, nowUnixMs });
      });
      if (decided === undefined)
        throw new Refusal("bad_state", `There is no request "${id}"; "latticegate approvals list" has them.`);
      if (decided instanceof Refusal) throw decided;
      if (decided.state === "expired") throw new Refusal("bad_state", `Request ${id} has expired.`);
      return decided;
    },
    list: ({ all }, nowUnixMs) =>
      db
        .prepare(
          `select * from approvals where ${all ? "true" : "state in ('waiting', 'approved')"}
            order by asked_unix_ms desc, id limit ${maxListed}`,
        )
        .all()
        .map((row) => asOf(requestOf(db, row), nowUnixMs))
        .filter(({ state }) => all || state !== "expired"),
    of: (id, nowUnixMs) => {
      const request = of(id);
      return request && asOf(request, nowUnixMs);
    },
    sweep: (nowUnixMs) => transaction(db, () => sweep(db, bounds, nowUnixMs)),
    expireAll: (nowUnixMs) =>
      transaction(db, () => {
        const open = db.prepare("select * from approvals where state in ('waiting', 'approved')").all();
        for (const row of open) expire(db, requestOf(db, row), nowUnixMs);
      }),
    unrecorded: () =>
      db.prepare("select * from approval_events where recorded = 0 order by id").all().map(approvalEventOf),
    recorded: (id) => void db.prepare("update approval_events set recorded = 1 where id = ?").run(id),
    close: () => db.close(),
  };
}

interface Settling {
  readonly bounds: ApprovalBounds;
  readonly nowUnixMs: number;
}

function settle(db: DatabaseSync, call: AskedCall, { bounds, nowUnixMs }: Settling): Settled {
  const row = db
    .prepare(
      `select * from approvals where digest = ?
        order by state in ('waiting', 'approved') desc, asked_unix_ms desc, rowid desc limit 1`,
    )
    .get(call.digest);
  let last = row && requestOf(db, row);
  if (last !== undefined && isOverdue(last, nowUnixMs)) last = expire(db, last, nowUnixMs);
  if (last?.state === "approved") {
    const used = over(db, last, "used");
    tell(db, used, nowUnixMs, { event: "approval.use", facts: {} });
    return { kind: "taken", request: used };
  }
  if (last?.state === "waiting") return { kind: "waiting", request: last, isNew: false };
  // A "no" stands for as long as the question would have.
  if (last?.state === "denied" && last.expiresUnixMs > nowUnixMs) return { kind: "denied", request: last };
  const full = fullness(db, call.caller, bounds);
  if (full !== undefined) return full;
  const before = last && { id: last.id, state: last.state };
  const request = ask(db, call, nowUnixMs);
  return { kind: "waiting", request, isNew: true, ...(before && { before }) };
}

function fullness(
  db: DatabaseSync,
  caller: string,
  { open, openOfCaller }: ApprovalBounds,
): Extract<Settled, { readonly kind: "full" }> | undefined {
  const row = db
    .prepare(
      "select count(*) as n, sum(caller = ?) as own from approvals where state in ('waiting', 'approved')",
    )
    .get(caller);
  if (Number(row?.["own"] ?? 0) >= openOfCaller) return { kind: "full", whose: "caller", most: openOfCaller };
  return Number(row?.["n"]) >= open ? { kind: "full", whose: "all", most: open } : undefined;
}

function ask(db: DatabaseSync, call: AskedCall, nowUnixMs: number): ApprovalRequest {
  const id = randomBytes(8).toString("hex");
  const { digest, caller, chain, server, method, name, terms, expiresMs } = call;
  const { nonce, sealed } = call.seal(id);
  db.prepare("insert into approvals values (?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").run(
    id,
    digest,
    caller,
    JSON.stringify(chain),
    server,
    method,
    name,
    JSON.stringify(terms),
    expiresMs,
    nowUnixMs,
    nowUnixMs + expiresMs,
    nonce,
    sealed,
  );
  const row = db.prepare("select * from approvals where id = ?").get(id);
  const request = requestOf(db, row ?? {});
  const rules = terms.map(({ rule }) => rule).join(" ");
  const facts = { rules, need: String(request.need), expires: iso(request.expiresUnixMs) };
  tell(db, request, nowUnixMs, { event: "approval.request", facts });
  return request;
}

type Deciding = Parameters<ApprovalStore["decide"]>[1];

/** Why that one may not decide it, or not any more. */
function vetted(request: ApprovalRequest, { by, what }: Deciding): Refusal | undefined {
  const { id, state, caller, chain, votes } = request;
  const parties = [caller, ...chain];
  if ([by.name, ...by.also].some((name) => parties.includes(name)))
    return new Refusal("denied", `Request ${id} is ${by.name}'s own call; somebody else has to decide.`);
  if (rulesFor(request, by).length === 0) {
    const from = request.terms.flatMap((each) => each.from ?? []).join(", ");
    return new Refusal("denied", `${by.name} may not decide request ${id}; ${from} may.`);
  }
  // What is approved can be taken back until it is used.
  if (state !== "waiting" && !(state === "approved" && what === "deny"))
    return new Refusal("bad_state", `Request ${id} waits for nobody: it is ${state}.`);
  const isTwice = what === "approve" && votes.some((vote) => vote.by === by.name);
  return isTwice ? new Refusal("bad_state", `${by.name} has approved request ${id} already.`) : undefined;
}

function decide(
  db: DatabaseSync,
  request: ApprovalRequest,
  { by, what, reason, nowUnixMs }: Deciding & { readonly nowUnixMs: number },
): ApprovalRequest {
  const { id } = request;
  db.prepare("insert or replace into approval_votes values (?, ?, ?, ?, ?, ?, ?)").run(
    id,
    by.name,
    by.login,
    what,
    JSON.stringify(rulesFor(request, by)),
    nowUnixMs,
    reason ?? null,
  );
  const voted = requestOf(db, db.prepare("select * from approvals where id = ?").get(id) ?? {});
  const decided = what === "deny" ? over(db, voted, "denied") : approvedIfEnough(db, voted, nowUnixMs);
  const facts = { decision: what, by: by.name, login: by.login, have: String(decided.have) };
  tell(db, decided, nowUnixMs, {
    event: "approval.decision",
    facts: { ...facts, need: String(decided.need), state: decided.state },
  });
  return decided;
}

/** From then on it counts for as long as it could have waited. */
function approvedIfEnough(db: DatabaseSync, request: ApprovalRequest, nowUnixMs: number): ApprovalRequest {
  if (missingOf(request) > 0) return request;
  const expiresUnixMs = nowUnixMs + request.expiresMs;
  db.prepare("update approvals set state = 'approved', expires_unix_ms = ? where id = ?").run(
    expiresUnixMs,
    request.id,
  );
  return { ...request, state: "approved", expiresUnixMs };
}

function expire(db: DatabaseSync, request: ApprovalRequest, nowUnixMs: number): ApprovalRequest {
  const expired = over(db, request, "expired");
  const facts = { decision: "expire", have: String(request.have), need: String(request.need) };
  tell(db, expired, nowUnixMs, { event: "approval.decision", facts: { ...facts, state: "expired" } });
  return expired;
}

/** What people were shown is gone with it. */
function over(
  db: DatabaseSync,
  known: ApprovalRequest,
  state: Extract<RequestState, "denied" | "used" | "expired">,
): ApprovalRequest {
  const { shown: _, ...request } = known;
  db.prepare("update approvals set state = ?, nonce = null, sealed = null where id = ?").run(
    state,
    request.id,
  );
  return { ...request, state };
}

function sweep(db: DatabaseSync, bounds: ApprovalBounds, nowUnixMs: number): void {
  const overdue = db
    .prepare(
      `select * from approvals where state in ('waiting', 'approved') and expires_unix_ms <= ?
        limit ${sweptAtOnce}`,
    )
    .all(nowUnixMs);
  for (const row of overdue) expire(db, requestOf(db, row), nowUnixMs);
  const isOver = "state not in ('waiting', 'approved')";
  const old = db
    .prepare(
      `select id from approvals where ${isOver} and (asked_unix_ms <= :before or id in (
          select id from approvals where ${isOver} order by asked_unix_ms desc limit -1 offset :most
        )) limit ${sweptAtOnce}`,
    )
    .all({ before: nowUnixMs - bounds.overMs, most: bounds.over });
  for (const { id } of old) db.prepare("delete from approvals where id = ?").run(String(id));
  db.prepare(
    `delete from approval_events where id in (
        select id from approval_events where recorded = 1 and at_unix_ms <= ? limit ${sweptAtOnce})`,
  ).run(nowUnixMs - bounds.overMs);
}

function isOverdue({ state, expiresUnixMs }: ApprovalRequest, nowUnixMs: number): boolean {
  return (state === "waiting" || state === "approved") && expiresUnixMs <= nowUnixMs;
}

/** As it stands now, whether or not somebody has written that down. */
function asOf(request: ApprovalRequest, nowUnixMs: number): ApprovalRequest {
  if (!isOverdue(request, nowUnixMs)) return request;
  const { shown: _, ...rest } = request;
  return { ...rest, state: "expired" };
}

/** Those of the rules that hold a call about which that one may decide. */
export function rulesFor(
  { terms }: Pick<ApprovalRequest, "terms">,
  { name, also }: Approver,
): readonly string[] {
  return terms
    .filter(({ from }) => from === undefined || [name, ...also].some(matcher(from)))
    .map(({ rule }) => rule);
}

function tell(
  db: DatabaseSync,
  { id, caller, chain, server, method, name }: ApprovalRequest,
  nowUnixMs: number,
  { event, facts }: ApprovalEvent,
): void {
  const isTool = method === "tools/call";
  const all = {
    request: id,
    ...facts,
    server,
    method,
    ...(!isTool && { name }),
    ...(chain.length > 0 && { chain: JSON.stringify(chain) }),
  };
  db.prepare(
    "insert into approval_events (call_id, at_unix_ms, event, caller, tool, facts) values (?, ?, ?, ?, ?, ?)",
  ).run(randomUUIDv7(), nowUnixMs, event, caller, isTool ? `${server}/${name}` : null, JSON.stringify(all));
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
