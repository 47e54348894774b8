/**
 * Links to one peer: every way there is raced, the first that proves to be that peer is used, and a better one found
 * later takes its place without a call being lost.
 */
import type net from "node:net";
import type tls from "node:tls";

import type { PeerName } from "../../identity/peer-name.ts";
import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { isBetterPath, type PeerPath } from "../../model/peer-path.ts";
import { within } from "../within.ts";
import { dialPeer } from "./dial-peer.ts";
import { type ExpectedCallers, expectedCallers } from "./expected-callers.ts";
import { findLocally } from "./local-network.ts";
import { ownAddresses } from "./own-networks.ts";
import { meetPeer } from "./peer-handshake.ts";
import { openPeerPort } from "./peer-port.ts";
import { openRendezvousLink, type RendezvousLink, type RendezvousPlace } from "./rendezvous-link.ts";

interface OwnSide {
  /** Of `clientTlsOptions`. */
  readonly tls: tls.ConnectionOptions;
  readonly terms: LinkTerms;
}

export interface PeerDiallerOptions {
  /** Whether a relay may carry the link; by default it may. */
  readonly mayBeRelayed?: boolean;
  readonly peer: PeerName;
  readonly rendezvous: readonly RendezvousPlace[];
  /** Whether it is looked for on this network as well. */
  readonly isLocal: boolean;
  readonly segmentBytes?: number | undefined;
  /** For links to the peer; whom it has to be is checked beside. */
  readonly peerSide: () => OwnSide;
  readonly rendezvousSide: (at: RendezvousPlace) => OwnSide;
  readonly clock: Clock;
  readonly log: Log;
  /** How often a direct way is looked for while there is a relayed one; 3 minutes by default. */
  readonly probeEachMs?: number;
}

export interface PeerDialler {
  /** @throws Refusal `upstream_failed` with what was tried */
  readonly connect: () => Promise<tls.TLSSocket>;
  /** Called when the next `connect` gives a better link than the one in use, as far as that is known. */
  readonly onBetter: (act: () => void) => void;
  /** Of the newest link; undefined before the first. */
  readonly path: () => PeerPath | undefined;
  /** This end shows another certificate from now on: it is to be introduced with that one. */
  readonly renewed: () => void;
  /** This machine is on another network: what there is may lead nowhere, and the next `connect` gives a new link. */
  readonly moved: () => void;
  readonly stop: () => void;
}

interface Met {
  readonly link: tls.TLSSocket;
  readonly path: PeerPath;
}

/** In facts: there is no way to the peer now, and there may be one soon. */
export const noPath = "no_path";

/** How long a direct way may take to overtake a relayed one before that is used. */
const overtakeMs = 300;
const lookMs = 1500;
const defaultProbeEachMs = 180_000;

export async function openPeerDialler(options: PeerDiallerOptions): Promise<PeerDialler> {
  const over = new AbortController();
  const callers = expectedCallers();
  const port = await openPeerPort({ port: 0, segmentBytes: options.segmentBytes }, callers.meet);
  const links = keptLinks(options, (at) =>
    openRendezvousLink({ at, port, ...options.rendezvousSide(at), signal: over.signal }),
  );
  const best = bestLink(options);
  const meet = (isRelayed: boolean): Promise<Met> =>
    meeting({ ...options, port, links, callers, isRelayed, signal: over.signal }, best.offer);
  const probe = async (): Promise<void> => {
    if (best.wantsBetter()) best.offer(await meet(false));
  };
  const probing = setInterval(
    () => void probe().catch(() => undefined),
    options.probeEachMs ?? defaultProbeEachMs,
  ).unref();
  let opening: Promise<tls.TLSSocket> | undefined;
  const open = async (): Promise<tls.TLSSocket> =>
    best.use(best.takeBetter() ?? (await meet(options.mayBeRelayed ?? true)));
  return {
    connect: async () => await (opening ??= open().finally(() => (opening = undefined))),
    onBetter: best.onBetter,
    path: best.path,
    renewed: links.close,
    moved: () => {
      links.close();
      best.takeBetter()?.link.destroy();
      best.tell();
    },
    stop: () => {
      over.abort();
      clearInterval(probing);
      port.close();
      links.close();
      best.takeBetter()?.link.destroy();
    },
  };
}

interface BestLink extends Pick<PeerDialler, "onBetter" | "path"> {
  readonly use: (met: Met) => tls.TLSSocket;
  /** One that came beside the one in use: kept if it is better. */
  readonly offer: (met: Met) => void;
  readonly takeBetter: () => Met | undefined;
  readonly wantsBetter: () => boolean;
  /** Has a new link asked for. */
  readonly tell: () => void;
}

