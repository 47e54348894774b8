import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { readLogKey } from "../crypto/log-key.ts";
import { utf8 } from "../kernel/bytes.ts";
import { readReceipt, withReceipt } from "./asked-receipt.ts";
import { maxReceiptBytes, verifyReceipt } from "./receipt.ts";

const receipts = JSON.parse(
  await readFile(new URL("../../test/vectors/receipt/receipts.json", import.meta.url), "utf8"),
) as {
  readonly keys: Readonly<Record<string, string>>;
  readonly crossings: Readonly<Record<string, string>>;
  readonly good: Readonly<Record<string, { readonly receipt: string }>>;
};

const answered = (said: unknown): unknown => ({
  content: [],
  _meta: { "dev.latticegate/receipt": said },
});

test("a request asks beside what its _meta had", () => {
  assert.deepEqual(withReceipt({ name: "echo", _meta: { progressToken: 1 } }), {
    name: "echo",
    _meta: { progressToken: 1, "dev.latticegate/receipt": {} },
  });
});

test("a receipt in an answer is what verifyReceipt takes", () => {
  const [good] = Object.values(receipts.good);
  const read = readReceipt(answered({ callId: "c", index: 18, receipt: good?.receipt }));
  assert.ok(read.kind === "receipt");
  const [key = ""] = Object.values(receipts.keys);
  const crossings = new Map(
    Object.entries(receipts.crossings).map(([number, text]) => [Number(number), utf8(text)] as const),
  );
  const verdict = verifyReceipt(read.bytes, { logKey: readLogKey(key), crossings });
  assert.equal(verdict.kind, "holds");
});

test("an answer without a receipt, with one that isn't ready, and with what is none are told apart", () => {
  for (const none of [undefined, null, 7, {}, { _meta: null }, { _meta: {} }])
    assert.deepEqual(readReceipt(none), { kind: "none" });
  assert.deepEqual(readReceipt(answered({ callId: "c", index: 4, pending: true })), {
    kind: "pending",
    callId: "c",
    index: 4,
  });
  for (const wrong of [
    null,
    "text",
    {},
    { callId: "c" },
    { callId: "c", index: -1, receipt: "r" },
    { callId: "c", index: 1.5, receipt: "r" },
    { callId: "c", index: 1 },
    { callId: 1, index: 1, receipt: "r" },
    { callId: "c", index: 1, receipt: "r".repeat(maxReceiptBytes + 1) },
  ])
    assert.equal(readReceipt(answered(wrong)).kind, "unreadable");
});
