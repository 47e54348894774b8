/** The keys of a log rotate while it is written: what was promised before holds after, for whoever has old keys. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import {
  appendMany,
  cause,
  draft,
  newFolder,
  newGeneration,
  open,
  origin,
  rememberingLog,
  signers,
} from "../../../test/support/log-fixture.ts";
import { crossingBytes, type CrossingParts, crossingPath, readCrossing } from "../../audit/crossing.ts";
import { readHead, signHead } from "../../audit/head.ts";
import { type Verdict, verifyLog } from "../../audit/verify.ts";
import { formatLogKey, type LogKey, readLogKey } from "../../crypto/log-key.ts";
import { type NoteKeyKind, noteSigner } from "../../crypto/note-keys.ts";
import { newSigningKey } from "../../../test/support/keys.ts";
import { tileWidth } from "../../merkle/tiles.ts";
import type { FileJournal } from "./journal-files.ts";
import { type GenerationSigners, publicGeneration, signersOf } from "./journal-rotation.ts";
import { openLogReader } from "./log-reader.ts";

const hybrid = ["ed25519", "ml-dsa-65", "ml-dsa-44"] as const satisfies readonly NoteKeyKind[];
const cnsa = ["ml-dsa-87", "ml-dsa-44"] as const satisfies readonly NoteKeyKind[];
const first: GenerationSigners = { number: 1, signers, dailySigner: undefined };

function keyOf(...generations: readonly GenerationSigners[]): LogKey {
  return generations.map(publicGeneration);
}

function verifyWith(folder: string, logKey: LogKey, seen?: Uint8Array): Promise<Verdict> {
  return verifyLog({ files: openLogReader(folder).files, logKey, ...(seen && { seen }) });
}

async function intact(folder: string, logKey: LogKey): Promise<Extract<Verdict, { kind: "intact" }>> {
  const verdict = await verifyWith(folder, logKey);
  assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
  return verdict.kind === "intact" ? verdict : assert.fail();
}

async function faults(folder: string, logKey: LogKey, seen?: Uint8Array): Promise<readonly string[]> {
  const verdict = await verifyWith(folder, logKey, seen);
  return verdict.kind === "broken" ? verdict.findings.map(({ what, text }) => `${what}: ${text}`) : [];
}

/** As a process leaves it that dies here. */
function abandon(folder: string): void {
  rmSync(join(folder, "lock"));
}

/** Appends without a pause until it is told to stop; how many were acknowledged. */
function load(t: TestContext, journal: FileJournal): () => Promise<number> {
  const over = new AbortController();
  t.after(() => over.abort());
  let count = 0;
  const run = async (): Promise<number> => {
    while (!over.signal.aborted) {
      await Promise.all(Array.from({ length: 1 + (count % 30) }, (_, i) => journal.append(draft(count + i))));
      count += 1 + (count % 30);
      // As many as a verification that runs beside it can read.
      if (count % 3 === 0) await journal.checkpoint();
      await turn();
    }
    return count;
  };
  const done = run();
  return () => {
    over.abort();
    return done;
  };
}

test("five rotations to and fro under load: the whole log verifies after each, with the first key and the newest", async (t) => {
  const folder = newFolder();
  const journal = await open(folder, { checkpointEveryMs: 5 });
  const stop = load(t, journal);
  let newest = first;
  for (const kinds of [cnsa, hybrid, cnsa, hybrid, cnsa]) {
    const next = newGeneration(newest.number + 1, kinds);
    await journal.rotate(next, cause());
    assert.equal(journal.generation().number, next.number);
    newest = next;
    await journal.checkpoint();
    for (const logKey of [keyOf(first), keyOf(newest)]) {
      const { generations, signedBy } = await intact(folder, logKey);
      assert.deepEqual(
        generations.map(({ number }) => number),
        Array.from({ length: newest.number }, (_, i) => i + 1),
      );
      assert.deepEqual(signedBy, kinds);
    }
  }
  const acknowledged = await stop();
  await journal.close();
  const { size, uncovered, generations } = await intact(folder, keyOf(first));
  assert.deepEqual([size, uncovered], [acknowledged + 5, 0]);
  assert.deepEqual(
    generations.map(({ isGiven, fromSize, toSize }) => [isGiven, fromSize, toSize]),
    generations.map(({ fromSize }, i) => [i === 0, fromSize, generations[i + 1]?.fromSize]),
  );
  const ids: string[] = [];
  for await (const { reading } of openLogReader(folder).forwards()) {
    assert.equal(reading.kind, "entry");
    if (reading.kind === "entry" && reading.entry.event === "call.decision") ids.push(reading.entry.callId);
  }
  assert.deepEqual(
    ids,
    Array.from({ length: acknowledged }, (_, i) => `call-${i}`),
  );
});

