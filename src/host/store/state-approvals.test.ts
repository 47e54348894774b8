/** What every store of held calls must do; this one on node:sqlite, between processes that share the file. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";

import { Refusal } from "../../kernel/refusal.ts";
import type { ApprovalRequest, Approver, AskedCall } from "./approval-rows.ts";
import { forgetRecords, stayingRecords } from "./state-personal.ts";
import { type ApprovalStore, defaultApprovalBounds, openApprovals, type Settled } from "./state-approvals.ts";

const minute = 60_000;
const payroll = { rule: "payroll", because: "Money.", approvers: 2 };
const legal = {
  rule: "legal",
  because: "Contracts.",
  approvers: 1,
  from: ["person:*", "oauth:corp/user/l-*"],
};

const call: AskedCall = {
  digest: "pay bob",
  caller: "spiffe://a.test/agent/x",
  chain: ["oauth:corp/user/u"],
  server: "bank",
  method: "tools/call",
  name: "pay",
  terms: [payroll],
  expiresMs: 15 * minute,
  seal: () => ({ nonce: "nonce", sealed: "sealed" }),
};
const operator: Approver = { name: "operator", also: [], login: "uid 1" };
const alice: Approver = { name: "person:alice", also: [], login: "token" };
const lawyer: Approver = { name: "person-of-none", also: ["oauth:corp/user/l-7"], login: "token" };
const no = { by: operator, what: "deny" } as const;

interface Stores {
  readonly gateway: ApprovalStore;
  readonly command: ApprovalStore;
  readonly file: string;
}

function stores(t: TestContext, bounds = {}): Stores {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  const file = path.join(folder, "state.sqlite");
  const gateway = openApprovals(file, { ...defaultApprovalBounds, ...bounds });
  const command = openApprovals(file);
  t.after(() => {
    gateway.close();
    command.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { gateway, command, file };
}

function waiting(settled: Settled): ApprovalRequest {
  assert.equal(settled.kind, "waiting");
  return settled.kind === "waiting" ? settled.request : assert.fail();
}

function approve({ command }: Stores, id: string, by: Approver, nowUnixMs: number): ApprovalRequest {
  return command.decide(id, { by, what: "approve" }, nowUnixMs);
}

const refusal = (code: string, text: RegExp) => (error: unknown) =>
  error instanceof Refusal && error.code === code && text.test(error.message);

test("a call is asked about once, whoever looks, and goes through when enough different people have approved", (t) => {
  const here = stores(t);
  const first = waiting(here.gateway.settle(call, 1));
  const again = here.gateway.settle(call, 2);
  assert.deepEqual(again, { kind: "waiting", request: first, isNew: false });
  assert.deepEqual(here.command.list({ all: false }, 3), [first]);
  assert.deepEqual([first.have, first.need, first.expiresUnixMs], [0, 2, 1 + 15 * minute]);

  assert.equal(approve(here, first.id, operator, 4).state, "waiting");
  assert.throws(() => approve(here, first.id, operator, 5), refusal("bad_state", /already/));
  assert.equal(waiting(here.gateway.settle(call, 6)).have, 1);
  const approved = approve(here, first.id, alice, 7);
  assert.deepEqual([approved.state, approved.expiresUnixMs], ["approved", 7 + 15 * minute]);
  assert.equal(here.gateway.settle({ ...call, digest: "pay mallory" }, 8).kind, "waiting");
  assert.equal(here.gateway.settle(call, 9).kind, "taken");
  const anew = here.gateway.settle(call, 10);
  assert.equal(anew.kind === "waiting" && anew.before?.state, "used");
  assert.notEqual(waiting(anew).id, first.id);
});

test("each of several rules has its own approvers, and one person counts for all that name it", (t) => {
  const here = stores(t);
  const { id, need } = waiting(here.gateway.settle({ ...call, terms: [payroll, legal] }, 1));
  assert.equal(need, 2);
  assert.deepEqual(
    [approve(here, id, operator, 2).state, approve(here, id, lawyer, 3).state],
    ["waiting", "approved"],
  );
  const other = waiting(here.gateway.settle({ ...call, digest: "other", terms: [legal] }, 4));
  assert.throws(() => approve(here, other.id, operator, 5), refusal("denied", /may not decide.*person:\*/));
});

