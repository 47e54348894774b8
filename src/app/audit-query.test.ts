import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import type { Entry } from "../audit/entry.ts";
import { draft, newFolder, open } from "../../test/support/log-fixture.ts";
import type { AuditQuestion, FoundCall } from "./audit-query.ts";
import { searchLog } from "./audit-query.ts";
import { asWritten } from "./subject-names.ts";
import { openAuditIndex } from "../host/store/audit-index.ts";
import type { FileJournal } from "../host/store/journal-files.ts";
import { openLogBundles } from "../host/store/log-bundles.ts";

/** 2·n entries: outcomes stand three decisions later. */
async function calls(journal: FileJournal, from: number, to: number): Promise<void> {
  const drafts = Array.from({ length: to - from }, (_, i) => {
    const decision = draft(from + i, { principal: `spiffe://example.org/agent/${(from + i) % 5}` });
    const isFailed = (from + i) % 7 === 0;
    return [
      decision,
      { ...decision, event: "call.outcome", outcome: isFailed ? "error" : "allowed", facts: {} },
    ] as const;
  });
  const order = drafts.flatMap(([decision], i) => {
    const before = drafts[i - 3];
    return before === undefined ? [decision] : [decision, before[1]];
  });
  const last = drafts.slice(-3).map(([, outcome]) => outcome);
  for (const one of [...order, ...last]) await journal.append(one);
}

interface Place {
  readonly folder: string;
  readonly index: string;
  readonly notes: string[];
  readonly ask: (question?: Partial<AuditQuestion>, rebuild?: boolean) => Promise<readonly FoundCall[]>;
}

function place(): Place {
  const folder = newFolder();
  const index = join(mkdtempSync(join(tmpdir(), "latticegate-index-")), "audit-index.sqlite");
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  const ask: Place["ask"] = (question = {}, rebuild = false) =>
    searchLog(
      { folder, index, rebuild, names: asWritten, note },
      { limit: 10_000, isOldestFirst: true, ...question },
    );
  return { folder, index, notes, ask };
}

function ids(found: readonly FoundCall[]): readonly string[] {
  return found.map(({ first }) => first.entry.callId);
}

test("what is asked for is what the log has, as it grows by little and by much", async () => {
  const { folder, index, ask, notes } = place();
  const journal = await open(folder);
  let before = 0;
  for (const to of [4, 5, 130, 131, 600, 10_000]) {
    await calls(journal, before, to);
    before = to;
    const all = Array.from({ length: to }, (_, i) => `call-${i}`);
    const found = await ask();
    assert.deepEqual(ids(found), all);
    assert.ok(found.every(({ outcome }) => outcome !== undefined));
    const [caller, verdict] = ["spiffe://example.org/agent/3", "error"];
    const failed = all.filter((_, i) => i % 5 === 3 && i % 7 === 0);
    assert.deepEqual(ids(await ask({ caller, verdict })), failed);
    assert.deepEqual(ids(await ask({ isOldestFirst: false, limit: 3 })), all.toReversed().slice(0, 3));
  }
  await journal.close();
  assert.deepEqual(notes, []);
  assert.equal(statSync(index).mode & 0o777, 0o600);
});

test("a decision whose outcome comes later, even much later, becomes one call", async () => {
  const { folder, ask } = place();
  const journal = await open(folder);
  await journal.append(draft(0));
  const [pending] = await ask();
  assert.equal(pending?.outcome, undefined);
  await calls(journal, 1, 300);
  assert.equal((await ask({ call: "call-0" }))[0]?.outcome, undefined);
  await journal.append(draft(0, { event: "call.outcome", outcome: "error" }));
  const [ended] = await ask({ call: "call-0" });
  assert.equal(ended?.outcome?.entry.outcome, "error");
  assert.equal((await ask({ call: "call-0", verdict: "allowed" })).length, 0);
  // Refused before anything was decided.
  await journal.append(draft(999, { event: "call.outcome", outcome: "denied" }));
  assert.deepEqual(ids(await ask({ verdict: "denied" })), ["call-999"]);
  await journal.close();
});

