/** Receipts as others may verify them: the vectors of docs/formats/receipt.md. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { utf8 } from "../src/kernel/bytes.ts";
import { readLogKey, verifyReceipt } from "../src/public/verify.ts";

interface Vector {
  readonly keys: Readonly<Record<string, string>>;
  readonly crossings: Readonly<Record<string, string>>;
  readonly good: Readonly<
    Record<
      string,
      {
        readonly index: number;
        readonly size: number;
        readonly call: string | null;
        readonly receipt: string;
      }
    >
  >;
  readonly bad: Readonly<Record<string, { readonly why: string; readonly receipt: string }>>;
}

const vector = JSON.parse(
  await readFile(new URL("vectors/receipt/receipts.json", import.meta.url), "utf8"),
) as Vector;
const crossings = new Map(
  Object.entries(vector.crossings).map(([number, text]) => [Number(number), utf8(text)]),
);

for (const [name, { index, size, call, receipt }] of Object.entries(vector.good)) {
  test(`a receipt holds for the keys of either generation: ${name}`, () => {
    for (const text of Object.values(vector.keys)) {
      const verdict = verifyReceipt(utf8(receipt), { logKey: readLogKey(text), crossings });
      assert.equal(verdict.kind, "holds", verdict.kind === "bad" ? verdict.why : "");
      if (verdict.kind !== "holds") return;
      assert.deepEqual([verdict.index, verdict.head.size], [index, size]);
      if (call !== null) assert.equal(verdict.entry.callId, call);
    }
  });
}

for (const [name, { why, receipt }] of Object.entries(vector.bad)) {
  test(`a receipt isn't trusted if ${name}`, () => {
    for (const text of Object.values(vector.keys)) {
      const verdict = verifyReceipt(utf8(receipt), { logKey: readLogKey(text), crossings });
      assert.ok(verdict.kind === "bad" && verdict.why.includes(why), JSON.stringify(verdict));
    }
  });
}