for (const entries of [0, 1, 254, 255, 256, 511, 600]) {
  test(`a rotation after ${entries} entries crosses at the head that ends with its entry, and goes on after a restart`, async () => {
    const folder = newFolder();
    const journal = await open(folder);
    await appendMany(journal, 0, entries);
    const second = newGeneration(2, cnsa);
    const rotated = journal.rotate(second, cause());
    await appendMany(journal, entries, entries + 300);
    await rotated;
    await journal.close();
    const { generations } = await intact(folder, keyOf(first));
    assert.deepEqual(
      generations.map(({ toSize }) => toSize),
      [entries + 1, undefined],
    );
    const again = await open(folder, { signers: signersOf(second), generation: 2 });
    await appendMany(again, 0, 3);
    await again.close();
    assert.equal((await intact(folder, keyOf(first))).size, entries + 304);
  });
}

test("the entry says which keys end, which follow, and who did it", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  const second = newGeneration(2, cnsa);
  await journal.rotate(second, cause());
  await journal.close();
  const [entry] = await Array.fromAsync(openLogReader(folder).forwards());
  assert.ok(entry?.reading.kind === "entry");
  const { event, principal, facts } = entry.reading.entry;
  assert.deepEqual([event, principal], ["log.rotate", "spiffe://example.org/gateway"]);
  const { by, generation, algorithms } = facts;
  assert.deepEqual([by, generation, algorithms], ["a test", "2", "ml-dsa-87 ml-dsa-44"]);
  assert.deepEqual(
    [facts["before.generation"], facts["before.algorithms"]],
    ["1", "ed25519 ml-dsa-65 ml-dsa-44"],
  );
  assert.match(facts["keys"] ?? "", /^[0-9a-f]{64}$/);
  assert.match(facts["before.key_ids"] ?? "", /^[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{8}$/);
});

test("a rotation isn't begun during another, with keys that don't do, or out of turn", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  const under = journal.rotate(newGeneration(2, cnsa), cause());
  await assert.rejects(journal.rotate(newGeneration(2), cause()), { code: "bad_state" });
  await under;
  for (const [what, bad] of [
    ["the number of the current one", newGeneration(2)],
    ["a number left out", newGeneration(4)],
    ["Ed25519 alone", newGeneration(3, ["ed25519", "ml-dsa-44"])],
    ["ML-DSA-65 alone", newGeneration(3, ["ml-dsa-65", "ml-dsa-44"])],
    ["keys of another log", newGeneration(3, hybrid, "log.example/other")],
  ] as const) {
    await assert.rejects(journal.rotate(bad, cause()), { code: "bad_config" }, what);
  }
  assert.equal(journal.size(), 1);
  await journal.close();
});

test("while the crossing can't be written calls go on and no head covers the rotation; then both come", async () => {
  const folder = newFolder();
  const log = rememberingLog();
  const journal = await open(folder, { log, checkpointEveryMs: 10 });
  writeFileSync(join(folder, "crossings"), "a file where a folder belongs");
  const rotated = journal.rotate(newGeneration(2, cnsa), cause());
  await assert.rejects(journal.checkpoint(), { code: "journal_unavailable" });
  await appendMany(journal, 0, 300);
  assert.equal(journal.head()?.size, 0);
  rmSync(join(folder, "crossings"));
  await rotated;
  await journal.close();
  assert.equal((await intact(folder, keyOf(first))).size, 301);
});

