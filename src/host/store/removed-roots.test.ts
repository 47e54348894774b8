/** Retention and renewals of one log: what is removed lawfully breaks no renewal, and what isn't is still found. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { withBit } from "../../../test/support/changed-bytes.ts";
import { appendMany, cause } from "../../../test/support/log-fixture.ts";
import { copyOf, forgeEntry, logToRenew, type RenewedLog } from "../../../test/support/renewed-log.ts";
import { pruneDraft } from "../../audit/prune.ts";
import { removedRootsPath } from "../../audit/removed-entries.ts";
import { renewalPath } from "../../audit/renewal.ts";
import { proveRenewed, readRenewedEntry, renewedEntryBytes } from "../../audit/renewed-entry.ts";
import { type Verdict, verifyLog } from "../../audit/verify.ts";
import { type StandingVerdict, verifyStanding } from "../../audit/verify-standing.ts";
import { readFallen, standingWithout } from "../../crypto/suites/fallen.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { bundlePath, tilePath, tileWidth } from "../../merkle/tiles.ts";
import { pruneLog } from "./journal-retention.ts";
import { openLogReader } from "./log-reader.ts";

type Checked = Pick<RenewedLog, "folder" | "logKey">;

/** Entries that say of renewals and retention that they were made happened long after the fixture's. */
const allOld = 86_400_000_000;

/** Removes the entries before that one, as far as they are whole bundles. */
async function prune({ folder, journal }: RenewedLog, before: number): Promise<number> {
  const beforeUnixMs = 1_790_000_000_000 + before;
  const draft = (first: number) => pruneDraft(first, beforeUnixMs, cause());
  const pruned = await pruneLog({ folder, journal, beforeUnixMs, draft });
  return pruned.first;
}

function verified({ folder, logKey }: Checked): Promise<Verdict> {
  return verifyLog({ files: openLogReader(folder).files, logKey });
}

function withoutSha256({ folder, logKey }: Checked): Promise<StandingVerdict> {
  const { files } = openLogReader(folder);
  return verifyStanding({ files, logKey, fallen: [readFallen("SHA-256")] });
}

async function intact(log: Checked): Promise<readonly [pruned: number, from: readonly number[]]> {
  const verdict = await verified(log);
  assert.ok(verdict.kind === "intact", JSON.stringify(verdict));
  return [verdict.pruned, verdict.renewals.map(({ from }) => from)];
}

/** `renewals/1 700 -512 +21`. */
async function proven(log: Checked): Promise<string> {
  const verdict = await withoutSha256(log);
  assert.ok(verdict.kind === "proven", JSON.stringify(verdict));
  return `${verdict.by.path} ${verdict.by.size} -${verdict.removed} +${verdict.unproven}`;
}

async function notes(log: Checked): Promise<readonly string[]> {
  const verdict = await withoutSha256(log);
  return verdict.kind === "broken" ? [] : verdict.notes;
}

async function findings(log: Checked): Promise<readonly string[]> {
  const verdict = await verified(log);
  return verdict.kind === "broken" ? verdict.findings.map(({ what, text }) => `${what}: ${text}`) : [];
}

async function provesEntry(
  { folder, logKey }: Checked,
  number: number,
  index: number,
): Promise<boolean | undefined> {
  const note = readFileSync(join(folder, renewalPath(number)));
  const proof = await proveRenewed(openLogReader(folder).files, index, note);
  if (proof === undefined) return undefined;
  const standing = standingWithout([readFallen("SHA-256")]);
  return readRenewedEntry(renewedEntryBytes(proof), logKey, standing).kind === "proven";
}

function changeByte(file: string, at: number): void {
  writeFileSync(file, withBit(readFileSync(file), 8 * at));
}

/** 700 entries wrapped, and so many behind. */
async function renewedLog(count = 700, more = 500): Promise<RenewedLog> {
  const log = await logToRenew(count);
  await log.renew();
  await appendMany(log.journal, count, count + more);
  await log.journal.checkpoint();
  return log;
}

