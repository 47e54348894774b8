/** Files that are followed: what is told of them, and when. */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { watchFiles } from "./watched-files.ts";

function watched(t: TestContext): { readonly file: string; readonly look: () => number } {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const folder = mkdtempSync(path.join(tmpdir(), "watched-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "rules.yaml");
  writeFileSync(file, "first");
  let told = 0;
  const { stop } = watchFiles([file], () => (told += 1));
  t.after(stop);
  const look = (): number => {
    t.mock.timers.tick(1000);
    return told;
  };
  return { file, look };
}

test("a file that is written in parts is told once, when it stays as it is", (t) => {
  const { file, look } = watched(t);
  assert.equal(look(), 0);
  writeFileSync(file, "policies: allow");
  assert.equal(look(), 0);
  writeFileSync(file, "policies: allow, deny");
  assert.equal(look(), 0);
  assert.equal(look(), 1);
  assert.equal(look(), 1);
});

test("a file that is swapped, goes or comes is told", (t) => {
  const { file, look } = watched(t);
  writeFileSync(`${file}.next`, "other");
  renameSync(`${file}.next`, file);
  assert.deepEqual([look(), look(), look()], [0, 1, 1]);
  rmSync(file);
  assert.deepEqual([look(), look(), look()], [1, 2, 2]);
  writeFileSync(file, "again");
  assert.deepEqual([look(), look(), look()], [2, 3, 3]);
});

test("a file that can't be looked at is told, and ends nothing", (t) => {
  const { file, look } = watched(t);
  rmSync(file);
  symlinkSync(file, file);
  assert.deepEqual([look(), look()], [0, 1]);
});
