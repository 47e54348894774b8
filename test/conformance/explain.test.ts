import assert from "node:assert/strict";
import { test } from "node:test";

import { explain } from "./explain.ts";

const table = [
  {
    name: "known",
    because: "it is so",
    changes: [{ check: "c", direct: "SUCCESS", proxied: "absent", times: { "auth/a": 2, "auth/b": 1 } }],
  },
];
const absent = (check: string) => ({ check, direct: "SUCCESS", proxied: "absent" });
const all = [absent("auth/a c #1"), absent("auth/a c #2"), absent("auth/b c #4")];

test("differences that are in the table, as often as it says, are counted under their reason", () => {
  assert.deepEqual(explain(all, table), {
    reasons: [{ name: "known", because: "it is so", count: 3 }],
    surprises: [],
  });
});

test("one that isn't in the table, has another verdict, comes more often or is gone is a surprise", () => {
  const surprises = (different: readonly ReturnType<typeof absent>[]) =>
    explain(different, table).surprises.map(({ scenario, text }) => `${scenario} | ${text}`);
  assert.deepEqual(surprises([...all, absent("auth/a d #1")]), [
    "auth/a | auth/a d: direct SUCCESS, through us absent: 1 times, the table says 0",
  ]);
  assert.deepEqual(surprises([...all, { ...absent("auth/b c #1"), proxied: "FAILURE" }]), [
    "auth/b | auth/b c: direct SUCCESS, through us FAILURE: 1 times, the table says 0",
  ]);
  assert.deepEqual(surprises([...all, absent("auth/b c #5")]), [
    "auth/b | auth/b c: direct SUCCESS, through us absent: 2 times, the table says 1",
  ]);
  assert.deepEqual(surprises(all.slice(1)), [
    "auth/a | auth/a c: direct SUCCESS, through us absent: 1 times, the table says 2",
  ]);
  assert.deepEqual(surprises(all.slice(0, 2)), [
    "auth/b | auth/b c: direct SUCCESS, through us absent: 0 times, the table says 1",
  ]);
});
