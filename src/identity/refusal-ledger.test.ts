/** How many entries somebody who knocks and knocks can cause. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { maxKinds, RefusalLedger, type RefusedIdentity, windowMs } from "./refusal-ledger.ts";

const refused: RefusedIdentity = {
  how: "link",
  spiffeId: "spiffe://acme.test/agent/a",
  reason: "it is revoked",
};

test("the first refusal of a kind is written at once, the next ones as one with their number", () => {
  const ledger = new RefusalLedger();
  assert.deepEqual(ledger.see(refused, 0), { ...refused, times: 1 });
  for (let more = 0; more < 500; more++) {
    assert.equal(ledger.see({ ...refused, remote: `127.0.0.1:${more}` }, 1), undefined);
  }
  assert.deepEqual(ledger.due(windowMs - 1), []);
  assert.deepEqual(ledger.due(windowMs), [{ ...refused, remote: "127.0.0.1:499", times: 500 }]);
  assert.deepEqual(ledger.see(refused, windowMs), { ...refused, times: 1 });
});

test("another identity, another reason and another question are kinds of their own", () => {
  const ledger = new RefusalLedger();
  const kinds: readonly RefusedIdentity[] = [
    refused,
    { ...refused, spiffeId: "spiffe://acme.test/agent/b" },
    { ...refused, reason: "it has ended" },
    { ...refused, how: "renew" },
  ];
  for (const kind of kinds) assert.equal(ledger.see(kind, 0)?.times, 1);
  assert.deepEqual(ledger.due(windowMs), [], "what happened once was written");
});

test("kinds are bounded, until time makes room", () => {
  const ledger = new RefusalLedger();
  const nth = (n: number): RefusedIdentity => ({ ...refused, reason: String(n) });
  for (let n = 0; n < maxKinds; n++) assert.equal(ledger.see(nth(n), 0)?.times, 1);
  assert.equal(ledger.see(nth(maxKinds), 0), undefined);
  ledger.due(windowMs);
  assert.equal(ledger.see(nth(maxKinds), windowMs)?.times, 1);
});
