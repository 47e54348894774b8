/** One look at a log on disk: what is kept, and in which order. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../../test/support/gateway.ts";
import {
  appendMany,
  cause,
  logKeyOf,
  newFolder,
  newGeneration,
  open,
  origin,
  rememberingLog,
  signers,
} from "../../test/support/log-fixture.ts";
import { newSigningKey } from "../../test/support/keys.ts";
import { crossingPath } from "../audit/crossing.ts";
import { readHead } from "../audit/head.ts";
import { maxTlogProofBytes, readTlogProof } from "../audit/tlog-proof.ts";
import { readLogKey } from "../crypto/log-key.ts";
import { statePaths } from "./state-folder.ts";
import { acceptIncident } from "./witness-command.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import { noteSigner } from "../crypto/note-keys.ts";
import { witnessFolder } from "../host/store/witness-folder.ts";
import { crossingsAfter, witnessRound } from "./witness-round.ts";
import { folderLog } from "./witness-source.ts";

const clock = { nowUnixMs: () => Date.UTC(2026, 10, 21, 12) };
const signer = noteSigner("ml-dsa-44", "log.example/witness/12345678", newSigningKey("ml-dsa-44"));

test("a head is on disk before it is cosigned, and isn't cosigned twice", async (t) => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 300);
  await journal.close();
  const key = path.join(await temporaryFolder(t), "log-key.txt");
  await writeFile(key, signers.map(({ vkey }) => `${vkey}\n`).join(""));
  const store = witnessFolder(path.join(await temporaryFolder(t), "witness"));
  const atCosigning: (string | undefined)[] = [];
  const source = {
    ...folderLog(folder, key),
    cosign: async () => {
      const kept = await store.checkpoint();
      atCosigning.push(kept && fromUtf8(kept));
    },
  };
  const first = await witnessRound({ store, source, signer, clock });
  assert.deepEqual(first.kind === "consistent" && [first.head.size, first.cosigned.kind], [300, "taken"]);
  assert.equal(atCosigning.length, 1);
  assert.ok(atCosigning[0]?.startsWith(`${origin}\n300\n`));
  const again = await witnessRound({ store, source, signer, clock });
  assert.equal(again.kind === "consistent" && again.cosigned.kind, "not-due");
});

test("a log that takes no cosignature is witnessed all the same", async (t) => {
  const folder = newFolder();
  await (await open(folder)).close();
  const key = path.join(await temporaryFolder(t), "log-key.txt");
  await writeFile(key, signers.map(({ vkey }) => `${vkey}\n`).join(""));
  const store = witnessFolder(path.join(await temporaryFolder(t), "witness"));
  const source = { ...folderLog(folder, key), cosign: () => Promise.reject(new Error("no")) };
  const outcome = await witnessRound({ store, source, signer, clock });
  assert.deepEqual(outcome.kind === "consistent" && outcome.cosigned, { kind: "refused", why: "no" });
  assert.ok(await store.checkpoint());
});

test("crossings are judged as they come: a log that has ever more of them is asked for one that doesn't hold", async () => {
  const asked: number[] = [];
  const crossing = (number: number) => {
    asked.push(number);
    return Promise.resolve(new Uint8Array(1000));
  };
  const found = await crossingsAfter(logKeyOf(signers), { crossing });
  assert.deepEqual([asked, [...found.keys()]], [[2], [2]]);
  const long = { crossing: () => Promise.resolve(new Uint8Array(maxTlogProofBytes + 1)) };
  await assert.rejects(crossingsAfter(logKeyOf(signers), long), { code: "bad_log" });
});

test("honest crossings are followed to the last", async () => {
  const { folder, generations } = await rotatedLog(3);
  const { files } = openLogReader(folder);
  const found = await crossingsAfter(logKeyOf(signers), {
    crossing: (number) => files(crossingPath(number)),
  });
  assert.deepEqual([...found.keys()], generations.slice(1));
});

test("however often keys rotated, evidence has those that signed its heads, and what is accepted holds by what is pinned", async (t) => {
  const state = await temporaryFolder(t);
  const store = witnessFolder(statePaths(state).witness);
  const { folder } = await rotatedLog(30);
  const { files } = openLogReader(folder);
  const crossings = (number: number) => files(crossingPath(number));
  const [first, later] = [await files("crossings/2.tlog-proof"), await files("crossings/4.tlog-proof")].map(
    (bytes) => readTlogProof(bytes ?? new Uint8Array())?.checkpoint ?? new Uint8Array(),
  );
  assert.ok(first && later);
  await store.pin(logKeyOf(signers));
  await store.take(first);
  // An older head of many generations ago, without a proof: another history, as far as anybody can tell.
  const shown = { old: 0, proof: [], checkpoint: later };
  const source = {
    keys: () => Promise.resolve([]),
    shown: () => Promise.resolve(shown),
    crossing: crossings,
  };
  const outcome = await witnessRound({ store, source, clock });
  assert.equal(outcome.kind === "incident" && outcome.incident.what, "split-view");
  const open = await store.open();
  assert.ok(open);
  assert.equal(readHead(open.kept, readLogKey(open.keys)).kind, "unsigned");
  assert.equal(readHead(open.kept, readLogKey(open.keptSignedBy)).kind, "signed");
  assert.equal(readHead(open.shown, readLogKey(open.shownSignedBy)).kind, "signed");
  await acceptIncident({ state, clock, logger: rememberingLog() });
  const next = await witnessRound({ store, source: { ...source, ...folderLog(folder, "none") }, clock });
  assert.deepEqual(next.kind === "consistent" && [next.isNewer, next.head.size], [true, 29]);
});

test("an older head of a log that many keys signed since is kept with keys that it holds by", async (t) => {
  const store = witnessFolder(path.join(await temporaryFolder(t), "witness"));
  const { folder } = await rotatedLog(30);
  const { files } = openLogReader(folder);
  const later = readTlogProof((await files(crossingPath(4))) ?? new Uint8Array())?.checkpoint;
  assert.ok(later);
  await store.pin(logKeyOf(signers));
  const shown = () => Promise.resolve({ old: 0, proof: [], checkpoint: later });
  const source = {
    keys: () => Promise.resolve([]),
    shown,
    crossing: (number: number) => files(crossingPath(number)),
  };
  for (const isNewer of [true, false]) {
    const outcome = await witnessRound({ store, source, clock });
    assert.deepEqual(
      [outcome.kind, outcome.kind === "consistent" && outcome.isNewer],
      ["consistent", isNewer],
    );
  }
});

/** A log with that many generations of keys. */
async function rotatedLog(count: number) {
  const folder = newFolder();
  const journal = await open(folder);
  for (let number = 2; number <= count; number++) await journal.rotate(newGeneration(number), cause());
  await journal.close();
  return { folder, generations: Array.from({ length: count }, (_, i) => i + 1) };
}
