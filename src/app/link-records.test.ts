/** Denied links on record: what a flood of knocks leaves in the audit log is bounded, and adds up. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { maxKinds } from "../identity/refusal-ledger.ts";
import type { EntryDraft } from "../model/entry.ts";
import { linkRecords } from "./link-records.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test("from however many addresses somebody knocks, the entries are bounded and their counts add up", async () => {
  const written: EntryDraft[] = [];
  const records = linkRecords({
    journal: {
      append: (draft) => Promise.resolve({ index: written.push(draft) - 1 }),
      owe: () => assert.fail("nothing is owed"),
    },
    clock: { nowUnixMs: () => 1_800_000_000_000 },
    log: quiet,
  });
  const knocks = 5000;
  for (let i = 0; i < knocks; i++) {
    const remote = `10.0.${Math.floor(i / 250)}.${i % 250}:4000`;
    records.denied({ what: "connection", rule: "closed", isShadow: false, caller: "anonymous", remote });
  }
  await records.stop();
  assert.ok(written.length <= maxKinds + 2, String(written.length));
  assert.equal(
    written.reduce((sum, { facts }) => sum + Number(facts["times"]), 0),
    knocks,
  );
  assert.equal(written.filter(({ facts }) => facts["from"] === "many addresses").length, 2);
});
