/** One ClientHello sent, and what comes back of it read: a connection that is bounded in bytes and time, and proves nothing. */
import net from "node:net";

import { concat } from "../../kernel/bytes.ts";
import { type FlightPeek, maxFlightBytes, peekFlight } from "../../wire/server-flight.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export type Asked =
  | Exclude<FlightPeek, { readonly kind: "need-more" }>
  /** It closed without an answer, or in the middle of one. */
  | { readonly kind: "closed" }
  /** Nobody listens, or nobody can be reached. */
  | { readonly kind: "unreachable"; readonly because: string }
  | { readonly kind: "silent" };

export interface Asking extends Endpoint {
  /** Sent one after the other, each in a segment of its own. */
  readonly pieces: readonly Uint8Array[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Between pieces: long enough for one to be read alone. */
const pauseMs = 30;

export function askFlight({ host, port, pieces, timeoutMs, signal }: Asking): Promise<Asked> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, noDelay: true });
    const received: Uint8Array[] = [];
    let bytes = 0;
    let isConnected = false;
    const settle = (asked: Asked): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(asked);
    };
    const abort = (): void => settle({ kind: "silent" });
    const timer = setTimeout(abort, timeoutMs);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return settle({ kind: "silent" });
    socket.once("connect", () => {
      isConnected = true;
      send(socket, pieces);
    });
    socket.on("data", (data: Buffer) => {
      received.push(data);
      bytes += data.length;
      const peek = peekFlight(concat(received));
      if (peek.kind !== "need-more") settle(peek);
      else if (bytes > maxFlightBytes) settle({ kind: "not-tls" });
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      settle(
        isConnected ? { kind: "closed" } : { kind: "unreachable", because: error.code ?? error.message },
      );
    });
    socket.once("close", () => settle({ kind: "closed" }));
  });
}

function send(socket: net.Socket, [first, ...more]: readonly Uint8Array[]): void {
  if (first === undefined || socket.destroyed) return;
  socket.write(first, () => {
    if (more.length > 0) setTimeout(() => send(socket, more), pauseMs);
  });
}
