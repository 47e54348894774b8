/** What is done while the state database takes nothing. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { openResponses } from "../../host/store/state-responses.ts";
import { openResponseDesk } from "./response-desk.ts";

test("while the state database can't be written, what is done is in force all the same, and on disk as soon as it can be", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "lasting-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const database = path.join(folder, "state.sqlite");
  const said: string[] = [];
  const entries: string[] = [];
  const log = {
    error: (event: string) => void said.push(event),
    warn: () => {},
    info: () => {},
    debug: () => {},
  };
  const journal = {
    append: async ({ event }: { readonly event: string }) => void entries.push(event),
  } as unknown as Parameters<typeof openResponseDesk>[0]["journal"];
  const clock = { nowUnixMs: () => 1000 };
  const desk = openResponseDesk({ database, journal, gatewayId: "spiffe://acme.test/gateway", clock, log });
  let changes = 0;
  desk.onChange(() => void (changes += 1));
  const asked = (caller: string) =>
    ({
      scope: { caller },
      stages: [{ kind: "quarantine", untilUnixMs: 9000 }],
      because: "Enough.",
      by: "playbook:test",
    }) as const;
  const old = desk.enact(asked("agent/old"));

  const other = new DatabaseSync(database);
  other.exec("begin immediate");
  const made = desk.enact(asked("agent/a"));
  assert.equal(desk.lift(old.id, { by: "operator:test", because: "Fine." }), true);
  const inForce = (): readonly string[] => desk.restrictions().map(({ id }) => id);
  assert.deepEqual(inForce(), [made.id]);
  assert.equal(changes, 3, "the world is told");
  assert.ok(said.includes("response.unsaved"));
  desk.refresh();
  assert.deepEqual(inForce(), [made.id], "what the database says doesn't end it");
  desk.sweep();
  const reader = openResponses(database);
  const onDisk = (): readonly string[] => reader.restrictions().map(({ id }) => id);
  assert.deepEqual(onDisk(), [old.id]);

  other.exec("rollback");
  other.close();
  desk.sweep();
  assert.deepEqual(onDisk(), [made.id]);
  assert.deepEqual(inForce(), [made.id]);
  await desk.stop();
  assert.deepEqual(entries, ["response.act", "response.act", "response.lift"]);
  reader.close();
});
