/**
 * The blind relay: two connections that the rendezvous gave matching tokens to become one, and what passes is neither
 * read nor kept. It knows how many bytes went which way when, whose they are, and nothing of what they say.
 */
import { randomBytes } from "node:crypto";
import type net from "node:net";

import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { spliceReady } from "../../wire/rendezvous.ts";

/** Whom a relayed stream joins. */
interface SpliceEnds {
  /** SPIFFE IDs. */
  readonly caller: string;
  readonly peer: string;
  /** What it is for. */
  readonly server: string;
}

type Side = "caller" | "peer";

export interface SpliceLimits {
  /** Streams at once, in all and of one identity. */
  readonly streams: number;
  readonly streamsEach: number;
  /** In both directions together, of one stream. */
  readonly bytesPerSecond: number;
  /** A stream on which nothing passes for that long is ended; HTTP/2 pings pass far more often. */
  readonly idleMs: number;
}

const defaultSpliceLimits: SpliceLimits = {
  streams: 1024,
  streamsEach: 16,
  bytesPerSecond: 64 * 1024 * 1024,
  idleMs: 120_000,
};

/** A relayed stream as the relay knows it. */
export interface Spliced extends SpliceEnds {
  readonly id: string;
  readonly beganUnixMs: number;
  readonly bytesToPeer: number;
  readonly bytesToCaller: number;
}

/** Told that one is over. */
export type OnOver = (stream: Spliced) => void;

/** Told of what passes, as sizes and times: enough to watch it without keys. */
export type OnPassed = (stream: Spliced, direction: "to-peer" | "to-caller", bytes: number) => void;

export interface Splices {
  /** @returns one token for each end; each is good once, for ten seconds. @throws Refusal `busy` */
  readonly offer: (ends: SpliceEnds) => { readonly caller: string; readonly peer: string };
  /** A connection came with a token, which was read off it. */
  readonly take: (socket: net.Socket, token: string) => void;
  readonly list: () => readonly Spliced[];
  /** Ends the streams of whom that is said. */
  readonly cut: (which: (ends: SpliceEnds) => boolean) => void;
}

interface Offered {
  readonly id: string;
  readonly ends: SpliceEnds;
  readonly waiting: Partial<Record<Side, net.Socket>>;
  readonly timer: NodeJS.Timeout;
}

interface Running {
  readonly ends: SpliceEnds;
  readonly facts: { beganUnixMs: number; bytesToPeer: number; bytesToCaller: number };
  readonly end: () => void;
}

const offeredMs = 10_000;
const tickMs = 100;

interface SplicesOptions {
  readonly limits?: Partial<SpliceLimits>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onPassed?: OnPassed;
  readonly onOver?: OnOver;
}

export function openSplices(options: SplicesOptions): Splices {
  const limits = { ...defaultSpliceLimits, ...options.limits };
  const running = new Map<string, Running>();
  const offers = openOffers();
  return {
    offer: (ends) => {
      checkRoom(ends, [...offers.all(), ...running.values()], limits);
      return offers.make(ends);
    },
    take: (socket, token) => {
      const met = offers.take(socket, token);
      if (met !== undefined) begin(met, { ...options, limits, running });
    },
    list: () => [...running].map(([id, { ends, facts }]) => ({ id, ...ends, ...facts })),
    cut: (which) => {
      for (const { ends, end } of running.values()) if (which(ends)) end();
    },
  };
}

/** Both ends of a stream, there at last. */
interface BothEnds {
  readonly id: string;
  readonly ends: SpliceEnds;
  readonly caller: net.Socket;
  readonly peer: net.Socket;
}

interface Offers {
  readonly make: Splices["offer"];
  /** @returns both ends if the other one is there already */
  readonly take: (socket: net.Socket, token: string) => BothEnds | undefined;
  readonly all: () => Iterable<{ readonly ends: SpliceEnds }>;
}