test("a journal that is closed before its crossing could be written says so, and the next one writes it", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  writeFileSync(join(folder, "crossings"), "a file where a folder belongs");
  const second = newGeneration(2, cnsa);
  const rotated = journal.rotate(second, cause());
  rotated.catch(() => undefined);
  await appendMany(journal, 0, 300);
  await assert.rejects(journal.close(), { code: "journal_unavailable" });
  await assert.rejects(rotated, { code: "journal_unavailable" });
  rmSync(join(folder, "crossings"));
  await assert.rejects(open(folder), /rotation to generation 2 isn't finished/);
  await assert.rejects(
    open(folder, { next: () => Promise.resolve(newGeneration(2, cnsa)) }),
    /its keys aren't there/,
  );
  const again = await open(folder, { next: () => Promise.resolve(second) });
  assert.equal(again.generation().number, 2);
  await again.close();
  const { size, generations } = await intact(folder, keyOf(first));
  assert.deepEqual([size, generations[0]?.toSize], [301, 1]);
});

test("who died between the crossing and its publication finds it at the next start", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 10);
  await journal.checkpoint();
  const before = readFileSync(join(folder, "checkpoint"));
  const second = newGeneration(2, cnsa);
  await journal.rotate(second, cause());
  const crossed = readFileSync(join(folder, "checkpoint"));
  await appendMany(journal, 10, 20);
  abandon(folder);
  writeFileSync(join(folder, "checkpoint"), before);
  // To an auditor too it is no rollback: what the crossing covers is there.
  assert.equal((await intact(folder, keyOf(first))).uncovered, 11);
  const again = await open(folder, { signers: signersOf(second), generation: 2 });
  assert.deepEqual(readFileSync(join(folder, "checkpoint")), crossed);
  await again.close();
  assert.equal((await intact(folder, keyOf(first))).size, 21);
});

interface Rotated {
  readonly folder: string;
  readonly second: GenerationSigners;
  readonly third: GenerationSigners;
  /** The checkpoint before the first rotation, and those right after each. */
  readonly heads: readonly [Buffer, Buffer, Buffer];
}

/** A log of 30 entries and two rotations, closed. */
async function rotatedTwice(): Promise<Rotated> {
  const folder = newFolder();
  const journal = await open(folder);
  const [second, third] = [newGeneration(2, cnsa), newGeneration(3)];
  const heads: Buffer[] = [];
  const keep = async (from: number): Promise<void> => {
    await appendMany(journal, from, from + 10);
    await journal.checkpoint();
    heads.push(readFileSync(join(folder, "checkpoint")));
  };
  await keep(0);
  await journal.rotate(second, cause());
  await keep(10);
  await journal.rotate(third, cause());
  await keep(20);
  await journal.close();
  const [one, two, three] = heads;
  return one && two && three ? { folder, second, third, heads: [one, two, three] } : assert.fail();
}

function copyOf(folder: string): string {
  const copy = newFolder();
  mkdirSync(copy, { recursive: true });
  cpSync(folder, copy, { recursive: true });
  return copy;
}

const log = await rotatedTwice();

/** The log as somebody goes on with it who has only these keys: he begins where they signed and invents the rest. */
async function forged(by: GenerationSigners, prepare: (folder: string) => void): Promise<string> {
  const folder = newFolder();
  // A fresh history under the same name: the cheapest thing that stolen keys are good for.
  const journal = await open(folder, { signers: signersOf(by) });
  await appendMany(journal, 0, 40);
  await journal.close();
  prepare(folder);
  return folder;
}

test("any generation's keys verify the log, and the verdict says which were walked", async () => {
  for (const [logKey, given] of [
    [keyOf(first), [1]],
    [keyOf(log.second), [2]],
    [keyOf(log.third), [3]],
    [keyOf(first, log.second), [1, 2]],
    [keyOf(first, log.second, log.third), [1, 2, 3]],
  ] as const) {
    const { generations } = await intact(log.folder, logKey);
    assert.deepEqual(
      generations.map(({ number, fromSize, toSize }) => [number, fromSize, toSize]),
      [
        [1, 0, 11],
        [2, 11, 22],
        [3, 22, undefined],
      ],
    );
    assert.deepEqual(
      generations.flatMap(({ number, isGiven }) => (isGiven ? [number] : [])),
      given,
    );
  }
});

