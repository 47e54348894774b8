import assert from "node:assert/strict";
import { test } from "node:test";

import { type ClientId, clientKinds } from "./client-kinds.ts";
import { readClientConfig } from "./read-client-config.ts";

function read(id: ClientId, text: string): ReturnType<typeof readClientConfig> {
  const kind = clientKinds.find((row) => row.id === id);
  assert.ok(kind);
  return readClientConfig(text, kind);
}

const githubToken = `ghp_${"Zx81".repeat(9)}`;

test("a configuration of each client gives its servers", () => {
  const plain = `{"mcpServers":{"files":{"command":"npx","args":["-y","server"],"env":{"ROOT":"/srv"}}}}`;
  const stdio = { kind: "stdio", command: ["npx", "-y", "server"], environment: ["ROOT"] };
  for (const id of [
    "claude-desktop",
    "claude-code",
    "cursor",
    "windsurf",
    "gemini-cli",
    "generic",
  ] as const) {
    const { entries, secrets, faults } = read(id, plain);
    assert.deepEqual(
      entries,
      [{ name: "files", path: ["mcpServers", "files"], isDisabled: false, reaches: stdio }],
      id,
    );
    assert.deepEqual([secrets, faults], [[], []], id);
  }
});

test("what clients put up with in JSON is read: a mark at the start, comments, commas that trail", () => {
  const { entries, faults } = read(
    "vs-code",
    `\uFEFF{ // servers of this machine
      "servers": { "a": { "type": "sse", "url": "https://a.example/sse", "headers": { "X-A": "1" }, }, }, /* end */
    }`,
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(entries[0]?.reaches, {
    kind: "http",
    transport: "http+sse",
    url: "https://a.example/sse",
    headers: ["X-A"],
  });
});

test("servers of VS Code's settings and of its workspaces are read", () => {
  const server = `{"a":{"command":"x"}}`;
  assert.deepEqual(read("vs-code", `{"mcp":{"servers":${server}}}`).entries[0]?.path, [
    "mcp",
    "servers",
    "a",
  ]);
  const workspace = read("vs-code", `{"folders":[],"settings":{"mcp":{"servers":${server}}}}`);
  assert.deepEqual(workspace.entries[0]?.path, ["settings", "mcp", "servers", "a"]);
});

test("entries of Claude Code's projects say which project they are for, and which are switched off there", () => {
  const { entries } = read(
    "claude-code",
    `{"mcpServers":{"u":{"command":"u"}},"projects":{"/src/a":{"disabledMcpServers":["p"],"mcpServers":{"p":{"command":"p"}}}}}`,
  );
  assert.deepEqual(
    entries.map(({ name, project, isDisabled }) => [name, project, isDisabled]),
    [
      ["u", undefined, false],
      ["p", "/src/a", true],
    ],
  );
});

test("Zed's old and new commands are read, and an extension's server is told as one", () => {
  const { entries } = read(
    "zed",
    `{"context_servers":{
      "old":{"command":{"path":"/bin/old","args":["--x"],"env":{"A":"1"}}},
      "new":{"source":"custom","command":"new","args":[]},
      "off":{"enabled":false,"url":"http://127.0.0.1:1/mcp"},
      "ext":{"settings":{"x":1}}
    }}`,
  );
  assert.deepEqual(entries[0]?.reaches, { kind: "stdio", command: ["/bin/old", "--x"], environment: ["A"] });
  assert.deepEqual(entries[1]?.reaches, { kind: "stdio", command: ["new"], environment: [] });
  assert.equal(entries[2]?.isDisabled, true);
  assert.match(JSON.stringify(entries[3]?.reaches), /an extension of the editor/);
});

test("Gemini CLI's httpUrl, url and exclusions are read as its documentation has them", () => {
  const { entries } = read(
    "gemini-cli",
    `{"mcp":{"excluded":["b"]},"mcpServers":{
      "a":{"httpUrl":"https://a.example/mcp","command":"ignored"},
      "b":{"url":"https://b.example/sse"},
      "c":{"url":"https://c.example/mcp","type":"http"}}}`,
  );
  assert.deepEqual(
    entries.map(({ reaches, isDisabled }) => [reaches.kind === "http" && reaches.transport, isDisabled]),
    [
      ["streamable-http", false],
      ["http+sse", true],
      ["streamable-http", false],
    ],
  );
});

test("Codex' tables are read, with the names of what it takes from the environment", () => {
  const { entries, secrets } = read(
    "codex",
    `model = "x"
[mcp_servers.files]
command = "npx"
args = ["-y", "server"] # a comment
env_vars = ["HOME_TOKEN"]
enabled = false
[mcp_servers.files.env]
API_KEY = "abcdef0123456789"
[mcp_servers."far away"]
url = "https://far.example/mcp"
bearer_token_env_var = "FAR_TOKEN"
http_headers = { "X-Region" = "eu" }
`,
  );
  assert.deepEqual(entries[0], {
    name: "files",
    path: ["mcp_servers", "files"],
    isDisabled: true,
    reaches: { kind: "stdio", command: ["npx", "-y", "server"], environment: ["API_KEY", "HOME_TOKEN"] },
  });
  assert.deepEqual(entries[1]?.reaches, {
    kind: "http",
    transport: "streamable-http",
    url: "https://far.example/mcp",
    headers: ["X-Region", "Authorization"],
  });
  assert.deepEqual(secrets, [{ at: "mcp_servers.files.env.API_KEY", what: "a value of API_KEY" }]);
});

test("one broken table of TOML is told and doesn't hide the others", () => {
  const { entries, faults } = read(
    "codex",
    `[mcp_servers.a]\ncommand = "a"\n[mcp_servers.b]\ncommand = = "b"\n[mcp_servers.c]\ncommand = "c"\n`,
  );
  assert.deepEqual(
    entries.map(({ name }) => name),
    ["a", "c"],
  );
  assert.match(faults.join("\n"), /line 4 isn't TOML/);
});

test("one broken entry of JSON is told and doesn't hide the others", () => {
  const { entries, faults } = read(
    "cursor",
    `{"mcpServers":{"a":{"command":"a" "args":["x"]},"b":7,"c":{"command":["c"]},"d":{"command":"d","args":"x"},"e":{},"f":{"url":"http://f.example"}}}`,
  );
  assert.deepEqual(
    entries.map(({ name, reaches }) => [name, reaches.kind]),
    [
      ["a", "stdio"],
      ["b", "unreadable"],
      ["c", "unreadable"],
      ["d", "unreadable"],
      ["e", "unreadable"],
      ["f", "http"],
    ],
  );
  assert.match(faults.join("\n"), /line 1 isn't JSON/);
});

test("names that JavaScript's objects know mean nothing", () => {
  const { entries } = read(
    "cursor",
    `{"__proto__":{"mcpServers":{"x":{"command":"x"}}},"mcpServers":{"__proto__":{"command":"p"},"constructor":{"command":"c","env":{"__proto__":"1"}}}}`,
  );
  assert.deepEqual(
    entries.map(({ name }) => name),
    ["__proto__", "constructor"],
  );
  assert.equal(({} as Record<string, unknown>)["command"], undefined);
  const toml = read("codex", `[mcp_servers.__proto__]\ncommand = "p"\n[__proto__]\nx = 1\n`);
  assert.equal(toml.entries[0]?.name, "__proto__");
});

test("texts that are nothing of the kind give a fault and cost little", () => {
  const hostile = [
    "[".repeat(200_000),
    '{"a":'.repeat(100_000),
    "}".repeat(300_000),
    '"'.repeat(300_000),
    "[]",
    "\u0000\u0001",
    "7",
    `{"mcpServers":[]}`,
    "/*".repeat(100_000),
  ];
  for (const text of hostile) {
    for (const id of ["cursor", "codex"] as const) {
      const { entries, faults } = read(id, text);
      assert.deepEqual(entries, [], text.slice(0, 20));
      assert.ok(faults.length <= 8);
    }
  }
  assert.match(read("cursor", '{"a":'.repeat(100_000)).faults.join(), /nested deeper/);
  assert.match(read("codex", `a = ${"[".repeat(5000)}`).faults.join(), /nested deeper/);
  assert.match(read("codex", " ".repeat(2 * 1024 * 1024)).faults.join(), /longer than/);
});

test("more servers than are read are told", () => {
  const many = Object.fromEntries(Array.from({ length: 1500 }, (_, at) => [`s${at}`, { command: "x" }]));
  const { entries, faults } = read("cursor", JSON.stringify({ mcpServers: many }));
  assert.equal(entries.length, 1000);
  assert.match(faults.join(), /more than 1000 servers/);
});

test("secrets in the clear are told by place and kind, in environments, headers, arguments and URLs, never by value", () => {
  const values = [githubToken, "s3cr3t-header", "hunter22", "pw-in-url", "q1w2e3r4t5", "in-an-argument"];
  const text = JSON.stringify({
    mcpServers: {
      a: {
        command: "npx",
        args: ["--api-key", values[2], "--token=" + (values[5] ?? ""), `postgres://u:${values[3]}@db/x`],
        env: { GH: values[0] },
      },
      b: {
        url: `https://b.example/mcp?api_key=${values[4]}`,
        headers: { Authorization: `Bearer ${values[1]}` },
      },
    },
  });
  const { secrets } = read("cursor", text);
  assert.deepEqual(secrets.map(({ at }) => at).sort(), [
    "mcpServers.a.args.1",
    "mcpServers.a.args.2",
    "mcpServers.a.args.3",
    "mcpServers.a.env.GH",
    "mcpServers.b.headers.Authorization",
    "mcpServers.b.url",
  ]);
  for (const value of values) assert.ok(!JSON.stringify(secrets).includes(value ?? ""));
  assert.match(secrets.find(({ at }) => at.endsWith(".GH"))?.what ?? "", /github token/i);
});

test("references, placeholders and paths are no secrets; a default within a reference is one", () => {
  const env = {
    A_TOKEN: "${input:token}",
    B_TOKEN: "${env:B}",
    C_TOKEN: "$C_TOKEN",
    D_TOKEN: "%D_TOKEN%",
    E_API_KEY: "<your key>",
    F_API_KEY: "YOUR_API_KEY",
    G_SECRET: "op://vault/item/field",
    H_CREDENTIALS: "/home/u/key.json",
    MAX_TOKENS: "4096",
    TOKEN_FILE: "abcdefghij",
    I_TOKEN: "",
  };
  const headers = { Authorization: "Bearer ${env:X}", "X-Api-Key": "Bearer $KEY" };
  const config = { mcpServers: { a: { command: "a", env }, b: { url: "https://b.example/mcp", headers } } };
  assert.deepEqual(read("cursor", JSON.stringify(config)).secrets, []);
  const fallback = { mcpServers: { a: { command: "a", env: { T_TOKEN: "${T:-abcdef-0123}" } } } };
  assert.equal(read("claude-code", JSON.stringify(fallback)).secrets.length, 1);
});

test("entries that run behind latticegate are told as such, however it is installed", () => {
  const commands = [
    ["latticegate", "connect", "files"],
    ["npx", "-y", "latticegate@0.1.0", "connect", "--state", "/s", "files"],
    ["/usr/bin/node", "/opt/x/dist/cli/main.js", "connect", "files", "--state", "/s"],
    ["C:\\lg\\latticegate.cmd", "connect", "--verbose", "files"],
  ];
  for (const [command, ...args] of commands) {
    const { entries } = read("cursor", JSON.stringify({ mcpServers: { a: { command, args } } }));
    assert.deepEqual(entries[0]?.reaches, { kind: "connect", server: "files" }, args.join(" "));
  }
  const peer = `mcp-pqc://${"a".repeat(52)}/files`;
  const byName = { command: "latticegate", args: ["connect", "--via", "relay@r.example:8445", peer] };
  const { entries } = read("cursor", JSON.stringify({ mcpServers: { a: byName } }));
  assert.deepEqual(entries[0]?.reaches, { kind: "connect", server: peer });
  const other = read("cursor", `{"mcpServers":{"a":{"command":"latticegate","args":["expose","x"]}}}`);
  assert.equal(other.entries[0]?.reaches.kind, "stdio");
});
