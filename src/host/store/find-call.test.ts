/** Calls found in the log by their ids alone. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { draft, newFolder, open } from "../../../test/support/log-fixture.ts";
import { findCall } from "./find-call.ts";

const beginUnixMs = 1_790_000_000_000;
const minuteMs = 60_000;

function idOf(i: number): string {
  const time = (beginUnixMs + i * minuteMs).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${i.toString(16).padStart(12, "0")}`;
}

test("a call is found by its id, both of its entries, wherever it stands and however long it took", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  const late = 400;
  const calls = 900;
  const entry = (i: number, event: "call.decision" | "call.outcome", at = i) =>
    draft(i, { event, callId: idOf(i), atUnixMs: beginUnixMs + at * minuteMs });
  const drafts = Array.from({ length: calls }, (_, i) => [
    entry(i, "call.decision"),
    ...(i === late ? [] : [entry(i, "call.outcome")]),
  ]).flat();
  await Promise.all(drafts.map((each) => journal.append(each)));
  await journal.checkpoint();
  await journal.append(entry(late, "call.outcome", calls));
  for (const i of [0, 1, late, calls - 1]) {
    const found = await findCall(folder, idOf(i));
    assert.deepEqual(
      found.map(({ reading }) => reading.kind === "entry" && [reading.entry.event, reading.entry.callId]),
      [
        ["call.decision", idOf(i)],
        ["call.outcome", idOf(i)],
      ],
      String(i),
    );
  }
  for (const id of [idOf(calls + 5), idOf(-5), "call-1", "", `${idOf(1)}/call`])
    assert.deepEqual(await findCall(folder, id), [], id);
  await journal.close();
});