test("a log that was renewed and pruned is intact, and what is kept is proven without SHA-256", async () => {
  const log = await renewedLog();
  assert.equal(await prune(log, 600), 512);
  assert.equal(statSync(join(log.folder, removedRootsPath(1))).size, 2 * 64);
  assert.deepEqual(await intact(log), [512, [0]]);
  assert.equal(await proven(log), "renewals/1 700 -512 +502");
  const unproven = "that entries might be removed is said by entry 1201, which isn't proven";
  assert.ok((await notes(log)).includes(unproven));
  for (const index of [512, 600, 699]) assert.equal(await provesEntry(log, 1, index), true);
  for (const index of [0, 511, 700]) assert.equal(await provesEntry(log, 1, index), undefined);

  // To behind the renewal's end, which is within a bundle; its tree has 188 leaves of that.
  assert.equal(await prune(log, allOld), 1024);
  assert.equal(statSync(join(log.folder, removedRootsPath(1))).size, 3 * 64);
  await log.journal.close();
  assert.deepEqual(await intact(log), [1024, [0]]);
  assert.equal(await proven(log), "renewals/1 700 -700 +503");
});

const tampered: readonly (readonly [string, (folder: string) => void, RegExp, RegExp])[] = [
  [
    "was changed",
    (folder) => changeByte(join(folder, removedRootsPath(1)), 70),
    /renewals\/1 wraps other entries: .*, or renewals\/1\.pruned was changed/,
    /renewals\/1 wraps other entries/,
  ],
  [
    "was taken away",
    (folder) => rmSync(join(folder, removedRootsPath(1))),
    /missing: renewals\/1\.pruned is missing or cut: nothing stands for the removed entries from 0 on/,
    /renewals\/1\.pruned is missing or cut/,
  ],
  [
    "was cut",
    (folder) => truncateSync(join(folder, removedRootsPath(1)), 127),
    /missing: renewals\/1\.pruned is missing or cut: nothing stands for the removed entries from 256 on/,
    /renewals\/1\.pruned is missing or cut/,
  ],
];

for (const [what, change, expected, without] of tampered) {
  test(`a renewals/1.pruned that ${what} is told`, async () => {
    const log = await renewedLog();
    await prune(log, 600);
    await log.journal.close();
    const forged = { ...log, folder: copyOf(log.folder) };
    change(forged.folder);
    assert.match((await findings(forged)).join("\n"), expected);
    const verdict = await withoutSha256(forged);
    assert.ok(verdict.kind === "broken", JSON.stringify(verdict));
    assert.match(verdict.findings.map(({ text }) => text).join("\n"), without);
  });
}

test("entries that are kept can't be forged behind what stands for the removed ones, nor taken away without log.prune", async () => {
  const log = await renewedLog();
  await prune(log, 600);
  await log.journal.close();
  const forged = { ...log, folder: copyOf(log.folder) };
  forgeEntry(forged.folder, 600, (text) => text.replace('"rule":"readers"', '"rule":"whoever"'));
  assert.equal((await withoutSha256(forged)).kind, "broken");
  const cut = { ...log, folder: copyOf(log.folder) };
  rmSync(join(cut.folder, bundlePath(2)));
  assert.match((await findings(cut)).join("\n"), /no log\.prune/);
  assert.equal((await withoutSha256(cut)).kind, "broken");
});

test("a torn or early end of renewals/1.pruned is written anew by the next run, before anything goes", async () => {
  const log = await renewedLog();
  await prune(log, 300);
  appendFileSync(join(log.folder, removedRootsPath(1)), new Uint8Array(100));
  assert.equal(await prune(log, 600), 512);
  await log.journal.close();
  assert.deepEqual(await intact(log), [512, [0]]);
});

test("a run that died between what stands for the entries and the entries' end is gone on with", async () => {
  const log = await renewedLog();
  const { folder } = log;
  const bundles = [0, 1].map((i) => readFileSync(join(folder, bundlePath(i))));
  await prune(log, 600);
  writeFileSync(join(folder, bundlePath(1)), bundles[1] ?? assert.fail());
  assert.equal(await openLogReader(folder).first(), 256);
  assert.deepEqual(await intact(log), [256, [0]]);
  bundles.forEach((bytes, i) => writeFileSync(join(folder, bundlePath(i)), bytes));
  truncateSync(join(folder, removedRootsPath(1)), 30);
  assert.deepEqual(await intact(log), [0, [0]]);
  assert.equal(await prune(log, 600), 512);
  await log.journal.close();
  assert.deepEqual(await intact(log), [512, [0]]);
});

