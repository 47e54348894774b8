/** What commands ask of outlets: how far they are, whether they get through, and that they tell something again. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { hostname } from "node:os";

import { readCheckpointBody, readNote } from "../../audit/checkpoint.ts";
import { deadLetters } from "../../host/outlets/dead-letters.ts";
import { checkpointFile } from "../../host/store/log-folder.ts";
import { type LogReader, openLogReader } from "../../host/store/log-reader.ts";
import { openOutletStore, type OutletRow, type OutletStore } from "../../host/store/state-outlets.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { toldTest } from "../../respond/events/told.ts";
import type { Config } from "../config.ts";
import { firstSince } from "../log-times.ts";
import { statePaths } from "../state-folder.ts";
import { version } from "../version.ts";
import { sinkOf } from "./sink-of.ts";

/** What nobody reads but the outlet itself. */
type Inner = "origin" | "replayFrom" | "doubtful" | "marks" | "lost";

export interface ListedOutlet extends Omit<OutletRow, Inner> {
  readonly type: string;
  /** Entries of the log that it has not come to yet. */
  readonly lag: number;
  /** Where what was never taken is kept. */
  readonly deadFile: string;
}

/** Those of the config; whatever no gateway has started yet stands at nothing. */
export async function listOutlets(config: Config): Promise<readonly ListedOutlet[]> {
  const names = Object.entries(config.outlets);
  if (names.length === 0) return [];
  const paths = statePaths(config.state);
  const size = await openLogReader(paths.log).size();
  const rows = new Map(withStore(config, (store) => store.all().map((row) => [row.name, row])) ?? []);
  return names.map(([name, { type }]) => {
    const {
      origin: _,
      replayFrom,
      doubtful: _doubt,
      marks: _marks,
      lost: _lost,
      ...row
    } = rows.get(name) ?? unstarted(name, size);
    const cursor = replayFrom ?? row.cursor;
    const { file: deadFile } = deadLetters(paths.deadLetters, name);
    return { ...row, type, cursor, lag: Math.max(0, size - cursor), deadFile };
  });
}

function unstarted(name: string, size: number): OutletRow {
  return {
    name,
    origin: "",
    cursor: size,
    replayFrom: undefined,
    sent: 0,
    dead: 0,
    lastSentUnixMs: undefined,
    failingSinceUnixMs: undefined,
    lastError: undefined,
    link: undefined,
    doubtful: [],
    marks: [],
    lost: undefined,
  };
}

export interface Tested {
  /** Undefined if it took the event. */
  readonly failed: string | undefined;
  readonly uid: string;
  readonly link: string | undefined;
  readonly isPostQuantum: boolean;
}

/** Sends one event now, past the log and its order. @throws Refusal `bad_config`, `bad_state` */
export async function testOutlet(config: Config, name: string, clock: Clock): Promise<Tested> {
  const outlet = config.outlets[name];
  if (outlet === undefined) throw noSuchOutlet(config, name);
  const origin = await originOf(openLogReader(statePaths(config.state).log));
  const teller = { origin, version, host: hostname() };
  const sink = sinkOf(outlet, { name, folder: config.folder, teller, clock });
  try {
    const told = toldTest(teller, randomUUID(), clock.nowUnixMs());
    const { taken, failed, dead } = await sink.send([told], AbortSignal.timeout(testMs));
    const link = sink.link();
    return {
      failed: failed ?? dead?.[0]?.why ?? (taken === 1 ? undefined : "it didn't take it"),
      uid: told.uid,
      link: link?.text,
      isPostQuantum: link?.isPostQuantum === true,
    };
  } finally {
    await sink.close();
  }
}

/** Longer than any step of a sink's own. */
const testMs = 45_000;

/** The running gateway takes it up at its next look. @returns the first entry that is told again */
export async function replayOutlet(
  config: Config,
  name: string,
  from: { readonly index: number } | { readonly sinceUnixMs: number },
): Promise<number> {
  if (config.outlets[name] === undefined) throw noSuchOutlet(config, name);
  const reader = openLogReader(statePaths(config.state).log);
  const asked = "index" in from ? from.index : await firstSince(reader, from.sinceUnixMs);
  const size = await reader.size();
  if (asked > size)
    throw new Refusal("bad_config", `The log has ${size} entries; there is no entry ${asked} yet.`);
  const begun = withStore(config, (store) => {
    if (store.of(name) === undefined) return false;
    store.change(name, { replayFrom: asked });
    return true;
  });
  if (begun === true) return asked;
  throw new Refusal(
    "bad_state",
    `No gateway has started "${name}" yet; \`from: start\` tells the whole log.`,
  );
}

function withStore<T>(config: Config, work: (store: OutletStore) => T): T | undefined {
  const file = statePaths(config.state).outlets;
  if (!existsSync(file)) return undefined;
  const store = openOutletStore(file);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

async function originOf(reader: LogReader): Promise<string> {
  const bytes = await reader.files(checkpointFile);
  const note = bytes === undefined ? undefined : readNote(bytes);
  const origin = note === undefined ? undefined : readCheckpointBody(note.text)?.origin;
  if (origin !== undefined) return origin;
  throw new Refusal("bad_state", 'There is no log yet; run "latticegate up" once.');
}

function noSuchOutlet(config: Config, name: string): Refusal {
  const names = Object.keys(config.outlets);
  const there = names.length === 0 ? "there are none" : `there are ${names.join(", ")}`;
  return new Refusal("bad_config", `There is no outlet "${name}" in the config; ${there}.`);
}
