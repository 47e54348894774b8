import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { openState } from "./state-sqlite.ts";

const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
after(() => rm(folder, { recursive: true, force: true }));
const key = new Uint8Array(32).fill(7);

test("what was learned of a caller is kept a week, and what somebody else wrote counts for nothing", () => {
  const file = path.join(folder, "state.sqlite");
  let day = 100;
  const state = openState(file);
  const store = state.habits(key, () => day);
  const habit = (sessions: number) => ({
    baseline: new Uint8Array(64).fill(sessions),
    seen: [{ key: "^\nread", sessions, firstDay: 1, lastDay: 2 }],
  });
  assert.equal(store.of("agent"), undefined);
  for (; day < 110; day++) store.keep("agent", habit(day));
  assert.deepEqual(store.of("agent"), habit(109));
  assert.equal(state.habits(new Uint8Array(32), () => day).of("agent"), undefined, "by another key");
  const db = new DatabaseSync(file);
  assert.equal(db.prepare("select count(*) as n from habits").get()?.["n"], 7);
  db.prepare("update habits set baseline = ? where day = 109").run(new Uint8Array(64));
  assert.deepEqual(store.of("agent"), habit(108), "the day before counts");
  store.keep("other", habit(1));
  const [other] = db.prepare("select identity from habits where day = 110").all();
  db.prepare("delete from habits where day = 110").run();
  db.prepare("update habits set identity = ?").run(String(other?.["identity"]));
  assert.equal(store.of("other"), undefined, "one caller's is no other's");
  store.keep("agent", habit(5));
  store.forget("agent");
  assert.equal(store.of("agent"), undefined, "nor is what was forgotten");
  db.close();
  state.close();
});
