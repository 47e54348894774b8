/** The five-minute path: `npm start` on a fresh copy, the printed configuration used as it is, Ctrl-C, and again. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

import { atEnd } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import { repositoryPaths } from "../support/repository.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Without this checkout's own Node 26, so that the copy has to bring its own. */
const env = {
  ...process.env,
  PATH: (process.env["PATH"] ?? "")
    .split(path.delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .join(path.delimiter),
};

interface McpServers {
  readonly mcpServers: Readonly<Record<string, { readonly command: string; readonly args: string[] }>>;
}

test("npm start on a fresh copy leads to calls through the printed configuration; a second start keeps the state", async (t) => {
  const folder = await freshCopy();
  atEnd(t, () => rm(folder, { recursive: true, force: true }));
  const first = await npmStart(t, folder);

  await t.test("it says where it listens, how safe the link is, and that the log holds", () => {
    assert.match(first.said, /X25519MLKEM768/);
    assert.match(first.said, /127\.0\.0\.1:8443/);
    for (const server of ["everything", "files", "everything-http"])
      assert.match(first.said, new RegExp(server));
    assert.match(first.said, /^Log +\d+ entries, verified$/m);
  });

  await t.test("what it prints can be pasted: each server answers a real client", async () => {
    for (const [name, { command, args }] of Object.entries(first.config.mcpServers)) {
      const client = new Client({ name: "start", version: "1" });
      await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));
      assert.ok((await client.listTools()).tools.length > 0, name);
      await client.close();
    }
  });

  await t.test("a write to the sample folder is denied with the rule's reason", async () => {
    const files = first.config.mcpServers["files"];
    assert.ok(files);
    const client = new Client({ name: "start", version: "1" });
    await client.connect(new StdioClientTransport({ ...files, stderr: "ignore" }));
    const denied = await client.callTool({ name: "write_file", arguments: { path: "x", content: "y" } });
    assert.equal(denied.isError, true);
    assert.match(JSON.stringify(denied.content), /The sample folder is for reading/);
    await client.close();
  });

  const state = path.join(folder, ".latticegate");
  const authority = await readFile(path.join(state, "server-root.pem"), "utf8");

  await t.test("assess prints its levels, and each entry that something met names is opened", async () => {
    const config = ["--config", path.join(folder, "latticegate.yaml")];
    const { code, stdout: out } = await cli(["assess", ...config]);
    assert.equal(code, 0, out);
    assert.equal(out.match(/^ {2}L[0-4] {2}\w/gm)?.length, 8);
    const ids = new Set(
      out.match(/^ {2}met .*$/gm)?.flatMap((line) => line.match(/[\da-f]{8}-[\da-f-]{27}/g) ?? []),
    );
    assert.ok(ids.size > 10);
    for (const id of ids) assert.equal((await cli(["audit", "show", id, ...config])).code, 0, id);
  });

  await t.test("the state folder is its owner's alone, and no key lies in it in the clear", async () => {
    assert.equal((await stat(state)).mode & 0o777, 0o700);
    for (const file of await readdir(state, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const text = await readFile(path.join(file.parentPath, file.name), "latin1");
      assert.doesNotMatch(text, /BEGIN (ENCRYPTED )?PRIVATE KEY/, file.name);
    }
  });

  await t.test("Ctrl-C stops everything and exits with 0", async () => {
    assert.equal(await first.interrupt(), 0);
    await assert.rejects(fetch("http://127.0.0.1:8441/mcp"), "the demo's server is gone");
    await assert.rejects(fetch("http://127.0.0.1:8442/"), "the page is gone");
  });

  await t.test(
    "a second start has the same authority, accepts the same client, and goes on with the log",
    async () => {
      const before = await entriesOf(folder);
      const second = await npmStart(t, folder);
      const again = await readFile(path.join(state, "server-root.pem"), "utf8");
      assert.equal(again, authority);
      assert.deepEqual(second.config, first.config);
      const everything = second.config.mcpServers["everything"];
      assert.ok(everything);
      const client = new Client({ name: "start", version: "1" });
      await client.connect(new StdioClientTransport({ ...everything, stderr: "ignore" }));
      const echoed = await client.callTool({ name: "echo", arguments: { message: "still here" } });
      assert.match(JSON.stringify(echoed.content), /still here/);
      await client.close();
      assert.equal(await second.interrupt(), 0);
      assert.ok((await entriesOf(folder)) > before);
    },
  );
});

/** The files as git would hand them to somebody else: no node_modules, no state. */
async function freshCopy(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-start-"));
  for (const file of repositoryPaths()) {
    await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
    await copyFile(path.join(root, file), path.join(folder, file));
  }
  return folder;
}

interface Start {
  readonly said: string;
  readonly config: McpServers;
  /** What Ctrl-C in a terminal does: SIGINT to the whole process group. @returns the exit code of npm */
  readonly interrupt: () => Promise<number | null>;
}

async function npmStart(t: { after: (undo: () => void) => void }, folder: string): Promise<Start> {
  const npm: ChildProcess = spawn("npm", ["start"], {
    cwd: folder,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const group = -(npm.pid ?? 0);
  atEnd(t, () => {
    if (npm.exitCode === null && npm.signalCode === null) process.kill(group, "SIGKILL");
  });
  const exited = once(npm, "exit") as Promise<[number | null]>;
  let said = "";
  await new Promise<void>((resolve, reject) => {
    npm.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("Ctrl-C stops")) resolve();
    });
    void exited.then(([code]) => reject(new Error(`npm start ended with ${String(code)}:\n${said}`)));
  });
  const config = JSON.parse(said.slice(said.indexOf("\n{"), said.lastIndexOf("}") + 1)) as McpServers;
  const interrupt = async (): Promise<number | null> => {
    process.kill(group, "SIGINT");
    return (await exited)[0];
  };
  return { said, config, interrupt };
}

async function entriesOf(folder: string): Promise<number> {
  const verified = await cli(["audit", "verify", "--config", path.join(folder, "latticegate.yaml")]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  return Number(/([\d,]+) entries/.exec(verified.stdout)?.[1]?.replaceAll(",", ""));
}
