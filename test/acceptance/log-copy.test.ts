/** A copy of a busy log, made file by file in one order or another, as rsync and cp do it. */
import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import type { FileJournal } from "../../src/host/store/journal-files.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { verifyLog } from "../../src/audit/verify.ts";
import { atEnd } from "../support/cleanup.ts";
import { draft, logKeyOf, newFolder, open, signers } from "../support/log-fixture.ts";

const copies = 6;
/** Heads come fifty times as often here as in a gateway, and a copy may miss some each time. */
const mostTimes = 30;

/** In which order a folder's files and folders are copied. */
type Order = (names: readonly Named[]) => readonly Named[];
interface Named {
  readonly name: string;
  readonly isFolder: boolean;
}

const byName: Order = (names) => names.toSorted((a, b) => (a.name < b.name ? -1 : 1));
const orders: Readonly<Record<string, Order>> = {
  "files before folders, by name (rsync)": (names) => [
    ...byName(names).filter(({ isFolder }) => !isFolder),
    ...byName(names).filter(({ isFolder }) => isFolder),
  ],
  "by name backwards": (names) => byName(names).toReversed(),
  "as the system lists them (cp)": (names) => names,
  "folders before files, by name": (names) => [
    ...byName(names).filter(({ isFolder }) => isFolder),
    ...byName(names).filter(({ isFolder }) => !isFolder),
  ],
};

/** Lists each folder when it comes to it, or everything before it copies anything. */
async function copy(
  from: string,
  to: string,
  how: { readonly order: Order; readonly isListedFirst: boolean },
) {
  const files: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    const names = await readdir(path.join(from, folder), { withFileTypes: true }).catch(goneIsNone);
    for (const { name, isFolder } of how.order(
      names.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() })),
    )) {
      const file = path.join(folder, name);
      if (isFolder) await walk(file);
      else if (how.isListedFirst) files.push(file);
      else await copyOne(from, to, file);
    }
  };
  await walk(".");
  for (const file of files) await copyOne(from, to, file);
}

async function copyOne(from: string, to: string, file: string): Promise<void> {
  await mkdir(path.dirname(path.join(to, file)), { recursive: true });
  await copyFile(path.join(from, file), path.join(to, file)).catch(goneIsNone);
}

/** What vanished since it was listed is left out, as rsync and cp do. */
function goneIsNone(error: unknown): [] {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
  throw error;
}

/** Appends without end, with a head every few milliseconds; half as fast after each `slower`. */
async function busyLog(
  t: TestContext,
): Promise<{ readonly folder: string; readonly journal: FileJournal; readonly slower: () => void }> {
  const folder = newFolder();
  const journal = await open(folder, { checkpointEveryMs: 20 });
  for (let i = 0; i < 6; i++) await Promise.all(Array.from({ length: 500 }, () => journal.append(draft(i))));
  const over = new AbortController();
  let pauseMs = 5;
  const writing = (async () => {
    for (let i = 0; !over.signal.aborted; i += 8) {
      await Promise.all(Array.from({ length: 8 }, (_, k) => journal.append(draft(i + k))));
      await pause(pauseMs);
    }
  })();
  atEnd(t, async () => {
    over.abort();
    await writing;
    await journal.close();
  });
  const slower = (): void => {
    pauseMs = Math.min(1000, pauseMs * 2);
  };
  return { folder, journal, slower };
}

async function whatIsWrong(folder: string): Promise<string | undefined> {
  const verdict = await verifyLog({ files: openLogReader(folder).files, logKey: logKeyOf(signers) });
  return verdict.kind === "intact" ? undefined : verdict.findings.map(({ text }) => text).join("; ");
}

for (const [name, order] of Object.entries(orders)) {
  for (const isListedFirst of [false, true]) {
    const listed = isListedFirst ? "listed as a whole first" : "each folder listed when it is reached";
    test(`a copy of a busy log is intact, or its repetition is: ${name}, ${listed}`, async (t) => {
      // However slowly it is copied, no log is so busy all the time.
      const { folder, slower } = await busyLog(t);
      const repetitions: number[] = [];
      for (let i = 0; i < copies; i++) {
        const to = await mkdtemp(path.join(tmpdir(), "latticegate-copy-"));
        atEnd(t, () => rm(to, { recursive: true }));
        let wrong: string | undefined = "";
        let times = 0;
        for (; wrong !== undefined && times < mostTimes; times++) {
          await copy(folder, to, { order, isListedFirst });
          wrong = await whatIsWrong(to);
          if (wrong !== undefined) slower();
        }
        assert.equal(wrong, undefined, `after ${times} times`);
        repetitions.push(times - 1);
      }
      t.diagnostic(`repeated ${repetitions.join(" ")} times`);
    });
  }
}

test("once the log is at rest, one more copy over an old one is intact in any order", async (t) => {
  for (const order of Object.values(orders)) {
    const folder = newFolder();
    const journal = await open(folder);
    const to = await mkdtemp(path.join(tmpdir(), "latticegate-copy-"));
    atEnd(t, () => rm(to, { recursive: true }));
    for (const count of [10, 300, 700]) {
      await Promise.all(Array.from({ length: count }, (_, i) => journal.append(draft(i))));
      await journal.checkpoint();
      await copy(folder, to, { order, isListedFirst: false });
      assert.equal(await whatIsWrong(to), undefined);
    }
    await journal.close();
  }
});
