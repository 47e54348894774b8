import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { openCaptured, sealCaptured } from "./captured-calls.ts";

const key = new Uint8Array(32).fill(1);
const text = utf8('{"args":{"to":"ann"}}');

test("what was sealed opens with its key, for its call, unchanged, and with nothing else", () => {
  const sealed = sealCaptured(key, "call-1", text);
  const opened = openCaptured(key, "call-1", sealed);
  assert.equal(opened && fromUtf8(opened), fromUtf8(text));
  assert.equal(openCaptured(new Uint8Array(32).fill(2), "call-1", sealed), undefined);
  assert.equal(openCaptured(key, "call-2", sealed), undefined);
  for (const at of [0, 20, sealed.length - 2]) {
    const other = sealed[at] === "A" ? "B" : "A";
    assert.equal(openCaptured(key, "call-1", sealed.slice(0, at) + other + sealed.slice(at + 1)), undefined);
  }
  for (const broken of ["", "AAAA", "!"]) assert.equal(openCaptured(key, "call-1", broken), undefined);
});

test("the same call sealed twice looks different", () => {
  assert.notEqual(sealCaptured(key, "call-1", text), sealCaptured(key, "call-1", text));
});
