import assert from "node:assert/strict";
import { test } from "node:test";

import type { FoundCall } from "../app/audit-query.ts";
import { asWritten } from "../app/subject-names.ts";
import { readEntry, sealEntry } from "../audit/entry.ts";
import { draft } from "../../test/support/log-fixture.ts";
import type { EntryDraft } from "../model/entry.ts";
import { asCsv, asEntries, asJsonLines, asTable } from "./found-calls.ts";

function entryOf(change: Partial<EntryDraft>, index: number): FoundCall["first"] {
  const { bytes } = sealEntry(draft(index, change), null);
  const reading = readEntry(bytes);
  return reading.kind === "entry" ? { index, bytes, entry: reading.entry } : assert.fail(reading.why);
}

function cell(text: string): string {
  const [, line = ""] = asCsv([{ first: entryOf({ tool: text, facts: {} }, 1) }], asWritten.named);
  return /^1,[^,]+,call,allowed,spiffe:[^,]+,(.*),,,,,,call-1$/s.exec(line)?.[1] ?? line;
}

for (const [text, written] of [
  ["files/read", "files/read"],
  ["=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"],
  ["+1", "'+1"],
  ["-1", "'-1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["a,b", '"a,b"'],
  ['say "a"', '"say ""a"""'],
  ['=HYPERLINK("x","y")', `"'=HYPERLINK(""x"",""y"")"`],
  ["a=b", "a=b"],
] as const) {
  test(`a cell of CSV is text, and nothing that is computed: ${text}`, () => {
    assert.equal(cell(text), written);
  });
}

test("names stand where a person reads who called, records stay as they are", () => {
  const names = <Of extends { readonly principal: string }>(entry: Of): Of => ({
    ...entry,
    principal: `known ${entry.principal}`,
  });
  const first = entryOf({}, 1);
  const outcome = entryOf(
    { event: "call.outcome", outcome: "error", facts: { reason: "upstream_failed" } },
    2,
  );
  const call: FoundCall = { first, outcome };
  const [, row = ""] = asTable([call], names);
  assert.match(row, /^1 +\S+ +call +error +known spiffe:\S+ +files\/read_file +readers +upstream_failed/);
  const [line = ""] = asJsonLines([call], names);
  const joined = JSON.parse(line) as {
    readonly caller: string;
    readonly decision: { readonly entry: unknown };
    readonly outcome: { readonly index: number };
  };
  assert.equal(joined.caller, "known spiffe://example.org/agent/a");
  assert.equal(joined.outcome.index, 2);
  assert.equal(JSON.stringify(joined.decision.entry), Buffer.from(first.bytes).toString());
  assert.deepEqual(asEntries([call], "call.outcome"), [Buffer.from(outcome.bytes).toString()]);
});
