/** What is out there, made of sightings: each server once, however many places it was seen from, and what was known of it before. */
import type { ClientSighting } from "./clients/client-sighting.ts";
import {
  type CallerSighting,
  type EndpointSighting,
  type Evidence,
  placeKey,
  type Problem,
  type ServerSighting,
  type Sighting,
} from "./sighting.ts";

export interface Inventory {
  /** When it was looked around last. */
  readonly atUnixMs: number;
  readonly servers: readonly InventoryServer[];
  readonly clients: readonly ClientSighting[];
  readonly callers: readonly CallerSighting[];
  /** Listeners that speak TLS or HTTP, and no MCP that was found. */
  readonly endpoints: readonly EndpointSighting[];
  readonly problems: readonly Problem[];
}

/** What operators say of a server. */
export interface ServerLabels {
  readonly owner?: string;
  readonly purpose?: string;
  readonly dataClass?: string;
  /** How long its data has to stay secret. */
  readonly shelfLifeMs?: number;
}

export interface InventoryServer extends Omit<ServerSighting, "evidence"> {
  /** `placeKey` of its place. */
  readonly id: string;
  /** What its clients and gateways call it. */
  readonly names: readonly string[];
  readonly standing: Standing;
  /** From where on the network it can be reached, by its address. */
  readonly exposure: "process" | "loopback" | "private" | "public";
  readonly evidence: readonly Evidence[];
  readonly labels: ServerLabels;
  readonly firstSeenUnixMs: number;
  readonly lastSeenUnixMs: number;
}

type Standing =
  /** A gateway's config has it. */
  | "registered"
  /** A client's configuration has it, and no gateway's. */
  | "configured"
  /** It is there, and stands nowhere. */
  | "shadow";

/** Of one server: more evidence says nothing more. */
const maxEvidence = 50;
const maxServers = 20_000;
const maxOthers = 20_000;

/** @param previous what is in it and wasn't seen this time stays, with the time it was seen last */
export function inventoryOf(
  sightings: Iterable<Sighting>,
  previous: Inventory | undefined,
  nowUnixMs: number,
): Inventory {
  const all = [...sightings];
  // A look at a network alone says nothing of clients: what they were known to reach stays.
  const kept = all.some(({ kind }) => kind === "client") ? undefined : previous?.clients;
  const seen = new Map<string, InventoryServer>();
  for (const sighting of all) {
    if (sighting.kind !== "server") continue;
    const { server } = sighting;
    const id = placeKey(server.place);
    const before = seen.get(id);
    if (before === undefined && seen.size >= maxServers) continue;
    seen.set(id, joined(before ?? known(previous, id, kept !== undefined), server, nowUnixMs));
  }
  for (const server of previous?.servers ?? []) {
    if (!seen.has(server.id) && seen.size < maxServers) seen.set(server.id, server);
  }
  return {
    atUnixMs: nowUnixMs,
    servers: [...seen.values()].map(withStanding).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    clients: kept ?? pick(all, (each) => (each.kind === "client" ? each.client : undefined)),
    callers: pick(all, (each) => (each.kind === "caller" ? each.caller : undefined)),
    endpoints: pick(all, (each) => (each.kind === "endpoint" ? each.endpoint : undefined)),
    problems: pick(all, (each) => (each.kind === "problem" ? each.problem : undefined)),
  };
}

/** What stays of a server from one look to the next: who answers for it, and since when it is known. */
function known(
  previous: Inventory | undefined,
  id: string,
  keepsClients: boolean,
): InventoryServer | undefined {
  const before = previous?.servers.find((server) => server.id === id);
  if (before === undefined) return undefined;
  const evidence = keepsClients ? before.evidence.filter(({ by }) => by === "client") : [];
  return { ...before, evidence, names: evidence.flatMap(nameIn) };
}

function joined(
  before: InventoryServer | undefined,
  seen: ServerSighting,
  nowUnixMs: number,
): InventoryServer {
  const { evidence, ...said } = seen;
  const all = [...(before?.evidence ?? []), evidence];
  return {
    ...before,
    ...said,
    place: before?.place ?? said.place,
    id: placeKey(seen.place),
    names: [...new Set([...(before?.names ?? []), ...nameIn(evidence)])],
    standing: "shadow",
    exposure: exposureOf(seen),
    evidence: all.slice(0, maxEvidence),
    labels: before?.labels ?? {},
    firstSeenUnixMs: before?.firstSeenUnixMs ?? nowUnixMs,
    lastSeenUnixMs: nowUnixMs,
  };
}

function nameIn(evidence: Evidence): readonly string[] {
  return evidence.by === "client" || evidence.by === "registration" ? [evidence.name] : [];
}

function withStanding(server: InventoryServer): InventoryServer {
  const by = new Set(server.evidence.map((each) => each.by));
  const standing = by.has("registration") ? "registered" : by.has("client") ? "configured" : "shadow";
  return { ...server, standing };
}

function exposureOf({ place }: ServerSighting): InventoryServer["exposure"] {
  if (place.kind === "stdio") return "process";
  const { hostname } = new URL(place.url);
  if (hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.")) return "loopback";
  const isPrivate =
    /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(
      hostname,
    ) ||
    /^\[f[cde]/.test(hostname) ||
    !hostname.includes(".") ||
    /\.(?:internal|local|lan|home\.arpa|corp|intranet)$/.test(hostname);
  return isPrivate ? "private" : "public";
}

function pick<T>(all: readonly Sighting[], from: (sighting: Sighting) => T | undefined): readonly T[] {
  return all.flatMap((each) => from(each) ?? []).slice(0, maxOthers);
}
