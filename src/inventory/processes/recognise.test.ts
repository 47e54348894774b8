import assert from "node:assert/strict";
import { test } from "node:test";

import { type Recognised, recognise } from "./recognise.ts";
import type { Listener, RunningProcess } from "./running-process.ts";

const ownPid = 9999;

interface Scene {
  readonly processes: readonly RunningProcess[];
  readonly listeners?: readonly Listener[];
  readonly configured?: readonly (readonly string[])[];
}

function seen({ processes, listeners = [], configured = [] }: Scene): readonly Recognised[] {
  return recognise({ processes, listeners, configured, ownPid });
}

function started(pid: number, command: string, more: Partial<RunningProcess> = {}): RunningProcess {
  return { pid, parent: 1, command: command.split(" "), stdin: "pipe", ...more };
}

test("a server is recognised by the command a client is configured to start, whatever it is called", () => {
  const configured = [
    ["/opt/tools/weather", "--units", "metric"],
    ["npx", "-y", "@example/tools", "/srv"],
    ["tools.cmd", "serve"],
  ];
  const found = seen({
    configured,
    processes: [
      started(10, "weather --units metric"),
      started(11, "/usr/bin/node /opt/tools/weather --units metric"),
      { ...started(12, ""), command: ["npm exec @example/tools /srv"] },
      started(13, "weather --units imperial"),
      started(14, "C:\\bin\\TOOLS.CMD serve", { stdin: "other" }),
    ],
  });
  assert.deepEqual(
    found.map((one) => [one.process.pid, one.kind === "server" && one.command]),
    [
      [10, configured[0]],
      [11, configured[0]],
      [12, configured[1]],
      [14, configured[2]],
    ],
  );
});

test("packages of MCP servers are a hint; editors, searches and other programs that name them are none", () => {
  const servers = [
    "uvx mcp-server-git --repository /src",
    "npx -y @modelcontextprotocol/server-filesystem /srv",
    "node /home/u/.npm/_npx/ab/node_modules/.bin/mcp-server-everything",
    "node /opt/github-mcp-server/dist/index.js",
    "python3 -m mcp_server_time",
    "docker run -i --rm mcp/time",
    "docker run -i --rm -e TOKEN ghcr.io/x/slack-mcp:1.2",
    "github-mcp-server stdio",
    "node --import tsx /src/mcp-server/main.ts",
    "uv --directory /src run mcp-server-sqlite",
    "docker run -i --rm -e A -e B -e C -v /a:/a -v /b:/b --network none --memory 1g mcp/time",
  ];
  const others = [
    "vim /src/mcp-server/index.js",
    "grep -r mcp-server /src",
    "sh -c npx mcp-server-git",
    "npx @modelcontextprotocol/inspector",
    "node /src/app/server.js",
    "node --test /src/mcp-server.test.ts",
    "npm install mcp-server-git",
    "docker build -t mcp-server-git .",
    "uv pip install mcp-server-git",
    "python3 /src/build.py --out dist mcp-server-git",
    "rust-analyzer",
    "cat mcp.json",
  ];
  for (const command of servers) assert.equal(seen({ processes: [started(10, command)] }).length, 1, command);
  for (const command of others) assert.equal(seen({ processes: [started(10, command)] }).length, 0, command);
});

test("a chain of runner, shell and server is one server, named by its first", () => {
  const found = seen({
    processes: [
      started(10, "npm exec @modelcontextprotocol/server-everything"),
      started(11, "sh -c mcp-server-everything", { parent: 10 }),
      started(12, "node /x/node_modules/.bin/mcp-server-everything", { parent: 11 }),
    ],
  });
  assert.deepEqual(
    found.map(({ process }) => process.pid),
    [10],
  );
});

test("a client's child counts where it says MCP at all, and says who started it", () => {
  const scene = [
    started(5, "/Applications/Cursor.app/Contents/MacOS/Cursor"),
    started(10, "node /work/my-mcp/index.js", { parent: 5 }),
    started(11, "node /work/language-server/index.js --stdio", { parent: 5 }),
  ];
  const found = seen({ processes: scene });
  assert.deepEqual(
    found.map((one) => [one.process.pid, one.kind === "server" && one.startedBy]),
    [[10, "Cursor"]],
  );
  assert.deepEqual(seen({ processes: scene.slice(1) }), []);
});

test("a server whose input nobody writes to, or that listens, isn't told as one of stdio", () => {
  assert.deepEqual(seen({ processes: [started(10, "mcp-server-git", { stdin: "other" })] }), []);
  const listeners = [{ host: "127.0.0.1", port: 8080, pid: 11 }];
  const processes = [started(10, "npx mcp-server-git"), started(11, "node x.js", { parent: 10 })];
  assert.deepEqual(seen({ processes, listeners }), []);
});

test("this product is named as itself, and what it wraps as started by it", () => {
  const found = seen({
    processes: [
      started(10, "/usr/bin/node /opt/lg/dist/cli/main.js up"),
      started(11, "npx mcp-server-git", { parent: 10 }),
      started(12, "latticegate connect files"),
    ],
    listeners: [{ host: "::", port: 443, pid: 10 }],
  });
  assert.deepEqual(
    found.map((one) => [one.kind, one.kind === "latticegate" ? one.verb : one.startedBy, one.ports]),
    [
      ["latticegate", "up", [443]],
      ["server", "latticegate", []],
      ["latticegate", "connect", []],
    ],
  );
});

test("whoever looks, and what started it, are left out; circles of parents end", () => {
  const processes = [
    started(10, "npx mcp-server-git"),
    { ...started(ownPid, "latticegate scan"), parent: 10 },
    { ...started(20, "mcp-server-a"), parent: 21 },
    { ...started(21, "node x"), parent: 20 },
    { ...started(30, "mcp-server-b"), parent: 30 },
  ];
  assert.deepEqual(
    seen({ processes }).map(({ process }) => process.pid),
    [20, 30],
  );
});
