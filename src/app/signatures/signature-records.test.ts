/** What faults of signatures cost the audit log, and that none hides another. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Journal } from "../../gate/ports.ts";
import { maxKinds } from "../../identity/refusal-ledger.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { signatureRecords } from "./signature-records.ts";

test("what callers report, however much, keeps nothing that was found here out of the log", async () => {
  const written: EntryDraft[] = [];
  const append = (draft: EntryDraft) => {
    written.push(draft);
    return Promise.resolve({}) as unknown as ReturnType<Journal["append"]>;
  };
  const silent = () => {};
  const records = signatureRecords({
    pins: { unrecorded: () => [], recorded: silent },
    journal: { append, owe: silent },
    spiffeId: "spiffe://a.test/gateway",
    clock: { nowUnixMs: () => 1 },
    log: { error: silent, warn: silent, info: silent, debug: silent },
  });
  const about = { fault: "tampered", at: "shop" } as const;
  for (let k = 0; k <= maxKinds; k++) {
    records.fault({ ...about, principal: `spiffe://a.test/agent/${k}`, how: "reported" });
  }
  records.fault({ ...about, principal: "spiffe://a.test/server/shop", how: "found" });
  await records.stop();
  assert.deepEqual(
    written.filter(({ facts }) => facts["how"] === "found").map(({ principal }) => principal),
    ["spiffe://a.test/server/shop"],
  );
  assert.equal(written.length, maxKinds + 1);
});
