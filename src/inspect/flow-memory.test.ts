/** What a session has read is known again however it is written, and what isn't remembered is never taken for unread. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { fingerprintKey } from "./fingerprints.ts";
import { flowMemory, type KeptLabels, type LabelStore, type SessionFlow } from "./flow-memory.ts";
import type { Told } from "./session-memory.ts";

const key = fingerprintKey(Uint8Array.from({ length: 16 }, (_, i) => i * 11 + 3));
const minuteMs = 60_000;
const nobodyCounts = (): void => undefined;

const note = "Ms Okafor asked us to move her appointment because the surgery in Leeds went badly in March.";
const record = {
  iban: "GB29 NWBK 6016 1331 9268 19",
  order: "W2378156",
  mail: "a.okafor@clinic.example",
  note,
};

function reading(value: unknown, label = "pii"): SessionFlow {
  const session = flowMemory(key).of("s", 0);
  session.read([label], { kind: "value", value }, true, 0);
  return session;
}

const carries = (session: SessionFlow, value: unknown, label = "pii"): Told =>
  session.carries(label, value, nobodyCounts);

function why(told: Told): string {
  assert.ok(typeof told === "object", "expected that it can't be told");
  return told.why;
}

const leaks: Readonly<Record<string, unknown>> = {
  "as it was": { body: note },
  "with other words around it": { body: `Hello! ${note.slice(10, 60)}, he said.` },
  "a number alone": { amount: 5, to: "GB29NWBK60161331926819" },
  "a number in three parts": { a: "GB29 NWBK", b: ["6016 1331"], c: { d: "9268 19" } },
  "an order": { text: "about W2378156, please" },
  "an address of mail": { cc: ["A.Okafor@clinic.example"] },
  "in full-width letters": {
    body: Array.from(note, (c) => (c > " " ? String.fromCodePoint(c.charCodeAt(0) + 0xfee0) : c)).join(""),
  },
  "with letters that can't be seen": { body: note.replaceAll("e", "e\u200b") },
  "quoted-printable": {
    body: Array.from(note, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}`).join(""),
  },
  "base64 in lines": {
    body: (
      Buffer.from(note)
        .toString("base64")
        .match(/.{1,40}/g) ?? []
    ).join("\r\n> "),
  },
  "base64 cut at both ends": { body: Buffer.from(note).toString("base64").slice(5, 90) },
  "hexadecimal with colons": { body: (Buffer.from(note).toString("hex").match(/../g) ?? []).join(":") },
  "as the name of a member": { [note]: 1 },
  "escaped four times": { body: JSON.stringify(JSON.stringify(JSON.stringify(JSON.stringify(`\n${note}`)))) },
};

for (const [how, value] of Object.entries(leaks))
  test(`it is known again: ${how}`, () => assert.equal(carries(reading(record), value), true));

const others: Readonly<Record<string, unknown>> = {
  "something else": {
    body: "The meeting is moved to Thursday at ten, in the large room on the second floor.",
  },
  "the same names of members": { iban: "", order: 7, mail: null, note: "see you" },
  "a few of its words": { body: "The surgery is closed in March." },
  "another number of the same kind": { to: "GB82WEST12345698765432" },
  "dates and round numbers": { from: "2026-03-01", until: "2026-03-01T10:00:00Z", amount: 100_000 },
  nothing: {},
};

for (const [what, value] of Object.entries(others))
  test(`it isn't found in ${what}`, () =>
    assert.equal(carries(reading({ ...record, day: "2026-03-01", limit: 100_000 }), value), false));

test("a label is of what was read under it", () => {
  const session = reading(note);
  session.read(
    ["web"],
    { kind: "value", value: "Tulips can be ordered by post until the end of next week." },
    true,
    0,
  );
  assert.deepEqual(session.labels(), ["pii", "web"]);
  assert.deepEqual([session.seen("pii"), session.seen("web"), session.seen("secret")], [true, true, false]);
  assert.deepEqual(
    [carries(session, note), carries(session, note, "web"), carries(session, note, "secret")],
    [true, false, false],
  );
});

test("what a session said before it read it is its own, and only that", () => {
  const session = flowMemory(key).of("s", 0);
  session.said({ query: note });
  session.read(["pii"], { kind: "value", value: record }, true, 0);
  assert.equal(carries(session, { body: note }), false);
  assert.equal(carries(session, { body: record.iban }), true);
});

test("what it says after it read it stays what it read, read again or not", () => {
  const session = reading(record);
  session.said({ query: note });
  session.read(["pii"], { kind: "value", value: record }, true, 0);
  assert.equal(carries(session, { body: note }), true);
});

test("sessions don't know of each other, and end after thirty idle minutes", () => {
  const memory = flowMemory(key);
  memory.of("one", 0).read(["pii"], { kind: "value", value: note }, true, 0);
  assert.equal(memory.of("other", 0).seen("pii"), false);
  assert.equal(memory.of("one", 29 * minuteMs).seen("pii"), true, "which is a use");
  assert.equal(memory.of("one", 58 * minuteMs).seen("pii"), true);
  assert.equal(memory.of("one", 88 * minuteMs).seen("pii"), false);
});

test("of what couldn't be read it can't be told whether something carries it", () => {
  const session = reading(note);
  session.read(["pii"], { kind: "unreadable" }, true, 0);
  assert.equal(session.seen("pii"), true);
  assert.equal(carries(session, note), true, "what is found is found");
  assert.match(why(carries(session, "Hello")), /not all that was read under "pii" is remembered/);
  assert.equal(carries(session, "Hello", "web"), false);
});

test("nor of what was read before anybody asked for it", () => {
  const session = flowMemory(key).of("s", 0);
  session.read(["pii"], { kind: "value", value: note }, false, 0);
  assert.match(why(carries(session, "Hello")), /not all/);
});

/** Words that no text has. */
function noise(seed: number, letters: number): string {
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16;
  return Array.from({ length: letters }, () => String.fromCharCode(97 + (next() % 26))).join("");
}

