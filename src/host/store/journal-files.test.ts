import assert from "node:assert/strict";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import * as fc from "fast-check";

import {
  appendMany,
  draft,
  logKeyOf,
  newFolder,
  open,
  origin,
  rememberingLog,
  signers,
  verify,
} from "../../../test/support/log-fixture.ts";
import { newSigningKey } from "../../../test/support/keys.ts";
import { framedBytes, splitBundle } from "../../audit/bundle.ts";
import { sealEntry } from "../../audit/entry.ts";
import { readHead } from "../../audit/head.ts";
import { sha256 } from "../../crypto/hash.ts";
import { noteSigner } from "../../crypto/note-keys.ts";
import { leafHash } from "../../merkle/hashing.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { Write } from "./bundle-file.ts";
import type { FileJournal } from "./journal-files.ts";
import { openLogReader } from "./log-reader.ts";

async function intact(folder: string): Promise<{ readonly size: number; readonly uncovered: number }> {
  const verdict = await verify(folder);
  assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
  return verdict.kind === "intact" ? verdict : assert.fail();
}

async function callIds(folder: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { reading } of openLogReader(folder).forwards()) {
    ids.push(reading.kind === "entry" ? reading.entry.callId : "unreadable");
  }
  return ids;
}

function ids(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, i) => `call-${from + i}`);
}