test("neither the caller nor anybody it acts for approves the call, under whichever of its names", (t) => {
  const here = stores(t);
  const { id } = waiting(here.gateway.settle(call, 1));
  for (const own of [call.caller, ...call.chain]) {
    assert.throws(() => approve(here, id, { ...alice, also: [own] }, 2), refusal("denied", /own call/));
    assert.throws(() => approve(here, id, { ...alice, name: own }, 2), refusal("denied", /own call/));
  }
  assert.equal(here.command.of(id, 3)?.have, 0);
});

test("what is denied stays so as long as it could have waited, also if it was approved already", (t) => {
  const here = stores(t);
  const { id, expiresUnixMs } = waiting(here.gateway.settle({ ...call, terms: [legal] }, 1));
  approve(here, id, alice, 2);
  const denied = here.command.decide(id, { by: alice, what: "deny", reason: "No." }, 3);
  assert.deepEqual([denied.state, denied.have, denied.shown], ["denied", 0, undefined]);
  assert.equal(here.gateway.settle(call, 4).kind, "denied");
  assert.throws(() => approve(here, id, alice, 5), refusal("bad_state", /it is denied/));
  assert.ok(denied.expiresUnixMs >= expiresUnixMs);
  assert.equal(here.gateway.settle(call, denied.expiresUnixMs - 1).kind, "denied");
  assert.equal(here.gateway.settle(call, denied.expiresUnixMs).kind, "waiting");
});

test("neither a request nor an approval outlives its time, to the millisecond", (t) => {
  const here = stores(t);
  const { id, expiresUnixMs: until } = waiting(here.gateway.settle({ ...call, terms: [legal] }, 1));
  assert.throws(() => approve(here, id, alice, until), refusal("bad_state", /expired/));
  const second = waiting(here.gateway.settle({ ...call, terms: [legal] }, until));
  const { expiresUnixMs: end } = approve(here, second.id, alice, until + 1);
  assert.equal(here.command.of(second.id, end)?.state, "expired", "before anybody writes it down");
  const anew = here.gateway.settle(call, end);
  assert.equal(anew.kind === "waiting" && anew.before?.state, "expired");
});

test("what people were shown is gone from the database when the request is over", (t) => {
  const here = stores(t);
  const sealed = "a-long-text-that-would-be-found-in-the-file";
  const { id } = waiting(here.gateway.settle({ ...call, seal: () => ({ nonce: "n", sealed }) }, 1));
  assert.equal(here.command.of(id, 2)?.shown?.sealed, sealed);
  here.gateway.sweep(1 + 15 * minute);
  assert.equal(here.command.of(id, 3)?.shown, undefined);
  const db = new DatabaseSync(here.file);
  db.exec("pragma wal_checkpoint(truncate)");
  db.close();
  for (const file of [here.file, `${here.file}-wal`])
    assert.ok(!readFileSync(file).includes(sealed), path.basename(file));
});

test("open requests are bounded, of a caller and in all, and making room takes people or time", (t) => {
  const here = stores(t, { open: 3, openOfCaller: 2 });
  const ask = (digest: string, caller = call.caller, nowUnixMs = 1): Settled =>
    here.gateway.settle({ ...call, digest, caller }, nowUnixMs);
  const first = waiting(ask("1"));
  waiting(ask("2"));
  assert.deepEqual(ask("3"), { kind: "full", whose: "caller", most: 2 });
  waiting(ask("1"));
  waiting(ask("3", "other"));
  assert.deepEqual(ask("4", "another"), { kind: "full", whose: "all", most: 3 });
  here.command.decide(first.id, no, 2);
  waiting(ask("4", "another", 3));
  here.gateway.sweep(4 + 15 * minute);
  waiting(ask("5", "another", 4 + 15 * minute));
});

test("what is over is kept for people to look up, so many and so long", (t) => {
  const here = stores(t, { over: 2, overMs: 60 * minute });
  for (let i = 1; i <= 4; i++) {
    const { id } = waiting(here.gateway.settle({ ...call, digest: String(i) }, i));
    here.command.decide(id, no, i);
  }
  here.gateway.sweep(5);
  assert.deepEqual(
    here.command.list({ all: true }, 5).map(({ askedUnixMs }) => askedUnixMs),
    [4, 3],
  );
  const { id } = waiting(here.gateway.settle({ ...call, digest: "young" }, 60 * minute));
  here.gateway.sweep(4 + 60 * minute);
  assert.deepEqual(
    here.command.list({ all: true }, 4 + 60 * minute).map((each) => each.id),
    [id],
  );
});

