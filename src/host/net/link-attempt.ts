/** One try to open a TLS link: a connection of its own, its hello, and what became of it. */
import net from "node:net";
import tls from "node:tls";

import type { Met, Way } from "./known-paths.ts";
import { boundSocket, numericAddress } from "./segment-size.ts";

export interface LinkTarget {
  readonly host: string;
  readonly port: number;
  /** SNI; absent for an address. */
  readonly servername?: string | undefined;
}

export interface AttemptSpec {
  readonly target: LinkTarget;
  readonly way: Way;
  /** With the secure context of that hello. */
  readonly tls: tls.ConnectionOptions;
  /** What is waited for at least, once the hello left, before there is trouble. */
  readonly patienceMs: number;
}

/** Each is called at most once; after `opened`, `reset`, `failed` or `gone` nothing more is. */
export interface AttemptEvents {
  readonly opened: (link: tls.TLSSocket) => void;
  /** The connection was there, and ended before a byte came back. */
  readonly reset: () => void;
  readonly failed: (error: Error) => void;
  /** It was in trouble, and the other end gave it up. */
  readonly gone: () => void;
  /** Nothing comes, or nothing more; it goes on all the same. */
  readonly troubled: (met: Exclude<Met, "reset">) => void;
}

/** For that many nothing may come back; lost packets are sent again within one or two. */
const roundTrips = 3;
const maxPatienceMs = 3000;
const watchMs = 50;
/** A process that didn't get to look for that long has not read what came, either. */
const ownPauseMs = 500;
const keepAliveMs = 60_000;

/** @returns gives it up, without a word */
export function attempt(spec: AttemptSpec, events: AttemptEvents): () => void {
  const { target, way, patienceMs } = spec;
  let raw: net.Socket | undefined;
  let link: tls.TLSSocket | undefined;
  let watch: NodeJS.Timeout | undefined;
  let isOver = false;
  let isTroubled = false;
  const end = (act: () => void): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(watch);
    act();
  };
  const drop = (): void => {
    link?.destroy();
    raw?.destroy();
  };
  const lost = (error?: Error): void =>
    end(() => {
      const hasConnected = link !== undefined;
      const hasHeard = (raw?.bytesRead ?? 0) > 0;
      drop();
      if (isTroubled && isConnectionLoss(error)) events.gone();
      else if (hasConnected && !hasHeard && isConnectionLoss(error)) events.reset();
      else events.failed(error ?? new Error("The connection ended during the handshake."));
    });
  const begin = async (): Promise<void> => {
    const socket = (raw = await connecting(target, way));
    if (isOver) return drop();
    socket.on("error", lost);
    whenConnected(socket, (roundTripMs) => {
      const secure = (link = secured(socket, spec));
      secure.on("error", lost).on("close", () => lost());
      secure.once("secureConnect", () => end(() => events.opened(secure)));
      const waitMs = Math.min(Math.max(patienceMs, roundTrips * roundTripMs), maxPatienceMs);
      watch = watchBytes(socket, waitMs, (met) => {
        isTroubled = true;
        events.troubled(met);
      });
    });
  };
  begin().catch(lost);
  return () => end(drop);
}

/** A socket that is connecting. */
async function connecting({ host, port }: LinkTarget, { segmentBytes }: Way): Promise<net.Socket> {
  if (segmentBytes === undefined) return net.connect({ host, port });
  const address = await numericAddress(host);
  const any = address.family === 6 ? "::" : "0.0.0.0";
  const socket = new net.Socket({ handle: await boundSocket({ host: any, port: 0 }, segmentBytes) });
  return socket.connect({ host: address.host, port });
}

/** @param act is told how long the connection took, without the look-up of its name */
function whenConnected(socket: net.Socket, act: (roundTripMs: number) => void): void {
  let beganMs = performance.now();
  socket.on("connectionAttempt", () => (beganMs = performance.now()));
  socket.once("connect", () => {
    socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
    act(performance.now() - beganMs);
  });
}

function secured(socket: net.Socket, { target, tls: options }: AttemptSpec): tls.TLSSocket {
  const { host, servername } = target;
  return tls.connect({ ...options, ...(servername !== undefined && { servername }), host, socket });
}

function watchBytes(
  socket: net.Socket,
  patienceMs: number,
  troubled: (met: Exclude<Met, "reset">) => void,
): NodeJS.Timeout {
  let seenBytes = 0;
  let sinceMs = performance.now();
  let lookedMs = sinceMs;
  const watch = setInterval(() => {
    const now = performance.now();
    const wasBusy = now - lookedMs > ownPauseMs;
    lookedMs = now;
    if (socket.bytesRead !== seenBytes || wasBusy) {
      seenBytes = socket.bytesRead;
      sinceMs = now;
    } else if (now - sinceMs >= patienceMs) {
      clearInterval(watch);
      troubled(seenBytes === 0 ? "silence" : "stall");
    }
  }, watchMs);
  return watch;
}

/** How the end of a connection shows, as against what OpenSSL says of the other end's bytes or of its own. */
function isConnectionLoss(error: Error | undefined): boolean {
  if (error === undefined || !("code" in error)) return true;
  return ["ECONNRESET", "EPIPE", "ECONNABORTED"].includes(String(error.code));
}
