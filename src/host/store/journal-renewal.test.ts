/** Renewals: what they wrap stays proven though an algorithm of its time has fallen, and nobody changes one unseen. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { appendMany, cause, draft, origin } from "../../../test/support/log-fixture.ts";
import {
  brokenSha256,
  copyOf,
  forgeEntry,
  forgeHistory,
  logToRenew,
  nowUnixMs,
  otherDrafts,
  type RenewedLog,
  wholeGeneration,
} from "../../../test/support/renewed-log.ts";
import { readNote } from "../../audit/checkpoint.ts";
import {
  readRenewalBody,
  type RenewalBody,
  renewalBody,
  renewalPath,
  renewedFilesPath,
  renewedHeadPath,
  signRenewal,
} from "../../audit/renewal.ts";
import { renewedFile } from "../../audit/renewed-files.ts";
import { proveRenewed, readRenewedEntry, renewedEntryBytes } from "../../audit/renewed-entry.ts";
import { verifyLog } from "../../audit/verify.ts";
import { type StandingVerdict, verifyStanding } from "../../audit/verify-standing.ts";
import { type Hashes, hashes } from "../../crypto/hash.ts";
import type { LogKey } from "../../crypto/log-key.ts";
import { type NoteSigner, noteVerifier } from "../../crypto/note-keys.ts";
import { readFallen, standingWithout } from "../../crypto/suites/fallen.ts";
import { toBase64 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { renewLog } from "./journal-renewal.ts";
import { type GenerationSigners, publicGeneration, signersOf } from "./journal-rotation.ts";
import { openLogReader } from "./log-reader.ts";

type Checked = Pick<RenewedLog, "folder" | "logKey">;

async function faults({ folder, logKey }: Checked, by: Hashes = hashes): Promise<readonly string[]> {
  const verdict = await verifyLog({ files: openLogReader(folder).files, logKey, hashes: by });
  return verdict.kind === "broken" ? verdict.findings.map(({ what, text }) => `${what}: ${text}`) : [];
}

function without(
  { folder, logKey }: Checked,
  fallen: readonly string[],
  by: Hashes = hashes,
): Promise<StandingVerdict> {
  const { files } = openLogReader(folder);
  return verifyStanding({ files, logKey, hashes: by, fallen: fallen.map(readFallen) });
}

/** `renewals/1 300`, or what else the verdict is. */
function told(verdict: StandingVerdict): string {
  if (verdict.kind === "proven") return `${verdict.by.path} ${verdict.by.size} +${verdict.unproven}`;
  return verdict.kind === "unproven" ? `unproven ${verdict.unproven}` : (verdict.findings[0]?.text ?? "");
}

const forgeFacts = (text: string): string => text.replace('"rule":"readers"', '"rule":"whoever"');

/** 700 entries wrapped, 20 more behind, closed. */
async function renewedLog(count = 700): Promise<RenewedLog> {
  const log = await logToRenew(count);
  await log.renew();
  await appendMany(log.journal, count, count + 19);
  // The fixture's entries are older than its heads, and daily heads are found by the days of the entries.
  await log.journal.append(draft(count + 19, { atUnixMs: nowUnixMs }));
  await log.journal.close();
  return log;
}

const log = await renewedLog();

test("a log with a renewal is intact, and the renewal is named", async () => {
  const { folder, logKey } = log;
  const verdict = await verifyLog({ files: openLogReader(folder).files, logKey });
  assert.ok(verdict.kind === "intact", JSON.stringify(verdict));
  assert.deepEqual(
    verdict.renewals.map(({ number, size, hash, signedBy }) => [number, size, hash, signedBy.join(" ")]),
    [[1, 700, "SHA3-512", "ed25519 ml-dsa-65 slh-dsa-sha2-128s"]],
  );
  assert.equal(verdict.size, 721);
});