test("each step is told to the log once, and stays until it is there", (t) => {
  const here = stores(t);
  const { id } = waiting(here.gateway.settle(call, 1));
  here.gateway.settle(call, 2);
  approve(here, id, operator, 3);
  approve(here, id, alice, 4);
  here.gateway.settle(call, 5);
  const told = here.command.unrecorded();
  assert.deepEqual(
    told.map(({ event, atUnixMs, tool, facts: { by, have, need, state } }) => [
      event,
      atUnixMs,
      tool,
      by,
      have,
      need,
      state,
    ]),
    [
      ["approval.request", 1, "bank/pay", undefined, undefined, "2", undefined],
      ["approval.decision", 3, "bank/pay", "operator", "1", "2", "waiting"],
      ["approval.decision", 4, "bank/pay", "person:alice", "2", "2", "approved"],
      ["approval.use", 5, "bank/pay", undefined, undefined, undefined, undefined],
    ],
  );
  for (const each of told) here.gateway.recorded(each.id);
  assert.deepEqual(here.command.unrecorded(), []);
});

test("of many processes that make the same call at once, one takes the approval and one asks anew", async (t) => {
  const here = stores(t);
  const once = { ...call, terms: [legal] };
  approve(here, waiting(here.gateway.settle(once, 1)).id, alice, 2);
  const store = new URL("state-approvals.ts", import.meta.url).href;
  const { seal: _, ...plain } = once;
  const code = `
    import { openApprovals } from ${JSON.stringify(store)};
    const store = openApprovals(${JSON.stringify(here.file)});
    const call = { ...${JSON.stringify(plain)}, seal: () => ({ nonce: "n", sealed: "s" }) };
    const kinds = Array.from({ length: 20 }, () => store.settle(call, 3)).map(({ kind, isNew }) => isNew ? "new" : kind);
    console.log(kinds.join(" "));
  `;
  const run = () => promisify(execFile)(process.execPath, ["--input-type=module", "-e", code]);
  const said = await Promise.all([run(), run(), run()]);
  const kinds = said.flatMap(({ stdout }) => stdout.trim().split(" "));
  const count = (kind: string): number => kinds.filter((each) => each === kind).length;
  assert.deepEqual([count("taken"), count("new"), count("waiting")], [1, 1, 58]);
  assert.equal(here.command.list({ all: false }, 4).length, 1);
});

test("what comes back with a backup goes through no more: it may have been used since", (t) => {
  const here = stores(t);
  const { id } = waiting(here.gateway.settle({ ...call, terms: [legal] }, 1));
  approve(here, id, alice, 2);
  here.command.expireAll(3);
  assert.equal(here.command.of(id, 4)?.state, "expired");
  assert.equal(here.gateway.settle(call, 5).kind, "waiting");
});

test("what is over is forgotten with whom it was about; what is open stays, and is said", (t) => {
  const here = stores(t);
  const [user = ""] = call.chain;
  const { id } = waiting(here.gateway.settle(call, 1));
  here.command.decide(id, no, 2);
  waiting(here.gateway.settle({ ...call, digest: "open" }, 3));
  waiting(here.gateway.settle({ ...call, digest: "other", caller: "else", chain: [] }, 3));
  for (const each of here.command.unrecorded()) here.command.recorded(each.id);
  const db = new DatabaseSync(here.file);
  const rows = (table: string): number => db.prepare(`select * from ${table}`).all().length;
  forgetRecords(db, user, 4);
  assert.deepEqual(stayingRecords(db, user, 4), [
    { what: "calls that wait for approval (approvals deny)", rows: 1 },
  ]);
  assert.deepEqual([rows("approvals"), rows("approval_votes"), rows("approval_events")], [2, 0, 1]);
  db.close();
});

test("a request nobody made can't be decided", (t) => {
  const here = stores(t);
  assert.throws(
    () => here.command.decide("0123456789abcdef", no, 1),
    refusal("bad_state", /There is no request/),
  );
});
