/**
 * The side of a peer that is called: it stands with its rendezvous all the time, and meets whom these introduce, over
 * the relay and through the NATs at once. Which of the two is used is the caller's to choose.
 */
import type net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { type Introduction, readIntroduction } from "../../identity/introduction.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { PeerWord, Place, RendezvousWord } from "../../wire/rendezvous.ts";
import type { PeerPath } from "../../model/peer-path.ts";
import type { PeerPort } from "./peer-port.ts";
import { kindTo } from "./own-networks.ts";
import { placesSaidBy } from "./reachable-places.ts";
import { openRelayedStream } from "./relayed-stream.ts";
import type { RendezvousLink } from "./rendezvous-link.ts";

export interface AttendantOptions {
  readonly peerId: string;
  /** @throws if it can't be reached */
  readonly open: (signal: AbortSignal) => Promise<RendezvousLink>;
  /** What is said of this peer, but for what the link itself tells. */
  readonly registration: (
    link: RendezvousLink,
  ) => Promise<Omit<PeerWord & { say: "register" }, "say" | "mapping">>;
  readonly port: PeerPort;
  /** Somebody was introduced, and may come from now on. */
  readonly onIntroduction: (introduction: Introduction) => void;
  /** A connection is there, of which nobody knows yet whose it is. */
  readonly onStream: (socket: net.Socket, path: PeerPath) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Attendant {
  /** The link there is; undefined while there is none. */
  readonly link: () => RendezvousLink | undefined;
  /** Comes again, on a new link: for when this peer has moved, or shows another certificate. */
  readonly again: () => void;
  readonly stop: () => Promise<void>;
}

const firstRetryMs = 250;
const maxRetryMs = 10_000;
export const punchMs = 3000;
/** Introductions that are attended to at once: each costs a few connections. */
const maxAttended = 64;

export function attend(options: AttendantOptions): Attendant {
  const { log } = options;
  const over = new AbortController();
  let link: RendezvousLink | undefined;
  let failures = 0;
  let attended = 0;
  const meet = async (
    from: RendezvousLink,
    word: RendezvousWord & { say: "introduction" },
  ): Promise<void> => {
    if (attended >= maxAttended) return;
    attended += 1;
    try {
      await meetCaller(from, word, options, over.signal);
    } finally {
      attended -= 1;
    }
  };
  const stand = async (): Promise<void> => {
    const current = await options.open(over.signal);
    link = current;
    current.say({ say: "register", ...(await options.registration(current)), mapping: current.mapping });
    current.onWord((word) => {
      if (word.say === "registered") {
        failures = 0;
        log.info("peer.registered", { rendezvous: current.of.spiffeId, seen: shown(current.seen) });
      } else if (word.say === "refused") {
        log.warn("peer.refused", { rendezvous: current.of.spiffeId, reason: word.why });
        current.close();
      } else if (word.say === "introduction") {
        meet(current, word).catch((error: unknown) => {
          log.warn("peer.introduction_refused", { rendezvous: current.of.spiffeId, reason: String(error) });
        });
      }
    });
    await current.over;
  };
  const standing = (async () => {
    while (!over.signal.aborted) {
      failures += 1;
      await stand().catch((error: unknown) => {
        if (failures === 2) log.warn("peer.rendezvous_unreachable", { reason: reasonOf(error) });
      });
      link = undefined;
      const waitMs = Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 10), maxRetryMs);
      await pause(waitMs, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    link: () => link,
    again: () => link?.close(),
    stop: async () => {
      over.abort();
      await standing;
    },
  };
}

/** @throws Refusal for an introduction that isn't one */
async function meetCaller(
  link: RendezvousLink,
  word: RendezvousWord & { say: "introduction" },
  { peerId, port, clock, onIntroduction, onStream }: AttendantOptions,
  signal: AbortSignal,
): Promise<void> {
  const nowUnixMs = clock.nowUnixMs();
  const introduction = readIntroduction(word.introduction, link.signer, { peerId, nowUnixMs });
  onIntroduction(introduction);
  const rendezvous = link.of.spiffeId;
  const relayed = openRelayedStream(link.address, word.token, { port, signal }).then((socket) =>
    onStream(socket, { kind: "relayed", remote: shown(link.address), rendezvous }),
  );
  const direct = placesSaidBy(link.address, word.places).map(async (place) => {
    const socket = await port.punch(place, { timeoutMs: punchMs, signal });
    onStream(socket, { kind: kindTo(place.host), remote: shown(place), rendezvous });
  });
  await Promise.allSettled([relayed, ...direct]);
}

export function shown({ host, port }: Place): string {
  return `${host}:${port}`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown";
}
