/** `adopt` against files that somebody prepared, and races: what it takes, what it leaves and why, and where secrets go. */
import assert from "node:assert/strict";
import { chmod, link, lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { type AdoptionPlan, type Environment, planAdoption } from "../src/app/adopt/adopt.ts";
import { withoutServers, withServers } from "../src/app/adopt/config-text.ts";
import { restoredText } from "../src/app/adopt/undo.ts";
import { loadConfig } from "../src/app/config.ts";
import { readForeignFile, replaceForeignFile } from "../src/host/store/foreign-file.ts";
import { systemClock, systemLog } from "../src/host/system.ts";
import { clientKinds } from "../src/inventory/clients/client-kinds.ts";
import { maskedDiff } from "../src/inventory/clients/masked-diff.ts";

const node = process.execPath;
const secret = "ghp_q8Zr4Tn1LxW7vB3mK9sD2fH6jC5pY0aE1uGi";

interface Scene {
  readonly home: string;
  readonly put: (file: string, text: string) => Promise<string>;
  readonly plan: (...names: readonly string[]) => Promise<AdoptionPlan>;
}

async function scene(t: TestContext, servers = "{}"): Promise<Scene> {
  const home = await mkdtemp(path.join(tmpdir(), "latticegate-adopt-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  const config = path.join(home, "latticegate.yaml");
  await writeFile(config, `state: ./state\nservers: ${servers}\npolicies: []\n`);
  const environment: Environment = {
    clock: systemClock,
    log: systemLog({ level: "error" }),
    homes: { platform: "linux", environment: {}, ownHome: home, homes: [home] },
    self: [node, "/opt/latticegate/dist/cli/main.js"],
  };
  return {
    home,
    put: async (file, text) => {
      await mkdir(path.dirname(path.join(home, file)), { recursive: true });
      await writeFile(path.join(home, file), text);
      return path.join(home, file);
    },
    plan: (...names) => planAdoption(loadConfig(config), names, environment),
  };
}

function servers(entries: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ mcpServers: entries }, null, 2);
}

function reasons(plan: AdoptionPlan): Readonly<Record<string, string>> {
  const left = plan.files.flatMap((file) => file.left);
  return Object.fromEntries(left.map(({ name, because }) => [name.replace("mcpServers.", ""), because]));
}

test("what only the client can do is left to it, with the reason", async (t) => {
  const login = createServer((_, answer) => void answer.writeHead(401).end()).listen(0, "127.0.0.1");
  await once(login, "listening");
  t.after(() => login.close());
  const address = login.address();
  assert.ok(address !== null && typeof address === "object");
  const { put, plan } = await scene(t);
  await put(
    ".cursor/mcp.json",
    servers({
      asks: { command: node, args: ["${input:key}"] },
      folder: { command: node, cwd: "${workspaceFolder}" },
      login: { url: `http://127.0.0.1:${address.port}/mcp` },
      gone: { url: "http://127.0.0.1:1/mcp" },
      off: { command: node, disabled: true },
      envFile: { command: node, envFile: ".env" },
      argument: { command: node, args: ["--token", secret] },
      inUrl: { url: `http://u:${secret}@127.0.0.1/mcp` },
      relative: { command: "./serve" },
      missing: { command: "no-such-program-anywhere" },
      behind: { command: node, args: ["/opt/latticegate/dist/cli/main.js", "connect", "x"] },
      nothing: {},
    }),
  );
  const planned = await plan();
  assert.deepEqual(planned.servers, []);
  assert.equal(planned.files[0]?.before, planned.files[0]?.after);
  const found = reasons(planned);
  const expected: Readonly<Record<string, RegExp>> = {
    asks: /variables/,
    folder: /variables/,
    login: /asks for a login \(HTTP 401\)/,
    gone: /nobody answers/,
    off: /disabled/,
    envFile: /a file that the client reads/,
    argument: /argument 2 .* looks like a secret/,
    inUrl: /URL holds a secret/,
    relative: /a folder that only the client knows/,
    missing: /isn't found/,
    behind: /behind Latticegate already/,
    nothing: /neither a command nor/,
  };
  assert.deepEqual(Object.keys(found).toSorted(), Object.keys(expected).toSorted());
  for (const [name, because] of Object.entries(expected)) assert.match(found[name] ?? "", because);
});

test("one place has one name, two places never the same, and a name that is taken isn't taken over", async (t) => {
  const { put, plan } = await scene(t, "{ git: { command: [/bin/true] } }");
  const same = { command: node, args: ["a"], env: { A: secret } };
  await put(".cursor/mcp.json", servers({ git: same, "Files!": { command: node, args: ["b"] } }));
  await put(
    ".codeium/windsurf/mcp_config.json",
    servers({ other: same, "files-": { command: node, args: ["c"] } }),
  );
  const planned = await plan();
  const names = planned.files.flatMap(({ entries }) => entries.map(({ server }) => server));
  assert.deepEqual(names, ["git-2", "files-", "git-2", "files--2"]);
});

test("secrets are in no config and in no diff: they go into files of the state folder", async (t) => {
  const { put, plan, home } = await scene(t);
  const entry = { command: node, args: ["x"], env: { PIN: "7351", URL: "https://a.test", DEBUG: "true" } };
  await put(
    ".cursor/mcp.json",
    servers({ git: entry, off: { command: "y", disabled: true, env: { T: secret } } }),
  );
  const planned = await plan();
  assert.match(planned.config.after, /DEBUG: "true"/);
  assert.match(planned.config.after, /PIN:\s+file: state\/adopted\/secrets\/git\/PIN/);
  assert.ok(!planned.config.after.includes("7351"));
  assert.deepEqual([...(planned.servers[0]?.secrets.values() ?? [])], ["7351", "https://a.test"]);
  const [file] = planned.files;
  assert.ok(file);
  const diff = maskedDiff({ file: home, before: file.before, after: file.after, format: "jsonc" }).join("\n");
  assert.match(diff, /^-.*"PIN": "<secret>"/m);
  assert.ok(!diff.includes("7351") && !diff.includes(secret));
});

test("a project's file is adopted when it is named, and never by itself", async (t) => {
  const { put, plan, home } = await scene(t);
  const file = await put("repo/.mcp.json", servers({ run: { command: node, args: ["./x"] } }));
  assert.deepEqual((await plan()).files, []);
  const named = await plan(file);
  assert.match(named.config.after, new RegExp(`cwd: ${path.join(home, "repo")}`));
});

test("a document with a fault, or a key that stands twice, is left as it is", async (t) => {
  const { put, plan } = await scene(t);
  await put(".cursor/mcp.json", `{ "mcpServers": { "a": { "command": "${node}" }, }`);
  await put(
    ".codeium/windsurf/mcp_config.json",
    `{ "mcpServers": { "a": { "command": "x" }, "a": { "command": "y" } } }`,
  );
  await put(".codex/config.toml", `[mcp_servers.a]\ncommand = "x"\ncommand = "y"\n`);
  const planned = await plan();
  assert.equal(planned.left.length, 3);
  assert.deepEqual(planned.files, []);
});

test("a file that others can write, or that has a second name, isn't adopted", async (t) => {
  const { put, plan, home } = await scene(t);
  const cursor = await put(".cursor/mcp.json", servers({ a: { command: node } }));
  await chmod(cursor, 0o666);
  const windsurf = await put(".codeium/windsurf/mcp_config.json", servers({ a: { command: node } }));
  await link(windsurf, path.join(home, "second"));
  const { files, left } = await plan();
  assert.deepEqual(files, []);
  assert.match(left.join("\n"), /written by everybody/);
  assert.match(left.join("\n"), /more than one name/);
});

test("a link is followed and stays a link; mode is kept", async (t) => {
  const { put, home } = await scene(t);
  const real = await put("dotfiles/mcp.json", "{}");
  await chmod(real, 0o640);
  await symlink(real, path.join(home, "mcp.json"));
  const read = await readForeignFile(path.join(home, "mcp.json"));
  assert.ok(read);
  await replaceForeignFile(read, Buffer.from("{ }"));
  assert.ok((await lstat(path.join(home, "mcp.json"))).isSymbolicLink());
  assert.equal(await readFile(real, "utf8"), "{ }");
  assert.equal((await stat(real)).mode & 0o777, 0o640);
});

test("a file that changed, or a link that leads elsewhere, between the diff and the writing isn't written", async (t) => {
  const { put, home } = await scene(t);
  const one = await put("one.json", "{}");
  const two = await put("two.json", "{}");
  const name = path.join(home, "mcp.json");
  await symlink(one, name);
  const read = await readForeignFile(name);
  assert.ok(read);
  await rm(name);
  await symlink(two, name);
  await assert.rejects(replaceForeignFile(read, Buffer.from("bad")), /changed meanwhile/);
  const other = await readForeignFile(two);
  assert.ok(other);
  await writeFile(two, "{ }");
  await assert.rejects(replaceForeignFile(other, Buffer.from("bad")), /changed meanwhile/);
  assert.deepEqual([await readFile(one, "utf8"), await readFile(two, "utf8")], ["{}", "{ }"]);
});

test("an entry that isn't adopt's any more is passed over when the others are given back", () => {
  const kind = clientKinds.find(({ id }) => id === "cursor");
  assert.ok(kind);
  const ours = (server: string): unknown => ({ command: node, args: ["/x/latticegate", "connect", server] });
  const text = servers({ a: ours("a"), b: { command: "theirs" }, c: ours("else") });
  const entries = ["a", "b", "c"].map((name) => ({
    path: ["mcpServers", name],
    server: name,
    original: "{}",
  }));
  const { text: restored, passedOver } = restoredText(text, kind, entries);
  assert.deepEqual(passedOver, ["mcpServers.b", "mcpServers.c"]);
  assert.deepEqual(JSON.parse(restored), {
    mcpServers: { a: {}, b: { command: "theirs" }, c: ours("else") },
  });
});

test("servers go into a gateway's config and out again without a change to the rest", () => {
  const added = { x: { command: ["a", "- b: #c"], cwd: "/" }, y: { url: "https://a.test/mcp" } };
  for (const text of [
    "state: ./s\n",
    "# top\nservers: # all\n    one:   { command: [a] } # first\n\n# rules\npolicies: []",
    "servers:\r\n  one:\r\n    command: [a]\r\n    # end of one\r\npolicies: []\r\n",
  ]) {
    const longer = withServers(text, added);
    for (const line of text.split(/\r?\n/)) assert.ok(longer.includes(line), line);
    assert.equal(longer.includes("\r\n"), text.includes("\r\n"));
    if (text.includes("one")) assert.equal(withoutServers(longer, ["x", "y"]).trimEnd(), text.trimEnd());
  }
});
