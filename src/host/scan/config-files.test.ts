import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { projectFiles, type ProjectLimits, userFiles } from "./config-files.ts";
import { readBounded } from "./read-bounded.ts";

const signal = new AbortController().signal;

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), "files-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

async function found(top: string, limits?: ProjectLimits): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const one of projectFiles([top], signal, limits))
    all.push("because" in one ? `problem: ${one.because}` : path.relative(top, one.file));
  return all.sort();
}

test("projects are searched by their clients' files; packages and links that go in circles aren't followed", async (t) => {
  const top = folder(t);
  for (const file of [
    "a/.mcp.json",
    "a/b/.cursor/mcp.json",
    "a/b/x.code-workspace",
    "a/node_modules/p/.mcp.json",
    "a/.git/.mcp.json",
    "mcp.json",
  ]) {
    mkdirSync(path.join(top, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(top, file), "{}");
  }
  symlinkSync(top, path.join(top, "a", "loop"));
  assert.deepEqual(await found(top), [
    "a/.mcp.json",
    "a/b/.cursor/mcp.json",
    "a/b/x.code-workspace",
    "mcp.json",
  ]);
});

test("the search of projects ends at its bounds and says so", async (t) => {
  const top = folder(t);
  mkdirSync(path.join(top, "1/2/3/4"), { recursive: true });
  writeFileSync(path.join(top, "1/2/3/.mcp.json"), "{}");
  assert.deepEqual(await found(top, { depth: 2, folders: 100 }), []);
  assert.deepEqual(await found(top, { depth: 9, folders: 2 }), [
    "problem: more than 2 folders; the rest wasn't searched",
  ]);
  assert.deepEqual(await found(path.join(top, "none")), ["problem: there is no such folder"]);
});

test("files of a home stand where the client's platform has them, and where variables of the own home move them", async (t) => {
  const home = folder(t);
  const other = folder(t);
  mkdirSync(path.join(home, ".config/Code/User/profiles/work"), { recursive: true });
  const environment = { CODEX_HOME: "/moved/codex", XDG_CONFIG_HOME: "relative" };
  const linux = await userFiles({ platform: "linux", environment, ownHome: home, homes: [home, other] });
  const files = linux.map(({ file }) => file);
  for (const wanted of [
    path.join(home, ".claude.json"),
    path.join(other, ".claude.json"),
    path.join(home, ".config/Code/User/profiles/work/mcp.json"),
    path.join(home, ".codex/config.toml"),
    "/moved/codex/config.toml",
    "/etc/claude-code/managed-mcp.json",
  ])
    assert.equal(files.filter((file) => file === wanted).length, 1, wanted);
  assert.ok(!files.some((file) => file.includes("*") || file.includes("relative")));
  const windows = await userFiles({ platform: "win32", environment: {}, ownHome: home, homes: [home] });
  assert.ok(
    windows.some(({ file }) => file === path.join(home, "AppData/Roaming/Claude/claude_desktop_config.json")),
  );
});

test("a folder, a device and a circle of links in place of a file are told and hold nothing up", async (t) => {
  const top = folder(t);
  const circle = path.join(top, "circle");
  symlinkSync(circle, circle);
  assert.deepEqual(await readBounded(top, 10), { kind: "unreadable", because: "it is no file" });
  assert.deepEqual(await readBounded(circle, 10), {
    kind: "unreadable",
    because: "its symbolic links go in circles",
  });
  assert.deepEqual(await readBounded(path.join(top, "none"), 10), { kind: "absent" });
  if (process.platform !== "win32")
    assert.deepEqual(await readBounded("/dev/zero", 10), { kind: "unreadable", because: "it is no file" });
  writeFileSync(path.join(top, "long"), "x".repeat(100), { mode: 0o644 });
  const read = await readBounded(path.join(top, "long"), 10);
  assert.ok(read.kind === "text" && read.isCut && read.text.length === 10);
});
