/** What an operator may accept of a peer, and what is said where that can't be. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { openState } from "../host/store/state-sqlite.ts";
import type { RememberedPeer } from "../host/store/state-peers.ts";
import { systemClock } from "../host/system.ts";
import { shown } from "../identity/peer-memory.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Config, parseConfig } from "./config.ts";
import { acceptPeer, listPeers } from "./peer-operations.ts";

const peer = "spiffe://latticegate.local/server/x";
const regressed: RememberedPeer = {
  direction: "incoming",
  peer,
  best: shown({ atUnixMs: 1, group: "X25519MLKEM768", version: 0x0304, certificate: "ML-DSA-65" }),
  last: shown({ atUnixMs: 2, group: "X25519", version: 0x0304, certificate: "ML-DSA-65" }),
  firstUnixMs: 1,
  lastUnixMs: 2,
  links: 2,
  open: [{ kind: "group_lost", confidence: "high", verdict: "refuse", says: "It used it." }],
  epoch: 0,
};

function configWith(t: TestContext, peers: readonly RememberedPeer[], yaml = ""): Config {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = parseConfig(`state: .\n${yaml}`, path.join(folder, "latticegate.yaml"));
  const state = openState(path.join(folder, "state.sqlite"));
  state.peers.save(peers, []);
  state.close();
  return config;
}

function accept(config: Config, direction?: RememberedPeer["direction"]) {
  return acceptPeer(config, peer, direction, systemClock);
}

test("a peer that calls and is called is two, and which of them changed has to be said where both did", (t) => {
  const called: RememberedPeer = { ...regressed, direction: "outgoing" };
  const config = configWith(t, [regressed, called]);
  assert.throws(
    () => accept(config),
    (error) => error instanceof Refusal && error.code === "bad_config" && /--direction/.test(error.message),
  );
  assert.equal(accept(config, "outgoing")?.direction, "outgoing");
  assert.equal(accept(config, "outgoing"), undefined, "there is nothing left of that one");
  assert.equal(accept(config)?.direction, "incoming", "only one is left, so it needn't be said");
  assert.deepEqual(
    listPeers(config).map(({ best, regressions }) => [best, regressions]),
    [
      ["X25519, ML-DSA-65, TLS 1.3", []],
      ["X25519, ML-DSA-65, TLS 1.3", []],
    ],
  );
});

test("a peer that isn't known in that direction is refused", (t) => {
  const config = configWith(t, [regressed]);
  assert.throws(
    () => accept(config, "outgoing"),
    (error) => error instanceof Refusal && error.code === "bad_state",
  );
});

test("where nothing was ever remembered that is said, and no database is made", (t) => {
  const config = configWith(t, []);
  rmSync(path.join(config.state, "state.sqlite"));
  assert.throws(
    () => listPeers(config),
    (error) => error instanceof Refusal && error.code === "bad_state" && /latticegate up/.test(error.message),
  );
  assert.throws(() => listPeers(config));
});

test("the list says until when the best counts, and that it doesn't where nothing is judged", (t) => {
  const expires = (yaml: string) => listPeers(configWith(t, [regressed], yaml))[0]?.expires;
  assert.equal(expires("crypto: { memory: 1s }"), "1970-01-01T00:00:01.001Z");
  assert.equal(expires('crypto: { memory: "off" }'), "off");
});
