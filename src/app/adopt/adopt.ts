/** `latticegate adopt`: clients' servers behind the gateway. First planned and shown, then written, all of it kept to be given back. */
import path from "node:path";

import type { Homes } from "../../host/scan/config-files.ts";
import { ensurePrivateFolder, writePrivateFile } from "../../host/store/files.ts";
import { type ForeignFile, readForeignFile, replaceForeignFile } from "../../host/store/foreign-file.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import type { Started } from "../../inventory/clients/adopt-entry.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Config, parseConfig } from "../config.ts";
import { ensureLocalSidecar } from "../local-sidecar.ts";
import { askPlace } from "./ask-place.ts";
import { withServers } from "./config-text.ts";
import { type FilePlan, planFile, textOf } from "./plan-file.ts";
import {
  adoptedFolder,
  type AdoptedFile,
  keepBackup,
  readRecords,
  type Records,
  writeRecords,
} from "./records.ts";
import { type NamedServer, ServerNames } from "./server-names.ts";
import { restoredText } from "./undo.ts";
import { whichFiles } from "./which-files.ts";

export interface Environment {
  readonly clock: Clock;
  readonly log: Log;
  readonly homes: Homes;
  /** Program and arguments that start this product. */
  readonly self: readonly [string, ...(readonly string[])];
}

export interface AdoptionPlan {
  readonly files: readonly FilePlan[];
  readonly config: { readonly read: ForeignFile; readonly before: string; readonly after: string };
  readonly servers: readonly NamedServer[];
  /** Files that are left as they are, one sentence each. */
  readonly left: readonly string[];
}

/** @throws Refusal `bad_config` if the gateway's config can't be rewritten */
export async function planAdoption(
  config: Config,
  names: readonly string[],
  environment: Environment,
): Promise<AdoptionPlan> {
  const { homes, clock } = environment;
  const records = await readRecords(config.state);
  const serverNames = new ServerNames(config, records, adoptedFolder(config.state));
  const files: FilePlan[] = [];
  const left: string[] = [];
  const seen = new Set<string>();
  for (const client of await whichFiles(names, homes)) {
    try {
      const plan = await planFile(client, {
        home: homes.ownHome,
        ask: (server) => askPlace(server, clock),
        named: (wanted, server) => serverNames.of(wanted, server),
        started: (kind, server) => startedBy(environment, sidecarState(config, kind.id), server),
      });
      if (plan === undefined && client.isNamed) left.push(`${client.file} isn't there.`);
      if (plan === undefined || seen.has(plan.read.file)) continue;
      seen.add(plan.read.file);
      files.push(plan);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      left.push(error.message);
    }
  }
  return { files, ...(await planConfig(config, files)), left };
}

async function planConfig(
  config: Config,
  files: readonly FilePlan[],
): Promise<Pick<AdoptionPlan, "config" | "servers">> {
  const read = await readForeignFile(config.file);
  if (read === undefined) throw new Refusal("bad_config", `${config.file} is gone.`);
  const before = textOf(read);
  const servers = files.flatMap((plan) => plan.servers).filter(({ definition }) => definition !== undefined);
  const added = Object.fromEntries(servers.map(({ name, definition }) => [name, definition]));
  const after = withServers(before, added);
  parseConfig(after, config.file);
  return { config: { read, before, after }, servers };
}

function sidecarState(config: Config, client: string): string {
  return path.join(config.state, "sidecars", client);
}

function startedBy({ self }: Environment, state: string, server: string): Started {
  const [command, ...args] = self;
  return { command, args: [...args, "connect", server, "--state", state] };
}

/**
 * Identities first, then secrets and backups, the config, and the clients last: whatever fails, no client is left with
 * what doesn't work. @returns files that couldn't be written, one sentence each
 */
export async function carryOut(
  config: Config,
  plan: AdoptionPlan,
  environment: Environment,
): Promise<readonly string[]> {
  const changed = plan.files.filter(({ before, after }) => before !== after);
  for (const client of new Set(changed.map(({ client: { kind } }) => kind.id))) {
    const state = sidecarState(config, client);
    await ensurePrivateFolder(path.dirname(state));
    await ensureLocalSidecar(config, { state, path: `agent/${client}` }, environment);
  }
  await keepSecrets(config, plan.servers);
  const earlier = await readRecords(config.state);
  const records = await keepRecords(config, plan, { changed, earlier });
  if (plan.config.before !== plan.config.after)
    await replaceForeignFile(plan.config.read, Buffer.from(plan.config.after));
  const failed = new Map<string, string>();
  for (const { read, client, after } of changed) {
    try {
      await replaceForeignFile(read, Buffer.from(after));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      failed.set(read.file, error instanceof Refusal ? error.message : `${client.file} can't be written.`);
    }
  }
  if (failed.size > 0) await writeRecords(config.state, withoutFailed(records, earlier, failed));
  return [...failed.values()];
}

/** Of a file that couldn't be written, what is known is what was known before. */
function withoutFailed(records: Records, earlier: Records, failed: ReadonlyMap<string, string>): Records {
  const asWritten = records.files.filter(({ file }) => !failed.has(file));
  return { ...records, files: [...asWritten, ...earlier.files.filter(({ file }) => failed.has(file))] };
}

async function keepSecrets({ state }: Config, servers: readonly NamedServer[]): Promise<void> {
  for (const { secrets } of servers) {
    for (const [name, value] of secrets) {
      const file = path.join(adoptedFolder(state), name);
      await ensurePrivateFolder(path.dirname(file));
      await writePrivateFile(file, value);
    }
  }
}

async function keepRecords(
  config: Config,
  plan: AdoptionPlan,
  { changed, earlier: records }: { readonly changed: readonly FilePlan[]; readonly earlier: Records },
): Promise<Records> {
  const files = new Map(records.files.map((one) => [one.file, one]));
  for (const file of changed)
    files.set(file.read.file, await recordOf(config.state, file, files.get(file.read.file)));
  const servers = plan.servers.map(({ name, place, secrets }) => [
    name,
    { place, secrets: [...secrets.keys()] },
  ]);
  const isConfigChanged = plan.config.before !== plan.config.after;
  const next: Records = {
    version: 1,
    files: [...files.values()],
    servers: { ...records.servers, ...Object.fromEntries(servers) },
    ...(records.config && { config: records.config }),
    ...(isConfigChanged && { config: await configRecord(config.state, plan, records) }),
  };
  await writeRecords(config.state, next);
  return next;
}

/** A file that was adopted before, and got further servers since: what it was is what it would be without ours. */
async function recordOf(state: string, plan: FilePlan, there: AdoptedFile | undefined): Promise<AdoptedFile> {
  const isAsLeft = there !== undefined && there.after === plan.read.sha256;
  const restored =
    there && !isAsLeft ? restoredText(plan.before, plan.client.kind, there.entries).text : plan.before;
  const before = isAsLeft ? there.before : await keepBackup(state, Buffer.from(restored));
  return {
    file: plan.read.file,
    client: plan.client.kind.id,
    before,
    after: sha256Hex(Buffer.from(plan.after)),
    entries: [...(there?.entries ?? []), ...plan.entries],
  };
}

async function configRecord(
  state: string,
  { config }: AdoptionPlan,
  records: Records,
): Promise<NonNullable<Records["config"]>> {
  const isAsLeft = records.config?.after === config.read.sha256;
  const before =
    isAsLeft && records.config ? records.config.before : await keepBackup(state, config.read.bytes);
  return { before, after: sha256Hex(Buffer.from(config.after)) };
}