/** Streams whose ends haven't both come. */
function openOffers(): Offers {
  const tokens = new Map<string, { readonly offered: Offered; readonly side: Side }>();
  const offers = new Set<Offered>();
  const withdraw = (offered: Offered): void => {
    clearTimeout(offered.timer);
    offers.delete(offered);
    for (const [token, of] of tokens) if (of.offered === offered) tokens.delete(token);
  };
  return {
    all: () => offers,
    make: (ends) => {
      const id = randomBytes(9).toString("base64url");
      const timer = setTimeout(() => {
        withdraw(offered);
        Object.values(offered.waiting).forEach((socket) => socket.destroy());
      }, offeredMs).unref();
      const offered: Offered = { id, ends, waiting: {}, timer };
      offers.add(offered);
      const give = (side: Side): string => {
        const token = randomBytes(32).toString("base64url");
        tokens.set(token, { offered, side });
        return token;
      };
      return { caller: give("caller"), peer: give("peer") };
    },
    take: (socket, token) => {
      const found = tokens.get(token);
      tokens.delete(token);
      if (found === undefined) {
        socket.destroy();
        return undefined;
      }
      const { offered, side } = found;
      offered.waiting[side] = socket;
      const { caller, peer } = offered.waiting;
      if (caller === undefined || peer === undefined) return undefined;
      withdraw(offered);
      if (!caller.destroyed && !peer.destroyed) return { id: offered.id, ends: offered.ends, caller, peer };
      for (const each of [caller, peer]) each.destroy();
      return undefined;
    },
  };
}

function begin(
  { id, ends, caller, peer }: BothEnds,
  about: SplicesOptions & { readonly limits: SpliceLimits; readonly running: Map<string, Running> },
): void {
  const { limits, running, clock, log, onPassed, onOver } = about;
  const facts = { beganUnixMs: clock.nowUnixMs(), bytesToPeer: 0, bytesToCaller: 0 };
  const end = join(caller, peer, limits, {
    passed: (direction, bytes) => {
      facts[direction === "to-peer" ? "bytesToPeer" : "bytesToCaller"] += bytes;
      onPassed?.({ id, ...ends, ...facts }, direction, bytes);
    },
    over: (why) => {
      running.delete(id);
      onOver?.({ id, ...ends, ...facts });
      log.info("relay.ended", { stream: id, ...ends, ...facts, reason: why });
    },
  });
  running.set(id, { ends, facts, end });
  log.info("relay.began", { stream: id, ...ends });
}

/** @throws Refusal `busy` */
function checkRoom(
  { caller, peer }: SpliceEnds,
  taken: readonly { readonly ends: SpliceEnds }[],
  limits: SpliceLimits,
): void {
  if (taken.length >= limits.streams)
    throw new Refusal("busy", "This relay carries as many streams as it may.");
  for (const id of [caller, peer]) {
    const own = taken.filter(({ ends }) => ends.caller === id || ends.peer === id).length;
    if (own >= limits.streamsEach)
      throw new Refusal("busy", "This relay carries as many streams of one identity as it may.");
  }
}

interface Watching {
  readonly passed: (direction: "to-peer" | "to-caller", bytes: number) => void;
  readonly over: (why: string) => void;
}

/** @returns ends both */
function join(caller: net.Socket, peer: net.Socket, limits: SpliceLimits, watch: Watching): () => void {
  const budget = { bytes: limits.bytesPerSecond };
  let idleMs = 0;
  let isOver = false;
  const end = (why: string): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(timer);
    caller.destroy();
    peer.destroy();
    watch.over(why);
  };
  const pump = (from: net.Socket, to: net.Socket, direction: "to-peer" | "to-caller"): (() => void) => {
    let isFull = false;
    from.on("data", (chunk: Buffer) => {
      idleMs = 0;
      budget.bytes -= chunk.length;
      watch.passed(direction, chunk.length);
      isFull = !to.write(chunk);
      if (isFull || budget.bytes <= 0) from.pause();
    });
    to.on("drain", () => {
      isFull = false;
      if (budget.bytes > 0) from.resume();
    });
    from.on("end", () => to.end());
    from.on("error", () => end("a connection broke"));
    from.on("close", () => {
      if (from.errored === null && from.readableEnded && !to.writableEnded) to.end();
      if (to.destroyed || !from.readableEnded) end("an end left");
    });
    return () => {
      if (!isFull && budget.bytes > 0) from.resume();
    };
  };
  const resumes = [pump(caller, peer, "to-peer"), pump(peer, caller, "to-caller")];
  const timer = setInterval(() => {
    idleMs += tickMs;
    if (idleMs >= limits.idleMs) return end("nothing passed for too long");
    budget.bytes = Math.min(limits.bytesPerSecond, budget.bytes + (limits.bytesPerSecond * tickMs) / 1000);
    resumes.forEach((resume) => resume());
  }, tickMs).unref();
  for (const each of [caller, peer]) each.write(spliceReady);
  return () => end("cut");
}
