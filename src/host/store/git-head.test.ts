/** The commit of a checkout, from git's files. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { gitCommit } from "./git-head.ts";

const [one, two] = ["1a", "2b"].map((digits) => digits.repeat(20)) as [string, string];

function checkout(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), "checkout-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}

const branch = { ".git/HEAD": "ref: refs/heads/main\n" };
const packed = `# pack-refs with: peeled fully-peeled sorted\n${one} refs/heads/main\n^${two}\n`;
const cases: readonly (readonly [string, Readonly<Record<string, string>>, string | undefined])[] = [
  ["a commit by itself", { ".git/HEAD": `${one}\n` }, one],
  ["a branch", { ...branch, ".git/refs/heads/main": `${one}\n` }, one],
  ["a packed branch", { ...branch, ".git/packed-refs": packed }, one],
  [
    "a branch that was packed before",
    { ...branch, ".git/packed-refs": packed, ".git/refs/heads/main": `${two}\n` },
    two,
  ],
  [
    "a further worktree",
    {
      ".git": "gitdir: common/worktrees/x\n",
      "common/worktrees/x/HEAD": "ref: refs/heads/main\n",
      "common/worktrees/x/commondir": "../..\n",
      "common/refs/heads/main": `${two}\n`,
    },
    two,
  ],
  ["a SHA-256 repository", { ".git/HEAD": `${one.repeat(2).slice(0, 64)}\n` }, one.repeat(2).slice(0, 64)],
  ["a branch without a commit", branch, undefined],
  ["no checkout", { "acme.bundle": "{}" }, undefined],
  ["a ref in circles", { ...branch, ".git/refs/heads/main": "ref: refs/heads/main\n" }, undefined],
  ["a ref that leads elsewhere", { ".git/HEAD": "ref: refs/../../secret\n", secret: `${one}\n` }, undefined],
  [
    "something that is no commit",
    { ".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": "hi\n" },
    undefined,
  ],
];

for (const [what, files, expected] of cases) {
  test(`the commit of ${what}`, (t) => assert.equal(gitCommit(checkout(t, files)), expected));
}

test("a pipe instead of a file doesn't stop the process", (t) => {
  const folder = checkout(t, { ".git/config": "" });
  execFileSync("mkfifo", [path.join(folder, ".git", "HEAD")]);
  assert.equal(gitCommit(folder), undefined);
});