/** What a process leaves behind that dies here: no head, no close, the lock still there. */
function abandon(folder: string): void {
  rmSync(join(folder, "lock"));
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: no`), { code });
}

test("after every step of any history the whole log verifies and holds exactly what was acknowledged", async () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("append"), count: fc.integer({ min: 1, max: 300 }) }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: "head", count: 0 }) },
    { weight: 1, arbitrary: fc.constant({ kind: "reopen", count: 0 }) },
    { weight: 1, arbitrary: fc.constant({ kind: "crash", count: 0 }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
      const folder = newFolder();
      let journal = await open(folder);
      let count = 0;
      for (const { kind, count: more } of steps) {
        if (kind === "append") await appendMany(journal, count, count + more);
        if (kind === "append") count += more;
        if (kind === "head") await journal.checkpoint();
        if (kind === "reopen") await journal.close();
        if (kind === "crash") abandon(folder);
        if (kind === "reopen" || kind === "crash") journal = await open(folder);
        assert.equal(journal.size(), count);
        const { size, uncovered } = await intact(folder);
        assert.equal(size + uncovered, count);
        if (kind === "head" || kind === "reopen") assert.equal(size, count);
      }
      assert.deepEqual(await callIds(folder), ids(0, count));
      await journal.close();
    }),
    { numRuns: 12 },
  );
});

test("entries appended in one turn are written with one write, in the order of the calls", async () => {
  const folder = newFolder();
  const sizes: number[] = [];
  const write: Write = (fd, bytes, offset) => {
    sizes.push(bytes.length);
    return writeSync(fd, bytes, 0, bytes.length, offset);
  };
  const journal = await open(folder, { write });
  const receipts = await Promise.all([0, 1, 2, 3, 4].map((i) => journal.append(draft(i))));
  assert.deepEqual(
    receipts.map(({ index }) => index),
    [0, 1, 2, 3, 4],
  );
  assert.equal(sizes.length, 1);
  assert.deepEqual(await callIds(folder), ids(0, 5));
  await journal.close();
});

test("short writes are carried on with", async () => {
  const folder = newFolder();
  const write: Write = (fd, bytes, offset) => writeSync(fd, bytes, 0, Math.min(bytes.length, 100), offset);
  const journal = await open(folder, { write });
  await appendMany(journal, 0, 300);
  await journal.close();
  assert.equal((await intact(folder)).size, 300);
});

for (const code of ["ENOSPC", "EIO"]) {
  test(`a write that fails with ${code} refuses its entries, leaves no trace, and the next one works`, async () => {
    const folder = newFolder();
    const log = rememberingLog();
    let failing = false;
    const write: Write = (fd, bytes, offset) => {
      if (!failing) return writeSync(fd, bytes, 0, bytes.length, offset);
      // Half of it arrives before the disk gives up.
      if (bytes.length > 150) return writeSync(fd, bytes, 0, 150, offset);
      throw systemError(code);
    };
    const journal = await open(folder, { write, log });
    await appendMany(journal, 0, 10);
    failing = true;
    const results = await Promise.allSettled([10, 11].map((i) => journal.append(draft(i))));
    for (const result of results) {
      assert.equal(result.status, "rejected");
      assert.match(
        String(result.status === "rejected" && result.reason),
        new RegExp(`cannot be written \\(${code}\\)`),
      );
      assert.equal(
        result.status === "rejected" && (result.reason as { code: string }).code,
        "journal_unavailable",
      );
    }
    assert.equal(journal.size(), 10);
    assert.deepEqual(await intact(folder).then(({ uncovered }) => uncovered), 10);
    failing = false;
    assert.deepEqual(await journal.append(draft(12)), { index: 10 });
    await journal.close();
    assert.deepEqual(await callIds(folder), [...ids(0, 10), "call-12"]);
    assert.equal((await intact(folder)).size, 11);
    assert.ok(log.events.includes("journal.write_failed"));
  });
}

test("a batch that fails beyond a full bundle refuses only what was not written", async () => {
  const folder = newFolder();
  let writes = 0;
  const write: Write = (fd, bytes, offset) => {
    if (++writes === 2) throw systemError("ENOSPC");
    return writeSync(fd, bytes, 0, bytes.length, offset);
  };
  const journal = await open(folder, { write });
  const results = await Promise.allSettled(ids(0, 300).map((_, i) => journal.append(draft(i))));
  assert.deepEqual(
    results.map(({ status }) => status),
    [...Array<string>(256).fill("fulfilled"), ...Array<string>(44).fill("rejected")],
  );
  await appendMany(journal, 256, 260);
  await journal.close();
  assert.equal((await intact(folder)).size, 260);
});

test("owed entries are written before the next entry that succeeds", async () => {
  const folder = newFolder();
  let failing = true;
  const write: Write = (fd, bytes, offset) => {
    if (failing) throw systemError("ENOSPC");
    return writeSync(fd, bytes, 0, bytes.length, offset);
  };
  const journal = await open(folder, { write });
  const { owe } = journal;
  owe(draft(0));
  await assert.rejects(journal.append(draft(99)), { code: "journal_unavailable" });
  owe(draft(1));
  failing = false;
  assert.deepEqual(await journal.append(draft(2)), { index: 2 });
  assert.deepEqual(await callIds(folder), ids(0, 3));
  await journal.close();
});

test("an owed entry is written by itself once the disk takes it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const folder = newFolder();
  let failing = true;
  const write: Write = (fd, bytes, offset) => {
    if (failing) throw systemError("EIO");
    return writeSync(fd, bytes, 0, bytes.length, offset);
  };
  const journal = await open(folder, { write });
  journal.owe(draft(0));
  t.mock.timers.tick(1000);
  assert.equal(journal.size(), 0);
  failing = false;
  t.mock.timers.tick(1000);
  assert.equal(journal.size(), 1);
  t.mock.timers.reset();
  await journal.close();
});

test("what is owed is bounded, and what is lost is said", async () => {
  const log = rememberingLog();
  const journal = await open(newFolder(), { log });
  for (let i = 0; i < 10_002; i++) journal.owe(draft(i));
  assert.equal(log.events.filter((event) => event === "journal.owed_entry_lost").length, 2);
  await journal.close();
  assert.equal(journal.size(), 10_000);
});

test("a closed journal refuses", async () => {
  const journal = await open(newFolder());
  await journal.close();
  await assert.rejects(journal.append(draft(0)), { code: "journal_unavailable" });
  await journal.close();
});

test("a new log has a signed head before its first entry", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  assert.equal(journal.head()?.size, 0);
  assert.equal((await intact(folder)).size, 0);
  await journal.close();
});

test("a head that can't be signed is logged and tried again, and no entry is lost over it", async () => {
  const folder = newFolder();
  const log = rememberingLog();
  let failing = false;
  const [first, ...others] = signers;
  const flaky = {
    ...first!,
    sign: (checkpoint: Parameters<(typeof signers)[0]["sign"]>[0]) =>
      failing ? Promise.reject(new Error("no key")) : first!.sign(checkpoint),
  };
  const journal = await open(folder, { signers: [flaky, ...others], log });
  failing = true;
  await appendMany(journal, 0, 600);
  await assert.rejects(journal.checkpoint(), { code: "journal_unavailable" });
  assert.ok(log.events.includes("journal.head_failed"));
  failing = false;
  await journal.checkpoint();
  await journal.close();
  assert.equal((await intact(folder)).size, 600);
});

test("only the newest two partials of a tile stay, and none beside a full tile", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  for (let i = 0; i < 5; i++) {
    await appendMany(journal, i * 10, i * 10 + 10);
    await journal.checkpoint();
  }
  assert.deepEqual(readdirSync(join(folder, "tile/0/000.p")).sort(), ["40", "50"]);
  assert.deepEqual(readdirSync(join(folder, "tile/entries/000.p")).sort(), ["40", "50"]);
  await appendMany(journal, 50, 300);
  await journal.checkpoint();
  assert.ok(!existsSync(join(folder, "tile/0/000.p")));
  assert.ok(!existsSync(join(folder, "tile/entries/000.p")));
  assert.equal(statSync(join(folder, "tile/0/000")).size, 8192);
  assert.deepEqual(readdirSync(join(folder, "open")), ["1"]);
  await journal.close();
});

test("nobody else can read the log's files", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 300);
  await journal.checkpoint();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const { mode } = statSync(join(entry.parentPath, entry.name));
    assert.equal(mode & 0o777, entry.isDirectory() ? 0o700 : 0o600, entry.name);
  }
  await journal.close();
});

test("the newest head of each UTC day is kept, and the day's first one has the SLH-DSA signature", async () => {
  const folder = newFolder();
  const dailySigner = noteSigner("slh-dsa-sha2-128s", origin, newSigningKey("slh-dsa-sha2-128s"));
  let now = Date.UTC(2026, 10, 21, 23);
  const journal = await open(folder, { dailySigner, clock: { nowUnixMs: () => now } });
  for (let i = 0; i < 4; i++) {
    if (i === 2) now += 7_200_000;
    await appendMany(journal, i, i + 1);
    await journal.checkpoint();
  }
  await journal.close();
  const logKey = logKeyOf([...signers, dailySigner]);
  const heads = readdirSync(join(folder, "checkpoints")).map((name) => {
    const reading = readHead(readFileSync(join(folder, "checkpoints", name)), logKey);
    return reading.kind === "signed" ? [name, reading.head.size, reading.head.signedBy.length] : [name];
  });
  assert.deepEqual(
    new Set(heads),
    new Set([
      ["2026-11-21", 2, 3],
      ["2026-11-21.first", 1, 4],
      ["2026-11-22", 4, 3],
      ["2026-11-22.first", 3, 4],
    ]),
  );
});

test("a log that was just opened has its daily signature later, though nothing more is said, and none if it is closed before", async () => {
  const dailySigner = noteSigner("slh-dsa-sha2-128s", origin, newSigningKey("slh-dsa-sha2-128s"));
  const firsts = (folder: string): readonly string[] =>
    readdirSync(join(folder, "checkpoints")).filter((name) => name.endsWith(".first"));
  const patient = newFolder();
  const brief = newFolder();
  const journal = await open(patient, { dailySigner, dailyAfterMs: 50 });
  const closed = await open(brief, { dailySigner, dailyAfterMs: 60_000 });
  for (const each of [journal, closed]) {
    await appendMany(each, 0, 1);
    await each.checkpoint();
  }
  await closed.close();
  while (firsts(patient).length === 0) await pause(10);
  await journal.close();
  assert.deepEqual(firsts(brief), []);
  const [name = ""] = firsts(patient);
  const head = readHead(
    readFileSync(join(patient, "checkpoints", name)),
    logKeyOf([...signers, dailySigner]),
  );
  assert.deepEqual(head.kind === "signed" && [head.head.size, head.head.signedBy.length], [1, 4]);
});

test("a log that is closed while the daily signature waits for another head has nothing written to it afterwards", async () => {
  const [first = assert.fail(), ...others] = signers;
  const { promise: isAllowed, resolve: allow } = Promise.withResolvers<void>();
  let gate = Promise.resolve();
  let daily = 0;
  const slow: typeof first = { ...first, sign: async (body) => await gate.then(() => first.sign(body)) };
  const dailySigner = {
    ...noteSigner("slh-dsa-sha2-128s", origin, newSigningKey("slh-dsa-sha2-128s")),
    sign: () => {
      daily++;
      return Promise.resolve(new Uint8Array());
    },
  };
  const folder = newFolder();
  const journal = await open(folder, { signers: [slow, ...others], dailySigner, dailyAfterMs: 200 });
  gate = isAllowed;
  await appendMany(journal, 0, 1);
  const head = journal.checkpoint();
  await pause(250);
  const closing = journal.close();
  allow();
  await Promise.all([head, closing]);
  const signed = daily;
  await pause(50);
  assert.equal(daily, signed);
});

test("signers that verifiers wouldn't accept don't open a log", async () => {
  await assert.rejects(open(newFolder(), { signers: signers.slice(0, 1) }), { code: "bad_config" });
  await assert.rejects(open(newFolder(), { origin: "log.example/other" }), { code: "bad_config" });
});

test("a second writer is refused and told who holds the log", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await assert.rejects(open(folder), { code: "bad_state", message: new RegExp(`process ${process.pid}`) });
  await journal.close();
  await open(folder).then((again) => again.close());
});

test("a lock whose process is gone is taken over, also if its number was given to another process", async () => {
  const folder = newFolder();
  await open(folder).then((journal) => journal.close());
  for (const lock of [
    JSON.stringify({ pid: 2 ** 22 + 1, started: "x" }),
    JSON.stringify({ pid: process.pid, started: "another boot/12345" }),
    "",
    "not json",
  ]) {
    writeFileSync(join(folder, "lock"), lock);
    await open(folder).then((journal) => journal.close());
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("lock")),
      [],
    );
  }
});

test("a torn record at the tail is dropped and reported, wherever it was torn", async () => {
  const folder = newFolder();
  let journal = await open(folder);
  await appendMany(journal, 0, 5);
  await journal.checkpoint();
  let from = 5;
  for (const cut of [1, 2, 3, 100]) {
    const whole = statSync(join(folder, "open/0")).size;
    await appendMany(journal, from, from + 1);
    abandon(folder);
    truncateSync(join(folder, "open/0"), whole + cut);
    journal = await open(folder);
    assert.equal(journal.recovered.tornBytes, cut);
    assert.equal(journal.size(), from);
    await appendMany(journal, from, from + 1);
    from++;
    assert.equal((await intact(folder)).uncovered, from - 5);
  }
  await journal.close();
});

test("a torn record longer than what is written over it leaves nothing behind", async () => {
  const folder = newFolder();
  let journal = await open(folder);
  await journal.append(draft(0, { facts: { long: "x".repeat(900), longer: "y".repeat(900) } }));
  abandon(folder);
  truncateSync(join(folder, "open/0"), statSync(join(folder, "open/0")).size - 1);
  journal = await open(folder);
  await appendMany(journal, 0, 1);
  assert.deepEqual(await callIds(folder), ids(0, 1));
  const verdict = await verify(folder);
  assert.equal(verdict.kind === "intact" && verdict.tornBytes, 0);
  await journal.close();
});

test("zeros that a loss of power left at the tail are dropped", async () => {
  const folder = newFolder();
  let journal = await open(folder);
  await appendMany(journal, 0, 5);
  abandon(folder);
  const file = join(folder, "open/0");
  const bytes = readFileSync(file);
  writeFileSync(file, Buffer.concat([bytes, Buffer.alloc(700)]));
  journal = await open(folder);
  assert.deepEqual([journal.size(), journal.recovered.tornBytes], [5, 700]);
  abandon(folder);
  bytes.fill(0, bytes.length - 200);
  writeFileSync(file, bytes);
  journal = await open(folder);
  assert.equal(journal.size(), 4);
  await appendMany(journal, 4, 6);
  await journal.close();
  assert.equal((await intact(folder)).size, 6);
});

async function logOf(entries: number): Promise<string> {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, entries);
  await journal.close();
  return folder;
}

function bend(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(file, bytes);
}

const tampering: Readonly<Record<string, (folder: string) => void>> = {
  "the checkpoint is gone": (folder) => rmSync(join(folder, "checkpoint")),
  "the checkpoint's size is changed": (folder) => bend(join(folder, "checkpoint"), origin.length + 3),
  "a signature is changed": (folder) => bend(join(folder, "checkpoint"), -40),
  "a full tile is gone": (folder) => rmSync(join(folder, "tile/0/000")),
  "a full tile is cut": (folder) => truncateSync(join(folder, "tile/0/000"), 8000),
  "a full tile is changed": (folder) => bend(join(folder, "tile/0/001"), 100),
  "a partial tile is changed": (folder) => bend(join(folder, "tile/0/002.p/188"), 100),
  "a partial tile is gone": (folder) => rmSync(join(folder, "tile/1/000.p/2")),
  "a full bundle is gone": (folder) => rmSync(join(folder, "tile/entries/000")),
  "an entry in a full bundle is changed": (folder) => bend(join(folder, "tile/entries/001"), 5000),
  "the open bundle is gone": (folder) => rmSync(join(folder, "open/2")),
  "the open bundle is cut below the head": (folder) => truncateSync(join(folder, "open/2"), 3000),
  "an entry in the open bundle is changed": (folder) => bend(join(folder, "open/2"), 3000),
  "there is a bundle too many": (folder) => writeFileSync(join(folder, "open/4"), ""),
};
for (const [what, tamper] of Object.entries(tampering)) {
  test(`a log isn't opened when ${what}, and isn't changed either`, async () => {
    const folder = await logOf(700);
    tamper(folder);
    const before = readdirSync(folder, { recursive: true });
    await assert.rejects(open(folder), { code: "bad_log" });
    assert.deepEqual(readdirSync(folder, { recursive: true }), before);
  });
}

test("an entry behind the head that doesn't follow the one before stops the opening", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 5);
  abandon(folder);
  bend(join(folder, "open/0"), 300);
  await assert.rejects(open(folder), { code: "bad_log", message: /entry 0 can't be read/ });
});

test("entries behind the head in another order stop the opening", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 5);
  abandon(folder);
  const { entries } = splitBundle(readFileSync(join(folder, "open/0")));
  writeFileSync(join(folder, "open/0"), framedBytes(entries.toSpliced(1, 1)));
  await assert.rejects(open(folder), { code: "bad_log", message: /entry 1 doesn't follow/ });
});

test("an entry and its tile changed together stop the opening", async () => {
  const folder = await logOf(700);
  const path = join(folder, "tile/entries/001");
  const { entries } = splitBundle(readFileSync(path));
  const forged = sealEntry(draft(300, { outcome: "denied" }), null).bytes;
  writeFileSync(path, framedBytes(entries.with(44, forged)));
  const tile = readFileSync(join(folder, "tile/0/001"));
  tile.set(leafHash(sha256, forged), 44 * 32);
  writeFileSync(join(folder, "tile/0/001"), tile);
  await assert.rejects(open(folder), { code: "bad_log", message: /tile\/0\/001 isn't as it was signed/ });
});

test("files from long ago are missed when a log is opened", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  for (let from = 0; from < 66_000; from += 3000) await appendMany(journal, from, from + 3000);
  await journal.close();
  for (const path of ["tile/0/003", "tile/entries/004", "tile/1/000"]) {
    const bytes = readFileSync(join(folder, path));
    rmSync(join(folder, path));
    await assert.rejects(open(folder), { code: "bad_log", message: new RegExp(`${path} is missing`) });
    writeFileSync(join(folder, path), bytes);
  }
  assert.equal((await intact(folder)).size, 66_000);
  await open(folder).then(closed);
});

test("another log's head isn't taken for this one's", async () => {
  const folder = await logOf(3);
  const others = (["ed25519", "ml-dsa-65"] as const).map((kind) =>
    noteSigner(kind, origin, newSigningKey(kind)),
  );
  await assert.rejects(open(folder, { signers: others }), {
    code: "bad_log",
    message: /no signature of the log key/,
  });
});

test("calls that were let through and have no outcome are found, back to the last start", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  const add = (callId: string, change: Partial<EntryDraft> = {}) =>
    journal.append(draft(0, { callId, ...change }));
  const end = (callId: string) => add(callId, { event: "call.outcome" });
  await add("before-the-start");
  await add("start", { event: "gateway.start", tool: null });
  await add("ended");
  await add("open-1", { facts: { server: "files" } });
  await add("denied", { outcome: "denied" });
  await appendManyEnded(journal, 300);
  await end("ended");
  await add("open-2");
  abandon(folder);
  const { recovered } = await open(folder).then(closed);
  assert.deepEqual(
    recovered.openCalls.map(({ callId, facts }) => [callId, facts["server"]]),
    [
      ["open-1", "files"],
      ["open-2", undefined],
    ],
  );
  assert.equal(recovered.openCalls[0]?.event, "call.decision");
});

async function appendManyEnded(journal: FileJournal, count: number): Promise<void> {
  for (const event of ["call.decision", "call.outcome"] as const) {
    await Promise.all(ids(0, count).map((callId) => journal.append(draft(0, { callId, event }))));
  }
}

async function closed(journal: FileJournal): Promise<FileJournal> {
  await journal.close();
  return journal;
}
