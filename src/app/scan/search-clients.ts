/**
 * The clients of this machine and of folders of projects: what their configurations reach. Reads files, and starts
 * nothing; servers on the network are asked only where that is wanted.
 */
import path from "node:path";

import { projectFiles, type FoundFile, userFiles } from "../../host/scan/config-files.ts";
import { readBounded } from "../../host/scan/read-bounded.ts";
import type { Platform } from "../../inventory/clients/client-kinds.ts";
import type { ClientEntry, ClientSighting, Reached } from "../../inventory/clients/client-sighting.ts";
import { type ClientConfig, readClientConfig } from "../../inventory/clients/read-client-config.ts";
import { plainUrl, withoutSecrets } from "../../inventory/clients/secrets.ts";
import { postureOf } from "../../inventory/posture/verdicts.ts";
import type { ServerSighting, Sighting } from "../../inventory/sighting.ts";
import { type Asking, inTurns, seenAt } from "./asking.ts";

export interface ClientSearch {
  readonly platform: Platform;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of whoever runs this. */
  readonly ownHome: string;
  /** Homes whose clients are looked for. */
  readonly homes: readonly string[];
  /** Folders below which projects are looked for. */
  readonly projects: readonly string[];
  /** Without it, no server is asked. */
  readonly asking?: Asking;
  readonly signal: AbortSignal;
}

/** More than any of these files has; a client's own state stands in some. */
const maxBytes = 32 * 1024 * 1024;

export async function* searchClients(search: ClientSearch): AsyncGenerator<Sighting> {
  const { asking, signal } = search;
  const named = new Map<string, ServerSighting>();
  for await (const sighting of configured(search)) {
    yield sighting;
    if (sighting.kind === "server" && sighting.server.place.kind === "http")
      named.set(sighting.server.place.url, sighting.server);
  }
  if (asking === undefined) return;
  const work = async (server: ServerSighting): Promise<readonly Sighting[]> => await asked(server, asking);
  for await (const found of inTurns([...named.values()], work, signal)) yield* found;
}

/** The same server once more, with what it says of itself. */
async function asked(server: ServerSighting, asking: Asking): Promise<readonly Sighting[]> {
  const { place } = server;
  if (place.kind !== "http" || place.url.includes("<secret>")) return [];
  const { answered, posture, problem } = await seenAt(place.url, asking);
  if (problem !== undefined) return [{ kind: "problem", problem }];
  const more = posture === undefined ? {} : { posture };
  return [{ kind: "server", server: { ...server, ...answered, place, ...more } }];
}

async function* configured(search: ClientSearch): AsyncGenerator<Sighting> {
  const readings = new Readings(search);
  for (const file of await userFiles(search)) yield* readings.of(file);
  const tops = search.projects.map((folder) => path.resolve(folder));
  for await (const found of projectFiles(tops, search.signal)) yield* readings.of(found);
  // Folders that a client's own file names; it keeps those that are gone.
  const known = readings.projects.filter((folder) => path.isAbsolute(folder));
  for await (const found of projectFiles(known, search.signal, { depth: 0, folders: known.length })) {
    if (!("because" in found)) yield* readings.of(found);
  }
}

/** Each file once, though it may be found in several ways. */
class Readings {
  readonly projects: string[] = [];
  readonly #seen = new Set<string>();
  readonly #search: ClientSearch;

  constructor(search: ClientSearch) {
    this.#search = search;
  }

  async *of(found: FoundFile): AsyncGenerator<Sighting> {
    if ("because" in found) {
      yield { kind: "problem", problem: found };
      return;
    }
    this.#search.signal.throwIfAborted();
    const file = path.resolve(found.file);
    if (this.#seen.has(file)) return;
    const read = await readBounded(file, maxBytes);
    if (read.kind === "absent") return;
    this.#seen.add(file);
    if (read.kind === "unreadable" || read.isCut) {
      const because = read.kind === "unreadable" ? read.because : `it is larger than ${maxBytes} bytes`;
      yield { kind: "problem", problem: { at: file, because } };
      return;
    }
    const config = readClientConfig(read.text, found.kind);
    this.projects.push(...config.projects);
    yield* sightingsOf({ ...found, file }, { ...config, readers: read.readers }, this.#search);
  }
}

type ConfigFile = Exclude<FoundFile, { readonly because: string }>;
type Read = ClientConfig & { readonly readers: "owner" | "group" | "everybody" };

function* sightingsOf(
  { kind, file, home }: ConfigFile,
  read: Read,
  { homes }: ClientSearch,
): Generator<Sighting> {
  const { entries, secrets, faults, readers } = read;
  for (const because of faults) yield { kind: "problem", problem: { at: file, because } };
  if (entries.length === 0 && secrets.length === 0) return;
  const client: ClientSighting = {
    client: kind.id,
    file,
    ...(home !== undefined && homes.length > 1 ? { user: path.basename(home) } : {}),
    entries: entries.map((entry) => ({ ...entry, reaches: shown(entry.reaches) })),
    secrets,
    ...(secrets.length > 0 && readers !== "owner" ? { readableBy: readers } : {}),
  };
  yield { kind: "client", client };
  for (const entry of client.entries) yield* serversOf(client, entry);
}

/** From here on no secret goes anywhere. */
function shown(reached: Reached): Reached {
  if (reached.kind === "stdio") return { ...reached, command: withoutSecrets(reached.command) };
  if (reached.kind === "http") return { ...reached, url: withoutSecrets([reached.url])[0] ?? "" };
  return reached;
}

function serversOf(client: ClientSighting, entry: ClientEntry): readonly Sighting[] {
  const { reaches, name } = entry;
  const evidence = { by: "client", client: client.client, file: client.file, name } as const;
  const because = (text: string): Sighting => ({
    kind: "problem",
    problem: { at: `${client.file} (${name})`, because: text },
  });
  if (reaches.kind === "connect") return [];
  if (reaches.kind === "unreadable") return [because(reaches.because)];
  if (reaches.kind === "http") {
    const url = plainUrl(reaches.url);
    if (url === undefined)
      return [because("where it is stands elsewhere: its URL is a reference, or none of HTTP")];
    const spoken = reaches.transport === "either" ? {} : { spoken: reaches.transport };
    return [server({ place: { kind: "http", url }, evidence, ...spoken })];
  }
  const { command, environment } = reaches;
  const place = { kind: "stdio", command, environment } as const;
  const local = server({
    place,
    evidence,
    spoken: "stdio",
    authentication: { kind: "local-user" },
    posture: postureOf({ kind: "local" }, 0),
  });
  const behind = urlBehind(command);
  return behind === undefined ? [local] : [local, server({ place: { kind: "http", url: behind }, evidence })];
}

function server(sighting: ServerSighting): Sighting {
  return { kind: "server", server: sighting };
}

/** Programs that are no servers themselves: they speak stdio to the client and HTTP to a server elsewhere. */
const bridges = /(?:^|[\\/])(?:mcp-remote|mcp-proxy|supergateway)(?:@[\w.-]{1,64})?$/;

function urlBehind(command: readonly string[]): string | undefined {
  const at = command.findIndex((part) => bridges.test(part));
  if (at === -1) return undefined;
  const url = command.slice(at + 1).find((part) => /^https?:\/\//i.test(part));
  return url === undefined ? undefined : plainUrl(url);
}
