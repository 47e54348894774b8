/** The inventory of a state folder: kept, labelled, forgotten. */
import path from "node:path";

import { ensurePrivateFolder, isThere } from "../../host/store/files.ts";
import { type InventoryStore, openInventoryStore } from "../../host/store/state-inventory.ts";
import {
  type Inventory,
  inventoryOf,
  type InventoryServer,
  type ServerLabels,
} from "../../inventory/inventory.ts";
import { type Progress, progressOf } from "../../inventory/progress.ts";
import type { Sighting } from "../../inventory/sighting.ts";
import { printable } from "../../kernel/printable.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Config, loadConfig } from "../config.ts";
import { registrations } from "./registrations.ts";

/** Where an inventory is, and which gateway's config says who answers for what. */
export interface InventoryPlace {
  readonly stateFolder: string;
  readonly config?: Config;
}

export interface Kept {
  readonly inventory: Inventory;
  readonly progress: readonly Progress[];
}

/** The state folder of the config, or `.latticegate` in this folder where there is none and none was named. */
export async function inventoryPlace(named: string | undefined): Promise<InventoryPlace> {
  const file = named ?? "latticegate.yaml";
  if (named === undefined && !(await isThere(file))) return { stateFolder: path.resolve(".latticegate") };
  const config = loadConfig(file);
  return { stateFolder: config.state, config };
}

/** @returns what is known now: what was seen, and what was known before */
export async function keepSightings(
  { stateFolder, config }: InventoryPlace,
  sightings: readonly Sighting[],
  nowUnixMs: number,
): Promise<Inventory> {
  await ensurePrivateFolder(stateFolder);
  const all = [...sightings, ...(config === undefined ? [] : registrations(config))];
  return within(stateFolder, (store) =>
    store.change((before) => {
      const inventory = inventoryOf(all, before, nowUnixMs);
      return { inventory, progress: progressOf(inventory) };
    }),
  );
}

/** @throws Refusal `bad_state` if nothing was kept there yet */
export async function keptInventory({ stateFolder, config }: InventoryPlace): Promise<Kept> {
  if (!(await isThere(databaseOf(stateFolder)))) throw nothingKept(stateFolder);
  return within(stateFolder, (store) => {
    const inventory = store.inventory();
    if (inventory === undefined) throw nothingKept(stateFolder);
    return { inventory: withOwners(inventory, config), progress: store.progress() };
  });
}

/** Labels that aren't named stay. */
export async function labelServer(
  place: InventoryPlace,
  asked: string,
  labels: ServerLabels,
): Promise<InventoryServer> {
  const { id } = serverNamed((await keptInventory(place)).inventory, asked);
  const changed = changeKept(place.stateFolder, (inventory) => ({
    ...inventory,
    servers: inventory.servers.map((server) =>
      server.id === id ? { ...server, labels: { ...server.labels, ...labels } } : server,
    ),
  }));
  return serverNamed(changed, id);
}

/** @returns what was forgotten; a server that is there still is found again by the next look around */
export async function forgetServer(place: InventoryPlace, asked: string): Promise<InventoryServer> {
  const server = serverNamed((await keptInventory(place)).inventory, asked);
  changeKept(place.stateFolder, (inventory) => ({
    ...inventory,
    servers: inventory.servers.filter(({ id }) => id !== server.id),
  }));
  return server;
}

/** By its id, or by a name that one server alone has. @throws Refusal `unknown_name` */
export function serverNamed({ servers }: Inventory, asked: string): InventoryServer {
  const exact = servers.find(({ id }) => id === asked);
  if (exact !== undefined) return exact;
  const [found, ...others] = servers.filter(({ names, name }) => names.includes(asked) || name === asked);
  const shown = printable(asked, 200);
  if (found === undefined)
    throw new Refusal(
      "unknown_name",
      `The inventory has no server "${shown}"; "latticegate inventory list" lists them.`,
    );
  if (others.length > 0)
    throw new Refusal(
      "unknown_name",
      `${others.length + 1} servers are called "${shown}"; name one by its id: ${[found, ...others]
        .slice(0, 5)
        .map(({ id }) => printable(id, 200))
        .join(", ")}.`,
    );
  return found;
}

/** An operator's label stands before the config's `owner`. */
function withOwners(inventory: Inventory, config: Config | undefined): Inventory {
  const owners = new Map(Object.entries(config?.servers ?? {}).map(([name, { owner }]) => [name, owner]));
  const servers = inventory.servers.map((server) => {
    const registered = server.evidence.flatMap((each) => (each.by === "registration" ? [each.name] : []));
    const owner = registered.map((name) => owners.get(name)).find((each) => each !== undefined);
    return owner === undefined ? server : { ...server, labels: { owner, ...server.labels } };
  });
  return { ...inventory, servers };
}

function changeKept(stateFolder: string, change: (inventory: Inventory) => Inventory): Inventory {
  return within(stateFolder, (store) =>
    store.change((before) => {
      if (before === undefined) throw nothingKept(stateFolder);
      return { inventory: change(before) };
    }),
  );
}

function within<T>(stateFolder: string, work: (store: InventoryStore) => T): T {
  const store = openInventoryStore(databaseOf(stateFolder));
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function databaseOf(stateFolder: string): string {
  return path.join(stateFolder, "inventory.sqlite");
}

function nothingKept(stateFolder: string): Refusal {
  return new Refusal(
    "bad_state",
    `There is no inventory in ${stateFolder} yet: "latticegate scan --keep" makes one.`,
  );
}
