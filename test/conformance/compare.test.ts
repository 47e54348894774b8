import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { compare, readChecks } from "./compare.ts";

test("a check that another way fails, lacks or has twice is a difference; what only informs is none", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  t.after(() => rm(folder, { recursive: true }));
  const write = async (scenario: string, checks: readonly (readonly [string, string])[]): Promise<void> => {
    await mkdir(path.join(folder, scenario), { recursive: true });
    const rows = checks.map(([id, status]) => ({ id, status }));
    await writeFile(path.join(folder, scenario, "checks.json"), JSON.stringify(rows));
  };
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
