/** The peers of a running gateway: bounded, written in batches, taken over from commands. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { openState, type StateStore } from "../host/store/state-sqlite.ts";
import type { RememberedPeer } from "../host/store/state-peers.ts";
import { eventually } from "../../test/support/gateway.ts";
import { livePeers } from "./peer-memory.ts";

const quiet = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

function peer(name: string, lastUnixMs: number, more: Partial<RememberedPeer> = {}): RememberedPeer {
  const times = { firstUnixMs: 0, lastUnixMs, links: 1 };
  return { direction: "incoming", peer: name, best: {}, last: {}, ...times, open: [], epoch: 0, ...more };
}

interface Scene {
  readonly state: StateStore;
  /** As a command has it, in another process. */
  readonly command: StateStore;
  readonly names: () => readonly string[];
}

function scene(t: TestContext): Scene {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  const file = path.join(folder, "state.sqlite");
  const [state, command] = [openState(file), openState(file)];
  t.after(() => {
    command.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { state, command, names: () => command.peers.peers().map((each) => each.peer) };
}

test("beyond its bound whoever wasn't seen for longest makes way, in the database too", (t) => {
  const { state, names } = scene(t);
  state.peers.save([peer("old", 10), peer("older", 5)], []);
  const peers = livePeers(state.peers, quiet, 3);
  peers.put(peer("new", 20), false);
  peers.put(peer("older", 30), false);
  peers.put(peer("newest", 40), false);
  assert.equal(peers.find({ direction: "incoming", peer: "old" }), undefined);
  assert.notEqual(peers.find({ direction: "incoming", peer: "older" }), undefined);
  peers.stop();
  assert.deepEqual(names(), ["new", "newest", "older"]);
});

test("servers don't make callers make way", (t) => {
  const peers = livePeers(scene(t).state.peers, quiet, 1);
  peers.put(peer("a", 1), false);
  peers.put(peer("b", 2, { direction: "outgoing" }), false);
  assert.notEqual(peers.find({ direction: "incoming", peer: "a" }), undefined);
  peers.stop();
});

test("links are written in batches, what an operator may come for at once", (t) => {
  const { state, names } = scene(t);
  const peers = livePeers(state.peers, quiet);
  for (let i = 0; i < 100; i++) peers.put(peer(`p${i % 10}`, i), false);
  assert.deepEqual(names(), []);
  peers.put(peer("urgent", 100), true);
  assert.equal(names().length, 11);
  peers.stop();
});

test("links are written within a second, with nobody waiting for it", async (t) => {
  const { state, names } = scene(t);
  const peers = livePeers(state.peers, quiet);
  peers.put(peer("a", 1), false);
  await eventually("it is written", () => names().length === 1);
  peers.stop();
});

test("what can't be written is kept and tried again, and fails nobody's link", async (t) => {
  const { state, names } = scene(t);
  let isDiskFull = true;
  const save: StateStore["peers"]["save"] = (...what) => {
    if (isDiskFull) throw new Error("disk full");
    state.peers.save(...what);
  };
  const peers = livePeers({ ...state.peers, save }, quiet);
  peers.put(peer("a", 1), true);
  isDiskFull = false;
  await eventually("it is written", () => names().length === 1);
  peers.stop();
});

test("what a command changed takes the place of what was seen before it", (t) => {
  const { state, command } = scene(t);
  const peers = livePeers(state.peers, quiet);
  peers.put(peer("a", 1), true);
  peers.put(peer("a", 2, { links: 7 }), false);
  assert.equal(peers.reload(), false);
  command.peers.accept(([one]) => one && { after: { ...one, lastUnixMs: 3 }, facts: {} }, 3);
  assert.equal(peers.reload(), true);
  assert.deepEqual(peers.find({ direction: "incoming", peer: "a" })?.lastUnixMs, 3);
  peers.stop();
  assert.equal(command.peers.peers()[0]?.links, 1, "and isn't written over it");
});

test("whoever a command erased is forgotten, known by name or not, and isn't written again", (t) => {
  const { state, command, names } = scene(t);
  state.peers.save([peer("a", 1), peer("b", 2), peer("server", 3, { direction: "outgoing" })], []);
  const peers = livePeers(state.peers, quiet);
  peers.put(peer("a", 10), false);
  peers.put(peer("new", 10), false);
  command.peers.save([], [{ direction: "incoming", peer: "a" }]);
  peers.put(peer("a", 11), true);
  assert.deepEqual(names(), ["b", "new", "server"], "not even before it is told");
  peers.put(peer("new", 12), false);
  command.peers.save([], [{ direction: "incoming", peer: "new" }]);
  peers.forget(() => false);
  for (const gone of ["a", "new"]) assert.equal(peers.find({ direction: "incoming", peer: gone }), undefined);
  assert.notEqual(peers.find({ direction: "incoming", peer: "b" }), undefined);
  assert.notEqual(peers.find({ direction: "outgoing", peer: "server" }), undefined);
  peers.put(peer("b", 20), true);
  peers.stop();
  assert.deepEqual(names(), ["b", "server"]);
});
