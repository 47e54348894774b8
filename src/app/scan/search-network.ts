/** Servers on a network that somebody pointed at: which ports are open, and which of them speak MCP. Asked as a stranger would. */
import { onAbort } from "../../host/on-abort.ts";
import { connectScan, type ScanPace } from "../../host/scan/connect-scan.ts";
import { resolveHost } from "../../host/scan/resolve-host.ts";
import type { Sighting } from "../../inventory/sighting.ts";
import { defaultMaxTargets, parseTargets, type Target, whyNotAsked } from "../../inventory/targets.ts";
import { seededRandom } from "../../kernel/seeded-random.ts";
import { askPort } from "./ask-port.ts";
import type { Asking } from "./asking.ts";

export interface NetworkProgress {
  readonly done: number;
  readonly total: number;
  /** Ports that took a connection. */
  readonly found: number;
}

export interface NetworkSearch {
  /** As `parseTargets` has them. */
  readonly targets: readonly string[];
  /** Of targets that name none. */
  readonly ports: readonly number[];
  readonly isPublic: boolean;
  readonly maxTargets?: number;
  readonly pace?: ScanPace;
  /** For all of it. */
  readonly wholeTimeoutMs: number;
  /** Of the order in which ports are tried. */
  readonly seed: number;
  readonly asking: Asking;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: NetworkProgress) => void;
}

/** A thousand packets a second, spread over all hosts: less than a page with pictures. */
export const defaultPace: ScanPace = { perSecond: 300, atOnce: 128, connectTimeoutMs: 1500 };
/** Ports that are asked what they are while others are still looked for. */
const askedAtOnce = 8;
/** Where MCP is served, by custom: the specification names no path. */
const customPaths = ["/mcp", "/sse", "/"];

interface Knockable {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** That were given, then those of custom. */
  readonly paths: readonly string[];
}

/** @throws Refusal `bad_config` before anything is asked, if a target can't be */
export async function* searchNetwork(search: NetworkSearch): AsyncGenerator<Sighting> {
  const { isPublic, maxTargets = defaultMaxTargets, signal } = search;
  const targets = parseTargets(search.targets, search.ports, { isPublic, maxTargets });
  const late = AbortSignal.timeout(search.wholeTimeoutMs);
  const whole = AbortSignal.any([signal, late]);
  try {
    const { places, refused } = await reached(targets, isPublic, whole);
    for (const [at, because] of refused) yield { kind: "problem", problem: { at, because } };
    yield* knockedAt(places, { ...search, signal: whole });
  } catch (error) {
    signal.throwIfAborted();
    const because = late.aborted
      ? "the time for it was over; the rest wasn't asked"
      : `this machine couldn't go on connecting: ${error instanceof Error ? error.message : "unknown"}`;
    yield { kind: "problem", problem: { at: "the network", because: because.slice(0, 256) } };
  }
}

/** A name is asked at its first address that may be; which address that was, is decided once. */
async function reached(
  targets: readonly Target[],
  isPublic: boolean,
  signal: AbortSignal,
): Promise<{ readonly places: readonly Knockable[]; readonly refused: ReadonlyMap<string, string> }> {
  const places = new Map<string, Knockable>();
  const refused = new Map<string, string>();
  const addresses = new Map<string, string | undefined>();
  for (const { host, port, path } of targets) {
    if (!addresses.has(host)) {
      const all = await resolveHost(host, signal);
      const allowed = all.find((address) => whyNotAsked(address, { isPublic }) === undefined);
      addresses.set(host, allowed);
      const why = all[0] === undefined ? "there is no such name" : whyNotAsked(all[0], { isPublic });
      if (allowed === undefined) refused.set(host, why ?? "it isn't asked");
    }
    const address = addresses.get(host);
    if (address === undefined) continue;
    const known = places.get(`${host} ${port}`);
    const given = path === undefined ? [] : [path];
    const paths = [...new Set([...given, ...(known?.paths ?? customPaths)])];
    places.set(`${host} ${port}`, { address, host, port, paths });
  }
  return { places: [...places.values()], refused };
}

/** Ports are looked for and asked at the same time; what is asked is never more than `askedAtOnce`. */
async function* knockedAt(places: readonly Knockable[], search: NetworkSearch): AsyncGenerator<Sighting> {
  const { pace = defaultPace, seed, signal, onProgress } = search;
  const asked = new Set<Promise<void>>();
  const ready: Sighting[] = [];
  let [done, found] = [0, 0];
  const total = places.length;
  for await (const { place, knocked } of connectScan({ places, pace, random: seededRandom(seed), signal })) {
    done++;
    if (knocked === "open") {
      found++;
      const asking = sightingsAt(place, search)
        .then((sightings) => void ready.push(...sightings))
        .finally(() => asked.delete(asking));
      asked.add(asking);
      if (asked.size >= askedAtOnce) await oneOf(asked, signal);
    }
    onProgress?.({ done, total, found });
    yield* ready.splice(0);
  }
  while (asked.size > 0) {
    await oneOf(asked, signal);
    yield* ready.splice(0);
  }
  yield* ready.splice(0);
}

/** @throws once `signal` aborts */
async function oneOf(asked: ReadonlySet<Promise<void>>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const stop = onAbort(signal, () => aborted.resolve());
  await Promise.race([...asked, aborted.promise]);
  stop();
  signal.throwIfAborted();
}

/** INVARIANT: never rejects; nobody may be waiting for it. */
async function sightingsAt(
  { host, port, paths }: Knockable,
  { asking }: NetworkSearch,
): Promise<readonly Sighting[]> {
  const evidence = { by: "network" } as const;
  try {
    const { answers, posture, server, problem } = await askPort(host, port, paths, asking);
    const shown = posture !== undefined && { posture };
    const told: Sighting[] = problem === undefined ? [] : [{ kind: "problem", problem }];
    if (server !== undefined) return [{ kind: "server", server: { ...server, evidence, ...shown } }, ...told];
    return [{ kind: "endpoint", endpoint: { host, port, answers, evidence, ...shown } }, ...told];
  } catch (error) {
    const because = error instanceof Error ? error.message.slice(0, 256) : "it couldn't be asked";
    return [{ kind: "problem", problem: { at: `${host}:${port}`, because } }];
  }
}
