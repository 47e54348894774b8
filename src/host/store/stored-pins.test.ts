/** Pins are read back as what was written, through everything that can happen to them; nothing else is taken for pins. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { approvable, approveTools, rollBackTools } from "../../integrity/tools/pin-decisions.ts";
import { judgeToolList } from "../../integrity/tools/pinned-tools.ts";
import { noToolPins, type ToolPins } from "../../integrity/tools/tool-pins.ts";
import { readTrust } from "../../integrity/tools/trust.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { nothingKept, readPins, writePins } from "./stored-pins.ts";

const settings = { pin: "first-use", accept: [] } as const;

function listed(pins: ToolPins, tools: readonly object[], nextCursor?: string): ToolPins {
  const answer = utf8(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools, nextCursor } }));
  return judgeToolList(pins, { answer, atUnixMs: 5, others: [] }, settings).pins;
}

/** Each step's pins, with a name that objects don't take as it is. */
function lives(): readonly ToolPins[] {
  const first = listed(noToolPins, [{ name: "__proto__" }, { name: "b", description: "B" }], "two");
  const changed = listed(first, [{ name: "b", description: "C\u200b\u200b" }, { name: "new" }, { x: 1 }]);
  const decision = { who: "op", atUnixMs: 6, why: "Fine." };
  const approved = approveTools(changed, approvable(changed), decision);
  assert.ok(approved.kind === "done");
  const back = rollBackTools(approved.pins, 1, decision);
  assert.ok(back.kind === "done");
  const trust = readTrust({ effect: "read-only", capabilities: { network: ["a:1"] } });
  const entry = { name: "b", contentHash: "sha256-x", version: "1", ...(trust && { trust }) };
  const manifest = {
    publisher: "f",
    issuedAtUnixMs: 1,
    expiresAtUnixMs: 2,
    nonce: "n",
    tools: new Map([["b", entry]]),
  };
  const signed: ToolPins = { ...back.pins, publisher: { fingerprint: "f", state: "approved" }, manifest };
  const forgetful: ToolPins = { ...changed, hasForgotten: true };
  return [noToolPins, first, changed, approved.pins, back.pins, signed, forgetful];
}

test("pins are read back as they were written", () => {
  for (const pins of lives()) {
    const kept = { pins, readOnly: new Map([["__proto__", "sha256-x"]]) };
    const stored: unknown = JSON.parse(JSON.stringify(writePins(kept)));
    assert.deepEqual(readPins(stored, "a"), kept);
  }
});

test("a server nobody asked has nothing, and what isn't pins is refused", () => {
  assert.equal(readPins(undefined, "a"), nothingKept);
  for (const stored of [null, {}, { v: 2 }, { ...writePins(nothingKept), more: 1 }, { v: 1, pins: {} }]) {
    const isBadState = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_state";
    assert.throws(() => readPins(stored, "a"), isBadState);
  }
});
