/** One at a time does what a lock guards, and a dead holder holds nobody up. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { whileLocked } from "./patient-lock.ts";

const taken = (pid: string): string => `held by ${pid}`;

test("those who come together work one after the other, and leave no lock", async (t) => {
  const lock = lockIn(t);
  let inside = 0;
  const work = async (): Promise<number> => {
    inside += 1;
    await new Promise(setImmediate);
    const seen = inside;
    inside -= 1;
    return seen;
  };
  const seen = await Promise.all([1, 2, 3].map(() => whileLocked(lock, taken, work)));
  assert.deepEqual(seen, [1, 1, 1]);
  assert.equal(existsSync(lock), false);
});

test("the lock of a process that died is taken over, and one of work that failed is let go of", async (t) => {
  const lock = lockIn(t);
  const { pid } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(lock, JSON.stringify({ pid, started: "before" }));
  await assert.rejects(
    whileLocked(lock, taken, () => Promise.reject(new Error("no luck"))),
    /no luck/,
  );
  assert.equal(await whileLocked(lock, taken, () => Promise.resolve("done")), "done");
});

function lockIn(t: { readonly after: (end: () => void) => void }): string {
  const folder = mkdtempSync(path.join(tmpdir(), "patient-lock-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return path.join(folder, "lock");
}
