import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { readFrame } from "../wire/frame.ts";
import { memberEventId, ofMemberEventId, toMember, withMemberId } from "./ids.ts";

test("an answer finds its way back to the member that asked, with its own id, of its own type", () => {
  const id = fc.oneof(fc.maxSafeInteger(), fc.string());
  fc.assert(
    fc.property(id, fc.constantFrom("a", "b.c", "d-1"), (own, member) => {
      const asked = utf8(JSON.stringify({ jsonrpc: "2.0", id: own, method: "roots/list" }));
      const request = readFrame(withMemberId(asked, member, own));
      assert.ok(request.kind === "request");
      const answer = utf8(JSON.stringify({ result: { n: 1 }, id: request.id, jsonrpc: "2.0" }));
      const back = toMember(answer, request.id);
      assert.equal(back?.member, member);
      assert.equal(
        new TextDecoder().decode(back?.message),
        JSON.stringify({ result: { n: 1 }, id: own, jsonrpc: "2.0" }),
      );
    }),
  );
});

test("an answer that answers nothing a member asked is nobody's", () => {
  for (const id of [1, null, "", "~1", "a~", "a~{}", "a~true", 'a~"', "a~1.5", "a"])
    assert.equal(toMember(utf8("{}"), id), undefined, String(id));
});

test("an event's id says whose stream it is of", () => {
  assert.deepEqual(ofMemberEventId(memberEventId("a", "x~7")), { member: "a", id: "x~7" });
  assert.equal(ofMemberEventId("7"), undefined);
});
