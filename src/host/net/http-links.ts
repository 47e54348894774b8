/** Links that requests come on: one after the other over HTTP/1.1, many at a time over HTTP/2. */
import http from "node:http";
import type { Duplex } from "node:stream";

import type { Log } from "../../kernel/log.ts";
import { type Channel, nameOf } from "../../model/channel.ts";
import type { OpenCall, OpenLink } from "./ended-links.ts";
import { beginMetering, type Carried, carriedSince, onWire } from "./flow-meter.ts";
import { serveH2, serverPings } from "./h2-served.ts";
import type { PingTimes } from "./h2-pings.ts";
import { goodbyeHeader } from "./headers.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

export interface HttpLink extends OpenLink {
  /** Has its peer come again on another: it takes nothing new, and ends once nothing is under way on it. */
  readonly leave: () => void;
}

/** A request, with what it came on. */
export interface Arrived {
  readonly request: ServedRequest;
  readonly response: ServedResponse;
  readonly socket: Duplex;
  readonly link: HttpLink;
  /** Ends the link behind its answer. */
  readonly hangUp: () => void;
  /** What both came to, once they are over; undefined for what isn't metered. */
  readonly carried: () => Carried | undefined;
}

export interface HttpLinksOptions {
  readonly onRequest: (arrived: Arrived) => void;
  readonly log: Log;
  readonly timeouts?: Pick<
    http.ServerOptions,
    "headersTimeout" | "requestTimeout" | "connectionsCheckingInterval" | "keepAliveTimeout" | "maxHeaderSize"
  >;
  readonly pings?: PingTimes;
}

export interface HttpLinks {
  /** Those that are open. */
  readonly open: Map<Duplex, HttpLink>;
  /** Whoever negotiated `h2` is spoken to over HTTP/2. */
  readonly serve: (socket: Duplex, channel: Channel) => void;
  readonly close: () => void;
}

const defaultTimeouts = {
  keepAliveTimeout: 0,
  requestTimeout: 60_000,
  headersTimeout: 15_000,
  connectionsCheckingInterval: 1000,
} as const;

export function httpLinks(options: HttpLinksOptions): HttpLinks {
  const open = new Map<Duplex, HttpLink>();
  const server = http.createServer({ ...defaultTimeouts, ...options.timeouts });
  server.emit("listening"); // Node looks after the timeouts of requests only on servers that listen.
  server.on("request", (request, response) => {
    const { socket } = request;
    const link = open.get(socket);
    // Not a link that was let in, or one that was said goodbye to.
    if (link === undefined) socket.destroy();
    else options.onRequest({ request, response, link, ...alone(response) });
  });
  return {
    open,
    serve: (socket, channel) => {
      beginMetering(socket);
      socket.once("close", () => open.delete(socket));
      const isMultiplexed = "alpnProtocol" in socket && socket.alpnProtocol === "h2";
      const link = { channel, calls: new Set<OpenCall>(), isRetired: false };
      if (isMultiplexed) open.set(socket, multiplexed(socket, link, options));
      else {
        open.set(socket, { ...link, leave: () => leaveIdle(socket, open) });
        server.emit("connection", socket);
      }
    },
    close: () => server.close(),
  };
}

/** The only exchange of its connection. */
function alone(response: http.ServerResponse): Pick<Arrived, "socket" | "hangUp" | "carried"> {
  const { socket } = response.req;
  return {
    socket,
    hangUp: () => {
      if (response.writableFinished) socket.destroySoon();
      else response.once("finish", () => socket.destroySoon());
    },
    carried: () => carriedSince(socket),
  };
}

/**
 * Ends an idle link so that a request that is on its way at this very moment is answered too: nothing came of
 * it, and it may be sent again (RFC 9110 §15.5.9). Where one is under way, its answer says that it is the last.
 */
function leaveIdle(socket: Duplex, open: Map<Duplex, HttpLink>): void {
  const link = open.get(socket);
  if (link === undefined || link.calls.size > 0) return;
  open.delete(socket);
  if (!socket.writable) return; // The last answer said it.
  socket.end(
    `HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n${goodbyeHeader}: 1\r\n\r\n`,
  );
}

function multiplexed(socket: Duplex, of: OpenLink, options: HttpLinksOptions): HttpLink {
  const { log, timeouts = {}, pings = serverPings } = options;
  const { remote } = of.channel;
  const { leave } = serveH2(socket, {
    onRequest: (request, response) => {
      const hangUp = (): void => whenClosed(response, () => endBehind(link));
      const carried = (): Carried => ({ up: onWire(request.bodyBytes), down: onWire(response.bodyBytes) });
      options.onRequest({ request, response, socket, link, hangUp, carried });
    },
    underWay: () => link.calls.size,
    requestTimeoutMs: timeouts.requestTimeout ?? defaultTimeouts.requestTimeout,
    pings,
    onFault: (reason) => log.warn("link.broken", { remote, caller: nameOf(link.channel), reason }),
  });
  const link: HttpLink = { ...of, leave };
  return link;
}

function endBehind({ leave, calls }: HttpLink): void {
  leave();
  for (const { cut } of calls) cut();
}

function whenClosed(response: ServedResponse, act: () => void): void {
  if (response.destroyed) act();
  else response.once("close", act);
}