test("SHA-256 has fallen: an entry forged under it passes where nobody renewed, and is told where somebody did", async () => {
  const never = await logToRenew(300);
  await never.journal.close();
  const bare = { ...never, folder: copyOf(never.folder) };
  const forgedBare = forgeEntry(bare.folder, 5, forgeFacts);
  assert.notDeepEqual(forgedBare.bytes, forgedBare.was);
  assert.notDeepEqual(await faults(bare), [], "with SHA-256 as it is, it is told");
  assert.deepEqual(await faults(bare, brokenSha256(forgedBare)), [], "the break is real: it passes");
  assert.equal(told(await without(bare, ["SHA-256"], brokenSha256(forgedBare))), "unproven 300");

  const forged = { ...log, folder: copyOf(log.folder) };
  const broken = brokenSha256(forgeEntry(forged.folder, 5, forgeFacts));
  const text = /^renewals\/1 wraps other entries: the first 700 have another SHA3-512 root$/;
  const verdict = await without(forged, ["SHA-256"], broken);
  assert.equal(verdict.kind, "broken");
  assert.match(told(verdict), text);
  assert.match((await faults(forged, broken)).join("\n"), /renewal: renewals\/1 wraps other entries/);
});

test("SHA-256 has fallen: the true log is proven up to its renewal, what is behind it isn't, and forged there it isn't told", async () => {
  assert.equal(told(await without(log, ["SHA-256"])), "renewals/1 700 +21");
  const forged = { ...log, folder: copyOf(log.folder) };
  const broken = brokenSha256(forgeEntry(forged.folder, 710, forgeFacts));
  assert.deepEqual(await faults(forged, broken), [], "the break is real");
  assert.equal(told(await without(forged, ["SHA-256"], broken)), "renewals/1 700 +21");
});

test("SHA-256 has fallen: who takes the renewal away and forges the entry that names it proves nothing", async () => {
  const forged = { ...log, folder: copyOf(log.folder) };
  const rename = (text: string): string => text.replaceAll("log.renew", "log.wrote");
  const broken = brokenSha256(
    forgeEntry(forged.folder, 5, forgeFacts),
    forgeEntry(forged.folder, 700, rename),
  );
  rmSync(join(forged.folder, "renewals"), { recursive: true });
  assert.deepEqual(await faults(forged, broken), [], "without --broken it would pass");
  assert.equal(told(await without(forged, ["SHA-256"], broken)), "unproven 721");
});

test("ML-DSA-65 and Ed25519 have fallen: another history under a head by them passes, and is told by what SLH-DSA signed", async () => {
  const small = await renewedLog(100);
  const forged = { ...small, folder: copyOf(small.folder) };
  for (const path of ["renewals", "checkpoints"]) rmSync(join(forged.folder, path), { recursive: true });
  await forgeHistory(forged.folder, small.keys, otherDrafts(121, 5));
  assert.deepEqual(await faults(forged), [], "the break is real: who has these keys makes such a log");
  assert.equal(told(await without(forged, ["ML-DSA-65", "Ed25519"])), "unproven 121");

  const half = { ...small, folder: copyOf(small.folder) };
  await forgeHistory(half.folder, small.keys, otherDrafts(121, 5));
  const verdict = await without(half, ["ML-DSA-65", "Ed25519"]);
  assert.match(told(verdict), /renewals\/1 wraps other entries|have another root than checkpoints/);
  assert.equal(verdict.kind, "broken");
});

test("one signature algorithm has fallen: the rest carries a head if one of it is post-quantum, else a renewal or a daily head does", async () => {
  assert.equal(told(await without(log, ["Ed25519"])), "checkpoint 721 +0");
  assert.equal(told(await without(log, ["ML-DSA-44"])), "checkpoint 721 +0");
  assert.equal(told(await without(log, ["ML-DSA-65"])), "renewals/1 700 +21");
  assert.equal(told(await without(log, ["ML-DSA-65", "SLH-DSA-SHA2-128s"])), "unproven 721");
  assert.equal(told(await without(log, ["SHA3-512"])), "checkpoint 721 +0");
  assert.equal(told(await without(log, ["SHA3-512", "ML-DSA-65"])), "checkpoints/2026-11-21.first 700 +21");
  // SLH-DSA-SHA2 falls with SHA-256, and ML-DSA-65 is what is left.
  const verdict = await without(log, ["SHA-256"]);
  assert.deepEqual(verdict.kind === "proven" ? verdict.by.signedBy : [], ["ed25519", "ml-dsa-65"]);
  assert.equal(told(await without(log, ["SHA-256", "ML-DSA-65"])), "unproven 721");
});

test("one signature algorithm has fallen: entries that the rest didn't sign are told by the head that it carries", async () => {
  const never = await logToRenew(300);
  await never.journal.close();
  assert.equal(told(await without(never, ["Ed25519"])), "checkpoint 300 +0");
  forgeEntry(never.folder, 5, forgeFacts);
  const verdict = await without(never, ["Ed25519"]);
  assert.deepEqual(
    [verdict.kind, told(verdict)],
    ["broken", "the first 300 entries have another root than checkpoint"],
  );
});

