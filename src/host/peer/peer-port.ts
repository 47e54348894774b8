/**
 * One local TCP port for all a peer does: it listens there, asks its rendezvous from there, and dials others from
 * there. So a NAT shows the same port to the rendezvous and to them, and two peers that dial each other at once meet
 * (simultaneous open, RFC 9293 §3.5; hole punching, RFC 5128 §3.4).
 */
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import type { Place } from "../../wire/rendezvous.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { boundSocket, whySegmentsAreFixed } from "../net/segment-size.ts";
import { onAbort } from "../on-abort.ts";

export interface PeerPort {
  readonly port: number;
  /** @throws what the connection failed with */
  readonly dial: (to: Place, limits: DialLimits) => Promise<net.Socket>;
  /** From a port of its own: there can be several to one place. @throws what the connection failed with */
  readonly dialBeside: (to: Place, limits: DialLimits) => Promise<net.Socket>;
  /** Dials again and again: the other end does so too. @throws if nothing came of it */
  readonly punch: (to: Place, limits: DialLimits) => Promise<net.Socket>;
  readonly close: () => void;
}

interface DialLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A NAT drops the first of both sides until its own side has sent one; half a round trip is waited for. */
const punchEachMs = 400;
const punchPauseMs = 25;
const keepAliveMs = 15_000;

/**
 * What gets through a path of 1280 bytes, with room for a tunnel. Between homes there are such paths, on which long
 * packets are lost without a word, and a post-quantum hello is one.
 */
const narrowSegmentBytes = 1180;

/**
 * @param onStream a connection came in
 * @param segmentBytes longest TCP segment of all connections; if absent, one that fits most paths, where the system
 * lets it be chosen
 */
export async function openPeerPort(
  at: { readonly port: number; readonly segmentBytes?: number | undefined },
  onStream: (socket: net.Socket) => void,
): Promise<PeerPort> {
  const lowered = (await whySegmentsAreFixed()) === undefined ? narrowSegmentBytes : undefined;
  const { segmentBytes = lowered } = at;
  const own = (port: number): Promise<net.BoundSocket> => bound({ port, reusePort: true }, segmentBytes);
  const first = await own(at.port).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : "unknown";
    throw new Refusal("bad_config", `Port ${at.port} can't be had for peers: ${why}.`, { cause });
  });
  const { port } = first.address();
  const server = net.createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs },
    onStream,
  );
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(first, resolve));
  const dial: PeerPort["dial"] = async (to, limits) => await connected(await own(port), to, limits);
  return {
    port,
    dial,
    dialBeside: async (to, limits) => await connected(await bound({ port: 0 }, segmentBytes), to, limits),
    punch: (to, limits) => punch((each) => dial(to, each), limits),
    close: () => void server.close(),
  };
}

const maxConnections = 1024;

async function bound(
  at: { readonly port: number; readonly reusePort?: true },
  segmentBytes: number | undefined,
): Promise<net.BoundSocket> {
  const place = { host: "0.0.0.0", ...at };
  return segmentBytes === undefined ? new net.BoundSocket(place) : await boundSocket(place, segmentBytes);
}

/** @throws what it failed with, once it has ended */
async function connected(
  handle: net.BoundSocket,
  { host, port }: Place,
  { timeoutMs, signal }: DialLimits,
): Promise<net.Socket> {
  if (signal.aborted) {
    handle.close();
    throw new Error("given up");
  }
  const socket = new net.Socket({ handle });
  return await new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      stop();
      act();
    };
    const fail = (error: Error): void =>
      settle(() => {
        socket.destroy();
        reject(error);
      });
    const timer = setTimeout(() => fail(new Error("nobody answered in time")), timeoutMs);
    const stop = onAbort(signal, () => fail(new Error("given up")));
    socket.on("error", fail);
    socket.connect({ host, port }, () =>
      settle(() => {
        socket.off("error", fail);
        socket.on("error", () => socket.destroy()); // For what comes before its user listens.
        resolve(socket.setNoDelay(true).setKeepAlive(true, keepAliveMs));
      }),
    );
  });
}

async function punch(
  dial: (limits: DialLimits) => Promise<net.Socket>,
  { timeoutMs, signal }: DialLimits,
): Promise<net.Socket> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = until - performance.now();
    try {
      return await dial({ timeoutMs: Math.min(punchEachMs, Math.max(leftMs, 1)), signal });
    } catch (error) {
      if (signal.aborted || until - performance.now() < punchPauseMs) throw error;
      await pause(punchPauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