test("heads kept from any generation are known again", async () => {
  for (const head of log.heads) {
    assert.deepEqual(await faults(log.folder, keyOf(first), head), []);
    assert.deepEqual(await faults(log.folder, keyOf(log.third), head), []);
  }
});

test("a crossing that is missing is told, whichever keys one has", async () => {
  for (const number of [2, 3]) {
    const copy = copyOf(log.folder);
    rmSync(join(copy, crossingPath(number)));
    for (const logKey of [keyOf(first), keyOf(log.third), keyOf(first, log.second, log.third)]) {
      const told = await faults(copy, logKey);
      assert.match(told.join("\n"), new RegExp(`^missing: crossings/${number}.tlog-proof is missing`, "m"));
    }
  }
});

test("a crossing whose file has other keys than its entry names is told", async () => {
  const copy = copyOf(log.folder);
  const file = join(copy, crossingPath(2));
  const other = publicGeneration(newGeneration(2, cnsa));
  const text = readFileSync(file, "utf8").replace(/^extra (.*)$/m, (_, base64: string) => {
    const extra = Buffer.from(base64, "base64").toString();
    const [before = ""] = /^# generation 1\n[^#]+/.exec(extra) ?? [];
    const entry = extra.slice(extra.indexOf("\n\n"));
    const keys = other.keys.map(({ vkey }) => `${vkey}\n`).join("");
    return `extra ${Buffer.from(`${before}# generation 2\n${keys.trimEnd()}\n${entry.slice(1)}`).toString("base64")}`;
  });
  writeFileSync(file, text);
  assert.match(
    (await faults(copy, keyOf(first))).join("\n"),
    /names other keys of generation 2 than the file has/,
  );
});

test("a crossing of another rotation, of another log's, or from other keys is told", async () => {
  const swapped = copyOf(log.folder);
  cpSync(join(swapped, crossingPath(3)), join(swapped, crossingPath(2)));
  assert.match((await faults(swapped, keyOf(first))).join("\n"), /it is the crossing to generation 3/);
  const other = await rotatedTwice();
  const mixed = copyOf(log.folder);
  cpSync(join(other.folder, crossingPath(3)), join(mixed, crossingPath(3)));
  assert.match(
    (await faults(mixed, keyOf(first))).join("\n"),
    /has other keys of generation 2 than are known/,
  );
  const strangers = { ...newGeneration(1) };
  assert.match(
    (await faults(log.folder, keyOf(strangers))).join("\n"),
    /crossings\/2.tlog-proof has other keys of generation 1 than are known/,
  );
});