test("a text is looked for in all that an entry says, as people see it, in any case of letters", async () => {
  const { folder, index, notes } = place();
  const journal = await open(folder);
  const known = "spiffe://example.org/agent/7";
  for (const [at, more] of [
    [0, { facts: { why: 'a "Quoted" <b>word</b> with Zürich' } }],
    [1, { tool: "bank/pay" }],
    [2, { principal: "p-0001" }],
    [3, {}],
  ] as const)
    await journal.append(draft(at, more));
  const names = {
    ...asWritten,
    named: <Of extends Pick<Entry, "principal" | "facts">>(entry: Of): Of =>
      entry.principal === "p-0001" ? { ...entry, principal: known } : entry,
    pseudonymsWith: (part: string) => (known.includes(part) ? ["p-0001"] : []),
  };
  const ask = async (text: string, limit = 100): Promise<readonly string[]> =>
    ids(
      await searchLog(
        { folder, index, rebuild: false, names, note: (line) => void notes.push(line) },
        { text, isOldestFirst: true, limit },
      ),
    );
  assert.deepEqual(await ask('"quoted" <B>'), ["call-0"]);
  assert.deepEqual(await ask("ZÜRICH"), ["call-0"]);
  assert.deepEqual(await ask("BANK/"), ["call-1"]);
  assert.deepEqual(await ask("agent/7"), ["call-2"]);
  assert.deepEqual(await ask("call-"), ["call-0", "call-1", "call-2", "call-3"]);
  assert.deepEqual(await ask("call-", 2), ["call-0", "call-1"]);
  assert.deepEqual(await ask("nowhere"), []);
  // What stands in the log for a name isn't what people see.
  assert.deepEqual(await ask("p-0001"), []);
  await journal.close();
  assert.deepEqual(notes, []);
});

