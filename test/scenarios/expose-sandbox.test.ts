/** `expose --sandbox` as it is typed: what is refused before anything runs. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/gateway.ts";

async function withoutBubblewrap(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const before = process.env["PATH"];
  process.env["PATH"] = folder;
  t.after(() => (process.env["PATH"] = before));
  return folder;
}

test("where bubblewrap is missing, expose --sandbox says so and starts nothing", async (t) => {
  const folder = await withoutBubblewrap(t);
  const [marker, state] = [path.join(folder, "ran"), path.join(folder, "state")];
  const ended = await cli(["expose", "--sandbox", "--state", state, "--", "/usr/bin/touch", marker]);
  assert.notEqual(ended.code, 0);
  assert.match(ended.stderr, /The server isn't started, as its sandbox can't be had: it needs bubblewrap/);
  assert.ok(!existsSync(marker), "it didn't run without one");
  assert.ok(!existsSync(state), "nothing was begun");
});

const refused: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [["--readable", "/x", "--", "a"], /bind nothing without --sandbox/],
  [["--allow-egress", "a.example", "--", "a"], /bind nothing without --sandbox/],
  [["--egress", "f", "--", "a"], /bind nothing without --sandbox/],
  [["--learn-egress", "1MiB", "--", "a"], /bind nothing without --sandbox/],
  [["--sandbox", "http://localhost:1"], /holds a server that this command starts/],
  [["--pass-env", "LATTICEGATE_JOIN", "--", "a"], /the sidecar's own, and no server sees it/],
  [["--pass-env", "A=b", "--", "a"], /the name of a variable/],
  [["--pass-env", "A", "http://localhost:1"], /a server that this command starts/],
  [["--sandbox", "--allow-egress", "https://a.example", "--", "a"], /--allow-egress takes HOST/],
  [["--sandbox", "--learn-egress", "1", "--", "a"], /--learn-egress: expected a size/],
  [["--sandbox", "--egress", "/nowhere.yaml", "--", "a"], /The egress rules can't be read: \/nowhere\.yaml/],
];
for (const [args, says] of refused) {
  test(`refused, with the reason: expose ${args.join(" ")}`, async (t) => {
    const state = path.join(await temporaryFolder(t), "state");
    const ended = await cli(["expose", "--state", state, ...args]);
    assert.notEqual(ended.code, 0);
    assert.match(ended.stderr, says);
    assert.ok(!existsSync(state), "nothing was begun");
  });
}

test("what isn't blocked can't be lifted, and what is no destination is told", async (t) => {
  const state = path.join(await temporaryFolder(t), "state");
  assert.deepEqual((await cli(["egress", "list", "--state", state])).stdout.trim(), "it has been nowhere");
  const lifted = await cli(["egress", "lift", "--state", state, "a.example:443"]);
  assert.deepEqual([lifted.code, lifted.stdout.trim()], [1, "nothing to lift: a.example:443 isn't blocked"]);
  assert.match((await cli(["egress", "lift", "--state", state, "a.example"])).stderr, /is no destination/);
});
