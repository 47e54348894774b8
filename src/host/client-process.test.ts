/** Finding the program that started a sidecar, past what only launches. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import {
  clientProcess,
  fromPs,
  isRunning,
  ownProcess,
  type ProcessRow,
  readProcess,
} from "./client-process.ts";

/** A line of ancestors, the sidecar first; each the child of the next. */
function line(...commands: readonly (string | readonly string[])[]): (pid: number) => ProcessRow | undefined {
  const rows = commands.map((command, at) => ({
    pid: 100 + at,
    parent: at === commands.length - 1 ? 1 : 101 + at,
    started: `start ${at}`,
    argv: typeof command === "string" ? command.split(" ") : command,
  }));
  return (pid) => rows.find((row) => row.pid === pid);
}

const sidecar = "node latticegate.mjs connect files";
/** Each with the place of the client in it. */
const lines: readonly (readonly [string, number, readonly (string | readonly string[])[]])[] = [
  ["the client itself", 1, [sidecar, "/opt/claude/claude", "bash"]],
  ["npx as npm shows it, and its shell", 3, [sidecar, "sh -c latticegate", ["npm exec latticegate"], "code"]],
  ["npx as Node runs it", 2, [sidecar, "/usr/bin/node /usr/lib/npm/bin/npx-cli.js latticegate", "cursor"]],
  ["another Node under ours", 2, [sidecar, "/usr/bin/node /x/.bin/latticegate connect files", "client"]],
  ["shells within shells", 4, [sidecar, "sh -c x", "/bin/bash -lc y", "env A=1 z", "client"]],
  ["a script that launches", 2, [sidecar, "/bin/sh /opt/run.sh", "client"]],
  ["a person's shell", 1, [sidecar, "-bash", "login"]],
  ["an interactive shell", 1, [sidecar, "/bin/zsh -i", "terminal"]],
  ["pnpm and yarn", 3, [sidecar, "pnpm dlx latticegate", "node /x/yarn.js latticegate", "client"]],
  ["a program that is only named like one", 1, [sidecar, "node npx-server.js", "x"]],
  ["a gateway that started it", 1, [sidecar, "node /x/latticegate.mjs up", "sh -c x", "systemd"]],
  ["options of Node before the script", 2, [sidecar, "node --no-warnings /x/npm-cli.js exec", "client"]],
];
for (const [what, at, commands] of lines) {
  test(`past launchers: ${what}`, () => {
    const found = clientProcess(line(...commands), 100);
    assert.deepEqual([found?.pid, found?.started], [100 + at, `start ${at}`]);
  });
}

test("where no client can be found, a sidecar is its own, and shares with nobody", () => {
  assert.equal(clientProcess(line(sidecar), 100)?.pid, 100, "whoever started it is gone");
  assert.equal(clientProcess(line(sidecar, "sh -c x"), 100)?.pid, 100, "launchers all the way");
  const cut = line(sidecar, "sh -c x", "client");
  assert.equal(clientProcess((pid) => (pid === 102 ? undefined : cut(pid)), 100)?.pid, 100);
  const loop = (pid: number): ProcessRow => ({ pid, parent: pid, started: "s", argv: ["sh", "-c", "x"] });
  assert.equal(clientProcess(loop, 100)?.pid, 100, "a line without an end");
  assert.equal(
    clientProcess(() => undefined, 100),
    undefined,
  );
});

test("a number that was given again is another process", () => {
  const own = ownProcess();
  assert.ok(own);
  assert.equal(own.pid, process.pid);
  assert.equal(isRunning(own), true);
  assert.equal(isRunning({ ...own, started: "another moment" }), false);
  assert.equal(isRunning({ ...own, started: "x", machine: "another" }), true, "nobody here can tell");
});

test("real launchers around a real sidecar lead to this process", () => {
  const script = `import { clientProcess } from ${JSON.stringify(import.meta.resolve("./client-process.ts"))};
    console.log(JSON.stringify(clientProcess()));`;
  const command = `"${process.execPath}" --input-type=module -e '${script}'; true`;
  const out = execFileSync("env", ["A=1", "bash", "-c", `sh -c ${quoted(command)}; true`], {
    encoding: "utf8",
  });
  assert.deepEqual(JSON.parse(out), ownProcess());
});

test("ps tells the same of a process, where it is asked", (t) => {
  const row = fromPs(process.pid);
  if (row === undefined && !hasPs()) return t.skip("no ps here");
  assert.equal(row?.parent, readProcess(process.pid)?.parent);
  assert.match(row?.started ?? "", /^\w{3} +\w{3} +\d+ \d\d:\d\d:\d\d \d{4}$/);
  assert.match(row?.argv.join(" ") ?? "", /node/);
  assert.equal(fromPs(2 ** 22 + 1), undefined);
  return undefined;
});

function hasPs(): boolean {
  try {
    execFileSync("ps", ["-p", String(process.pid)], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
