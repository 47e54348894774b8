/** The URL a client names: one meaning, and what is asked of it is what is dialled. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { readTargetUrl } from "./target-url.ts";

const read: readonly (readonly [string, string, string])[] = [
  ["http://localhost:1234/mcp", "http://localhost:1234", "/mcp"],
  ["http://LOCALHOST:80/a/../b?c=d", "http://localhost", "/b?c=d"],
  ["http://2130706433:8080/", "http://127.0.0.1:8080", "/"],
  ["http://0x7f.1/", "http://127.0.0.1", "/"],
  ["http://[0:0::1]:1/x", "http://[::1]:1", "/x"],
  ["http://allowed.test/@evil.test", "http://allowed.test", "/@evil.test"],
  ["http://allowed.test?@evil.test", "http://allowed.test", "/?@evil.test"],
];
for (const [text, origin, path] of read) {
  test(`the target ${text} is ${origin}${path}`, () => {
    const target = readTargetUrl(text);
    assert.deepEqual([target.origin, target.path], [origin, path]);
    assert.equal(target.origin, `http://${target.host}`);
    assert.equal(target.resource, origin + (path.split("?")[0] ?? ""));
  });
}

const refused = [
  "",
  "/mcp",
  "localhost:1234/mcp",
  "//localhost/mcp",
  "https://localhost/mcp",
  "ftp://localhost/",
  "file:///etc/passwd",
  "http://user@localhost/",
  "http://user:password@localhost/",
  "http://@localhost/",
  "http://:@localhost/",
  "http:\\\\user@localhost/",
  "http:user@localhost/",
  "http:/@localhost/",
  "http:/localhost/",
  "http:\\\\localhost/",
  "http://localhost\\@evil.test/",
  "http://localhost/#fragment",
  "http://localhost/#",
  "http://local host/",
  "http://localhost/\u00e9",
  "http://localhost/\t",
  "http://localhost:99999/",
  "http://%00/",
];
for (const text of refused) {
  test(`the target ${JSON.stringify(text)} is refused, and not repeated`, () => {
    assert.throws(
      () => readTargetUrl(text),
      (error: unknown) =>
        error instanceof Refusal && error.code === "target_refused" && !error.message.includes("localhost"),
    );
  });
}
