/** How far the migration has come: of one look around, servers and clients' ways to them with ML-KEM, out of those on a network. */
import type { ClientEntry } from "./clients/client-sighting.ts";
import type { Inventory, InventoryServer } from "./inventory.ts";

export interface Progress {
  readonly atUnixMs: number;
  /** Reached over a network or loopback and seen in that look; pipes have no link that could be migrated. */
  readonly servers: number;
  /** Of those: ask every client that can for ML-KEM, or take nothing else. */
  readonly hybridServers: number;
  /** Entries of clients' configurations that aren't disabled and reach over HTTP or through `connect`. */
  readonly links: number;
  /** Of those: run behind `connect`. */
  readonly hybridLinks: number;
}

export function progressOf(inventory: Inventory): Progress {
  const servers = inventory.servers.filter(
    (server) => server.place.kind === "http" && !isGone(server, inventory),
  );
  const links = inventory.clients.flatMap(({ entries }) => entries).filter(isLink);
  return {
    atUnixMs: inventory.atUnixMs,
    servers: servers.length,
    hybridServers: servers.filter(({ posture }) => isHybrid(posture?.keyExchange.verdict)).length,
    links: links.length,
    hybridLinks: links.filter(({ reaches }) => reaches.kind === "connect").length,
  };
}

/** It was known, and wasn't seen when it was looked around last. */
export function isGone(server: InventoryServer, { atUnixMs }: Inventory): boolean {
  return server.lastSeenUnixMs < atUnixMs;
}

function isHybrid(verdict: string | undefined): boolean {
  return verdict === "hybrid" || verdict === "hybrid-preferred";
}

function isLink({ isDisabled, reaches }: ClientEntry): boolean {
  return !isDisabled && (reaches.kind === "http" || reaches.kind === "connect");
}
