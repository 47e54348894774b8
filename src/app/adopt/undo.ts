/** `latticegate adopt --undo`: byte for byte where nobody wrote since; elsewhere the adopted entries alone. */
import { rm } from "node:fs/promises";
import path from "node:path";

import { type ForeignFile, readForeignFile, replaceForeignFile } from "../../host/store/foreign-file.ts";
import { entryRange, withRange } from "../../inventory/clients/adopt-entry.ts";
import { type ClientKind, clientKinds } from "../../inventory/clients/client-kinds.ts";
import { readClientConfig } from "../../inventory/clients/read-client-config.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Config, parseConfig } from "../config.ts";
import { withoutServers } from "./config-text.ts";
import { textOf } from "./plan-file.ts";
import {
  adoptedFolder,
  type AdoptedEntry,
  type AdoptedFile,
  backupFile,
  readBackup,
  readRecords,
  type Records,
  writeRecords,
} from "./records.ts";

interface Restored {
  readonly file: string;
  readonly kind: ClientKind;
  readonly read: ForeignFile;
  readonly record: AdoptedFile;
  readonly before: string;
  readonly after: string;
  /** Whether it is again what it was, byte for byte. */
  readonly isWhole: boolean;
  /** Entries that somebody changed or took out since. */
  readonly passedOver: readonly string[];
}

export interface UndoPlan {
  readonly files: readonly Restored[];
  readonly config: { readonly read: ForeignFile; readonly before: string; readonly after: string };
  /** Servers that leave the config with them. */
  readonly servers: readonly string[];
  readonly left: readonly string[];
  readonly records: Records;
}

/** The text with its adopted entries as they were; those that aren't ours any more stay, and are told. */
export function restoredText(
  text: string,
  kind: ClientKind,
  entries: readonly AdoptedEntry[],
): { readonly text: string; readonly passedOver: readonly string[] } {
  const passedOver: string[] = [];
  let restored = text;
  for (const entry of entries) {
    const now = readClientConfig(restored, kind).entries.find(({ path: at }) => isSame(at, entry.path));
    const isOurs = now?.reaches.kind === "connect" && now.reaches.server === entry.server;
    const range = isOurs ? entryRange(restored, kind, entry.path) : undefined;
    if (range === undefined) passedOver.push(entry.path.join("."));
    else restored = withRange(restored, range, entry.original);
  }
  return { text: restored, passedOver };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, at) => key === b[at]);
}

/** @param isMeant of the files that were adopted */
export async function planUndo(
  config: Config,
  isMeant: (record: Pick<AdoptedFile, "file" | "client">) => boolean,
): Promise<UndoPlan> {
  const records = await readRecords(config.state);
  const files: Restored[] = [];
  const left: string[] = [];
  const gone: string[] = [];
  for (const record of records.files.filter(isMeant)) {
    try {
      const restored = await restore(config.state, record);
      if (restored === undefined) gone.push(record.file);
      else files.push(restored);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      left.push(error.message);
    }
  }
  const done = new Set([...gone, ...files.map(({ file }) => file)]);
  const remaining = records.files.filter(({ file }) => !done.has(file));
  const used = new Set(remaining.flatMap(({ entries }) => entries.map(({ server }) => server)));
  for (const { after, kind } of files) {
    for (const { reaches } of readClientConfig(after, kind).entries)
      if (reaches.kind === "connect") used.add(reaches.server);
  }
  const servers = Object.keys(records.servers).filter((name) => !used.has(name));
  const planned = await planConfig(config, records, servers);
  if (planned.fault !== undefined) left.push(planned.fault);
  const kept = Object.entries(records.servers).filter(([name]) => !planned.servers.includes(name));
  const { config: whole, ...rest } = records;
  const isWholeLeft = kept.length > 0 && whole !== undefined;
  return {
    files,
    config: planned.config,
    servers: planned.servers,
    left: [...left, ...gone.map((file) => `${file} is gone; there is nothing to give back.`)],
    records: {
      ...rest,
      files: remaining,
      servers: Object.fromEntries(kept),
      ...(isWholeLeft && { config: whole }),
    },
  };
}

async function restore(state: string, record: AdoptedFile): Promise<Restored | undefined> {
  const kind = clientKinds.find(({ id }) => id === record.client);
  const read = await readForeignFile(record.file);
  if (read === undefined || kind === undefined) return undefined;
  const before = textOf(read);
  const base = { file: record.file, kind, read, record, before };
  if (read.sha256 === record.before) return { ...base, after: before, isWhole: true, passedOver: [] };
  if (read.sha256 === record.after) {
    const bytes = await readBackup(state, record.before);
    return { ...base, after: textOf({ ...read, bytes }), isWhole: true, passedOver: [] };
  }
  const { faults } = readClientConfig(before, kind);
  if (faults[0] !== undefined)
    throw new Refusal("bad_config", `${record.file} is left as it is: ${faults[0]}.`);
  const { text: after, passedOver } = restoredText(before, kind, record.entries);
  return { ...base, after, isWhole: false, passedOver };
}

async function planConfig(
  config: Config,
  records: Records,
  servers: readonly string[],
): Promise<Pick<UndoPlan, "config" | "servers"> & { readonly fault?: string }> {
  const read = await readForeignFile(config.file);
  if (read === undefined) throw new Refusal("bad_config", `${config.file} is gone.`);
  const before = textOf(read);
  const isWhole =
    servers.length === Object.keys(records.servers).length && records.config?.after === read.sha256;
  try {
    const after =
      isWhole && records.config
        ? textOf({ ...read, bytes: await readBackup(config.state, records.config.before) })
        : withoutServers(before, servers);
    parseConfig(after, config.file);
    return { config: { read, before, after }, servers };
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    const fault = `The config keeps the adopted servers, since it wouldn't be right without them: ${cause.message}`;
    return { config: { read, before, after: before }, servers: [], fault };
  }
}

/**
 * Clients first: none is left with a server that the config has no more.
 * @throws Refusal `bad_config` if a file changed since; run again, it goes on from there
 */
export async function carryOutUndo(config: Config, plan: UndoPlan): Promise<void> {
  for (const { read, before, after } of plan.files)
    if (before !== after) await replaceForeignFile(read, Buffer.from(after));
  if (plan.config.before !== plan.config.after)
    await replaceForeignFile(plan.config.read, Buffer.from(plan.config.after));
  await writeRecords(config.state, plan.records);
  for (const server of plan.servers)
    await rm(path.join(adoptedFolder(config.state), "secrets", server), { recursive: true, force: true });
  const needed = new Set([plan.records.config?.before, ...plan.records.files.map(({ before }) => before)]);
  for (const { record } of plan.files)
    if (!needed.has(record.before)) await rm(backupFile(config.state, record.before), { force: true });
}
