/** Receipts judged for a browser: those that hold for what is shown, and every other way of being wrong. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { receiptBytesEntry } from "../../../src/audit/receipt.ts";
import { type GivenReceipt, judgeReceipt } from "./judge-receipt.ts";

interface Vectors {
  readonly keys: Readonly<Record<string, string>>;
  readonly good: Readonly<Record<string, { readonly index: number; readonly receipt: string }>>;
  readonly bad: Readonly<Record<string, { readonly receipt: string }>>;
}

const { keys, good, bad } = JSON.parse(
  readFileSync(new URL("../../../test/vectors/receipt/receipts.json", import.meta.url), "utf8"),
) as Vectors;
const [{ receipt, index } = { receipt: "", index: 0 }, another] = Object.values(good);
const entry = receiptBytesEntry(receipt);
const given: GivenReceipt = {
  receipt,
  logKey: keys["1"] ?? "",
  crossings: [],
  origin: "log.example/gateway-1",
  pinned: undefined,
  shown: { callId: entry?.callId ?? "", event: entry?.event ?? "", index },
};

test("a receipt of what is shown holds, by keys seen for the first time or known", () => {
  const first = judgeReceipt(given);
  assert.equal(first.holds, true, JSON.stringify(first.steps));
  assert.equal(judgeReceipt({ ...given, pinned: first.fingerprint }).holds, true);
});

test("other keys than those this browser knows are said loudly, whatever name the log is given", () => {
  for (const origin of [given.origin, "log.example/made-up"]) {
    const judged = judgeReceipt({ ...given, origin, pinned: "0".repeat(64) });
    assert.deepEqual([judged.holds, judged.isOtherLog], [false, true]);
  }
});

test("a genuine receipt of another log, call, event or entry proves nothing of what is shown", () => {
  const { shown } = given;
  const others: readonly Partial<GivenReceipt>[] = [
    { origin: "log.example/made-up" },
    { shown: { ...shown, callId: "another" } },
    { shown: { ...shown, event: "call.outcome" } },
    { shown: { ...shown, index: index + 1 } },
    { receipt: another?.receipt ?? "" },
  ];
  for (const other of others)
    assert.equal(judgeReceipt({ ...given, ...other }).holds, false, JSON.stringify(Object.keys(other)));
});

test("what was changed doesn't hold", () => {
  const changed = Object.entries(bad);
  assert.ok(changed.length > 10);
  for (const [what, { receipt: wrong }] of changed) {
    const said = receiptBytesEntry(wrong);
    const shown = { callId: said?.callId ?? "", event: said?.event ?? "" };
    assert.equal(judgeReceipt({ ...given, receipt: wrong, shown }).holds, false, what);
  }
});
