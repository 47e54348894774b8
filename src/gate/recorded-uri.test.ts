import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { recordedUri } from "./recorded-uri.ts";

for (const [uri, recorded] of [
  ["postgres://bob:pw@db/x", "postgres://…@db/x"],
  ["postgres://bob@db:5432/x", "postgres://…@db:5432/x"],
  ["https://b.example/k?X-Amz-Signature=ab&x=1#frag", "https://b.example/k?…"],
  ["https://b.example/k#token=ab", "https://b.example/k#…"],
  ["https:///bob:pw@host/x", "https:///…@host/x"],
  ["https:\\\\bob:pw@host\\x", "https:\\\\…@host\\x"],
  ["db+postgres://a@b:pw@[::1]:5/x", "db+postgres://…@[::1]:5/x"],
  ["postgres://bob:p/w@db/x", "postgres://…@db/x"],
  ["postgres://bob:p?w@db/x", "postgres://…?…"],
  ["jdbc:postgresql://bob:pw@db/x", "jdbc:postgresql://…@db/x"],
  ["mailto:alice@example.org", "mailto:…@example.org"],
  ["bob:pw@db/x", "bob:…@db/x"],
  ["not a uri? secret", "not a uri?…"],
  ["file:///home/x/@scope/a b.txt", "file:///home/x/@scope/a b.txt"],
  ["file:///C:/x", "file:///C:/x"],
  ["npm:@scope/name", "npm:@scope/name"],
  ["repo://localhost:80/a:b", "repo://localhost:80/a:b"],
  ["urn:isbn:1", "urn:isbn:1"],
  ["", ""],
] as const) {
  test(`"${uri}" is recorded as "${recorded}"`, () => {
    assert.equal(recordedUri(uri), recorded);
  });
}

test("no user info, query or fragment of a URL is recorded, and what has none stays as it is", () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (text) => {
      const url = new URL(text);
      const [plain = ""] = text.split(/[?#]/);
      assert.equal(recordedUri(plain), plain);
      assert.equal(recordedUri(text).replace(/[?#]…$/, ""), plain);
      const withUser = text.replace("//", "//secret%2F:s3cr3t-password@");
      assert.ok(!recordedUri(withUser).includes("s3cr3t-password"));
      assert.ok(recordedUri(withUser).includes(url.host));
    }),
  );
});
