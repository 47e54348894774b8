import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { draft, newFolder, open } from "../../../test/support/log-fixture.ts";
import type { EvidenceName } from "../../compliance/evidence.ts";
import type { Found } from "../../compliance/judge.ts";
import type { TestName } from "../../compliance/tests.ts";
import type { EntryDraft, EntryEvent } from "../../model/entry.ts";
import { lookInLog } from "./look-in-log.ts";

const [somebody, tester] = ["pseudonym:somebody", "pseudonym:tester"];

interface Scene {
  readonly write: (event: EntryEvent, facts?: EntryDraft["facts"], principal?: string) => Promise<string>;
  readonly look: () => ReturnType<typeof lookInLog>;
  readonly found: (
    name: EvidenceName,
  ) => Pick<Found, "count" | "isLeast"> & { readonly ids: readonly string[] };
  readonly result: (name: TestName) => string | undefined;
  readonly close: () => Promise<void>;
}

async function scene(): Promise<Scene> {
  const folder = newFolder();
  const journal = await open(folder);
  const index = path.join(mkdtempSync(path.join(tmpdir(), "latticegate-look-")), "index.sqlite");
  let written = 0;
  const look = (): ReturnType<typeof lookInLog> => lookInLog({ folder, index, besides: new Set([tester]) });
  return {
    write: async (event, facts = {}, principal = somebody) => {
      const callId = `call-${written}`;
      await journal.append({ ...draft(written++), event, facts, principal, callId });
      return callId;
    },
    look,
    found: (name) => {
      const { count = 0, isLeast = false, examples = [] } = look().found.get(name) ?? {};
      return { count, isLeast, ids: examples.map(({ id }) => id) };
    },
    result: (name) => look().results.get(name)?.result,
    close: () => journal.close(),
  };
}

test("how it is counts since the last start, what was done counts for good", async () => {
  const { write, found, close } = await scene();
  await write("call.decision", { rule: "r", "link.pq": "true" });
  const revoked = await write("identity.revoke");
  await write("gateway.start");
  assert.equal(found("hybrid").count, 0);
  assert.deepEqual(found("revoked").ids, [revoked]);
  const call = await write("call.decision", { rule: "r", "link.pq": "true" });
  assert.deepEqual(found("hybrid"), { count: 1, isLeast: false, ids: [call] });
  await close();
});

test("what the tests' own calls leave, and what is found of who makes them, is no evidence", async () => {
  const { write, found, close } = await scene();
  await write("gateway.start");
  await write("call.decision", { rule: "r" }, tester);
  await write("identity.revoke", {}, tester);
  await write("incident.open", { caller: tester, callers: "2" }, "spiffe://example.org/gateway");
  for (const name of ["call", "revoked", "incident"] as const) assert.equal(found(name).count, 0, name);
  await close();
});

test("a result ends with what could have changed it, and with a newer one", async () => {
  const { write, result, close } = await scene();
  const told = (what: TestName, outcome: string): Promise<string> =>
    write("assess.test", { what, result: outcome });
  await write("gateway.start");
  await told("tls-1.2", "failed");
  await told("tls-1.2", "passed");
  await told("tool-without-rule", "passed");
  assert.deepEqual(
    [result("tls-1.2"), result("tool-without-rule"), result("deep-json")],
    ["passed", "passed", undefined],
  );
  await write("policy.change");
  assert.deepEqual([result("tls-1.2"), result("tool-without-rule")], ["passed", "stale"]);
  await write("crypto.change", { what: "apply" });
  assert.equal(result("tls-1.2"), "stale");
  await told("tls-1.2", "passed");
  assert.equal(result("tls-1.2"), "passed");
  await write("gateway.start");
  assert.equal(result("tls-1.2"), "stale");
  await close();
});

test("of many calls the newest are read, and it is told that there may be more", async () => {
  const { write, found, close } = await scene();
  await write("gateway.start");
  for (let i = 0; i < 2100; i++) await write("call.decision", { rule: "r" });
  const { count, isLeast, ids } = found("call");
  assert.deepEqual([count, isLeast, ids.length], [2000, true, 3]);
  await close();
});