test("with a day, a renewal counts that was made before it, and none that was made later", async () => {
  assert.equal(told(await without(log, ["SHA-256@2034-05-01"])), "renewals/1 700 +21");
  assert.equal(told(await without(log, ["SHA-256@2026-11-21"])), "unproven 721");
  const late = await logToRenew(10);
  await late.renew();
  await late.renew({ nowUnixMs: Date.UTC(2035, 0, 1) });
  assert.equal(told(await without(late, ["SHA-256@2034-05-01"])), "renewals/1 10 +2");
  await late.journal.close();
});

test("--broken takes what the suite tables name, and days", () => {
  assert.deepEqual(readFallen("ML-DSA-65@2034-05-01"), {
    id: "ML-DSA-65",
    fromUnixMs: Date.UTC(2034, 4, 1),
  });
  for (const text of ["MD5", "", "SHA-256@", "SHA-256@2034", "SHA-256@2034-02-30", "SHA-256@2034-05-01@x"]) {
    assert.throws(
      () => readFallen(text),
      (error) => error instanceof Refusal && error.code === "bad_config",
    );
  }
});

/** The note signed anew, with something in it changed. */
async function resigned(
  folder: string,
  keys: GenerationSigners,
  change: Partial<RenewalBody>,
): Promise<void> {
  const file = join(folder, renewalPath(1));
  const body = readRenewalBody(readNote(readFileSync(file))?.text ?? "") ?? assert.fail();
  writeFileSync(file, await signRenewal(renewalBody({ ...body, ...change }), renewing(keys)));
}

/** All but the cosigner, as renewals are signed. */
function renewing(keys: GenerationSigners): readonly NoteSigner[] {
  return signersOf(keys).filter(({ vkey }) => noteVerifier(vkey).role !== "cosignature");
}

const otherRoot = new Uint8Array(64).fill(7);

const tampered: readonly (readonly [string, (folder: string) => Promise<void> | void, RegExp])[] = [
  [
    "whose text has another root",
    (folder) => rewrite(folder, renewalPath(1), (text) => text.replace(/(entries 700 )./, "$1/")),
    /renewals\/1 doesn't hold: its ed25519 signature is wrong/,
  ],
  [
    "signed anew with another root",
    (folder) => resigned(folder, log.keys, { root: otherRoot }),
    /renewals\/1 wraps other entries/,
  ],
  [
    "signed anew with other evidence",
    (folder) => resigned(folder, log.keys, { evidence: { count: 3, root: otherRoot } }),
    /renewals\/1\.files isn't the list that renewals\/1 names/,
  ],
  [
    "signed anew at another time",
    (folder) => resigned(folder, log.keys, { atUnixMs: 0 }),
    /renewals\/1 isn't the one that entry 700 says was made/,
  ],
  [
    "signed anew with another hash",
    (folder) => resigned(folder, log.keys, { hash: "SHA-512" }),
    /renewals\/1 wraps other entries: the first 700 have another SHA-512 root/,
  ],
  [
    "with a hash that no renewal has",
    (folder) => rewrite(folder, renewalPath(1), (text) => text.replace("hash SHA3-512", "hash SHA-256")),
    /renewals\/1 doesn't hold: it is no signed renewal/,
  ],
  [
    "signed by other keys",
    (folder) => resigned(folder, wholeGeneration(1), {}),
    /renewals\/1 doesn't hold: it has no signature of the log key/,
  ],
  [
    "without its hash-based signature",
    (folder) =>
      rewrite(folder, renewalPath(1), (text) => {
        const lines = text.split("\n");
        return lines.filter((line) => line.length < 9000).join("\n");
      }),
    /renewals\/1 doesn't hold: it has no signature of the log key \(slh-dsa-sha2-128s\)/,
  ],
  [
    "that is of another number",
    (folder) => resigned(folder, log.keys, { number: 2 }),
    /renewals\/1 doesn't hold: it is renewal 2/,
  ],
  [
    "of more entries than there are",
    (folder) => resigned(folder, log.keys, { size: 1000 }),
    /rolled back: the log was rolled back or cut: it has 721 entries, but renewals\/1 wraps 1000/,
  ],
  [
    "that was taken away",
    (folder) => rmSync(join(folder, renewalPath(1))),
    /missing: renewals\/1 is missing, though entry 700 says that it was made/,
  ],
  [
    "whose list was taken away",
    (folder) => rmSync(join(folder, renewedFilesPath(1))),
    /renewals\/1\.files is missing/,
  ],
  [
    "whose list was cut",
    (folder) => rewrite(folder, renewedFilesPath(1), (text) => text.slice(0, text.indexOf("\n") + 1)),
    /renewals\/1\.files isn't the list/,
  ],
  [
    "whose head was changed",
    (folder) => rewrite(folder, renewedHeadPath(1), (text) => text.replace("700", "699")),
    /renewals\/1\.checkpoint was changed, which renewals\/1 wraps/,
  ],
  [
    "whose evidence was changed",
    (folder) => rewrite(folder, "checkpoints/2026-11-21.first", (text) => `${text}— a.example/w AAAAAAAA\n`),
    /checkpoints\/2026-11-21\.first was changed, which renewals\/1 wraps/,
  ],
  [
    "whose evidence was changed together with the list",
    (folder) => {
      const path = "checkpoints/2026-11-21.first";
      rewrite(folder, path, (text) => `${text}— a.example/w AAAAAAAA\n`);
      const { leaf } = renewedFile(hashes("SHA3-512"), path, readFileSync(join(folder, path)));
      rewrite(folder, renewedFilesPath(1), (text) =>
        text.replace(/^\S+( checkpoints)/m, `${toBase64(leaf)}$1`),
      );
    },
    /renewals\/1\.files isn't the list that renewals\/1 names/,
  ],
  [
    "whose evidence was taken away",
    (folder) => rmSync(join(folder, "checkpoints/2026-11-21.first")),
    /missing: checkpoints\/2026-11-21\.first is missing, which renewals\/1 wraps/,
  ],
];