/** The link in use, and a better one that waits to be. */
function bestLink({ log, peer }: Pick<PeerDiallerOptions, "log" | "peer">): BestLink {
  let current: Met | undefined;
  let better: Met | undefined;
  let tell: () => void = () => {};
  return {
    use: (met) => {
      current = met;
      log.info("peer.reached", { peer: peer.peerId, server: peer.server, ...met.path });
      met.link.once("close", () => {
        if (current === met) current = undefined;
      });
      return met.link;
    },
    offer: (met) => {
      if (current === undefined || !isBetterPath(met.path, current.path) || better !== undefined) {
        met.link.destroy();
        return;
      }
      better = met;
      met.link.once("close", () => {
        if (better === met) better = undefined;
      });
      tell();
    },
    takeBetter: () => {
      const found = better;
      better = undefined;
      return found;
    },
    wantsBetter: () => current?.path.kind === "relayed" && better === undefined,
    onBetter: (act) => (tell = act),
    tell: () => tell(),
    path: () => current?.path,
  };
}

interface Meeting extends PeerDiallerOptions {
  readonly port: Awaited<ReturnType<typeof openPeerPort>>;
  readonly links: KeptLinks;
  readonly callers: ExpectedCallers;
  readonly isRelayed: boolean;
  readonly signal: AbortSignal;
}

/** @param offer takes what came too late to be the first */
async function meeting(with_: Meeting, offer: (met: Met) => void): Promise<Met> {
  const { peer, port, links, callers, clock, isRelayed } = with_;
  const done = new AbortController();
  const signal = AbortSignal.any([with_.signal, done.signal]);
  const first = Promise.withResolvers<Met>();
  const direct = Promise.withResolvers<void>();
  const handshakes: Promise<void>[] = [];
  const reasons: string[] = [];
  let isTaken = false;
  const greet = async (socket: net.Socket, path: PeerPath): Promise<void> => {
    try {
      const met = { link: await meetPeer(socket, { peerId: peer.peerId, clock, ...with_.peerSide() }), path };
      if (path.kind !== "relayed") {
        direct.resolve();
        done.abort();
      } else await within(direct.promise, overtakeMs);
      if (isTaken) return offer(met);
      isTaken = true;
      first.resolve(met);
    } catch (error) {
      reasons.push(`${path.kind}: ${reasonOf(error)}`);
    }
  };
  const dialling = dialPeer({
    peer,
    port,
    places: () => ownAddresses().map((host) => ({ host, port: port.port })),
    rendezvous: links.all(),
    local: with_.isLocal
      ? findLocally(peer.peerId, { clock, timeoutMs: lookMs, signal })
      : Promise.resolve([]),
    isRelayed,
    expecting: callers.expect,
    onStream: (socket, path) => void handshakes.push(greet(socket, path)),
    signal,
  });
  const endWithout = async (): Promise<void> => {
    const failures = await dialling;
    await Promise.all(handshakes);
    first.reject(unreachable(peer, [...failures, ...reasons]));
  };
  endWithout().catch((error: unknown) => first.reject(error));
  return await first.promise;
}

interface KeptLinks {
  /** One of each rendezvous: those there are, and others being opened. */
  readonly all: () => readonly Promise<RendezvousLink>[];
  readonly close: () => void;
}

function keptLinks(
  { rendezvous }: PeerDiallerOptions,
  open: (at: RendezvousPlace) => Promise<RendezvousLink>,
): KeptLinks {
  const kept = new Map<RendezvousPlace, Promise<RendezvousLink>>();
  const forget = (at: RendezvousPlace, link: Promise<RendezvousLink>): void => {
    if (kept.get(at) === link) kept.delete(at);
  };
  const one = (at: RendezvousPlace): Promise<RendezvousLink> => {
    const found = kept.get(at);
    if (found !== undefined) return found;
    const link = open(at);
    kept.set(at, link);
    link.then(
      ({ over }) => void over.then(() => forget(at, link)),
      () => forget(at, link),
    );
    return link;
  };
  return {
    all: () => rendezvous.map(one),
    close: () => {
      for (const link of kept.values()) void link.then((each) => each.close()).catch(() => undefined);
      kept.clear();
    },
  };
}

function unreachable({ peerId, server }: PeerName, reasons: readonly string[]): Refusal {
  const what = [...new Set(reasons)].slice(0, 6).join("; ");
  return new Refusal(
    "upstream_failed",
    `The peer ${peerId} with ${server} can't be reached: ${what === "" ? "nobody answered for it" : what}.`,
    { facts: { sent: false, cause: noPath } },
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown";
}
