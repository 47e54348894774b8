/** Anchors: what is read back as it was written, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { readAnchor, writeAnchor } from "./anchor.ts";

const hash = "07".repeat(32);

test("an anchor is an address and the hashes of the roots, and read back as it was written", () => {
  const text = `gateway.example:8443@sha256:${hash},sha256:${"ab".repeat(32)}`;
  const anchor = readAnchor(` ${text}\n`);
  assert.equal(anchor.address, "gateway.example:8443");
  assert.equal(anchor.serverRootHashes.length, 2);
  assert.equal(writeAnchor(anchor), text);
});

for (const text of [
  "",
  "gateway.example:8443",
  "gateway.example:8443@",
  `gateway.example@sha256:${hash}`,
  `gateway.example:8443@${hash}`,
  `gateway.example:8443@sha1:${hash}`,
  `gateway.example:8443@sha256:${hash.slice(2)}`,
  `gateway.example:8443@sha256:${"AB".repeat(32)}`,
  `gateway.example:8443@sha256:${hash},`,
  `gateway.example:8443@sha256:${hash}@x`,
  `gateway.example:8443@${Array.from({ length: 9 }, () => `sha256:${hash}`).join(",")}`,
  `${"a".repeat(2000)}:1@sha256:${hash}`,
]) {
  test(`${JSON.stringify(text.slice(0, 60))} is refused as an anchor, with what to do`, () =>
    assert.throws(
      () => readAnchor(text),
      (error) => error instanceof Refusal && error.code === "bad_config" && /ca anchor/.test(error.message),
    ));
}
