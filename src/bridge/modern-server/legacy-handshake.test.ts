import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import { type RequestFrame, type ResponseFrame, tryReadFrame } from "../../wire/frame.ts";
import { clientSelf, discovered, initializeResult, sessionVersion } from "./legacy-handshake.ts";

function initialize(params?: unknown): RequestFrame {
  const message = { jsonrpc: "2.0", id: 0, method: "initialize", params };
  return tryReadFrame(utf8(JSON.stringify(message))) as RequestFrame;
}

function answer(rest: object): ResponseFrame {
  return tryReadFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id: 0, ...rest }))) as ResponseFrame;
}

test("a client is what it says of itself, without tasks of either era", () => {
  const extensions = { "io.modelcontextprotocol/tasks": {}, "com.example/x": {} };
  const capabilities = { roots: { listChanged: true }, tasks: { cancel: {} }, extensions };
  assert.deepEqual(clientSelf(initialize({ clientInfo: { name: "c", version: "1" }, capabilities })), {
    clientInfo: { name: "c", version: "1" },
    capabilities: { roots: { listChanged: true }, extensions: { "com.example/x": {} } },
  });
  assert.deepEqual(clientSelf(initialize()), { capabilities: {} });
  assert.deepEqual(clientSelf(initialize({ clientInfo: "c", capabilities: [] })), { capabilities: {} });
  const onlyTasks = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  assert.deepEqual(clientSelf(initialize({ capabilities: onlyTasks })), { capabilities: {} });
});

test("a client that says too much of itself is refused", () => {
  const capabilities = { experimental: { x: "x".repeat(64 * 1024) } };
  assert.throws(() => clientSelf(initialize({ capabilities })), { code: "bad_message" });
});

test("a session is in the client's version if that is a published legacy one", () => {
  for (const version of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
    assert.equal(sessionVersion(version), version);
  for (const version of [undefined, "", "2026-07-28", "2030-01-01", "2024-10-07", "latest"])
    assert.equal(sessionVersion(version), "2025-11-25");
});

const supportedVersions = ["2026-07-28"];

test("a server is what it says when it is discovered", () => {
  const capabilities = { tools: {}, tasks: {}, extensions: { "io.modelcontextprotocol/tasks": {} } };
  const _meta = { "io.modelcontextprotocol/serverInfo": { name: "s", version: "2", title: "S" } };
  const result = { resultType: "complete", supportedVersions, capabilities, instructions: "i", _meta };
  assert.deepEqual(initializeResult(discovered(answer({ result })), "2025-06-18", "here"), {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "s", version: "2", title: "S" },
    instructions: "i",
  });
  assert.deepEqual(
    initializeResult(discovered(answer({ result: { supportedVersions } })), "2025-11-25", "here"),
    {
      protocolVersion: "2025-11-25",
      capabilities: {},
      serverInfo: { name: "here", version: "unknown" },
    },
  );
});

for (const [what, rest, why] of [
  ["an error", { error: { code: -32601, message: "m".repeat(1000) } }, /-32601, m{200}\.$/],
  ["other versions", { result: { supportedVersions: ["2027-01-01"] } }, /2026-07-28/],
  ["a task", { result: { resultType: "task" } }, /oddly/],
] as const) {
  test(`a server that answers with ${what} isn't discovered`, () => {
    assert.throws(() => discovered(answer(rest)), { code: "upstream_failed", message: why });
  });
}
