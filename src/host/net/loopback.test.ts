/** Loopback's guard: which Host and Origin a browser may show, and how secrets are compared. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test } from "node:test";

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