test("nothing is removed that a renewal would lose its proof of: without what stands for the entries that are gone, retention stops", async () => {
  const log = await renewedLog();
  await prune(log, 300);
  rmSync(join(log.folder, removedRootsPath(1)));
  await assert.rejects(
    prune(log, 600),
    (error) =>
      error instanceof Refusal && error.code === "bad_log" && /renewals\/1\.pruned/.test(error.message),
  );
  assert.ok(existsSync(join(log.folder, bundlePath(1))));
  await log.journal.close();
});

test("a log that was pruned before its first renewal is wrapped with the hashes of what is gone, and the renewal says so", async () => {
  const log = await logToRenew(1000);
  await log.journal.checkpoint();
  const whole = { ...log, folder: copyOf(log.folder) };
  await prune(log, 600);
  const { from } = await log.renew();
  assert.equal(from, 512);
  assert.match(
    readFileSync(join(log.folder, renewalPath(1)), "utf8"),
    /^entries 1001 \S+\nfrom 512\nevidence /m,
  );
  assert.deepEqual(await intact(log), [512, [512]]);
  assert.equal(await proven(log), "renewals/1 1001 -512 +1");
  assert.equal(await provesEntry(log, 1, 700), true);
  assert.equal(await prune(log, 800), 768);
  assert.deepEqual(await intact(log), [768, [512]]);
  await log.journal.close();

  // A copy that has kept what the log removed is the same log.
  cpSync(log.folder, whole.folder, { recursive: true });
  assert.ok(existsSync(join(whole.folder, bundlePath(0))));
  assert.deepEqual(await intact(whole), [0, [512]]);
  assert.equal(await proven(whole), "renewals/1 1001 -0 +2");
  assert.equal(await provesEntry(whole, 1, 3), undefined, "it stands there by its SHA-256 hash alone");
  assert.equal(await provesEntry(whole, 1, 700), true);
});

test("a renewal after renewal and retention keeps what the first one knew, under the same hash and under another", async () => {
  const log = await renewedLog();
  await prune(log, allOld);
  assert.equal(
    (await log.renew()).from,
    1024,
    "the bundle in which the first renewal ends, and those behind",
  );
  assert.equal((await log.renew({ hash: "SHA-512" })).from, 1024);
  await appendMany(log.journal, 1210, 1900);
  assert.equal(await prune(log, 1200), 1024);
  assert.deepEqual(await intact(log), [1024, [0, 1024, 1024]]);
  assert.match(await proven(log), /^renewals\/3 \d+ -1024 /);
  assert.doesNotMatch((await notes(log)).join("\n"), /might be removed/);
  const [first, second] = [1, 2].map((number) => readFileSync(join(log.folder, removedRootsPath(number))));
  assert.deepEqual(first?.subarray(0, 128), second?.subarray(0, 128));
  await log.journal.close();
});

test("an entry of a renewal that retention removed isn't missed, and the next renewal doesn't name it again", async () => {
  const log = await renewedLog(200, 400);
  await prune(log, allOld);
  const { size } = await log.renew();
  assert.equal(log.journal.size(), size + 1);
  await log.journal.close();
  assert.deepEqual(await intact(log), [512, [0, 512]]);
});

test("a new renewal isn't made over a renewals/1.pruned that isn't what was wrapped, nor over a tile that isn't", async () => {
  const log = await renewedLog();
  await prune(log, 600);
  const pruned = join(log.folder, removedRootsPath(1));
  const was = readFileSync(pruned);
  changeByte(pruned, 70);
  const isBad = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_log";
  await assert.rejects(log.renew(), isBad);
  rmSync(pruned);
  await assert.rejects(log.renew(), isBad);
  cpSync(join(log.folder, removedRootsPath(2)), pruned);
  assert.notDeepEqual(readFileSync(pruned), was);
  changeByte(join(log.folder, tilePath({ level: 0, index: 0, width: tileWidth })), 3);
  await assert.rejects(log.renew({ hash: "SHA-512" }), isBad);
  assert.equal(existsSync(join(log.folder, renewalPath(2))), false);
  await log.journal.close();
});
