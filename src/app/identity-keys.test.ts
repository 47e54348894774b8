/** Attempts to get a certificate that fail leave no trail of keys behind them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { pendingKey } from "./identity-keys.ts";
import { openKeys } from "./state-folder.ts";

test("each attempt for one wish is for the same key; another wish is for another key", async (t) => {
  const state = mkdtempSync(path.join(tmpdir(), "identity-keys-"));
  t.after(() => rmSync(state, { recursive: true }));
  const keys = await openKeys(state, undefined);
  const ask = async (freshKeysSince?: string): Promise<string> => {
    const wanted = { suite: "ML-DSA-65", freshKeysSince } as const;
    return (await pendingKey("identity", wanted, { keys, state })).name;
  };
  assert.equal(await ask(), "identity");
  assert.equal(await ask(), "identity");
  const fresh = await ask("2026-11-21T12:00:00.000Z");
  assert.notEqual(fresh, "identity");
  assert.equal(await ask("2026-11-21T12:00:00.000Z"), fresh);
  assert.equal((await keys.list()).length, 2);
});