function rewrite(folder: string, path: string, change: (text: string) => string): void {
  const file = join(folder, path);
  const text = readFileSync(file, "utf8");
  const changed = change(text);
  assert.notEqual(changed, text);
  writeFileSync(file, changed);
}

/** Where SHA-256 has fallen, SLH-DSA-SHA2 has too, and entries are no witness of when it was. */
const unseenWithout = ["signed anew at another time", "without its hash-based signature"];

for (const [what, change, expected] of tampered) {
  test(`a renewal ${what} is told`, async () => {
    const folder = copyOf(log.folder);
    await change(folder);
    assert.match((await faults({ ...log, folder })).join("\n"), expected);
    const verdict = await without({ ...log, folder }, ["SHA-256"]);
    assert.equal(verdict.kind === "proven", unseenWithout.includes(what), told(verdict));
  });
}

test("a renewal is signed by the generation that signs at its size: one that has ended signs none, and crossings are wrapped", async () => {
  const rotating = await logToRenew(10);
  await rotating.renew();
  const second = wholeGeneration(2);
  await rotating.journal.rotate(second, cause());
  await rotating.renew({ signing: second });
  await appendMany(rotating.journal, 20, 25);
  await rotating.journal.close();
  const both: LogKey = [...rotating.logKey, publicGeneration(second)];
  for (const logKey of [rotating.logKey, both, [publicGeneration(second)]]) {
    assert.deepEqual(await faults({ ...rotating, logKey }), []);
  }
  const list = readFileSync(join(rotating.folder, renewedFilesPath(2)), "utf8");
  for (const path of ["crossings/2.tlog-proof", "renewals/1", "renewals/1.files", "renewals/1.checkpoint"]) {
    assert.ok(list.includes(` ${path}\n`), path);
  }
  // Without SHA-256 nothing leads from key to key: only what is given counts.
  assert.equal(told(await without({ ...rotating, logKey: both }, ["SHA-256"])), "renewals/2 12 +6");
  assert.equal(
    told(await without({ ...rotating, logKey: rotating.logKey }, ["SHA-256"])),
    "renewals/1 10 +8",
  );
  // Without ML-DSA-65 the crossing still leads there, since SLH-DSA signed it too.
  assert.equal(
    told(await without({ ...rotating, logKey: rotating.logKey }, ["ML-DSA-65"])),
    "renewals/2 12 +6",
  );

  const folder = copyOf(rotating.folder);
  const file = join(folder, renewalPath(2));
  const body = readRenewalBody(readNote(readFileSync(file))?.text ?? "") ?? assert.fail();
  writeFileSync(file, await signRenewal(body, renewing(rotating.keys)));
  const why = /renewals\/2 doesn't hold: it is signed by generation 1 of the log's keys/;
  assert.match((await faults({ ...rotating, folder, logKey: both })).join("\n"), why);
  const verdict = await without({ folder, logKey: both }, ["SHA-256"]);
  assert.equal(told(verdict), "renewals/1 10 +8");
  assert.match(verdict.kind === "proven" ? verdict.notes.join("\n") : "", why);
});