test("another log, a pruned one, and one that was rolled back have the index made anew", async () => {
  const { folder, ask, notes } = place();
  const journal = await open(folder);
  await calls(journal, 0, 400);
  await journal.close();
  assert.equal((await ask()).length, 400);
  rmSync(folder, { recursive: true });
  const other = await open(folder);
  await calls(other, 0, 300);
  await other.close();
  assert.equal((await ask()).length, 300);
  assert.match(notes.join("\n"), /^audit query: the index was made anew: the log isn't a continuation/);
  notes.length = 0;
  rmSync(join(folder, "tile/entries/000"));
  const left = await ask();
  assert.ok(left.length > 100 && left.length < 300);
  assert.ok(left.every(({ first }) => first.index >= 256));
  assert.deepEqual(notes, ["audit query: the index was made anew: the log's oldest entries were pruned"]);
});

test("a damaged index, one of another version, and one that lies are made anew; nothing of them is answered", async () => {
  const { folder, index, ask, notes } = place();
  const journal = await open(folder);
  await calls(journal, 0, 300);
  await journal.close();
  const right = ids(await ask());
  const spoil: readonly (readonly [string, () => void, RegExp])[] = [
    ["no database", () => writeFileSync(index, "x".repeat(9000)), /it is damaged/],
    [
      "cut",
      () => writeFileSync(index, readFileSync(index).subarray(0, 5000)),
      /it is damaged|isn't of this log/,
    ],
    ["another table", () => sql(index, "create table more (a)"), /it is of another version/],
    ["a column less", () => sql(index, "alter table calls drop column session"), /it is of another version/],
    ["moved rows", () => sql(index, "update calls set first = first + 100000"), /isn't of this log/],
    ["rows of other calls", () => sql(index, "update calls set last = last + 1"), /isn't of this log/],
    [
      "another caller",
      () => sql(index, "update calls set caller = (select max(caller) from calls)"),
      /isn't of this log/,
    ],
    [
      "a false end",
      () => sql(index, "update about set value = 'ff' where name = 'last_hash'"),
      /isn't a continuation/,
    ],
  ];
  for (const [what, spoiled, told] of spoil) {
    rmSync(`${index}-wal`, { force: true });
    rmSync(`${index}-shm`, { force: true });
    spoiled();
    const caller = "spiffe://example.org/agent/4";
    const some = ids(await ask({ caller }));
    assert.deepEqual(
      some,
      right.filter((_, i) => i % 5 === 4),
      what,
    );
    assert.deepEqual(ids(await ask()), right, what);
    assert.match(notes.join("\n"), told, what);
    notes.length = 0;
  }
  sql(index, "delete from calls");
  assert.deepEqual(await ask(), []);
  assert.deepEqual(ids(await ask({}, true)), right, "--rebuild");
});

function sql(file: string, text: string): void {
  const db = new DatabaseSync(file);
  db.exec(text);
  db.close();
}

test("an entry that was changed in the log isn't shown", async () => {
  const { folder, ask } = place();
  const journal = await open(folder);
  await calls(journal, 0, 300);
  await journal.close();
  assert.equal((await ask()).length, 300);
  const bundle = join(folder, "tile/entries/000");
  const changed = readFileSync(bundle, "latin1").replace("agent/2", "agent/9");
  writeFileSync(bundle, Buffer.from(changed, "latin1"));
  assert.deepEqual(ids(await ask({ caller: "spiffe://example.org/agent/9" })), []);
  const caller = "spiffe://example.org/agent/2";
  assert.ok(!ids(await ask({ caller })).includes("call-2"));
  assert.ok(!ids(await ask({ caller }, true)).includes("call-2"));
});

test("where part of the log is missing, that is said, whether it was indexed before or not", async () => {
  const { folder, ask, notes } = place();
  const journal = await open(folder);
  await calls(journal, 0, 500);
  await journal.close();
  assert.equal((await ask()).length, 500);
  rmSync(join(folder, "tile/entries/001"));
  for (const isFresh of [false, true]) {
    assert.ok((await ask({}, isFresh)).every(({ first }) => first.index < 256));
    assert.match(
      notes.join("\n"),
      /entries from 256 on aren't there and aren't searched; run latticegate audit verify$/,
    );
    notes.length = 0;
  }
});

test("two who bring an index up to date at once take turns, and both find everything", async () => {
  const { folder, index } = place();
  const journal = await open(folder);
  await calls(journal, 0, 3000);
  await journal.close();
  const log = openLogBundles(folder);
  const [one, two] = [openAuditIndex(index, log), openAuditIndex(index, log)];
  assert.deepEqual([one.update(), two.update()], [{}, {}]);
  for (const each of [one, two]) {
    assert.equal([...each.find({ isOldestFirst: true })].length, 3000);
    each.close();
  }
});

test("a copy's index is temporary", async () => {
  const { folder, notes } = place();
  const journal = await open(folder);
  await calls(journal, 0, 10);
  await journal.close();
  rmSync(join(folder, "open"), { recursive: true });
  const found = await searchLog(
    { folder, index: undefined, rebuild: false, names: asWritten, note: (line) => void notes.push(line) },
    { limit: 100, isOldestFirst: false },
  );
  assert.equal(found.length, 10);
  assert.ok(!readdirSync(folder).some((name) => name.includes("sqlite")));
});

test("callers are found by the names that people know, and ids stand behind them", async () => {
  const { folder, index } = place();
  const journal = await open(folder);
  await journal.append(draft(0, { principal: "pseudonym:AAAAAAAAAAAAAAAAAAAAAA" }));
  await journal.append(draft(1, { principal: "spiffe://example.org/agent/a" }));
  await journal.append(draft(2, { principal: "spiffe://example.org/agent/b" }));
  await journal.close();
  const names = {
    ...asWritten,
    callersOf: (name: string) => [name, "pseudonym:AAAAAAAAAAAAAAAAAAAAAA"],
  };
  const found = await searchLog(
    { folder, index, rebuild: false, names, note: assert.fail },
    { caller: "spiffe://example.org/agent/a", limit: 10, isOldestFirst: true },
  );
  assert.deepEqual(ids(found), ["call-0", "call-1"]);
});
