/** Loopback's guard: which Host and Origin a browser may show, and how secrets are compared. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { checkLoopbackRequest, isSameSecret } from "./loopback.ts";

const isLetIn = (headers: { readonly host?: string; readonly origin?: string }): boolean => {
  try {
    checkLoopbackRequest({ headers } as http.IncomingMessage);
    return true;
  } catch {
    return false;
  }
};

const rows: readonly (readonly [string | undefined, string | undefined, boolean])[] = [
  ["localhost:1", undefined, true],
  ["LOCALHOST", undefined, true],
  ["127.0.0.1:8442", undefined, true],
  ["[::1]:8442", undefined, true],
  ["localhost:1", "http://localhost:1", true],
  ["localhost:1", "https://127.0.0.1", true],
  ["localhost:1", "http://[::1]:5173", true],
  ["[::1]", undefined, true],
  ["evil.com", undefined, false],
  ["localhost.evil.com:8442", undefined, false],
  ["localhost.", undefined, false],
  ["localhost:", undefined, false],
  ["localhost:1:1", undefined, false],
  ["127.0.0.1, evil.com", undefined, false],
  ["[::ffff:127.0.0.1]:1", undefined, false],
  ["localhost:1", "http://localhost:1@evil.com", false],
  ["evil.com", "http://localhost:1", false],
  [undefined, undefined, false],
  ["", undefined, false],
  ["rebound.example:8442", undefined, false],
  ["localhost.evil.example", undefined, false],
  ["127.0.0.1.evil.example", undefined, false],
  ["127.0.0.1@evil.example", undefined, false],
  ["0.0.0.0:8442", undefined, false],
  ["localhost:1", "https://evil.example", false],
  ["localhost:1", "null", false],
  ["localhost:1", "", false],
  ["localhost:1", "http://localhost.evil.example", false],
  ["localhost:1", "file://localhost", false],
  ["localhost:1", "chrome-extension://localhost", false],
];
for (const [host, origin, expected] of rows) {
  test(`Host ${host ?? "absent"} with Origin ${origin ?? "absent"} is ${expected ? "let in" : "turned away"}`, () => {
    assert.equal(
      isLetIn({ ...(host !== undefined && { host }), ...(origin !== undefined && { origin }) }),
      expected,
    );
  });
}

test("only the same secret is the same", () => {
  assert.equal(isSameSecret("abc", "abc"), true);
  for (const other of [undefined, "", "ab", "abd", "abcd"]) assert.equal(isSameSecret(other, "abc"), false);
});

test("who is turned away is told that this address is for localhost", () => {
  for (const headers of [{}, { host: "evil.com" }, { host: "localhost", origin: "null" }]) {
    assert.throws(
      () => checkLoopbackRequest({ headers } as http.IncomingMessage),
      (error: unknown) =>
        error instanceof Refusal && error.code === "bad_origin" && /localhost only/.test(error.message),
    );
  }
});
