/** A state that clients carry opens for what it was made for, and for nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readFrame, type RequestFrame } from "../../wire/frame.ts";
import { askedIn, openState, sealState, type StateOwner } from "./request-state.ts";

const key = new Uint8Array(32).fill(7);
const owner: StateOwner = { holder: "spiffe://acme.test/agent/a", server: "files", asked: "x" };
const state = { parked: "call-1", expiresUnixMs: 1000 };

test("a state opens as it was sealed, and no two are equal", () => {
  const sealed = sealState(key, owner, state);
  assert.deepEqual(openState(key, owner, sealed, 999), state);
  assert.notEqual(sealState(key, owner, state), sealed);
  const anew = { expiresUnixMs: 1000 };
  assert.deepEqual(openState(key, owner, sealState(key, owner, anew), 0), anew);
});

const sealed = sealState(key, owner, state);
const bits = Buffer.from(sealed, "base64url");

test("of each byte a changed bit is found", () => {
  for (let at = 0; at < bits.length; at++) {
    const changed = Buffer.from(bits);
    changed[at] = (changed[at] ?? 0) ^ 1;
    refused(() => openState(key, owner, changed.toString("base64url"), 0));
  }
});

for (const [what, given] of [
  ["another key", () => openState(new Uint8Array(32), owner, sealed, 0)],
  ["another caller", () => openState(key, { ...owner, holder: "spiffe://acme.test/agent/b" }, sealed, 0)],
  ["another server", () => openState(key, { ...owner, server: "mail" }, sealed, 0)],
  ["another call", () => openState(key, { ...owner, asked: "y" }, sealed, 0)],
  ["a later time", () => openState(key, owner, sealed, 1000)],
  ["a part of it", () => openState(key, owner, sealed.slice(0, 20), 0)],
  ["more than it", () => openState(key, owner, `${sealed}AAAA`, 0)],
  ["nothing", () => openState(key, owner, "", 0)],
  ["what is no base64url", () => openState(key, owner, `${sealed}=`, 0)],
  ["a lot", () => openState(key, owner, "A".repeat(100_000), 0)],
] as const) {
  test(`a state isn't opened by ${what}`, () => refused(given));
}

test("what is asked is the same in each round, whatever is brought along", () => {
  const first = asked('{"name":"x","arguments":{"a":1,"b":2},"_meta":{"t":1}}');
  const again = asked('{"arguments":{"b":2,"a":1},"name":"x","requestState":"s","inputResponses":{}}', 2);
  assert.equal(first, again);
  for (const params of ['{"name":"y","arguments":{"a":1,"b":2}}', '{"name":"x","arguments":{"a":1,"b":3}}'])
    assert.notEqual(asked(params), first);
});

function asked(params: string, id = 1): string {
  const frame = readFrame(utf8(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}`));
  return askedIn(frame as RequestFrame);
}

function refused(open: () => unknown): void {
  assert.throws(open, (error) => error instanceof Refusal && error.code === "request_state");
}