test("a crossing needs the signatures of both generations, on the head that ends with its entry", async () => {
  const file = crossingPath(2);
  const reading = readCrossing(readFileSync(join(log.folder, file)), 2);
  assert.ok(reading.kind === "crossing");
  const { crossing } = reading;
  const [ours, theirs] = [signersOf(first), signersOf(log.second)];
  const told = async (
    by: typeof ours,
    change: Partial<CrossingParts> = {},
    tree = crossing.head,
  ): Promise<string> => {
    const checkpoint = await signHead(tree, by, 1_790_000_000);
    const copy = copyOf(log.folder);
    writeFileSync(join(copy, file), crossingBytes({ ...crossing, checkpoint, ...change }));
    return (await faults(copy, keyOf(first))).join("\n");
  };
  assert.equal(await told([...ours, ...theirs]), "");
  assert.match(await told(ours), /its head isn't signed by generation 2/);
  assert.match(await told(theirs), /its head isn't signed by generation 1/);
  assert.match(await told([...ours, ...theirs.slice(1)]), /its head isn't signed by generation 2/);
  const isnt = /its entry isn't the last one under its head/;
  const both = [...ours, ...theirs];
  assert.match(await told(both, {}, { ...crossing.head, size: crossing.head.size + 1 }), isnt);
  assert.match(await told(both, {}, { ...crossing.head, root: new Uint8Array(32) }), isnt);
  assert.match(await told(both, { index: crossing.index - 1 }), isnt);
  assert.match(await told(both, { proof: crossing.proof.slice(1) }), isnt);
});

test("bytes changed anywhere in a crossing are told", async () => {
  const bytes = readFileSync(join(log.folder, crossingPath(2)));
  for (let at = 0; at < bytes.length; at += 997) {
    const copy = copyOf(log.folder);
    const bent = Buffer.from(bytes);
    bent.writeUInt8((bent[at] ?? 0) ^ 1, at);
    writeFileSync(join(copy, crossingPath(2)), bent);
    assert.notDeepEqual(await faults(copy, keyOf(first)), [], `byte ${at}`);
  }
});

test("a head of the whole log signed with ended keys is told, whichever keys one has", async () => {
  for (const [ended, number] of [
    [first, 1],
    [log.second, 2],
  ] as const) {
    const copy = copyOf(log.folder);
    const journalHead = readHead(readFileSync(join(copy, "checkpoint")), keyOf(log.third));
    assert.ok(journalHead.kind === "signed");
    writeFileSync(
      join(copy, "checkpoint"),
      await signHead({ ...journalHead.head, origin }, signersOf(ended), 1_790_000_000),
    );
    for (const logKey of [keyOf(first), keyOf(ended), keyOf(first, log.second, log.third)]) {
      const told = (await faults(copy, logKey)).join("\n");
      assert.match(
        told,
        new RegExp(
          `signed by generation ${number} of the log's keys, which ended with the head of ${number * 11} entries; generation 3 signs since`,
        ),
      );
    }
  }
});

test("a log rolled back to before a rotation is told by the crossing, by newer keys and by a head that was kept", async () => {
  const copy = copyOf(log.folder);
  writeFileSync(join(copy, "checkpoint"), log.heads[0]);
  const bundle = readFileSync(join(copy, "open", "0"));
  writeFileSync(join(copy, "open", "0"), bundle.subarray(0, cutAt(bundle, 10)));
  assert.match(
    (await faults(copy, keyOf(first))).join("\n"),
    /rolled back: its head covers 10 entries, but crossings\/2.tlog-proof is a head of 11/,
  );
  rmSync(join(copy, "crossings"), { recursive: true });
  assert.notDeepEqual(await faults(copy, keyOf(first, log.second)), []);
  assert.notDeepEqual(await faults(copy, keyOf(log.third)), []);
  assert.match(
    (await faults(copy, keyOf(first), log.heads[1])).join("\n"),
    /head that was kept can't be used/,
  );
  assert.match(
    (await faults(copy, keyOf(first), log.heads[2])).join("\n"),
    /head that was kept can't be used/,
  );
});

test("stolen keys of an ended generation make no log that who knows newer ones, or a newer head, would take", async () => {
  const bare = await forged(first, () => undefined);
  assert.match((await faults(bare, keyOf(first, log.second, log.third))).join("\n"), /generation 3/);
  assert.notDeepEqual(await faults(bare, keyOf(log.third)), []);
  for (const seen of log.heads.slice(1)) assert.notDeepEqual(await faults(bare, keyOf(first), seen), []);
  const dressed = await forged(first, (folder) => {
    cpSync(join(log.folder, "crossings"), join(folder, "crossings"), { recursive: true });
  });
  assert.notDeepEqual(await faults(dressed, keyOf(first)), []);
});

test("a log that was invented with the newest keys isn't the one that its crossings are of", async () => {
  const second = await forged(log.second, (folder) => {
    cpSync(join(log.folder, crossingPath(2)), join(folder, crossingPath(2)));
  });
  assert.deepEqual(await faults(second, keyOf(first)), [
    "forked: this isn't the log of crossings/2.tlog-proof: its first 11 entries have another root",
  ]);
});

test("a generation that came with stolen keys isn't taken for the one that is known", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 10);
  const thiefs = newGeneration(2, cnsa);
  await journal.rotate(thiefs, cause());
  await journal.close();
  assert.match(
    (await faults(folder, keyOf(log.second))).join("\n"),
    /other keys of generation 2 than are known/,
  );
  assert.notDeepEqual(await faults(folder, keyOf(first), log.heads[1]), []);
});

test("a signature of each generation alone, or halves of two, is no crossing and no head", async () => {
  const tree = { origin, size: 5, root: new Uint8Array(32).fill(1) };
  const [one, two] = [newGeneration(1), newGeneration(2)];
  const [edOne] = one.signers;
  const [, mlTwo] = two.signers;
  assert.ok(edOne && mlTwo);
  const halves = readHead(await signHead(tree, [edOne, mlTwo], 0), keyOf(one, two));
  assert.equal(halves.kind, "unsigned");
  const both = readHead(await signHead(tree, [...one.signers, ...two.signers], 0), keyOf(one, two));
  assert.deepEqual(both.kind === "signed" && both.head.generations, [1, 2]);
});

test("a journal isn't opened with ended keys, with keys of another generation, or without a crossing", async () => {
  const copy = copyOf(log.folder);
  const opening = (by: GenerationSigners, folder = copy) =>
    open(folder, { signers: signersOf(by), generation: by.number });
  await assert.rejects(opening(first), /keys have rotated to generation 2/);
  await assert.rejects(opening(log.second), /keys have rotated to generation 3/);
  await assert.rejects(opening(newGeneration(3)), /leads to other keys/);
  const lacking = copyOf(log.folder);
  rmSync(join(lacking, crossingPath(2)));
  await assert.rejects(opening(log.third, lacking), /crossings\/2.tlog-proof is missing/);
  const wrongHead = copyOf(log.folder);
  writeFileSync(join(wrongHead, "checkpoint"), log.heads[1]);
  const journal = await opening(log.third, wrongHead);
  assert.ok((journal.head()?.size ?? 0) >= 22, "the crossing is newer than that head");
  await journal.close();
  assert.ok(!existsSync(join(copy, "lock")));
});

test("a rotation at the end of a bundle leaves every file that its head needs", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, tileWidth - 1);
  await journal.rotate(newGeneration(2, cnsa), cause());
  const head = readFileSync(join(folder, "checkpoint"));
  assert.match(head.toString(), new RegExp(`\\n${tileWidth}\\n`));
  assert.ok(existsSync(join(folder, "tile", "entries", "000")));
  assert.equal((await intact(folder, keyOf(first))).uncovered, 0);
  await journal.close();
});

