/** Servers and callers that a gateway knows of: those of its config, and those of its audit log, registered or not. Sends nothing to callers. */
import { setImmediate as turn } from "node:timers/promises";

import { readEntry } from "../../audit/entry.ts";
import { openLogBundles } from "../../host/store/log-bundles.ts";
import { plainUrl, withoutSecrets } from "../../inventory/clients/secrets.ts";
import type { Place, Sighting } from "../../inventory/sighting.ts";
import { type Traffic, trafficOf } from "../../inventory/traffic.ts";
import type { Config, ServerConfig } from "../config.ts";
import type { Naming } from "../subject-names.ts";
import { type Asking, inTurns } from "./asking.ts";

export interface TrafficSearch {
  /** As it is told: the file of its config, say. */
  readonly gateway: string;
  readonly config: Pick<Config, "servers" | "virtual_servers">;
  /** Its audit log, or a copy. */
  readonly folder: string;
  /** Callers as whoever reads this may see them. */
  readonly named: Naming;
  readonly sinceUnixMs: number;
  readonly untilUnixMs: number;
  readonly asking: Pick<Asking, "probe">;
  readonly signal: AbortSignal;
}

/** Of 256 entries; a million take about a minute. */
const maxBundles = 4096;

export async function* searchTraffic(search: TrafficSearch): AsyncGenerator<Sighting> {
  const { gateway, config, signal } = search;
  const fixed = Object.entries(config.servers).map(([name, server]) => [name, placeOf(server)] as const);
  const registered = fixed.flatMap(([name, place]) => (place === undefined ? [] : [{ name, place }]));
  const work = async (one: (typeof registered)[number]): Promise<readonly Sighting[]> =>
    await registration(one, search);
  for await (const sightings of inTurns(registered, work, signal)) yield* sightings;
  const virtual = Object.keys(config.virtual_servers).map((name) => [name, undefined] as const);
  const traffic = trafficOf({ gateway, servers: new Map<string, Place | undefined>([...virtual, ...fixed]) });
  yield* await readLog(search, traffic);
  yield* traffic.sightings();
}

function placeOf(server: ServerConfig): Place | undefined {
  if ("forward" in server) return undefined;
  if ("command" in server)
    return { kind: "stdio", command: withoutSecrets(server.command), environment: Object.keys(server.env) };
  // Of an API the gateway is the server itself.
  const url = "url" in server ? plainUrl(server.url) : undefined;
  return url === undefined ? undefined : { kind: "http", url };
}

async function registration(
  { name, place }: { readonly name: string; readonly place: Place },
  { gateway, asking, signal }: TrafficSearch,
): Promise<readonly Sighting[]> {
  const evidence = { by: "registration", gateway, name } as const;
  if (place.kind === "stdio") return [{ kind: "server", server: { place, evidence, spoken: "stdio" } }];
  const { hostname, port, protocol } = new URL(place.url);
  const at = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  try {
    const posture = await asking.probe(hostname.replaceAll(/[[\]]/g, ""), at);
    const shown = posture !== undefined && { posture };
    return [{ kind: "server", server: { place, evidence, ...shown } }];
  } catch (error) {
    signal.throwIfAborted();
    const because = error instanceof Error ? error.message.slice(0, 256) : "it couldn't be asked";
    return [
      { kind: "server", server: { place, evidence } },
      { kind: "problem", problem: { at: place.url, because } },
    ];
  }
}

/** The newest first, so that a look at the last days doesn't read years. */
async function readLog(
  { gateway, folder, named, sinceUnixMs, untilUnixMs, signal }: TrafficSearch,
  traffic: Traffic,
): Promise<readonly Sighting[]> {
  const log = openLogBundles(folder);
  let index = Math.floor(log.headSize() / 256);
  // What the head doesn't cover yet is there, too.
  while (log.bundle(index + 1) !== undefined) index++;
  let [unreadable, bundles, isOver] = [0, 0, false];
  for (; index >= log.first() && !isOver && bundles < maxBundles; index--) {
    await turn();
    signal.throwIfAborted();
    bundles++;
    for (const bytes of (log.bundle(index) ?? []).toReversed()) {
      const reading = readEntry(bytes);
      if (reading.kind === "unreadable") unreadable++;
      // Entries of one moment may stand in any order; a bundle that is older to its end isn't of that moment.
      else if (reading.entry.atUnixMs < sinceUnixMs) isOver = true;
      else if (reading.entry.atUnixMs < untilUnixMs) traffic.add(named(reading.entry));
    }
  }
  const because = [
    ...(bundles === maxBundles && !isOver
      ? ["its audit log has more entries than are read; name a shorter time"]
      : []),
    ...(unreadable > 0
      ? [`${unreadable} entries of its audit log can't be read; run latticegate audit verify`]
      : []),
  ];
  return because.map((why) => ({ kind: "problem", problem: { at: gateway, because: why } }));
}