test("entries that aren't what the head vouches for are never wrapped", async () => {
  const changed = await logToRenew(600);
  await changed.journal.checkpoint();
  forgeEntry(changed.folder, 5, forgeFacts);
  await assert.rejects(changed.renew(), (error) => error instanceof Refusal && error.code === "bad_log");
  assert.equal(existsSync(join(changed.folder, renewalPath(1))), false);
  await changed.journal.close();
});

test("an empty log isn't renewed", async () => {
  const empty = await logToRenew(0);
  await assert.rejects(empty.renew(), (error) => error instanceof Refusal && error.code === "bad_state");
  await empty.journal.close();
});

test("a renewal that died before its note is made anew, and one that died before its entry gets it with the next", async () => {
  const log = await logToRenew(10);
  const away = { ...log.keys, signers: log.keys.signers.map((signer) => ({ ...signer, sign: dies })) };
  await assert.rejects(log.renew({ signing: away }), /the process died/);
  assert.ok(existsSync(join(log.folder, renewedFilesPath(1))));
  assert.equal(existsSync(join(log.folder, renewalPath(1))), false);
  assert.deepEqual(await faults(log), []);
  await log.journal.append(draft(11));

  const wish = { hash: "SHA3-512", cause: cause(), clock: { nowUnixMs: () => nowUnixMs } } as const;
  const dying = { ...log.journal, append: dies };
  const { folder, keys: signing } = log;
  const pause = (): Promise<void> => Promise.resolve();
  await assert.rejects(
    renewLog({ folder, origin, journal: dying, signing }, { ...wish, pause }),
    /the process died/,
  );
  assert.ok(existsSync(join(log.folder, renewalPath(1))));
  assert.deepEqual(await faults(log), [], "its entry may still be to come");
  const { number, size } = await log.renew();
  assert.deepEqual([number, size], [2, 11]);
  assert.deepEqual(await faults(log), []);
  const named: string[] = [];
  for await (const { reading } of openLogReader(folder).forwards()) {
    if (reading.kind === "entry" && reading.entry.event === "log.renew")
      named.push(reading.entry.facts["renewal"] ?? "");
  }
  assert.deepEqual(named, ["1", "2"]);
  await log.journal.close();
});

function dies(): Promise<never> {
  return Promise.reject(new Error("the process died"));
}

test("each entry is proven by itself under a renewal, without SHA-256, whatever the tree's shape", async () => {
  for (const count of [1, 255, 256, 257, 700]) {
    const each = count === 700 ? log : await logToRenew(count);
    if (count !== 700) await each.renew();
    const { files } = openLogReader(each.folder);
    const note = readFileSync(join(each.folder, renewalPath(1)));
    for (const index of new Set([0, 1, 254, 255, 256, 511, 512, count - 1].filter((at) => at < count))) {
      const proof = (await proveRenewed(files, index, note)) ?? assert.fail();
      const bytes = renewedEntryBytes(proof);
      const standing = standingWithout([readFallen("SHA-256")]);
      const reading = readRenewedEntry(bytes, each.logKey, standing);
      assert.ok(reading.kind === "proven", JSON.stringify(reading));
      assert.deepEqual([reading.index, reading.renewal.size], [index, count]);
      assert.equal(toBase64(reading.entry), toBase64(proof.entry));
      const other = renewedEntryBytes({ ...proof, entry: Buffer.from(forgeFacts(String(proof.entry))) });
      assert.equal(readRenewedEntry(other, each.logKey, standing).kind, "bad");
      assert.equal(
        readRenewedEntry(renewedEntryBytes({ ...proof, index: index + 1 }), each.logKey).kind,
        "bad",
      );
      assert.equal(readRenewedEntry(bytes, [publicGeneration(wholeGeneration(1))], standing).kind, "bad");
    }
    assert.equal(await proveRenewed(files, count, note), undefined);
    if (count !== 700) await each.journal.close();
  }
});
