/**
 * `latticegate adopt` as an operator types it: six clients' files in a home, a gateway, and the official SDK client
 * started from what a file says then.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { type ClientId, clientKinds } from "../../src/inventory/clients/client-kinds.ts";
import { configDocument, isTable, type Value } from "../../src/inventory/clients/config-document.ts";
import { cli, type Ended, latticegate, startCli, startProcess } from "../support/cli.ts";
import { freePort } from "../support/free-port.ts";
import { openPolicy, quicklyUnlocked } from "../support/gateway.ts";
import { openV1, openV2, textOf } from "../support/sdk-clients.ts";

const fixture = fileURLToPath(new URL("../fixture/server.ts", import.meta.url));
const node = process.execPath;
const secret = "ghp_q8Zr4Tn1LxW7vB3mK9sD2fH6jC5pY0aE1uGi";

interface ClientFile {
  readonly client: ClientId;
  readonly file: string;
  readonly entry: readonly string[];
  readonly text: (url: string) => string;
}

const stdio = `"command": ${JSON.stringify(node)}, "args": ${JSON.stringify([fixture, "--stdio"])}`;

const files: readonly ClientFile[] = [
  {
    client: "claude-desktop",
    file: ".config/Claude/claude_desktop_config.json",
    entry: ["mcpServers", "everything"],
    text: () =>
      `{\n  "mcpServers": {\n    "everything": { ${stdio}, "env": { "GITHUB_TOKEN": "${secret}" } }\n  }\n}`,
  },
  {
    client: "claude-code",
    file: ".claude.json",
    entry: ["mcpServers", "far"],
    text: (url) =>
      `{ "numStartups": 3,\n  "mcpServers": { "far": { "type": "http", "url": "${url}", "headers": { "Authorization": "Bearer ${secret}" } } }\n}\n`,
  },
  {
    client: "cursor",
    file: ".cursor/mcp.json",
    entry: ["mcpServers", "Everything 2"],
    text: () =>
      `\uFEFF{\r\n\t// mine\r\n\t"mcpServers": {\r\n\t\t"Everything 2": {\r\n\t\t\t${stdio},\r\n\t\t},\r\n\t\t"asks": { "command": "npx", "args": ["\${input:key}"] },\r\n\t}\r\n}\r\n`,
  },
  {
    client: "vs-code",
    file: ".config/Code/User/mcp.json",
    entry: ["servers", "far"],
    text: (url) =>
      `{\n  "inputs": [],\n  "servers": { /* one */ "far": { "type": "http", "url": "${url}" } }\n}\n`,
  },
  {
    client: "zed",
    file: ".config/zed/settings.json",
    entry: ["context_servers", "everything"],
    text: () =>
      `// Zed\n{\n  "theme": "One",\n  "context_servers": { "everything": { "source": "custom", ${stdio} } },\n}\n`,
  },
  {
    client: "codex",
    file: ".codex/config.toml",
    entry: ["mcp_servers", "everything"],
    text: () =>
      `model = "m" # which\n\n[mcp_servers.everything]\ncommand = ${JSON.stringify(node)}\nargs = ${JSON.stringify([fixture, "--stdio"])}\nstartup_timeout_sec = 20\n\n[mcp_servers.everything.env]\nGITHUB_TOKEN = "${secret}"\n\n[features]\nx = true\n`,
  },
];

