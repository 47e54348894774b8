/** What a witness keeps of a log (docs/formats/witness.md): keys, the last head, evidence. One process at a time. */
import { readdir, rename, rm, stat, utimes } from "node:fs/promises";
import path from "node:path";

import { type Incident, incidentBytes, maxIncidentBytes, readIncident } from "../../audit/incident.ts";
import { formatLogKey, type LogKey, readLogKey } from "../../crypto/log-key.ts";
import { maxNoteBytes } from "../../audit/checkpoint.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import {
  ensurePrivateFolder,
  isThere,
  noneIfMissing,
  readIfThere,
  syncFolders,
  writePrivateFile,
} from "./files.ts";
import { whileLocked } from "./patient-lock.ts";
import { isLockHeld } from "./writer-lock.ts";

export interface WitnessFolder {
  readonly folder: string;
  /** Does `work` while no other process does. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  /** Whether another process is at it just now. */
  readonly isBusy: () => boolean;
  /** The pinned keys; undefined before the first. @throws Refusal `bad_state` if they can't be read */
  readonly keys: () => Promise<LogKey | undefined>;
  readonly pin: (keys: LogKey) => Promise<void>;
  /** The last head that was taken, as a note. */
  readonly checkpoint: () => Promise<Uint8Array | undefined>;
  /** On disk, also after a loss of power, when it resolves. */
  readonly take: (checkpoint: Uint8Array) => Promise<void>;
  /** What nobody accepted yet. */
  readonly open: () => Promise<OpenIncident | undefined>;
  /** Keeps evidence, and the incident open. @returns its file */
  readonly report: (incident: Incident) => Promise<string>;
  /** The evidence stays. */
  readonly close: () => Promise<void>;
  /** When a head was last asked for, by whatever process. */
  readonly askedUnixMs: () => Promise<number>;
  readonly asked: (atUnixMs: number) => Promise<void>;
  /** The newest head that was cosigned, and when, as the log was told. */
  readonly cosigned: () => Promise<{ readonly text: string; readonly atUnixMs: number } | undefined>;
  readonly noteCosigned: (text: string, atUnixMs: number) => Promise<void>;
  /** Forgets keys and head: the next log that is seen is pinned. */
  readonly forget: () => Promise<void>;
}

export interface OpenIncident extends Incident {
  /** Where its evidence is. */
  readonly file: string;
}

const names = {
  keys: "keys.txt",
  checkpoint: "checkpoint",
  open: "incident",
  asked: "asked",
  cosigned: "cosigned",
  incidents: "incidents",
  lock: "lock",
} as const;
/** Each is there because a person accepted the one before. */
const keptIncidents = 64;

export function witnessFolder(folder: string): WitnessFolder {
  const at = (name: keyof typeof names): string => path.join(folder, names[name]);
  const put = async (name: keyof typeof names, content: string | Uint8Array): Promise<void> => {
    await ensurePrivateFolder(folder);
    await writePrivateFile(at(name), content);
    await syncFolders(folder, []);
  };
  return {
    folder,
    alone: async (work) => {
      await ensurePrivateFolder(folder);
      return await whileLocked(at("lock"), (pid) => `Process ${pid} witnesses the log just now.`, work);
    },
    isBusy: () => isLockHeld(at("lock")),
    keys: async () => {
      const text = await readIfThere(at("keys"));
      return text === undefined ? undefined : readLogKey(text);
    },
    pin: (keys) => put("keys", formatLogKey(keys)),
    checkpoint: () => bytesIfThere(at("checkpoint"), maxNoteBytes),
    take: (checkpoint) => put("checkpoint", checkpoint),
    open: () => openIncident(at("open")),
    report: async (incident) => {
      await ensurePrivateFolder(at("incidents"));
      const time = new Date(incident.atUnixMs).toISOString().replaceAll(":", "");
      const file = path.join(at("incidents"), `${time}-${incident.what}.txt`);
      await writePrivateFile(file, incidentBytes(incident));
      await put("open", `${path.relative(folder, file)}\n`);
      await prune(at("incidents"));
      return file;
    },
    close: () => rm(at("open"), { force: true }),
    askedUnixMs: async () => (await stat(at("asked")).catch(() => undefined))?.mtimeMs ?? 0,
    asked: async (atUnixMs) => {
      if (!(await isThere(at("asked")))) await put("asked", "");
      await utimes(at("asked"), atUnixMs / 1000, atUnixMs / 1000);
    },
    cosigned: async () => {
      const [time, ...text] = ((await readIfThere(at("cosigned"))) ?? "").split("\n");
      const atUnixMs = Date.parse(time ?? "");
      return Number.isFinite(atUnixMs) ? { text: text.join("\n"), atUnixMs } : undefined;
    },
    noteCosigned: (text, atUnixMs) => put("cosigned", `${new Date(atUnixMs).toISOString()}\n${text}`),
    forget: async () => {
      for (const name of ["checkpoint", "cosigned", "keys"] as const) await rm(at(name), { force: true });
    },
  };
}

/** Puts what was witnessed aside: for when a sidecar joins another authority, whose log is another one. */
export async function setWitnessAside(folder: string, atUnixMs: number): Promise<void> {
  const aside = `${folder}.until-${new Date(atUnixMs).toISOString().replaceAll(":", "")}`;
  if (await isThere(folder)) await rename(folder, aside);
}

/** The file that is open names the evidence; who can't read that can't tell that all is well. */
async function openIncident(file: string): Promise<OpenIncident | undefined> {
  const named = (await readIfThere(file))?.trim();
  if (named === undefined) return undefined;
  const evidence = path.join(path.dirname(file), names.incidents, path.basename(named));
  const bytes = await bytesIfThere(evidence, maxIncidentBytes);
  const incident = bytes === undefined ? undefined : readIncident(bytes);
  if (incident !== undefined) return { ...incident, file: evidence };
  throw new Refusal("bad_state", `${file} says that an incident is open, but ${evidence} can't be read.`);
}

async function bytesIfThere(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const text = await readIfThere(file);
  if (text === undefined || text.length <= maxBytes) return text === undefined ? undefined : utf8(text);
  throw new Refusal("bad_state", `${file} is longer than what was written there; restore or remove it.`);
}

async function prune(folder: string): Promise<void> {
  const files = (await readdir(folder).catch(noneIfMissing)).filter((name) => name.endsWith(".txt"));
  for (const name of files.toSorted().slice(0, -keptIncidents)) await rm(path.join(folder, name));
}