test("the key file that goes with a log is read as its generations", async () => {
  const text = formatLogKey(keyOf(first, log.second, log.third));
  assert.equal((await intact(log.folder, readLogKey(text))).generations.length, 3);
});

test("SLH-DSA of both generations signs the crossing", async () => {
  const folder = newFolder();
  const kind = "slh-dsa-sha2-128s";
  const daily = (): GenerationSigners["dailySigner"] => noteSigner(kind, origin, newSigningKey(kind));
  const one = { ...first, dailySigner: daily() };
  const two = { ...newGeneration(2, cnsa), dailySigner: daily() };
  const journal = await open(folder, { ...(one.dailySigner && { dailySigner: one.dailySigner }) });
  await journal.rotate(two, cause());
  const head = readHead(readFileSync(join(folder, "checkpoint")), keyOf(two));
  assert.deepEqual(head.kind === "signed" && head.head.signedBy, [...cnsa, kind]);
  const old = readHead(readFileSync(join(folder, "checkpoint")), keyOf(one));
  assert.deepEqual(old.kind === "signed" && old.head.signedBy, [...hybrid, kind]);
  await journal.close();
  await intact(folder, keyOf(one));
});

/** Where entry `count` of a bundle begins. */
function cutAt(bundle: Buffer, count: number): number {
  let at = 0;
  for (let i = 0; i < count; i++) at += 2 + bundle.readUInt16BE(at);
  return at;
}
