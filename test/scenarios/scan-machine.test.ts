/** A machine as people leave it: clients' configurations in a home and in projects, and servers that run. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { type Asking, asStranger } from "../../src/app/scan/asking.ts";
import { searchClients } from "../../src/app/scan/search-clients.ts";
import { searchProcesses } from "../../src/app/scan/search-processes.ts";
import { systemClock } from "../../src/host/system.ts";
import type { ClientSighting } from "../../src/inventory/clients/client-sighting.ts";
import { placeKey, type ServerSighting, type Sighting } from "../../src/inventory/sighting.ts";
import { atEnd } from "../support/cleanup.ts";
import { gatewayProcess } from "../support/gateway-process.ts";
import { freePort } from "../support/free-port.ts";

const packages = path.resolve(import.meta.dirname, "../../node_modules/@modelcontextprotocol");
const everything = path.join(packages, "server-everything/dist/index.js");
const filesystem = path.join(packages, "server-filesystem/dist/index.js");
const signal = new AbortController().signal;

const secrets = {
  desktop: `ghp_${"Ab3d".repeat(9)}`,
  code: "hunter2-in-a-header",
  windsurf: "windsurf-bearer-0815",
  zed: "zed-password-4711",
  codex: "sk_codex_0123456789abcdef",
  cursor: "cursor-query-55aa",
  argument: "argument-of-a-command-42",
};

const configurations = {
  ".config/Claude/claude_desktop_config.json": {
    mcpServers: {
      everything: {
        command: process.execPath,
        args: [everything, "stdio", "--token", secrets.argument],
        env: { GITHUB_PAT: secrets.desktop },
      },
    },
  },
  ".claude.json": {
    numStartups: 7,
    mcpServers: {
      sentry: {
        type: "http",
        url: "https://mcp.sentry.example/mcp",
        headers: { Authorization: `Bearer ${secrets.code}` },
      },
    },
    projects: { "/work/shop": { mcpServers: { db: { command: "uvx", args: ["mcp-server-postgres"] } } } },
  },
  ".cursor/mcp.json": `{
    // through a bridge
    "mcpServers": { "linear": { "command": "npx", "args": ["-y", "mcp-remote", "https://mcp.linear.example/sse?api_key=${secrets.cursor}"], }, }
  }`,
  ".config/Code/User/mcp.json": {
    inputs: [{ id: "token", type: "promptString", password: true }],
    servers: {
      github: {
        type: "http",
        url: "https://api.github.example/mcp/",
        headers: { Authorization: "Bearer ${input:token}" },
      },
    },
  },
  ".codeium/windsurf/mcp_config.json": {
    mcpServers: {
      figma: {
        serverUrl: "http://127.0.0.1:3845/mcp",
        headers: { Authorization: `Bearer ${secrets.windsurf}` },
      },
    },
  },
  ".config/zed/settings.json": `{ "theme": "One", "context_servers": {
    "pg": { "command": { "path": "/usr/local/bin/pg-mcp", "args": ["--password", "${secrets.zed}"], "env": {} } } } }`,
  ".gemini/settings.json": {
    mcpServers: { maps: { httpUrl: "https://maps.example/mcp", headers: { "X-Goog-Api-Key": "$MAPS_KEY" } } },
  },
  ".codex/config.toml": `model = "o9"\n[mcp_servers.notes]\ncommand = "latticegate"\nargs = ["connect", "notes"]\n[mcp_servers.far]\nurl = "https://far.example/mcp"\nhttp_headers = { "X-Api-Key" = "${secrets.codex}" }\n`,
  "work/shop/.mcp.json": { mcpServers: { shop: { type: "sse", url: "http://shop.example:8080/sse" } } },
  "work/shop/.vscode/mcp.json": "{ broken",
} as const;

function home(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "scan-"));
  atEnd(t, () => rmSync(folder, { recursive: true }));
  for (const [file, content] of Object.entries(configurations)) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
    writeFileSync(path.join(folder, file), text, { mode: 0o600 });
  }
  chmodSync(path.join(folder, ".cursor/mcp.json"), 0o644);
  return folder;
}

async function all(sightings: AsyncIterable<Sighting>): Promise<readonly Sighting[]> {
  const found: Sighting[] = [];
  for await (const sighting of sightings) found.push(sighting);
  return found;
}

function serversAmong(found: readonly Sighting[]): readonly ServerSighting[] {
  return found.flatMap((one) => (one.kind === "server" ? [one.server] : []));
}

function clientsAmong(found: readonly Sighting[]): readonly ClientSighting[] {
  return found.flatMap((one) => (one.kind === "client" ? [one.client] : []));
}

async function lookedAt(top: string, asking?: Asking): Promise<readonly Sighting[]> {
  return await all(
    searchClients({
      platform: "linux",
      environment: {},
      ownHome: top,
      homes: [top],
      projects: existsSync(path.join(top, "work")) ? [path.join(top, "work")] : [],
      ...(asking === undefined ? {} : { asking }),
      signal,
    }),
  );
}

test("clients' configurations give each server they name, and each secret that stands in them by place alone", async (t) => {
  const top = home(t);
  const found = await lookedAt(top);
  const servers = serversAmong(found).filter(
    ({ evidence }) => evidence.by === "client" && evidence.file.startsWith(top),
  );
  assert.deepEqual(
    servers
      .map(({ place, spoken }) => [placeKey(place), spoken])
      .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
    [
      ["http://localhost:3845/mcp", undefined],
      ["http://shop.example:8080/sse", "http+sse"],
      ["https://api.github.example/mcp/", "streamable-http"],
      ["https://far.example/mcp", "streamable-http"],
      ["https://maps.example/mcp", "streamable-http"],
      ["https://mcp.linear.example/sse", undefined],
      ["https://mcp.sentry.example/mcp", "streamable-http"],
      [`stdio:${process.execPath} ${everything} stdio --token <secret>`, "stdio"],
      ["stdio:/usr/local/bin/pg-mcp --password <secret>", "stdio"],
      ["stdio:npx -y mcp-remote https://mcp.linear.example/sse?api_key=<secret>", "stdio"],
      ["stdio:uvx mcp-server-postgres", "stdio"],
    ].sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
  );
  const clients = clientsAmong(found).filter(({ file }) => file.startsWith(top));
  assert.deepEqual(
    clients.flatMap(({ client, secrets: seen }) => seen.map(({ at }) => `${client} ${at}`)),
    [
      "claude-desktop mcpServers.everything.args.3",
      "claude-desktop mcpServers.everything.env.GITHUB_PAT",
      "claude-code mcpServers.sentry.headers.Authorization",
      "cursor mcpServers.linear.args.2",
      "windsurf mcpServers.figma.headers.Authorization",
      "zed context_servers.pg.command.args.1",
      "codex mcp_servers.far.http_headers.X-Api-Key",
    ],
  );
  assert.deepEqual(
    clients.flatMap(({ client, readableBy }) => (readableBy === undefined ? [] : [[client, readableBy]])),
    [["cursor", "everybody"]],
  );
  const notes = clients.find(({ client }) => client === "codex")?.entries[0];
  assert.deepEqual(notes?.reaches, { kind: "connect", server: "notes" });
  const problems = found.flatMap((one) => (one.kind === "problem" ? [one.problem] : []));
  assert.deepEqual(
    problems.map(({ at }) => path.relative(top, at)),
    ["work/shop/.vscode/mcp.json"],
  );
  const shown = JSON.stringify(found);
  for (const secret of Object.values(secrets)) assert.ok(!shown.includes(secret), secret);
});

function start(t: TestContext, args: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "pipe"], env });
  atEnd(t, () => child.kill("SIGKILL"));
  return child;
}

async function isUp(child: ChildProcess): Promise<void> {
  await new Promise((resolve) => child.stderr?.once("data", resolve));
}

test(
  "servers that run are found by their processes: the configured one as configured, a shadow by its package",
  { skip: process.platform !== "linux" && "its pipes are seen on Linux alone" },
  async (t) => {
    const clients = clientsAmong(await lookedAt(home(t)));
    const configured = start(t, [everything, "stdio", "--token", secrets.argument]);
    const shadow = start(t, [filesystem, "/tmp", "--token=hidden-in-arguments"]);
    await Promise.all([isUp(configured), isUp(shadow)]);
    const own = [configured.pid, shadow.pid];
    const servers = serversAmong(await all(searchProcesses({ clients, signal }))).filter(
      ({ evidence }) => evidence.by === "process" && own.includes(evidence.pid),
    );
    assert.deepEqual(
      servers.map(({ place }) => place),
      [
        {
          kind: "stdio",
          command: [process.execPath, everything, "stdio", "--token", "<secret>"],
          environment: ["GITHUB_PAT"],
        },
        {
          kind: "stdio",
          command: [process.execPath, filesystem, "/tmp", "--token=<secret>"],
          environment: [],
        },
      ],
    );
    assert.ok(!JSON.stringify(servers).includes("hidden-in-arguments"));
  },
);

test("a project that Claude Code's own file names is looked at without being asked for", async (t) => {
  const top = home(t);
  const project = path.join(top, "elsewhere");
  mkdirSync(project);
  writeFileSync(path.join(project, ".mcp.json"), `{"mcpServers":{"here":{"command":"here-mcp"}}}`);
  writeFileSync(
    path.join(top, ".claude.json"),
    JSON.stringify({ projects: { [project]: {}, "/gone": {}, x: {} } }),
  );
  const found = await lookedAt(top);
  const files = clientsAmong(found).map(({ file }) => path.relative(top, file));
  assert.equal(files.filter((file) => file === "elsewhere/.mcp.json").length, 1);
  assert.ok(!JSON.stringify(found).includes("/gone"));
});

test(
  "a server that listens is found at its port, with its process, its name and its cryptography",
  { skip: process.platform !== "linux" && "sockets are told on Linux alone" },
  async (t) => {
    const port = await freePort();
    const child = start(t, [everything, "streamableHttp"], { PORT: String(port) });
    await isUp(child);
    const stranger = asStranger({ clock: systemClock, signal, timeoutMs: 5000 });
    // Others' ports on the machine of the test are left alone.
    const asking: Asking = {
      ...stranger,
      probe: async (host, at) => (at === port ? await stranger.probe(host, at) : undefined),
    };
    const servers = serversAmong(await all(searchProcesses({ clients: [], asking, signal })));
    const found = servers.find(({ evidence }) => evidence.by === "listener");
    assert.equal(found && placeKey(found.place), `http://localhost:${port}/mcp`);
    assert.deepEqual(found?.evidence, {
      by: "listener",
      host: "127.0.0.1",
      port,
      pid: child.pid,
      program: `${process.execPath} ${everything} streamableHttp`,
    });
    assert.match(found?.name ?? "", /everything/);
    assert.deepEqual([found?.spoken, found?.authentication], ["streamable-http", { kind: "none" }]);
    assert.ok(found?.tools?.some(({ name }) => name === "echo"));
    assert.deepEqual([found?.posture?.link.kind, found?.posture?.keyExchange.verdict], ["clear", "none"]);
    assert.ok(!servers.some(({ evidence }) => evidence.by === "process" && evidence.pid === child.pid));

    const top = mkdtempSync(path.join(tmpdir(), "scan-"));
    atEnd(t, () => rmSync(top, { recursive: true }));
    mkdirSync(path.join(top, ".cursor"));
    const entry = {
      url: `http://localhost:${port}/mcp`,
      headers: { Authorization: "Bearer never-sent-anywhere" },
    };
    writeFileSync(path.join(top, ".cursor/mcp.json"), JSON.stringify({ mcpServers: { here: entry } }));
    const configured = serversAmong(await lookedAt(top, asking)).filter(
      ({ evidence }) => evidence.by === "client" && evidence.file.startsWith(top),
    );
    assert.deepEqual(
      configured.map(({ place, name, posture }) => [placeKey(place), name, posture?.link.kind]),
      [
        [`http://localhost:${port}/mcp`, undefined, undefined],
        [`http://localhost:${port}/mcp`, found?.name, "clear"],
      ],
    );
  },
);

test(
  "a gateway of this product that runs here is named as one",
  { skip: process.platform !== "linux" && "sockets are told on Linux alone" },
  async (t) => {
    const gateway = await gatewayProcess(t, "servers: {}");
    const { port } = new URL(`https://${gateway.address}`);
    const stranger = asStranger({ clock: systemClock, signal, timeoutMs: 5000 });
    const asking: Asking = {
      ask: async (url) => await Promise.reject(new Error(`${url} was asked`)),
      probe: async (host, at) => (at === Number(port) ? await stranger.probe(host, at) : undefined),
    };
    const found = await all(searchProcesses({ clients: [], asking, signal }));
    const [endpoint, ...others] = found.flatMap((one) => (one.kind === "endpoint" ? [one.endpoint] : []));
    assert.deepEqual(others, []);
    assert.deepEqual([endpoint?.port, endpoint?.isLatticegate], [Number(port), true]);
    assert.equal(endpoint?.posture?.keyExchange.verdict, "hybrid");
  },
);
