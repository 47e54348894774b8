/** What a gateway's audit log shows of servers and callers: who called what, how often, and what nobody registered. */
import type { Entry } from "../audit/entry.ts";
import { printable } from "../kernel/printable.ts";
import { plainUrl } from "./clients/secrets.ts";
import { type Place, placeKey, type Sighting } from "./sighting.ts";

export interface Traffic {
  /** Counts an entry, whatever it is of. */
  readonly add: (entry: Pick<Entry, "event" | "principal" | "facts" | "atUnixMs">) => void;
  /** Of all that was added. */
  readonly sightings: () => readonly Sighting[];
}

interface Registered {
  /** The gateway, as it is told. */
  readonly gateway: string;
  /** Its servers by name; undefined for those that have no place of their own: forward and virtual ones. */
  readonly servers: ReadonlyMap<string, Place | undefined>;
}

/** Of servers, of callers, of invented names, and of the servers of one caller: what a log can be filled with. */
const maxKept = 10_000;
const maxText = 256;
/** Of a call one entry counts: its decision, or that it never came to one. */
const counted = new Set(["call.decision", "request.denied"]);

interface Seen {
  calls: number;
  firstUnixMs: number;
  lastUnixMs: number;
}

export function trafficOf({ gateway, servers }: Registered): Traffic {
  const places = new Map<string, Seen & { readonly place: Place }>();
  const callers = new Map<string, Seen & { readonly servers: Set<string> }>();
  const strangers = new Map<string, Seen>();
  let left = 0;
  const count = <Of extends Seen>(
    all: Map<string, Of>,
    key: string,
    at: number,
    made: () => Of,
  ): Of | undefined => {
    let seen = all.get(key);
    if (seen === undefined) {
      if (all.size >= maxKept) return void left++;
      all.set(key, (seen = made()));
    }
    seen.calls++;
    seen.firstUnixMs = Math.min(seen.firstUnixMs, at);
    seen.lastUnixMs = Math.max(seen.lastUnixMs, at);
    return seen;
  };
  return {
    add: ({ event, principal, facts, atUnixMs }) => {
      const server = facts["server"];
      if (!counted.has(event) || server === undefined) return;
      const fresh = { calls: 0, firstUnixMs: atUnixMs, lastUnixMs: atUnixMs };
      if (!servers.has(server)) count(strangers, printable(server, 128), atUnixMs, () => ({ ...fresh }));
      const place = servers.get(server) ?? targetOf(facts);
      if (place !== undefined) count(places, placeKey(place), atUnixMs, () => ({ ...fresh, place }));
      const id = principal.slice(0, maxText);
      const caller = count(callers, id, atUnixMs, () => ({ ...fresh, servers: new Set() }));
      if (caller !== undefined && place !== undefined && caller.servers.size < maxKept)
        caller.servers.add(placeKey(place));
    },
    sightings: () => [
      ...[...places.values()].map(({ place, calls, lastUnixMs }): Sighting => ({
        kind: "server",
        server: { place, evidence: { by: "traffic", gateway, calls, lastUnixMs } },
      })),
      ...[...callers].map(([id, seen]): Sighting => ({
        kind: "caller",
        caller: { ...seen, id, gateway, servers: [...seen.servers] },
      })),
      ...[...strangers].map(([name, { calls }]): Sighting =>
        problem(
          gateway,
          `a server "${name}" was asked for ${calls} times, and none is registered under that name`,
        ),
      ),
      ...(left === 0
        ? []
        : [problem(gateway, `${left} calls are of more servers and callers than are kept`)]),
    ],
  };
}

/** Where a caller of a forward server wanted to go: an MCP message only, not what a proxy passes beside it. */
function targetOf(facts: Entry["facts"]): Place | undefined {
  const { target, era } = facts;
  const url = target === undefined || era === undefined ? undefined : plainUrl(target);
  return url === undefined ? undefined : { kind: "http", url };
}

function problem(at: string, because: string): Sighting {
  return { kind: "problem", problem: { at, because } };
}
