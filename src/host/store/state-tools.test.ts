/** The contract of the tool store: what is decided is there as one, for every process, and is told of once. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { DatabaseSync } from "node:sqlite";

import { Refusal } from "../../kernel/refusal.ts";
import { openState } from "./state-sqlite.ts";
import { openTools, type ToolEvent, type ToolStore } from "./state-tools.ts";

function fileOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, "state.sqlite");
}

function opened(t: TestContext, file: string): ToolStore {
  const store = openTools(file);
  t.after(store.close);
  return store;
}

const finding: ToolEvent = { event: "tools.finding", tool: "a/echo", facts: { kind: "changed" } };
const change: ToolEvent = { event: "tools.change", tool: null, facts: { what: "approve" } };
const count = (pins: unknown): number => (pins as { readonly n: number } | undefined)?.n ?? 0;

test("nobody's tools are known at first; what was pinned is read back by whoever opens the file", (t) => {
  const file = fileOf(t);
  const store = opened(t, file);
  assert.deepEqual([store.servers(), store.pins("a")], [[], undefined]);
  const pins = { tools: { echo: { description: "⟨\u200b⟩" } } };
  store.change("b", 1, () => ({ pins, events: [] }));
  store.change("a", 1, () => ({ pins: {}, events: [] }));
  const other = opened(t, file);
  assert.deepEqual([other.servers(), other.pins("b")], [["a", "b"], pins]);
});

test("the decision is made on what is there, and pins stay where none are given", (t) => {
  const store = opened(t, fileOf(t));
  const one = store.change("a", 1, (pins) => ({ pins: { n: count(pins) + 1 }, events: [], before: pins }));
  assert.equal(one.before, undefined);
  store.change("a", 2, (pins) => ({ pins: { n: count(pins) + 1 }, events: [] }));
  const before = store.revisions();
  store.change("a", 3, () => ({ events: [finding] }));
  assert.deepEqual(store.revisions(), before);
  store.change("a", 4, (pins) => ({ pins: { n: count(pins) }, events: [] }));
  assert.notDeepEqual(store.revisions(), before);
  assert.deepEqual(store.pins("a"), { n: 2 });
});

test("a decision that fails changes nothing and tells nothing", (t) => {
  const store = opened(t, fileOf(t));
  store.change("a", 1, () => ({ pins: { n: 1 }, events: [] }));
  const failing = (): never => {
    throw new Error("no");
  };
  assert.throws(() => store.change("a", 2, failing));
  const unwritable = { toJSON: failing };
  assert.throws(() => store.change("a", 2, () => ({ pins: unwritable, events: [finding] })));
  assert.deepEqual([store.pins("a"), store.unrecorded()], [{ n: 1 }, []]);
});

test("events are told in their order, with one id each, until they are recorded", (t) => {
  const file = fileOf(t);
  const store = opened(t, file);
  store.change("a", 5, () => ({ events: [finding, change] }));
  const [first, second, ...more] = store.unrecorded();
  assert.ok(first !== undefined && second !== undefined && more.length === 0);
  const { id: _, callId, ...told } = first;
  assert.deepEqual(told, { ...finding, server: "a", atUnixMs: 5 });
  assert.deepEqual([second.event, second.tool], ["tools.change", null]);
  assert.notEqual(second.callId, callId);
  assert.equal(opened(t, file).unrecorded()[0]?.callId, callId);
  store.recorded(first.id);
  assert.deepEqual(store.unrecorded(), [second]);
  const db = new DatabaseSync(file);
  t.after(() => db.close());
  const rows = () => db.prepare("select id from tool_events").all().length;
  assert.equal(rows(), 1, "what is recorded isn't kept");
  db.exec("update tool_events set recorded = 1"); // As they stood before.
  store.change("a", 6, () => ({ events: [finding] }));
  const [third] = store.unrecorded();
  assert.ok(third !== undefined && third.id > second.id);
  store.recorded(third.id);
  assert.deepEqual([store.unrecorded(), rows()], [[], 0]);
});

test("a gateway sees that a command changed something, and its own changes are no news", (t) => {
  const file = fileOf(t);
  const state = openState(file);
  t.after(state.close);
  const [gateway, command] = [opened(t, file), opened(t, file)];
  const before = [gateway.version(), state.version()];
  gateway.change("a", 1, () => ({ pins: { n: 1 }, events: [] }));
  assert.equal(gateway.version(), before[0]);
  command.change("a", 2, (pins) => ({ pins: { n: count(pins) + 1 }, events: [] }));
  assert.notEqual(gateway.version(), before[0]);
  assert.notEqual(state.version(), before[1]);
  assert.deepEqual(gateway.pins("a"), { n: 2 });
});

test("pins that can't be read are told as that", (t) => {
  const file = fileOf(t);
  const store = opened(t, file);
  store.change("a", 1, () => ({ pins: {}, events: [] }));
  const db = new DatabaseSync(file);
  db.exec("update tool_pins set pins = '{'");
  db.close();
  const isBadState = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_state";
  assert.throws(() => store.pins("a"), isBadState);
  assert.throws(() => store.change("a", 2, () => ({ pins: {}, events: [] })), isBadState);
});
