import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { compare, differingScenarios, readChecks, replaced } from "./compare.ts";

test("a check that another way fails, lacks or has twice is a difference; what only informs is none", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  t.after(() => rm(folder, { recursive: true }));
  const write = writer(folder);
  await write("a/ping-2026-01-02T03-04-05-006Z", [["p", "SUCCESS"]]);
  await write("a/list-2026-01-02T03-04-05-006Z", [
    ["l", "SUCCESS"],
    ["l", "SUCCESS"],
    ["n", "INFO"],
  ]);
  await write("b/ping-2026-01-02T03-05-05-006Z", [["p", "FAILURE"]]);
  await write("b/list-2026-01-02T03-05-05-006Z", [["l", "SUCCESS"]]);
  const [a, b] = [await readChecks(path.join(folder, "a")), await readChecks(path.join(folder, "b"))];
  assert.deepEqual(compare(a, a), { same: 3, passed: 3, different: [] });
  assert.deepEqual(compare(a, b), {
    same: 1,
    passed: 3,
    different: [
      { check: "list l #2", direct: "SUCCESS", proxied: "absent" },
      { check: "ping p #1", direct: "SUCCESS", proxied: "FAILURE" },
    ],
  });
});

test("a scenario that was run again counts as it ended then, whatever its name, and the others as they were", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  t.after(() => rm(folder, { recursive: true }));
  const write = writer(folder);
  for (const [way, status] of [
    ["a", "SUCCESS"],
    ["b", "FAILURE"],
  ] as const) {
    await write(`${way}/auth/iss-2026-01-02T03-04-05-006Z`, [["i", status]]);
    await write(`${way}/auth/iss-supported-2026-01-02T03-04-05-006Z`, [["i", status]]);
  }
  await write("again/auth/iss-2026-01-02T03-06-05-006Z", [["i", "SUCCESS"]]);
  const [a, b] = [await readChecks(path.join(folder, "a")), await readChecks(path.join(folder, "b"))];
  assert.deepEqual([...differingScenarios(compare(a, b))], ["auth/iss", "auth/iss-supported"]);
  const again = replaced(b, await readChecks(path.join(folder, "again")));
  assert.deepEqual([...differingScenarios(compare(a, again))], ["auth/iss-supported"]);
  assert.equal(compare(a, again).same, 1);
});

function writer(
  folder: string,
): (scenario: string, checks: readonly (readonly [string, string])[]) => Promise<void> {
  return async (scenario, checks) => {
    await mkdir(path.join(folder, scenario), { recursive: true });
    const rows = checks.map(([id, status]) => ({ id, status }));
    await writeFile(path.join(folder, scenario, "checks.json"), JSON.stringify(rows));
  };
}