describe("adopt, as an operator types it", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let folder = "";
  let config = "";
  let configBefore = "";
  const originals = new Map<string, Buffer>();

  const at = (file: string): string => path.join(folder, "home", file);
  const adopt = (...args: readonly string[]): Promise<Ended> =>
    inHome(at("."), ["adopt", "--config", config, ...args]);
  const gateway = () => startCli(t, ["up", "--config", config], /^Latticegate is up at (\S+)$/);

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "latticegate-adopt-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const { groups } = await startProcess(t, [node, fixture, "--http", "0"], /^(http:\S+)$/);
    for (const { file, text } of files) {
      await mkdir(path.dirname(at(file)), { recursive: true });
      await writeFile(at(file), text(groups[0] ?? ""), { mode: 0o640 });
      originals.set(file, await readFile(at(file)));
    }
    config = path.join(folder, "latticegate.yaml");
    configBefore = `# The house's gateway\nstate: ./state\nlisten: 127.0.0.1:${await freePort()}\ndashboard: "off" # none\nservers:\n  # by hand\n  everything: { command: [/bin/true] }\n${openPolicy}`;
    await writeFile(config, configBefore);
    await quicklyUnlocked(path.join(folder, "state"));
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  async function unchanged(): Promise<void> {
    for (const [file, bytes] of originals) assert.ok((await readFile(at(file))).equals(bytes), file);
    assert.equal(await readFile(config, "utf8"), configBefore);
  }

  test("the diff shows what would change and no secret, and writes nothing", async () => {
    for (const args of [["--dry-run"], []]) {
      const { stdout, stderr, code } = await adopt(...args);
      assert.equal(code === 0, args.length > 0, stderr);
      assert.match(stdout, /^\+.*"connect"/m);
      assert.match(stdout, /^-.*--stdio/m);
      assert.match(stdout, /Left as it is: mcpServers\.asks in .*variables that only the client can fill in/);
      assert.ok(!(stdout + stderr).includes(secret));
      await unchanged();
    }
  });

  test("the official SDK client reaches each server through the gateway, and it is all given back byte for byte", async () => {
    const first = await gateway();
    const adopted = await adopt("--yes");
    assert.equal(adopted.code, 0, adopted.stdout + adopted.stderr);
    assert.match(adopted.stdout, /Adopted 6 entries of 6 files/);
    const text = await readFile(config, "utf8");
    assert.ok(!text.includes(secret) && text.startsWith("# The house's gateway\n"));
    assert.match(text, /# by hand\n {2}everything: \{ command: \[\/bin\/true\] \}/);
    assert.equal((await stat(at(".cursor/mcp.json"))).mode & 0o777, 0o640);
    const again = await adopt("--yes");
    assert.match(again.stdout, /Nothing to adopt/);
    assert.equal(await readFile(config, "utf8"), text);
    await first.stop();

    const second = await gateway();
    for (const [index, { file, client, entry }] of files.entries()) {
      const kind = clientKinds.find(({ id }) => id === client);
      const value = valueAt(
        configDocument(await readFile(at(file), "utf8"), kind?.format ?? "json").root,
        entry,
      );
      assert.ok(isTable(value));
      const args = value.get("args");
      assert.ok(Array.isArray(args) && value.get("command") === node);
      const open = index % 2 === 0 ? openV1 : openV2("legacy");
      const speaker = await open({ kind: "stdio", args: args.map(String) });
      assert.equal(
        textOf(await speaker.call("test_echo", { from: client })),
        JSON.stringify({ from: client }),
      );
      await speaker.close();
    }
    await second.stop();
    const log = await cli(["audit", "query", "--config", config]);
    for (const { client } of files)
      assert.match(log.stdout, new RegExp(`agent/${client}\\b.*test_echo`), client);

    const undone = await adopt("--undo", "--yes");
    assert.equal(undone.code, 0, undone.stdout + undone.stderr);
    await unchanged();
  });

  test("a file that somebody changed since gets its own entries back and keeps the rest", async () => {
    const running = await gateway();
    assert.equal((await adopt("cursor", "--yes")).code, 0);
    const file = at(".cursor/mcp.json");
    const added = '"mine": { "command": "npx", "args": ["x"] },\r\n\t\t"asks"';
    await writeFile(file, (await readFile(file, "utf8")).replace('"asks"', added));
    const { stdout } = await adopt("--undo", "cursor", "--yes");
    assert.match(stdout, /its adopted entries are as they were; the rest is as it is now/);
    const before = originals.get(".cursor/mcp.json")?.toString() ?? "";
    assert.equal(await readFile(file, "utf8"), before.replace('"asks"', added));
    await writeFile(file, before);
    await unchanged();
    await running.stop();
  });

  test("a server is called through the gateway once adopt --server put it behind expose, and is taken back", async () => {
    const first = await gateway();
    const adopted = await adopt("--server", "tools", "--yes", "--", node, fixture, "--stdio");
    assert.equal(adopted.code, 0, adopted.stdout + adopted.stderr);
    const unit = /enable --now (\S+)/.exec(adopted.stdout)?.[1] ?? "";
    assert.equal((await stat(unit)).mode & 0o777, 0o600);
    const [, line = ""] = /^ExecStart=(.*)$/m.exec(await readFile(unit, "utf8")) ?? [];
    const command = [...line.matchAll(/"([^"]*)"/g)].map(([, part = ""]) => part);
    await startProcess(t, [node, ...command.slice(1)], / is at (https:\S+) as /);
    await first.stop();
    const second = await gateway();
    const state = path.join(folder, "state", "sidecars", "cursor");
    const speaker = await openV1({
      kind: "stdio",
      args: latticegate(["connect", "tools", "--state", state]),
    });
    assert.equal(textOf(await speaker.call("test_echo", { n: 1 })), '{"n":1}');
    await speaker.close();
    await second.stop();
    assert.equal((await adopt("--undo", "--server", "tools", "--yes")).code, 0);
    await unchanged();
  });
});

function valueAt(root: Value, keys: readonly string[]): Value {
  let value = root;
  for (const key of keys) value = isTable(value) ? (value.get(key) ?? null) : null;
  return value;
}

async function inHome(home: string, args: readonly string[]): Promise<Ended> {
  const env = { PATH: process.env["PATH"], HOME: home };
  const child = spawn(node, latticegate(args), { env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}
