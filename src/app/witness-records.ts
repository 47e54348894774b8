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
  noneIfMissing,
  readIfThere,
  readJsonIfThere,
  writePrivateFile,
} from "../host/store/files.ts";
import { concat, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { statePaths } from "./state-folder.ts";

/** Below the log's folder; files are named by `witnessId`. */
const cosignaturesFolder = "cosignatures";
/** Sidecars that lost their state come with another key; the one not heard of for longest makes way. */
const keysPerCaller = 8;
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
  /** Keeps it unless a newer one by that key is there. @throws Refusal `busy` if there are too many witnesses */
  readonly keep: (spiffeId: string, cosignature: Cosignature) => Promise<void>;
  readonly report: (incident: ReportedIncident) => Promise<void>;
  /** What that witness reported is settled. */
  readonly settle: (spiffeId: string) => Promise<void>;
}

export function witnessRecords(state: string, trustDomain: string): WitnessRecords {
  const folder = path.join(statePaths(state).log, cosignaturesFolder);
  const file = statePaths(state).witnesses;
  let turn: Promise<unknown> = Promise.resolve();
  /** One after the other: each reads what the one before wrote. */
  const inTurn = <T>(work: (records: Records) => Promise<T>): Promise<T> => {
    const done = turn.then(async () => work(await readRecords(state)));
    turn = done.catch(() => undefined);
    return done;
  };
  const write = (records: Records): Promise<void> => writePrivateFile(file, JSON.stringify(records));
  return {
    keep: (spiffeId, cosignature) =>
      inTurn(async (records) => {
        const id = witnessId(cosignature);
        await ensurePrivateFolder(folder);
        const before = await readKept(folder, id, trustDomain);
        if (before !== undefined && before.body.size > cosignature.body.size) return;
        if (records.witnesses[id] !== spiffeId) {
          const dropped = await droppedFor(spiffeId, records, folder);
          const kept = Object.entries(records.witnesses).filter(([each]) => !dropped.includes(each));
          await write({ ...records, witnesses: { ...Object.fromEntries(kept), [id]: spiffeId } });
          for (const each of dropped) await rm(path.join(folder, each), { force: true });
        }
        const { key, note } = cosignature;
        await writePrivateFile(path.join(folder, id), concat([utf8(`${key.vkey}\n`), note]));
      }),
    report: (incident) =>
      inTurn(async (records) => {
        const others = records.incidents.filter(
          ({ spiffe_id: by, kind }) => by !== incident.spiffe_id || kind !== incident.kind,
        );
        await write({ ...records, incidents: [...others, incident].slice(-maxReports) });
      }),
    settle: (spiffeId) =>
      inTurn(async (records) => {
        const incidents = records.incidents.filter(({ spiffe_id: by }) => by !== spiffeId);
        if (incidents.length < records.incidents.length) await write({ ...records, incidents });
      }),
  };
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