test("the oldest texts of a session make way, and then it can't be told what they were", () => {
  const session = reading(note);
  for (let i = 1; i <= 6; i++) session.read(["web"], { kind: "value", value: noise(i, 100_000) }, true, 0);
  assert.match(why(carries(session, note)), /not all that was read under "pii"/);
  assert.equal(session.seen("pii"), true);
});

test("so do the texts of the session that was least used, where all are too many together", () => {
  const memory = flowMemory(key);
  memory.of("first", 0).read(["pii"], { kind: "value", value: note }, true, 0);
  for (let i = 0; i < 48; i++)
    memory.of(`s${i % 12}`, 0).read(["web"], { kind: "value", value: noise(i + 9, 100_000) }, true, 0);
  assert.match(why(carries(memory.of("first", 0), "Hello")), /not all/);
  assert.equal(memory.of("first", 0).seen("pii"), true);
  assert.equal(carries(memory.of("s11", 0), noise(56, 100_000).slice(1000, 1100), "web"), true);
});

test("a session that had to make way may have read anything", () => {
  const memory = flowMemory(key);
  memory.of("first", 0).read(["pii"], { kind: "unreadable" }, true, 0);
  for (let i = 0; i < 100_000; i++)
    memory.of(`s${i}`, minuteMs).read(["web"], { kind: "unreadable" }, false, minuteMs);
  assert.match(why(memory.of("first", 2 * minuteMs).seen("pii")), /isn't remembered/);
  assert.equal(memory.of("first", 31 * minuteMs).seen("pii"), false, "it would have ended by then");
});

test("labels beyond those that texts are kept for are seen, and can't be told in what is said", () => {
  const session = flowMemory(key).of("s", 0);
  for (let i = 0; i < 40; i++) session.read([`l${i}`], { kind: "value", value: `${note} ${i}` }, true, 0);
  assert.equal(session.seen("l39"), true);
  assert.match(why(session.carries("l39", "Hello", nobodyCounts)), /not all/);
});

test("what is said at too great length can't be told", () => {
  const session = reading(note);
  assert.match(why(carries(session, { body: "x ".repeat(40_000) })), /too long/);
  assert.match(
    why(
      carries(
        session,
        Array.from({ length: 30_000 }, () => "x"),
      ),
    ),
    /too long/,
  );
  let deep: unknown = note;
  for (let i = 0; i < 100; i++) deep = [deep];
  assert.match(why(carries(session, deep)), /too long/);
});

test("what is looked through is counted", () => {
  let counted = 0;
  reading(note).carries("pii", { a: "hello", b: ["world"] }, (chars) => (counted += chars));
  assert.equal(counted, "hello".length + "world".length + "ab".length);
});

test("labels outlive the process, and of their texts it can't be told", () => {
  const rows = new Map<string, KeptLabels>();
  let writes = 0;
  const store: LabelStore = {
    of: (session) => rows.get(session)?.labels ?? [],
    kept: (since) => [...rows.values()].filter(({ usedUnixMs }) => usedUnixMs >= since),
    keep: (kept) => {
      writes += 1;
      rows.set(kept.session, { ...kept, labels: [...kept.labels] });
    },
  };
  const before = flowMemory(key, { store, nowUnixMs: 0 });
  before.of("s", 0).read(["pii"], { kind: "value", value: note }, true, 0);
  for (let at = 0; at <= 45; at++) before.of("s", at * minuteMs).said("Hello");
  assert.equal(writes, 5, "at once, and every ten minutes");
  const started = (at: number): SessionFlow =>
    flowMemory(key, { store, nowUnixMs: at * minuteMs }).of("s", at * minuteMs);
  assert.equal(started(46).seen("pii"), true);
  assert.match(why(carries(started(46), "Hello")), /not all that was read under "pii"/);
  assert.equal(started(80).seen("pii"), false);
  assert.equal(started(79).seen("pii"), true, "it may have been used until minute 50");
});

test("what can't be kept isn't read", () => {
  const store: LabelStore = {
    of: () => [],
    kept: () => [],
    keep: () => {
      throw new Error("the disk is full");
    },
  };
  const session = flowMemory(key, { store, nowUnixMs: 0 }).of("s", 0);
  assert.throws(() => session.read(["pii"], { kind: "unreadable" }, true, 0), /disk is full/);
});

test("a session that made way for others isn't one that has read nothing when it comes again", () => {
  const rows = new Map<string, KeptLabels>();
  const store: LabelStore = {
    of: (session) => rows.get(session)?.labels ?? [],
    kept: () => [],
    keep: (kept) => void rows.set(kept.session, { ...kept, labels: [...kept.labels] }),
  };
  for (const from of [{ store, nowUnixMs: 0 }, undefined]) {
    const flow = flowMemory(key, from);
    flow.of("victim", 0).read(["pii"], { kind: "value", value: note }, true, 0);
    for (let at = 0; at <= 100_000; at += 1) flow.of(`s${at}`, 1).said("");
    const victim = flow.of("victim", 2);
    victim.said("hello");
    if (from === undefined) assert.match(why(victim.seen("pii")), /isn't remembered/);
    else assert.equal(victim.seen("pii"), true);
    assert.match(why(carries(victim, "Hello there")), /remembered/);
  }
});
