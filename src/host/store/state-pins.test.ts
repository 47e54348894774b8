/** What every store of pins must do; this one on node:sqlite, between processes that share the file. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { openPins, type OpenPins, type PinStore } from "./state-pins.ts";

const agent = "spiffe://a.test/agent/x";
const first = { fingerprint: "first", keys: '{"keys":["first"]}' };
const other = { fingerprint: "other", keys: '{"keys":["other"]}' };

function stores(
  t: TestContext,
  maxNames?: number,
): { readonly gateway: OpenPins; readonly command: OpenPins; readonly file: string } {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  const file = path.join(folder, "state.sqlite");
  const [gateway, command] = [openPins(file, maxNames), openPins(file)];
  t.after(() => {
    gateway.close();
    command.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { gateway, command, file };
}

function changesOf({ unrecorded }: PinStore): readonly unknown[] {
  return unrecorded().map(({ atUnixMs, facts }) => ({ at: atUnixMs, ...facts }));
}

test("the first key set met under a name is pinned, and the same one changes nothing", (t) => {
  const { gateway, command } = stores(t);
  const pin = { name: agent, ...first, state: "first-use", sinceUnixMs: 5 } as const;
  assert.deepEqual(gateway.meet(agent, first, 5), pin);
  assert.deepEqual(gateway.meet(agent, first, 9), pin);
  assert.deepEqual(command.list(), [pin]);
  assert.equal(command.of("spiffe://a.test/agent/y"), undefined);
  const change = { at: 5, peer: agent, what: "first-use", fingerprint: "first" };
  assert.deepEqual(changesOf(gateway), [change]);
});

test("another key set under a pinned name never takes its place, whatever the pin's state; it is noted", (t) => {
  const { gateway, command } = stores(t);
  gateway.meet(agent, first, 1);
  const met = gateway.meet(agent, other, 2);
  assert.deepEqual([met.fingerprint, met.keys, met.refused], ["first", first.keys, "other"]);
  command.approve(agent, "first", 3);
  assert.equal(gateway.meet(agent, other, 4).fingerprint, "first");
  gateway.cut(agent, "wrong_batch", 5);
  const cut = gateway.meet(agent, other, 6);
  assert.deepEqual([cut.fingerprint, cut.state, cut.refused], ["first", "cut", "other"]);
});

test("what a person approves counts before it was ever seen, and its keys are taken when it is", (t) => {
  const { gateway, command } = stores(t);
  command.approve(agent, "other", 1);
  assert.deepEqual(gateway.of(agent), {
    name: agent,
    fingerprint: "other",
    state: "approved",
    sinceUnixMs: 1,
  });
  assert.equal(gateway.meet(agent, first, 2).keys, undefined);
  const seen = gateway.meet(agent, other, 3);
  assert.deepEqual(seen, { name: agent, ...other, state: "approved", sinceUnixMs: 1 });
});

test("approving another key set leaves nothing of the old one but its fingerprint on record", (t) => {
  const { gateway, command } = stores(t);
  gateway.meet(agent, first, 1);
  const approved = command.approve(agent, "other", 2);
  assert.deepEqual(approved, { name: agent, fingerprint: "other", state: "approved", sinceUnixMs: 2 });
  assert.deepEqual(changesOf(gateway).at(-1), {
    at: 2,
    peer: agent,
    what: "approved",
    fingerprint: "other",
    before: "first",
  });
});

test("a cut pin stays cut when its keys are met again, until a person approves it", (t) => {
  const { gateway, command } = stores(t);
  assert.equal(gateway.cut(agent, "wrong_batch", 1), false);
  gateway.meet(agent, first, 2);
  assert.equal(gateway.cut(agent, "wrong_batch", 3), true);
  assert.equal(gateway.cut(agent, "wrong_batch", 4), false);
  const met = gateway.meet(agent, first, 5);
  assert.deepEqual([met.state, met.because, met.sinceUnixMs], ["cut", "wrong_batch", 3]);
  const approved = command.approve(agent, "first", 6);
  assert.deepEqual([approved.state, approved.because, approved.keys], ["approved", undefined, first.keys]);
});

test("a forgotten name begins anew", (t) => {
  const { gateway, command } = stores(t);
  assert.equal(command.forget(agent, 1), false);
  gateway.meet(agent, first, 2);
  assert.equal(command.forget(agent, 3), true);
  assert.deepEqual([gateway.list(), gateway.hasSigned(agent)], [[], false]);
  assert.equal(gateway.meet(agent, other, 4).state, "first-use");
  const forgotten = { at: 3, peer: agent, what: "forgotten", before: "first" };
  assert.deepEqual(changesOf(gateway)[1], forgotten);
});

test("who has a pin or passed on what was signed has to go on signing", (t) => {
  const { gateway, command } = stores(t);
  const via = "spiffe://a.test/gateway";
  assert.equal(gateway.hasSigned(via), false);
  gateway.signed(via, 1);
  gateway.signed(via, 2);
  gateway.meet(agent, first, 3);
  assert.deepEqual([command.hasSigned(via), command.hasSigned(agent)], [true, true]);
  assert.deepEqual(command.signers(), [via]);
  assert.equal(command.forget(via, 4), true);
  assert.equal(gateway.hasSigned(via), false);
});

test("a change is told until it is on record, and another process's writing is seen", (t) => {
  const { gateway, command, file } = stores(t);
  const before = gateway.version();
  gateway.meet(agent, first, 1);
  assert.equal(gateway.version(), before, "its own writing is no news");
  command.approve(agent, "first", 2);
  assert.notEqual(gateway.version(), before);
  for (const { id } of gateway.unrecorded()) gateway.recorded(id);
  assert.deepEqual(command.unrecorded(), []);
  const db = new DatabaseSync(file);
  t.after(() => db.close());
  assert.deepEqual(db.prepare("select id from pin_events").all(), [], "what is recorded isn't kept");
});

test("there is an end to how many names are pinned, and those that are go on", (t) => {
  const { gateway } = stores(t, 2);
  const isBusy = (error: unknown): boolean => error instanceof Refusal && error.code === "busy";
  for (const name of ["one", "two"]) {
    gateway.meet(name, first, 1);
    gateway.signed(`via ${name}`, 1);
  }
  assert.throws(() => gateway.meet("three", first, 2), isBusy);
  assert.throws(() => gateway.signed("via three", 2), isBusy);
  assert.equal(gateway.meet("two", first, 3).fingerprint, "first");
  gateway.signed("via two", 3);
  assert.equal(gateway.list().length, 2);
});
