import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { openSubjects } from "../host/store/state-subjects.ts";
import type { EntryDraft } from "../model/entry.ts";
import { namesIn } from "./subject-names.ts";
import { liveSubjects, pseudonymous } from "./subjects.ts";

const clock = { nowUnixMs: () => 1 };
const secret = randomBytes(32);

function scene(maxCached?: number) {
  const file = join(mkdtempSync(join(tmpdir(), "latticegate-subjects-")), "state.sqlite");
  const [store, command] = [openSubjects(file, secret), openSubjects(file, secret)];
  const [written, erased]: [EntryDraft[], string[]] = [[], []];
  let erasures = 0;
  const subjects = liveSubjects(store, {
    trustDomain: "example.org",
    clock,
    onErased: (ids) => {
      erasures++;
      erased.push(...ids);
    },
    ...(maxCached !== undefined && { maxCached }),
  });
  const files = {
    append: (entry: EntryDraft) => Promise.resolve({ index: written.push(entry) - 1 }),
    owe: (entry: EntryDraft) => void written.push(entry),
  };
  return {
    store,
    command,
    written,
    erased,
    erasures: () => erasures,
    subjects,
    journal: pseudonymous(files, subjects),
  };
}

function draft(event: EntryDraft["event"], callId: string, principal = "oauth:corp/client/app"): EntryDraft {
  return { event, atUnixMs: 0, callId, principal, tool: null, outcome: "allowed", facts: {} };
}

const how = { atUnixMs: 1, by: "test", entries: 0 };

test("what a command erased is forgotten before the next entry, but by a call that was under way", async () => {
  const { command, journal, written, erased } = scene();
  await journal.append(draft("call.decision", "1"));
  const before = written[0]?.principal ?? "";
  command.erase(before, how);
  await journal.append(draft("call.outcome", "1"));
  await journal.append(draft("call.decision", "2"));
  assert.equal(written[1]?.principal, before);
  assert.notEqual(written[2]?.principal, before);
  assert.deepEqual(erased, ["oauth:corp/client/app"]);
});

test("an erasure is told of whoever it was of, also who hasn't called since the start", async () => {
  const { command, journal, erased, erasures } = scene();
  command.erase(command.of("oauth:corp/user/alice", 1).pseudonym, how);
  await journal.append(draft("call.decision", "1"));
  assert.deepEqual([erasures(), erased], [1, []]);
});

test("an answer's digest is under the key that its request's was under, erased or not", async () => {
  const { command, journal, written } = scene();
  const call = { callId: "1", principal: "oauth:corp/client/app" };
  const first = journal.begin(call, "answer").end();
  await journal.append(draft("call.decision", "1"));
  command.erase(written[0]?.principal ?? "", how);
  assert.equal(journal.begin(call, "answer").end(), first);
  await journal.append(draft("call.outcome", "1"));
  assert.notEqual(journal.begin(call, "answer").end(), first);
});

test("more callers than are kept in memory keep their pseudonyms", async () => {
  const { journal, written } = scene(2);
  const rounds = [...Array(5).keys(), ...Array(5).keys()];
  for (const i of rounds) await journal.append(draft("identity.refuse", "1", `oauth:corp/user/${i}`));
  const [first, second] = [written.slice(0, 5), written.slice(5)].map((part) =>
    part.map((each) => each.principal),
  );
  assert.deepEqual(first, second);
  assert.equal(new Set(first).size, 5);
});

test("without the database nothing new is written under a name, what is owed under nobody's", async () => {
  const { store, journal, written } = scene();
  store.close();
  await assert.rejects(journal.append(draft("call.decision", "1")), { code: "journal_unavailable" });
  assert.throws(() => journal.begin({ callId: "1", principal: "oauth:corp/client/app" }, "request"), {
    code: "journal_unavailable",
  });
  journal.owe(draft("call.outcome", "1"));
  assert.equal(written.length, 1);
  assert.match(written[0]?.principal ?? "", /^pseudonym:/);
});

test("who couldn't be kept isn't known by a pseudonym of nobody's afterwards", async () => {
  const { command, journal, written, subjects } = scene();
  assert.throws(
    () =>
      subjects.together(() => {
        subjects.of("oauth:corp/client/app");
        throw new Error("enough");
      }),
    /enough/,
  );
  await journal.append(draft("call.decision", "1"));
  assert.equal(command.known("oauth:corp/client/app")?.pseudonym, written[0]?.principal);
});

test("sessions are looked for with as many callers as there may be, and it is said if there are more", () => {
  const { command } = scene();
  for (const id of ["a", "b", "c"]) command.of(`oauth:corp/user/${id}`, 1);
  const notes: string[] = [];
  const count = (most: number): number =>
    namesIn(command, most).sessionsOf("s-1", (text) => void notes.push(text)).length;
  assert.deepEqual([count(3), notes.length], [4, 0]);
  assert.deepEqual([count(2), notes.length], [3, 1]);
});
