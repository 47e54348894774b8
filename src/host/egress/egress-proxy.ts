/**
 * The only way out of a sandbox: an HTTP proxy (RFC 9110 §9.3.6 and plain requests) on a Unix socket. It understands
 * requests, dials and moves bytes; whether it may is the desk's to say.
 */
import http from "node:http";
import type { Duplex } from "node:stream";

import { printable } from "../../kernel/printable.ts";
import { readDestination } from "../../policy/egress/destination.ts";
import { dial } from "./dial.ts";
import { type EgressDesk, EgressRefusal } from "./egress-desk.ts";
import { forwardPlain } from "./plain-request.ts";
import { runTunnel } from "./tunnel.ts";

export interface EgressProxy {
  readonly stop: () => Promise<void>;
}

/** Of all sandboxes of one server together. */
const maxConnections = 256;
const maxHeaderBytes = 16_384;
const headersMs = 10_000;
/** How long a client that was refused may take to notice. */
const lingerMs = 2000;

/** @throws whatever listening throws, e.g. where the path is too long for a Unix socket */
export async function startEgressProxy(socketPath: string, desk: EgressDesk): Promise<EgressProxy> {
  const server = http.createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersMs,
    requestTimeout: 0, // Uploads take as long as they take; a stream that stands still is ended.
    connectionsCheckingInterval: 1000,
  });
  server.maxConnections = maxConnections;
  const open = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.on("connect", (request, socket: Duplex, head) => void tunnel(request, { socket, head, desk }));
  server.on("request", (request, response) => void plain(request, response, desk));
  server.on("clientError", (_error, socket: Duplex) => {
    desk.misread("a request that isn't HTTP");
    refuse(socket, new EgressRefusal(400, "This is an HTTP proxy; the request can't be read."));
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(socketPath, resolve);
  await listening;
  return {
    stop: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const socket of open) socket.destroy();
      await closed.promise;
    },
  };
}

interface Tunnelling {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly desk: EgressDesk;
}

async function tunnel(request: http.IncomingMessage, { socket, head, desk }: Tunnelling): Promise<void> {
  socket.on("error", () => {}); // It is gone; whatever was dialled for it is ended when its write fails.
  try {
    const destination = readDestination(request.url ?? "");
    if (destination.kind === "wrong") {
      desk.misread("a destination that is none");
      throw new EgressRefusal(400, `CONNECT names no destination: ${destination.why}.`);
    }
    const crossing = await desk.open(destination, "tunnel");
    try {
      const { socket: upstream, address } = await dial(crossing.addresses, destination.port);
      if (socket.destroyed) {
        upstream.destroy();
        crossing.ended("the server had gone by then");
        return;
      }
      crossing.reached(address);
      runTunnel(socket, head, upstream, crossing);
    } catch (error) {
      crossing.ended(error instanceof EgressRefusal ? error.message : "it failed");
      throw error;
    }
  } catch (error) {
    refuse(socket, asRefusal(error));
  }
}

async function plain(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  desk: EgressDesk,
): Promise<void> {
  try {
    await forwardPlain(request, response, desk);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else refusePlain(request, response, asRefusal(error));
  }
}

/**
 * RFC 9112 §9.6: what the client is still sending is read and thrown away for a while; a connection that is closed with
 * unread bytes on it is reset, and the refusal is lost with it.
 */
function refusePlain(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { status, message }: EgressRefusal,
): void {
  const body = `${message}\n`;
  const length = String(Buffer.byteLength(body));
  response.writeHead(status, { ...refusalHeaders(message), "content-length": length });
  response.write(body);
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, lingerMs).unref();
  if (request.complete) end();
  else request.once("end", end).once("close", end).resume();
}

function asRefusal(error: unknown): EgressRefusal {
  return error instanceof EgressRefusal ? error : new EgressRefusal(502, "The proxy failed.", error);
}

/** RFC 9209, so that a program can tell the proxy's word from the destination's. */
function refusalHeaders(text: string): Record<string, string> {
  const details = printable(text, 500).replaceAll(/["\\]/g, "'");
  return {
    "content-type": "text/plain; charset=utf-8",
    "proxy-status": `latticegate; error=http_request_denied; details="${details}"`,
    connection: "close",
  };
}

function refuse(socket: Duplex, { status, message }: EgressRefusal): void {
  if (socket.destroyed || !socket.writable) return;
  const headers = Object.entries(refusalHeaders(message)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ""}\r\n${headers.join("")}\r\n${message}\n`);
}
