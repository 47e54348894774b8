/** Bundles in the state database: what is in force, what may come next, and that it stays bounded. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { type BundleStep, type BundleStore, openBundles } from "./state-bundles.ts";

function opened(t: TestContext): BundleStore {
  const folder = mkdtempSync(path.join(tmpdir(), "bundles-"));
  const store = openBundles(path.join(folder, "state.sqlite"));
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return store;
}

function put(store: BundleStore, sequence: number, what: BundleStep = "taken", isRecorded = true): boolean {
  const about = { publisher: "acme", signedBy: "f", issuedAtUnixMs: 1, expiresAtUnixMs: 2, source: "./x" };
  const decided = { what, commit: null, by: "gateway", because: null, atUnixMs: sequence, isRecorded };
  const row = { sequence, digest: `d${sequence}`, ...about, ...decided };
  return store.put(row, store.newest()?.id, what === "taken" ? Buffer.from(`${sequence}`) : undefined);
}

test("the newest is in force, and the highest sequence stays the highest when it is rolled back", (t) => {
  const store = opened(t);
  assert.deepEqual(
    [store.newest(), store.highest(), store.document("d1")],
    [undefined, undefined, undefined],
  );
  put(store, 1);
  put(store, 2);
  put(store, 1, "rolled-back");
  assert.equal(store.newest()?.sequence, 1);
  assert.deepEqual(store.highest(), { sequence: 2, digest: "d2" });
  assert.equal(Buffer.from(store.document("d1") ?? []).toString(), "1");
  put(store, 1, "reset");
  assert.equal(store.highest(), undefined);
});

test("who didn't see the newest puts nothing in force", (t) => {
  const store = opened(t);
  put(store, 1);
  const before = store.newest();
  put(store, 2);
  const late = { ...before, isRecorded: true } as Parameters<BundleStore["put"]>[0];
  assert.equal(store.put(late, before?.id), false);
  assert.equal(store.newest()?.sequence, 2);
});

test("the history is bounded, with the documents; what isn't in the audit log yet, and the highest, stay", (t) => {
  const store = opened(t);
  put(store, 1);
  put(store, 1, "rolled-back", false);
  for (let sequence = 2; sequence <= 60; sequence += 1) put(store, sequence);
  for (let times = 0; times < 40; times += 1) put(store, 59, "rolled-back");
  const rows = store.history();
  assert.equal(rows.length, 33);
  assert.deepEqual([rows.at(-1)?.sequence, store.unrecorded().length], [1, 1]);
  const kept = [1, 2, 58, 59, 60].map((sequence) => store.document(`d${sequence}`) !== undefined);
  assert.deepEqual(kept, [true, false, false, true, true]);
  const [unrecorded] = store.unrecorded();
  store.recorded(unrecorded?.id ?? 0);
  assert.deepEqual(store.unrecorded(), []);
});

test("a trouble is kept until there is none", (t) => {
  const store = opened(t);
  const trouble = { kind: "refused", why: "older", text: "It is old.", digest: "d", sinceUnixMs: 7 } as const;
  store.setTrouble({ ...trouble, kind: "away", digest: null });
  store.setTrouble(trouble);
  assert.deepEqual(store.trouble(), trouble);
  store.setTrouble(undefined);
  assert.equal(store.trouble(), undefined);
});
