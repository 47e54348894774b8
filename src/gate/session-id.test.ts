/** Session ids belong to a caller and a server; nobody else can open them, and nothing makes them throw. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { openSessionId, sealSessionId } from "./session-id.ts";

const key = new Uint8Array(32).fill(1);
const owner = { holder: "spiffe://acme.test/agent/a", server: "files" };

test("an id opens for its owner, on its server, with its key; for nobody else", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme-ascii", minLength: 1 }), (id) => {
      const sealed = sealSessionId(key, owner, id);
      assert.equal(openSessionId(key, owner, sealed), id);
      assert.equal(openSessionId(key, { ...owner, holder: "spiffe://acme.test/agent/b" }, sealed), undefined);
      assert.equal(openSessionId(key, { ...owner, server: "other" }, sealed), undefined);
      assert.equal(openSessionId(new Uint8Array(32), owner, sealed), undefined);
      assert.equal(openSessionId(key, owner, `x${sealed}`), undefined);
      assert.equal(openSessionId(key, owner, sealed.slice(0, -1)), undefined);
    }),
  );
});

test("any other text opens nothing", () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(openSessionId(key, owner, text), undefined)));
});

test("no part of what an id is bound to can be moved into another part", () => {
  const sealed = sealSessionId(key, { holder: "a", server: "b" }, "c");
  for (const owner of [
    { holder: 'a","b', server: "" },
    { holder: "ab", server: "" },
    { holder: "", server: "ab" },
  ]) {
    assert.equal(openSessionId(key, owner, sealed), undefined);
  }
});

test("a changed character anywhere opens nothing", () => {
  const sealed = sealSessionId(key, owner, "upstream.id");
  for (let at = 0; at < sealed.length; at++) {
    const other = sealed[at] === "A" ? "B" : "A";
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
    assert.equal(openSessionId(key, owner, changed), undefined, `character ${at}`);
  }
});
