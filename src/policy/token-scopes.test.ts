/** Which scopes cover what, and what a client is to ask for. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { compileScopes, missingScopes } from "./token-scopes.ts";

const scopes = compileScopes({
  "files:read": ["files/read_*", "files/file:///*"],
  "files:all": ["files/*"],
  admin: ["*"],
});
const tool = (server: string, name: string) => ({ server, target: { kind: "tools", name } as const });

const rows = [
  ["a scope covers what it names", ["files:read"], tool("files", "read_file"), undefined],
  ["a resource is named as in rules", ["files:read"], tool("files", "file:///a"), undefined],
  ["the handshake takes any scope of the server", ["files:read"], { server: "files" }, undefined],
  ["a star covers every server", ["admin"], tool("other", "x"), undefined],
  [
    "what is missing is asked for beside what there is",
    ["files:read"],
    tool("files", "write"),
    ["files:read", "files:all"],
  ],
  ["the first that covers is asked for", [], tool("files", "read_file"), ["files:read"]],
  ["a scope of one server opens no other", ["files:all"], { server: "other" }, ["files:all", "admin"]],
  ["scopes nobody configured are nothing", ["openid", "FILES:ALL"], { server: "files" }, ["files:read"]],
] as const;
for (const [promise, granted, question, missing] of rows) {
  test(promise, () => {
    assert.deepEqual(missingScopes(scopes, granted, question), missing);
  });
}

test("a star never reaches across the slash", () => {
  const some = compileScopes({ s: ["f*/read"] });
  assert.equal(missingScopes(some, ["s"], tool("files", "read")), undefined);
  assert.deepEqual(missingScopes(some, ["s"], tool("files", "x/read")), []);
});
