/**
 * What a gateway keeps of its log's witnesses: the newest cosignature of each beside the log, under its key and without
 * a name, since copies of the log are given away; and in the state folder who they are, and what they reported.
 */
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";

import { z } from "zod";

import { type Cosignature, readCosignature } from "../audit/cosignature.ts";
import { incidentKinds } from "../audit/witness.ts";
import { sha256Hex } from "../crypto/hash.ts";
import {
  ensurePrivateFolder,
  isThere,
  noneIfMissing,
  readIfThere,
  readJsonIfThere,
  writePrivateFile,
} from "../host/store/files.ts";
import { whileLocked } from "../host/store/patient-lock.ts";
import { concat, utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { statePaths } from "./state-folder.ts";

/** Below the log's folder; files are named by `witnessId`. */
const cosignaturesFolder = "cosignatures";
/** Sidecars that lost their state come with another key; the one not heard of for longest makes way. */
const keysPerCaller = 4;
/** A head that stays the newest is cosigned again after an hour; what says so more often isn't written down. */
const cosignedAgainS = 600;
const maxWitnesses = 4096;
const maxReports = 256;

const reportSchema = z.strictObject({
  spiffe_id: z.string(),
  kind: z.enum(incidentKinds),
  says: z.string(),
  kept: z.int(),
  shown: z.int(),
  at: z.iso.datetime(),
});
const recordsSchema = z.strictObject({
  witnesses: z.record(z.string().regex(/^[0-9a-f]{16}$/), z.string()),
  incidents: z.array(reportSchema),
});

export type ReportedIncident = z.output<typeof reportSchema>;
type Records = z.output<typeof recordsSchema>;

export interface WitnessRecords {
  /**
   * Keeps it unless as new a one by that key is there.
   * @throws Refusal `denied` if the key is another's, `busy` for too many witnesses, or new keys of one
   */
  readonly keep: (spiffeId: string, cosignature: Cosignature) => Promise<void>;
  /**
   * @param isDue whether what was reported before by that witness is to be replaced
   * @throws Refusal `busy` for a witness that reports and settles again and again
   */
  readonly report: (incident: ReportedIncident, isDue: boolean) => Promise<void>;
  /** What that witness reported is settled. */
  readonly settle: (spiffeId: string) => Promise<void>;
}

export function witnessRecords(state: string, trustDomain: string, clock: Clock): WitnessRecords {
  const folder = path.join(statePaths(state).log, cosignaturesFolder);
  const { witnesses: file } = statePaths(state);
  const mayChange = changeLimit(clock);
  let turn: Promise<unknown> = Promise.resolve();
  /** One after the other: each reads what the one before wrote, and an erasure in another process too. */
  const inTurn = <T>(work: (records: Records) => Promise<T>): Promise<T> => {
    const done = turn.then(() => alone(file, async () => work(await readRecords(state))));
    turn = done.catch(() => undefined);
    return done;
  };
  const register = async (spiffeId: string, id: string, records: Records): Promise<void> => {
    mayChange(spiffeId);
    const dropped = await droppedFor(spiffeId, records, folder);
    const kept = Object.entries(records.witnesses).filter(([each]) => !dropped.includes(each));
    await write(file, { ...records, witnesses: { ...Object.fromEntries(kept), [id]: spiffeId } });
    for (const each of dropped) await rm(path.join(folder, each), { force: true });
  };
  return {
    keep: (spiffeId, cosignature) =>
      inTurn(async (records) => {
        const id = witnessId(cosignature);
        const owner = records.witnesses[id];
        if (owner !== undefined && owner !== spiffeId) throw keyOfAnother(cosignature);
        await ensurePrivateFolder(folder);
        if (!isNews(cosignature, await readKept(folder, id, trustDomain))) return;
        if (owner === undefined) await register(spiffeId, id, records);
        const { key, note } = cosignature;
        await writePrivateFile(path.join(folder, id), concat([utf8(`${key.vkey}\n`), note]));
      }),
    report: (incident, isDue) =>
      inTurn(async (records) => {
        const { spiffe_id: by, kind } = incident;
        const others = records.incidents.filter((each) => each.spiffe_id !== by || each.kind !== kind);
        const isOpen = others.length < records.incidents.length;
        if (isOpen && !isDue) return;
        if (!isOpen) mayChange(by);
        await write(file, { ...records, incidents: [...others, incident].slice(-maxReports) });
      }),
    settle: (spiffeId) =>
      inTurn(async (records) => {
        const incidents = records.incidents.filter(({ spiffe_id: by }) => by !== spiffeId);
        if (incidents.length < records.incidents.length) await write(file, { ...records, incidents });
      }),
  };
}

/** Drops what names a witness that is erased; its cosignatures name nobody. It may come again. */
export async function forgetWitness(state: string, spiffeId: string): Promise<void> {
  const { witnesses: file } = statePaths(state);
  if (!(await isThere(file))) return;
  await alone(file, async () => {
    const { witnesses, incidents } = await readRecords(state);
    await write(file, {
      witnesses: Object.fromEntries(Object.entries(witnesses).filter(([, by]) => by !== spiffeId)),
      incidents: incidents.filter(({ spiffe_id: by }) => by !== spiffeId),
    });
  });
}

function alone<T>(file: string, work: () => Promise<T>): Promise<T> {
  return whileLocked(`${file}.lock`, (pid) => `Process ${pid} writes ${file} just now.`, work);
}

function write(file: string, records: Records): Promise<void> {
  return writePrivateFile(file, JSON.stringify(records));
}

/** More than a person who looks after a witness ever makes. */
const changesAtOnce = 8;
const changesWindowMs = 600_000;

/** How often one witness may make the gateway write something new of it. @throws Refusal `busy` */
function changeLimit({ nowUnixMs }: Clock): (spiffeId: string) => void {
  const seen = new Map<string, { readonly untilUnixMs: number; readonly times: number }>();
  return (spiffeId) => {
    const now = nowUnixMs();
    for (const [id, { untilUnixMs }] of seen) if (untilUnixMs <= now) seen.delete(id);
    const { untilUnixMs, times } = seen.get(spiffeId) ?? { untilUnixMs: now + changesWindowMs, times: 0 };
    if (times >= changesAtOnce || (times === 0 && seen.size >= maxWitnesses)) {
      throw new Refusal("busy", "The log's records of this witness changed too often; ask later.");
    }
    seen.set(spiffeId, { untilUnixMs, times: times + 1 });
  };
}

function isNews({ body, atUnixS }: Cosignature, before: Cosignature | undefined): boolean {
  if (before === undefined || before.body.size < body.size) return true;
  return before.body.size === body.size && atUnixS >= before.atUnixS + cosignedAgainS;
}

function keyOfAnother({ key }: Cosignature): Refusal {
  return new Refusal(
    "denied",
    `The key ${key.name} is another witness's; remove keys/witness.json of this state folder for a key of its own.`,
  );
}

/** What witnesses reported and nobody accepted at them. */
export async function reportedIncidents(state: string): Promise<readonly ReportedIncident[]> {
  return (await readRecords(state)).incidents;
}

export interface KeptCosignature extends Cosignature {
  /** Undefined in a copy of a log, which doesn't say. */
  readonly spiffeId: string | undefined;
}

/**
 * The cosignatures beside a log; those that don't hold by their own key are left out.
 * @param state of the gateway that is to say whose they are
 */
export async function keptCosignatures(
  log: string,
  trustDomain: string,
  state: string | undefined,
): Promise<readonly KeptCosignature[]> {
  const folder = path.join(log, cosignaturesFolder);
  const records = state === undefined ? undefined : await readRecords(state);
  const ids = (await readdir(folder).catch(noneIfMissing)).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const found: KeptCosignature[] = [];
  for (const id of ids.toSorted().slice(0, maxWitnesses)) {
    const kept = await readKept(folder, id, trustDomain);
    if (kept !== undefined) found.push({ ...kept, spiffeId: records?.witnesses[id] });
  }
  return found;
}

function witnessId({ key }: Cosignature): string {
  return sha256Hex(utf8(key.vkey)).slice(0, 16);
}

async function readKept(folder: string, id: string, trustDomain: string): Promise<Cosignature | undefined> {
  const text = await readIfThere(path.join(folder, id));
  try {
    return text === undefined ? undefined : readCosignature(utf8(text), trustDomain);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Who makes way for a further key of that caller. @throws Refusal `busy` */
async function droppedFor(
  spiffeId: string,
  { witnesses }: Records,
  folder: string,
): Promise<readonly string[]> {
  const own = Object.keys(witnesses).filter((id) => witnesses[id] === spiffeId);
  if (own.length >= keysPerCaller) {
    const heard = await Promise.all(
      own.map(async (id) => ({
        id,
        ms: (await stat(path.join(folder, id)).catch(() => undefined))?.mtimeMs ?? 0,
      })),
    );
    return heard
      .toSorted((a, b) => a.ms - b.ms)
      .slice(0, own.length - keysPerCaller + 1)
      .map(({ id }) => id);
  }
  if (Object.keys(witnesses).length < maxWitnesses) return [];
  throw new Refusal("busy", `The log has ${maxWitnesses} witnesses already; it keeps no more.`);
}

async function readRecords(state: string): Promise<Records> {
  const file = statePaths(state).witnesses;
  const value = await readJsonIfThere(file);
  if (value === undefined) return { witnesses: {}, incidents: [] };
  const read = recordsSchema.safeParse(value);
  if (read.success) return read.data;
  throw new Refusal("bad_state", `${file} isn't what was written there; remove it: witnesses come again.`);
}
