/** Which origins a forward server leads to. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { isOriginPattern, originMatcher } from "./origins.ts";

const rows: readonly (readonly [string, string, boolean])[] = [
  ["http://localhost:*", "http://localhost:1", true],
  ["http://localhost:*", "http://localhost", true],
  ["http://localhost:*", "http://localhost.:1", false],
  ["http://localhost:*", "http://127.0.0.1:1", false],
  ["http://localhost:*", "http://localhost.evil.test:1", false],
  ["http://localhost:*", "https://localhost:1", false],
  ["http://tools.test", "http://tools.test", true],
  ["http://tools.test:80", "http://tools.test", true],
  ["http://tools.test", "http://tools.test:8080", false],
  ["http://tools.test:8080", "http://tools.test:8080", true],
  ["http://tools.test:8080", "http://tools.test:80801", false],
  ["http://*.internal:8080", "http://a.internal:8080", true],
  ["http://*.internal:8080", "http://a.b.internal:8080", true],
  ["http://*.internal:8080", "http://internal:8080", false],
  ["http://*.internal:8080", "http://.internal:8080", false],
  ["http://*.internal:8080", "http://a.internal:8081", false],
  ["http://*.internal", "http://evilinternal", false],
  ["http://*.internal", "http://a.internal.evil.test", false],
  ["http://[::1]:*", "http://[::1]:9", true],
  ["http://127.0.0.1:1", "http://127.0.0.1:1", true],
];
for (const [pattern, origin, expected] of rows) {
  test(`${pattern} ${expected ? "leads" : "doesn't lead"} to ${origin}`, () => {
    assert.ok(isOriginPattern(pattern));
    assert.equal(originMatcher([pattern])(origin), expected);
    assert.equal(originMatcher(["http://other.test", pattern])(origin), expected);
  });
}

const wrong = [
  "*",
  "http://*",
  "http://*:80",
  "localhost:80",
  "https://localhost",
  "http://localhost/",
  "http://localhost/mcp",
  "http://LOCALHOST",
  "http://a.*.test",
  "http://*a.test",
  "http://*.*.test",
  "http://2130706433",
  "http://*.1",
  "http://*.0.0.1",
  "http://*.[::1]",
  "http://user@localhost",
  "http://localhost:99999",
  "http://localhost:",
  "http://localhost?x",
  "http://b\u00fccher.test",
  "",
];
for (const pattern of wrong) {
  test(`${JSON.stringify(pattern)} is no origin, and leads nowhere`, () => {
    assert.equal(isOriginPattern(pattern), false);
    assert.equal(originMatcher([pattern])("http://localhost"), false);
  });
}
