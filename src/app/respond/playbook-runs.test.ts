/** What playbooks do, propose and undo, with the state database and what the log is told. */
import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { atEnd } from "../../../test/support/cleanup.ts";
import { freshState } from "../../../test/support/gateway.ts";
import type { Approver } from "../../host/store/approval-rows.ts";
import { openProposals } from "../../host/store/state-proposals.ts";
import { openResponses } from "../../host/store/state-responses.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { plan, planMemory } from "../../respond/plan.ts";
import { compilePlaybook } from "../../respond/playbook.ts";
import { playbookSchema } from "../../respond/playbook-schema.ts";
import { operatorBy } from "../approvals/approvers.ts";
import { statePaths } from "../state-folder.ts";
import { runPlaybook } from "./playbook-runs.ts";
import { decideProposal, finishApproved, listProposals } from "./proposal-operations.ts";
import { askRoute, loginOf, operatorLogin } from "../../../test/support/control.ts";
import type { Login } from "../../control/login.ts";
import { proposalRoutes } from "./proposal-routes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Restriction } from "../../respond/restriction.ts";
import { type Asked, openResponseDesk } from "./response-desk.ts";

const startMs = Date.UTC(2026, 10, 22);
const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function scene(t: TestContext) {
  const state = await freshState(t);
  const { database } = statePaths(state);
  let now = startMs;
  const clock = { nowUnixMs: () => now, monotonicMs: () => now, pass: (ms: number) => void (now += ms) };
  const entries: EntryDraft[] = [];
  const journal = {
    append: (draft: EntryDraft) => Promise.resolve({ index: entries.push(draft) - 1 }),
    owe: (draft: EntryDraft) => void entries.push(draft),
  };
  const gatewayId = "spiffe://acme.test/gateway";
  const responses = openResponseDesk({ database, journal, gatewayId, clock, log: silent });
  const proposals = openProposals(database);
  atEnd(t, async () => {
    await responses.stop();
    proposals.close();
  });
  const run = (steps: readonly object[], { caller = "agent/a", observes = false, full = "" } = {}): void => {
    const document = playbookSchema.parse({
      name: "test",
      because: "It was told to.",
      on: { risk: { call: 0.5 } },
      steps,
    });
    const made = compilePlaybook({ ...document, mode: "enforce" });
    if (made.kind === "mistake") throw new Error(made.message);
    const about = { caller, session: "s", server: "bank", tool: "pay" };
    const signal = { kind: "risk.call", score: 0.9, isHard: false, evidence: "proven", about } as const;
    const signals = [{ ...signal, says: "", callId: "c1", atUnixMs: now }];
    const planning = { playbooks: [made.playbook], memory: planMemory(), nowUnixMs: now };
    const enact = (asked: Asked): Restriction => {
      if (asked.stages[0]?.kind === full) throw new Refusal("busy", "No more are taken.");
      return responses.enact(asked);
    };
    for (const each of plan(signals, planning))
      runPlaybook(each, { proposals, responses: { ...responses, enact }, observes, clock, log: silent });
  };
  /** What is in force, and what was told, since the last time. */
  const events = async (): Promise<readonly string[]> => {
    responses.refresh();
    responses.sweep();
    await new Promise(setImmediate);
    return entries.splice(0).map(({ event, facts }) => `${event.slice(9)} ${facts["action"] ?? ""}`);
  };
  const inForce = (): readonly string[] => {
    responses.refresh();
    return responses
      .restrictions()
      .map(({ stages }) => stages.map(({ kind }) => kind).join(" > "))
      .toSorted();
  };
  return { state, clock, run, events, inForce, proposals, place: { state, clock } };
}

test("steps are done in order, each stage as long as the playbook says, and a moment's beside them", async (t) => {
  const { run, events, inForce } = await scene(t);
  run([
    // oxlint-disable-next-line unicorn/no-thenable -- a list, which nobody awaits
    { do: "quarantine", for: "15m", then: [{ do: "read_only", for: "1h" }] },
    { do: "notify", of: "caller" },
    { do: "limit", of: "session", limit: { calls: 3, per: "1m" } },
  ]);
  assert.deepEqual(inForce(), ["limit", "quarantine > read_only"]);
  assert.deepEqual(await events(), ["act quarantine", "act notify", "act limit"]);
});

test("where nothing is enforced, all is told and nothing done", async (t) => {
  const { run, events, inForce } = await scene(t);
  run([{ do: "quarantine" }, { do: "cut", of: "caller", approval: {} }], { observes: true });
  assert.deepEqual(inForce(), []);
  assert.deepEqual(await events(), ["dry_run quarantine", "dry_run cut"]);
});

for (const [failure, left, told] of [
  ["continue", ["quarantine", "read_only"], ["act quarantine", "fail cut", "act read_only"]],
  ["stop", ["quarantine"], ["act quarantine", "fail cut"]],
  ["roll_back", [], ["act quarantine", "fail cut", "lift quarantine"]],
] as const)
  test(`a step that can't be done: ${failure}`, async (t) => {
    const { run, events, inForce } = await scene(t);
    const steps = [
      { do: "quarantine" },
      { do: "cut", of: "caller", on_failure: failure },
      { do: "read_only", of: "session" },
    ];
    run(steps, { full: "cut" });
    assert.deepEqual(inForce(), left);
    assert.deepEqual(await events(), told);
  });

