/** What adopting one client's file would change, before anything is written. */
import { isDeepStrictEqual } from "node:util";

import { type ForeignFile, readForeignFile } from "../../host/store/foreign-file.ts";
import { adoptedEntry, entryRange, type Started, withRange } from "../../inventory/clients/adopt-entry.ts";
import type { ClientKind } from "../../inventory/clients/client-kinds.ts";
import type { ClientEntry } from "../../inventory/clients/client-sighting.ts";
import { configDocument, isTable, type Value } from "../../inventory/clients/config-document.ts";
import { readClientConfig } from "../../inventory/clients/read-client-config.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { AdoptedEntry } from "./records.ts";
import type { NamedServer } from "./server-names.ts";
import { type EntryServer, serverOfEntry } from "./server-of-entry.ts";
import type { ClientFile } from "./which-files.ts";

export interface FilePlan {
  readonly client: ClientFile;
  readonly read: ForeignFile;
  readonly before: string;
  readonly after: string;
  readonly entries: readonly AdoptedEntry[];
  readonly servers: readonly NamedServer[];
  readonly left: readonly LeftEntry[];
}

interface LeftEntry {
  readonly name: string;
  readonly because: string;
}

export interface PlanTerms {
  readonly home: string;
  readonly ask: (
    server: EntryServer,
  ) => Promise<{ kind: "reached"; server: EntryServer } | { kind: "left"; because: string }>;
  readonly named: (wanted: string, server: EntryServer) => NamedServer;
  /** How the client starts a server of that name. */
  readonly started: (kind: ClientKind, server: string) => Started;
}

/** @returns undefined if there is no such file @throws Refusal `bad_config` if it can't be rewritten */
export async function planFile(client: ClientFile, terms: PlanTerms): Promise<FilePlan | undefined> {
  const read = await readForeignFile(client.file);
  if (read === undefined) return undefined;
  const before = textOf(read);
  const { entries } = readable(before, client);
  const { root } = configDocument(before, client.kind.format);
  let after = before;
  const adopted: AdoptedEntry[] = [];
  const servers: NamedServer[] = [];
  const left: LeftEntry[] = [];
  for (const entry of entries) {
    const leave = (because: string): void => void left.push({ name: entry.path.join("."), because });
    const server = await serverAt(entry, valueAt(root, entry.path), client, terms);
    if (server.kind === "left") {
      leave(server.because);
      continue;
    }
    const range = entryRange(after, client.kind, entry.path);
    const named = range && terms.named(entry.name, server);
    const text =
      named && adoptedEntry(after, client.kind, entry.path, terms.started(client.kind, named.name));
    if (range === undefined || named === undefined || text === undefined) {
      leave("it is written in a way that can't be rewritten without touching more than it");
      continue;
    }
    adopted.push({
      path: [...entry.path],
      server: named.name,
      original: after.slice(range.start, range.end),
    });
    servers.push(named);
    after = withRange(after, range, text);
  }
  mustSayTheSame(before, after, client, adopted);
  return { client, read, before, after, entries: adopted, servers, left };
}

/** @throws Refusal `bad_config` unless it is a text that comes back byte for byte */
export function textOf({ bytes, named }: ForeignFile): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  if (Buffer.from(text).equals(bytes)) return text;
  throw new Refusal("bad_config", `${named} isn't UTF-8; it is left as it is.`);
}

/** @throws Refusal `bad_config` if anything in it can't be read: what is written then could mean something else */
function readable(text: string, { kind, file }: ClientFile): ReturnType<typeof readClientConfig> {
  const config = readClientConfig(text, kind);
  const [fault] = config.faults;
  if (fault === undefined) return config;
  throw new Refusal("bad_config", `${file} is left as it is: ${fault}.`);
}

async function serverAt(
  entry: ClientEntry,
  value: Value,
  client: ClientFile,
  { home, ask }: PlanTerms,
): Promise<EntryServer | { readonly kind: "left"; readonly because: string }> {
  if (entry.isDisabled) return { kind: "left", because: "it is disabled" };
  const folder = entry.project ?? client.folder;
  const { kind } = client;
  const read = serverOfEntry({
    kind,
    value,
    reaches: entry.reaches,
    home,
    ...(folder !== undefined && { folder }),
  });
  if (read.kind === "left") return read;
  const asked = await ask(read);
  return asked.kind === "left" ? asked : asked.server;
}

function valueAt(root: Value, path: readonly string[]): Value {
  let value: Value = root;
  for (const key of path) value = isTable(value) ? (value.get(key) ?? null) : null;
  return value;
}

/** INVARIANT: a rewritten file differs from what it was in the adopted entries alone, and each of them is as it should be. */
function mustSayTheSame(
  before: string,
  after: string,
  client: ClientFile,
  adopted: readonly AdoptedEntry[],
): void {
  const { entries } = readable(after, client);
  const roots = [before, after].map((text) => configDocument(text, client.kind.format).root);
  const [old, now] = roots.map((root) =>
    without(
      root,
      adopted.map(({ path }) => path),
    ),
  );
  const isRight = adopted.every(({ path, server }) =>
    entries.some(
      ({ path: at, reaches }) =>
        isDeepStrictEqual(at, path) && reaches.kind === "connect" && reaches.server === server,
    ),
  );
  if (isRight && isDeepStrictEqual(old, now)) return;
  throw new Refusal(
    "bad_config",
    `${client.file} is written in a way that can't be rewritten; it is left as it is.`,
  );
}

function without(value: Value, paths: readonly (readonly string[])[]): Value {
  if (!isTable(value) || paths.length === 0) return value;
  const pairs = [...value].flatMap(([key, one]): readonly (readonly [string, Value])[] => {
    const below = paths.filter(([first]) => first === key).map((path) => path.slice(1));
    return below.some((path) => path.length === 0) ? [] : [[key, without(one, below)]];
  });
  return new Map(pairs);
}
