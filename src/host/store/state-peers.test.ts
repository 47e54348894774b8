/** Peers in the state database: what a command decided stays, whatever the gateway still had to write. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { DatabaseSync } from "node:sqlite";

import { shown } from "../../identity/peer-memory.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openState } from "./state-sqlite.ts";
import type { RememberedPeer } from "./state-peers.ts";

function file(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, "state.sqlite");
}

const strong = shown({ atUnixMs: 1, group: "X25519MLKEM768", version: 0x0304, certificate: "ML-DSA-65" });
const weak = shown({ atUnixMs: 2, group: "X25519", version: 0x0304, certificate: "ML-DSA-65" });
const says = "It used X25519MLKEM768.";
const regressed: RememberedPeer = {
  direction: "incoming",
  peer: "spiffe://a.test/x",
  best: strong,
  last: weak,
  firstUnixMs: 1,
  lastUnixMs: 2,
  links: 2,
  open: [{ kind: "group_lost", confidence: "high", verdict: "refuse", says }],
  epoch: 0,
};
const acceptIt = (all: readonly RememberedPeer[]) => {
  const [one] = all;
  return one && { after: { ...one, best: one.last, open: [] }, facts: { peer: one.peer } };
};

test("what is saved is read back, in both directions, and dropped when it is to be", (t) => {
  const state = openState(file(t));
  const other = { ...regressed, direction: "outgoing" } as const;
  state.peers.save([regressed, other], []);
  assert.deepEqual(state.peers.peers(), [regressed, other]);
  state.peers.save([{ ...regressed, links: 3 }], [other]);
  assert.deepEqual(state.peers.peers(), [{ ...regressed, links: 3 }]);
  state.close();
});

test("what a gateway still has to write doesn't undo what a command accepted meanwhile", (t) => {
  const at = file(t);
  const gateway = openState(at);
  const command = openState(at);
  gateway.peers.save([regressed], []);
  const before = gateway.version();
  assert.notEqual(command.peers.accept(acceptIt, 5), undefined);
  assert.notEqual(gateway.version(), before, "the gateway sees that something changed");
  gateway.peers.save([{ ...regressed, links: 3 }], []);
  const [now] = gateway.peers.touchedSince(0);
  assert.deepEqual([now?.best, now?.open, now?.links], [weak, [], 2]);
  assert.deepEqual(gateway.peers.touchedSince(now?.epoch ?? 0), []);
  const [event, ...more] = gateway.peers.unrecorded();
  assert.deepEqual([event?.atUnixMs, event?.facts, more], [5, { peer: regressed.peer }, []]);
  gateway.peers.recorded(event?.id ?? 0);
  assert.deepEqual(command.peers.unrecorded(), []);
  command.close();
  gateway.close();
});

test("what the gateway itself writes is no change of the state to it", (t) => {
  const state = openState(file(t));
  const before = state.version();
  state.peers.save([regressed], []);
  assert.equal(state.version(), before);
  state.close();
});

test("nothing accepted is nothing changed", (t) => {
  const state = openState(file(t));
  assert.equal(
    state.peers.accept(() => undefined, 5),
    undefined,
  );
  assert.deepEqual(state.peers.unrecorded(), []);
  state.close();
});

test("a row that can't be read is named", (t) => {
  const at = file(t);
  const state = openState(at);
  state.peers.save([regressed], []);
  const db = new DatabaseSync(at);
  db.exec(`update peer_memory set best = '{"keyExchange":1}'`);
  db.close();
  assert.throws(
    () => state.peers.peers(),
    (error) =>
      error instanceof Refusal && error.code === "bad_state" && error.message.includes(regressed.peer),
  );
  state.close();
});
