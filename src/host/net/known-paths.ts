/**
 * How destinations are best reached, as earlier links showed: which hello gets through, and which segments. One memory
 * for all links of this process, bounded in number and time.
 */
import type { Clock } from "../../kernel/clock.ts";
import { systemClock } from "../system.ts";

/** One way to open a link. The order of trying them is `ways`. */
export interface Way {
  /** `small`: no hybrid key share, which the other end has to ask for then. */
  readonly hello: "whole" | "small";
  /** TCP segments of at most that many bytes, both ways; the system's choice if absent. */
  readonly segmentBytes?: number;
}

/**
 * From as configured to what every path carries. 1180 fits the 1280 bytes that IPv6 promises (RFC 8200 §5) with room
 * for a tunnel, 536 is what IPv4 promises (RFC 9293 §3.7.1).
 */
export const ways: readonly [Way, ...Way[]] = [
  { hello: "whole" },
  { hello: "small" },
  { hello: "whole", segmentBytes: 1180 },
  { hello: "small", segmentBytes: 1180 },
  { hello: "whole", segmentBytes: 536 },
  { hello: "small", segmentBytes: 536 },
];

/** What became of a hello: nothing came back, the connection ended before anything did, or it went on and stopped. */
export type Met = "silence" | "reset" | "stall";

export interface Tried {
  readonly way: Way;
  readonly met: Met;
}

/** A destination that isn't reached as configured. */
export interface PathFact {
  /** `host:port` */
  readonly destination: string;
  readonly way: Way;
  /** Why not as configured. */
  readonly tried: readonly Tried[];
  readonly foundUnixMs: number;
}

export type PathEvent =
  | { readonly kind: "detour"; readonly fact: PathFact }
  /** Reached as configured again. */
  | { readonly kind: "recovered"; readonly destination: string }
  /** No way led there. */
  | { readonly kind: "broken"; readonly destination: string; readonly tried: readonly Tried[] };

/** For how long links begin with what worked, without another look. */
const freshMs = 10 * 60_000;
/** After that the next one begins as configured, with what worked close behind; this old it is forgotten. */
const keptMs = 24 * 60 * 60_000;
const maxDestinations = 256;

export class KnownPaths {
  /** The oldest first. */
  readonly #facts = new Map<string, PathFact>();
  readonly #detours = new Map<string, Promise<Way | undefined>>();
  readonly #observers = new Set<(event: PathEvent) => void>();
  /** Told of once, until they are reached again. */
  readonly #broken = new Set<string>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** How to begin, and what is tried first if that doesn't work. */
  wayTo(destination: string): { readonly way: Way; readonly fallback?: Way } {
    const fact = this.#facts.get(destination);
    if (fact === undefined) return { way: ways[0] };
    const age = Math.abs(this.#clock.nowUnixMs() - fact.foundUnixMs);
    if (age < freshMs) return { way: fact.way };
    if (age < keptMs) return { way: ways[0], fallback: fact.way };
    this.#facts.delete(destination);
    return { way: ways[0] };
  }

  learned(destination: string, way: Way, tried: readonly Tried[]): void {
    const fact = { destination, way, tried, foundUnixMs: this.#clock.nowUnixMs() };
    this.#keep(fact);
    this.#broken.delete(destination);
    this.#tell({ kind: "detour", fact });
  }

  /** A link was opened as configured. */
  reachedAsConfigured(destination: string): void {
    this.#broken.delete(destination);
    if (this.#facts.delete(destination)) this.#tell({ kind: "recovered", destination });
  }

  /** No way led there; the next link begins anew. */
  gaveUp(destination: string, tried: readonly Tried[]): void {
    this.#facts.delete(destination);
    if (this.#broken.has(destination)) return;
    if (this.#broken.size >= maxDestinations) this.#broken.clear();
    this.#broken.add(destination);
    this.#tell({ kind: "broken", destination, tried });
  }

  /** The search for a way there that is under way, for other links to share; it never rejects. */
  detourTo(destination: string): Promise<Way | undefined> | undefined {
    return this.#detours.get(destination);
  }

  /** @returns to be called with what was found, once */
  beginDetour(destination: string): (found: Way | undefined) => void {
    const search = Promise.withResolvers<Way | undefined>();
    this.#detours.set(destination, search.promise);
    return (found) => {
      this.#detours.delete(destination);
      search.resolve(found);
    };
  }

  /** What is known now and isn't too old. */
  facts(): readonly PathFact[] {
    const oldest = this.#clock.nowUnixMs() - keptMs;
    return [...this.#facts.values()].filter(({ foundUnixMs }) => foundUnixMs > oldest);
  }

  /** What another process found; what is known here counts more. */
  restore(facts: readonly PathFact[]): void {
    for (const fact of facts) if (!this.#facts.has(fact.destination)) this.#keep(fact);
  }

  /** @returns ends it */
  observe(observer: (event: PathEvent) => void): () => void {
    this.#observers.add(observer);
    return () => void this.#observers.delete(observer);
  }

  #keep(fact: PathFact): void {
    this.#facts.delete(fact.destination);
    const [oldest] = this.#facts.keys();
    if (oldest !== undefined && this.#facts.size >= maxDestinations) this.#facts.delete(oldest);
    this.#facts.set(fact.destination, fact);
  }

  #tell(event: PathEvent): void {
    for (const observer of this.#observers) observer(event);
  }
}

/** A path is the machine's, not a link's or a pool's: who finds out spares all others the same. */
export const knownPaths = new KnownPaths();

/**
 * The next way after one that didn't lead there.
 * @param can what this process and the offered groups allow
 * @returns undefined if there is none
 */
export function wayAfter(
  { way, met }: Tried,
  can: { readonly sendSmallHello: boolean; readonly lowerSegments: boolean },
): Way | undefined {
  const at = ways.findIndex((each) => isSameWay(each, way));
  return ways.slice(at + 1).find((next) => {
    const isLower = next.segmentBytes !== way.segmentBytes;
    if (next.hello === "small" && !can.sendSmallHello) return false;
    if (isLower && !can.lowerSegments) return false;
    // A path that loses what is too long says nothing; what resets is a box that reads hellos.
    if (met === "reset") return !isLower;
    // The hello wasn't what was too much.
    return met === "silence" || isLower;
  });
}

export function isSameWay(one: Way, other: Way): boolean {
  return one.hello === other.hello && one.segmentBytes === other.segmentBytes;
}

export function wayText({ hello, segmentBytes }: Way): string {
  const parts = [
    ...(hello === "small" ? ["small hello"] : []),
    ...(segmentBytes === undefined ? [] : [`segments of ${segmentBytes} bytes`]),
  ];
  return parts.length === 0 ? "as configured" : parts.join(", ");
}

/** Each step and what it met: `as configured: silence; small hello: stall`. */
export function triedText(tried: readonly Tried[]): string {
  return tried.map(({ way, met }) => `${wayText(way)}: ${met}`).join("; ");
}