test("that too much waits for people already rolls nothing back", async (t) => {
  const { run, events, inForce, clock, proposals } = await scene(t);
  for (let index = 0; index < 20; index += 1)
    proposals.add({
      id: String(index),
      playbook: `other-${index}`,
      scope: { caller: "agent/a" },
      stages: [{ action: "cut", forMs: 1000 }],
      because: "It waits.",
      cause: "c0",
      askedUnixMs: clock.nowUnixMs(),
      expiresUnixMs: clock.nowUnixMs() + 1000,
      approvers: 1,
      votes: [],
      state: "waiting",
    });
  run([{ do: "quarantine" }, { do: "cut", of: "caller", approval: {}, on_failure: "roll_back" }]);
  assert.deepEqual(inForce(), ["quarantine"]);
  assert.deepEqual(await events(), ["act quarantine", "fail cut"]);
});

test("what people have to approve isn't done before as many have as it takes, each once, and lasts from then on", async (t) => {
  const { run, events, inForce, place, clock } = await scene(t);
  const steps = [{ do: "cut", of: "caller", for: "1h", approval: { approvers: 2, expires: "1d" } }];
  run(steps);
  run(steps);
  const [waiting, ...more] = listProposals(place, { all: false });
  assert.ok(waiting);
  assert.deepEqual(more, [], "the same isn't asked twice");
  assert.deepEqual([waiting.actions, waiting.need], [["cut for 3600 s"], 2]);
  assert.deepEqual(inForce(), []);
  assert.deepEqual(await events(), ["propose cut"]);

  const person = (name: string) => ({ name: `person:${name}`, also: [`agent/${name}`], login: "token" });
  const approve = (by: Approver) => decideProposal(place, waiting.id, { by, what: "approve" });
  assert.throws(() => approve(person("a")), /is about person:a; somebody else has to decide/);
  assert.equal(approve(operatorBy("uid 1")).state, "waiting");
  assert.throws(() => approve(operatorBy("page")), /has decided about proposal \w+ already/);
  assert.deepEqual(inForce(), []);
  clock.pass(3_600_000);
  assert.equal(approve(person("b")).state, "approved");
  assert.deepEqual(inForce(), ["cut"]);
  assert.deepEqual(await events(), ["approve cut", "act cut", "approve cut"]);
  assert.throws(() => approve(person("c")), /is approved/);
  clock.pass(3_599_999);
  assert.deepEqual(inForce(), ["cut"]);
  clock.pass(1);
  assert.deepEqual(await events(), ["lift cut"]);
});

test("what is denied, or nobody decides in time, isn't done", async (t) => {
  const { run, events, inForce, place, clock } = await scene(t);
  run([{ do: "cut", of: "caller", approval: {} }]);
  const [first] = listProposals(place, { all: false });
  const verdict = { by: operatorBy("page"), what: "deny", reason: "It was me." } as const;
  assert.equal(decideProposal(place, first?.id ?? "", verdict).state, "denied");
  run([{ do: "cut", of: "caller", approval: { expires: "10m" } }]);
  const [second] = listProposals(place, { all: false });
  clock.pass(600_000);
  assert.throws(() => decideProposal(place, second?.id ?? "", { ...verdict, what: "approve" }), /is expired/);
  assert.deepEqual(listProposals(place, { all: false }), []);
  assert.deepEqual(
    listProposals(place, { all: true })
      .map(({ state }) => state)
      .toSorted(),
    ["denied", "expired"],
  );
  assert.deepEqual(inForce(), []);
  assert.deepEqual(await events(), ["propose cut", "deny cut", "propose cut"]);
});

test("people with tokens are shown what they may decide, decide it, and nothing else", async (t) => {
  const { run, place, inForce } = await scene(t);
  run([{ do: "cut", of: "caller", approval: { from: ["person:alice"] } }]);
  const nobody = { token_hash: "x", is: [] };
  const routes = proposalRoutes({ ...place, people: { alice: nobody, bob: nobody } });
  const [alice, bob] = [loginOf("person:alice", "approver"), loginOf("person:bob", "approver")];
  const listed = async (login: Login): Promise<readonly { readonly id: string }[]> => {
    const answer = await askRoute(routes, "GET /proposals", { login });
    return (answer as { readonly items: readonly { readonly id: string }[] }).items;
  };
  const lists = await Promise.all([operatorLogin, alice, bob].map(listed));
  assert.deepEqual(
    lists.map(({ length }) => length),
    [1, 1, 0],
  );
  const approve = (login: Login, id = lists[0]?.[0]?.id ?? "") =>
    askRoute(routes, "POST /proposals/{id}/approve", { params: { id }, login });
  for (const login of [operatorLogin, bob]) await assert.rejects(approve(login), /may not decide/);
  await assert.rejects(approve(operatorLogin, path.sep), /expected a proposal's id/);
  await approve(alice);
  assert.deepEqual(inForce(), ["cut"]);
});

test("what was approved before a crash, and not done, is done at the next start, for as long as it was approved for", async (t) => {
  const { clock, run, inForce, proposals, place } = await scene(t);
  run([{ do: "cut", of: "caller", for: "1h", approval: { approvers: 1, expires: "2h" } }]);
  const [{ id } = { id: "" }] = listProposals(place, { all: false });
  const vote = { by: "operator", login: "test", what: "approve", atUnixMs: startMs } as const;
  // As it stands between the last approval and its doing.
  proposals.change(id, (each) => ({ ...each, votes: [vote], state: "approved", isUndone: true }));
  clock.pass(1000);
  assert.deepEqual(inForce(), []);
  assert.deepEqual(finishApproved(place), [{ id }]);
  assert.deepEqual(inForce(), ["cut"]);
  const store = openResponses(statePaths(place.state).database);
  assert.equal(store.restrictions()[0]?.stages[0]?.untilUnixMs, startMs + 3_600_000);
  store.close();
  assert.deepEqual(finishApproved(place), [], "once");
  const { isUndone } = proposals.list()[0] ?? {};
  assert.equal(isUndone, undefined);
});
