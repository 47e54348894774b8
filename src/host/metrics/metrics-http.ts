/** Where Prometheus fetches the metrics: one page, read only, for this machine or for who holds the token. */
import http from "node:http";
import type net from "node:net";

import type { Log } from "../../kernel/log.ts";
import { Refusal, refusalRow } from "../../kernel/refusal.ts";
import { hostAndPort, listen } from "../net/listen.ts";
import { checkLoopbackRequest, isSameSecret } from "../net/loopback.ts";
import { textFormat } from "./bounded-metrics.ts";

interface Options {
  /** `host:port` */
  readonly address: string;
  /** Without it the page is for whoever asks from this machine. INVARIANT: never absent on another address. */
  readonly token?: string;
  readonly text: () => Promise<string>;
  readonly log: Log;
}

/** Scrapers are few. */
const maxConnections = 32;

/** @throws Refusal `bad_config` if the address can't be had */
export async function metricsHttp(
  options: Options,
): Promise<{ readonly address: string; readonly close: () => void }> {
  const { log } = options;
  const own = hostAndPort(options.address).host;
  const page = shared(options.text);
  const server = http.createServer({ requestTimeout: 10_000, maxHeaderSize: 8192 }, (request, response) => {
    links.used(request.socket);
    request.resume();
    answer(request, { ...options, own }, page).then(
      (text) => send(response, 200, { "content-type": textFormat }, request.method === "HEAD" ? "" : text),
      (error: unknown) => refuse(response, error, log),
    );
  });
  const links = fewLinks();
  server.on("connection", links.used);
  const address = await listen(server, options.address);
  return {
    address,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** INVARIANT: who connects is never kept out by others: one more than there may be ends the one that has been silent longest. */
function fewLinks(): { readonly used: (socket: net.Socket) => void } {
  const bySilence = new Set<net.Socket>();
  return {
    used: (socket) => {
      if (!bySilence.delete(socket)) socket.once("close", () => bySilence.delete(socket));
      bySilence.add(socket);
      if (bySilence.size <= maxConnections) return;
      const [silent] = bySilence;
      silent?.destroy();
    },
  };
}

/** Whoever asks while it is being written is given the same. */
function shared(text: () => Promise<string>): () => Promise<string> {
  let writing: Promise<string> | undefined;
  return () => (writing ??= text().finally(() => (writing = undefined)));
}

async function answer(
  request: http.IncomingMessage,
  { token, own }: Options & { readonly own: string },
  page: () => Promise<string>,
): Promise<string> {
  if (token === undefined) checkLoopbackRequest(request, own);
  else if (!isSameSecret(/^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1], token)) {
    throw new Refusal("no_identity", "The metrics are for who holds their token.");
  }
  const { method, url } = request;
  if (method !== "GET" && method !== "HEAD") throw new Refusal("method_not_allowed", "Expected GET.");
  if (url?.split("?", 1)[0] !== "/metrics") throw new NotHere();
  return await page();
}

class NotHere extends Error {}

function refuse(response: http.ServerResponse, error: unknown, log: Log): void {
  if (error instanceof NotHere) return send(response, 404, {}, "The metrics are at /metrics.\n");
  if (!(error instanceof Refusal)) {
    log.error("metrics.fault", { reason: error instanceof Error ? error.message : "unknown" });
    return send(response, 500, {}, "The metrics can't be written now.\n");
  }
  const challenge = error.code === "no_identity" ? { "www-authenticate": "Bearer" } : {};
  send(response, refusalRow(error.code).http, challenge, `${error.message}\n`);
}

function send(
  response: http.ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  text: string,
): void {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(text);
}
