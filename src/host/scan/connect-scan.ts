/** Which ports of many hosts take a connection: at a pace, a few at once, in an order that is nobody's; nothing is sent. */
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import type { Random } from "../../kernel/seeded-random.ts";

export interface ScanPace {
  /** Connections begun in a second. */
  readonly perSecond: number;
  /** Connections under way. */
  readonly atOnce: number;
  readonly connectTimeoutMs: number;
}

export interface Place {
  /** A numeric address. */
  readonly address: string;
  readonly port: number;
}

export type Knocked = "open" | "closed" | "silent";

/** What a host that gives no answer is left alone for, doubled each time. */
const firstRestMs = 50;
const longestRestMs = 2000;
/** Errors of our own system: they say nothing of a host. */
const ownFaults = new Set(["EMFILE", "ENFILE", "ENOBUFS", "EADDRNOTAVAIL", "EACCES", "EPERM"]);

interface Scan<Of extends Place> {
  readonly places: readonly Of[];
  readonly pace: ScanPace;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/**
 * Each place with what it did, as it becomes known.
 * @throws what the system said, if it is this machine that can't connect
 */
export async function* connectScan<Of extends Place>({
  places,
  pace,
  random,
  signal,
}: Scan<Of>): AsyncGenerator<{ readonly place: Of; readonly knocked: Knocked }> {
  const waiting = shuffled(places, random);
  const rests = new Map<string, { ms: number; until: number }>();
  const under = new Map<Of, Promise<Found<Of>>>();
  let next = performance.now();
  try {
    for (let place = waiting.pop(); place !== undefined || under.size > 0;) {
      signal.throwIfAborted();
      if (place !== undefined && under.size < pace.atOnce) {
        const now = performance.now();
        if (next > now) await pause(next - now, undefined, { signal });
        next = Math.max(next, now - 1000) + 1000 / pace.perSecond;
        const begun = place;
        const found = (knocked: Knocked | Error): Found<Of> => ({ place: begun, knocked });
        // INVARIANT: never rejects; nobody may be waiting for it yet.
        under.set(begun, knock(begun, pace, rests, signal).then(found, found));
        place = waiting.pop();
        continue;
      }
      const { place: ended, knocked } = await Promise.race(under.values());
      under.delete(ended);
      if (knocked instanceof Error) throw knocked;
      yield { place: ended, knocked };
    }
  } finally {
    await Promise.all(under.values());
  }
}

interface Found<Of> {
  readonly place: Of;
  readonly knocked: Knocked | Error;
}

async function knock(
  { address, port }: Place,
  { connectTimeoutMs }: ScanPace,
  rests: Map<string, { ms: number; until: number }>,
  signal: AbortSignal,
): Promise<Knocked> {
  const rest = rests.get(address);
  const restMs = (rest?.until ?? 0) - performance.now();
  if (restMs > 0) await pause(restMs, undefined, { signal });
  const knocked = await connect({ address, port }, connectTimeoutMs, signal);
  if (knocked === "silent") {
    const ms = Math.min((rest?.ms ?? firstRestMs / 2) * 2, longestRestMs);
    rests.set(address, { ms, until: performance.now() + ms });
  } else rests.delete(address);
  return knocked;
}

function connect({ address, port }: Place, timeoutMs: number, signal: AbortSignal): Promise<Knocked> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: address, port });
    const settle = (knocked: Knocked): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      // A farewell, never a reset: careless servers die of those.
      socket.destroy();
      resolve(knocked);
    };
    const abort = (): void => settle("silent");
    const timer = setTimeout(abort, timeoutMs);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return settle("silent");
    socket.once("connect", () => settle("open"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (ownFaults.has(error.code ?? "")) reject(error);
      settle(error.code === "ECONNREFUSED" ? "closed" : "silent");
    });
  });
}

/** Fisher and Yates: no host has its ports asked one after the other. */
function shuffled<Of>(items: readonly Of[], random: Random): Of[] {
  const all = [...items];
  for (let at = all.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const [a, b] = [all[at], all[other]];
    if (a === undefined || b === undefined) continue;
    all[at] = b;
    all[other] = a;
  }
  return all;
}
