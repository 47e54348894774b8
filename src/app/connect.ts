/** `latticegate connect`: a client in front, the post-quantum tunnel behind. */
import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";

import { resolveProfile } from "../crypto/suites.ts";
import { collected, exchange, type HttpAnswer, type HttpRequest } from "../host/net/http-exchange.ts";
import { loopbackFront } from "../host/net/loopback-front.ts";
import { listen } from "../host/net/listen.ts";
import { mcpPath } from "../host/net/mcp-http.ts";
import { patientSend, type Send } from "../host/net/patient-send.ts";
import { sseFront } from "../host/net/sse-front.ts";
import { renewablePool } from "../host/net/renewable-pool.ts";
import { clientTlsOptions } from "../host/net/tls.ts";
import { MessageFront } from "../host/message-front.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { asLine, lineReader } from "../wire/lines.ts";
import { openSidecarIdentity, type SidecarIdentity } from "./sidecar-identity.ts";

export interface ConnectOptions {
  /** Name of a server behind the gateway, or the https URL of an exposed one. */
  readonly target: string;
  /** SPIFFE ID expected of the other end; by default the gateway's. */
  readonly peer?: string;
  readonly state: string;
  readonly joinToken?: string;
  /** How long the other end may be away; 30 seconds by default. */
  readonly patienceMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Tunnel {
  readonly send: (request: Omit<HttpRequest, "path">) => Promise<HttpAnswer>;
  readonly identity: SidecarIdentity;
  readonly close: () => Promise<void>;
}

const limits = { answerTimeoutMs: 600_000, answerBytes: 64 * 1024 * 1024 };
const maxRequestBytes = 64 * 1024 * 1024;
/** How long a call waits for a gateway that is being restarted. */
const patienceMs = 30_000;
/** How long open calls may take after the client closed its end. */
const endGraceMs = 5000;

export async function openTunnel(options: ConnectOptions): Promise<Tunnel> {
  await using opening = new AsyncDisposableStack();
  const profile = resolveProfile("hybrid");
  const identity = await openSidecarIdentity({ ...options, joinToken: options.joinToken, profile });
  opening.defer(identity.stop);
  const url = targetUrl(options.target, identity);
  const peerSpiffeId = options.peer ?? identity.gateway.spiffeId;
  const { serverRoots } = identity;
  const pool = renewablePool(
    url.origin,
    clientTlsOptions({ profile, serverRoots, peerSpiffeId, credentials: identity.credentials() }),
    profile,
  );
  opening.defer(() => pool.close());
  identity.onRenewed((credentials) =>
    pool.renew(clientTlsOptions({ profile, serverRoots, peerSpiffeId, credentials })),
  );
  const path = url.pathname + url.search;
  const once: Send = (request) => exchange(pool.dispatcher(), request, limits).catch(explained);
  const send = patientSend(once, options.patienceMs ?? patienceMs, options.log);
  const opened = opening.move();
  return {
    identity,
    send: (request) => send({ ...request, path }),
    close: () => opened.disposeAsync(),
  };
}

/** Serves one stdio client until it closes its end. */
export async function connectStdio(
  options: ConnectOptions,
  streams: { readonly input: Readable; readonly output: Writable },
): Promise<void> {
  const tunnel = await openTunnel(options);
  const front = new MessageFront({
    send: async (request) => collected(await tunnel.send(request)),
    write: (message) => {
      streams.output.write(asLine(message));
      return Promise.resolve();
    },
    log: options.log,
    maxEventBytes: limits.answerBytes,
  });
  const reader = lineReader(maxRequestBytes);
  try {
    for await (const chunk of streams.input) {
      for (const line of reader.push(chunk as Buffer)) front.take(line);
    }
  } finally {
    await front.end(endGraceMs);
    await tunnel.close();
  }
}

export interface LoopbackConnection {
  /** What a client connects to: loopback, with this start's token in the path. */
  readonly url: string;
  /** The same for a client of HTTP+SSE, the transport of MCP 2024-11-05. */
  readonly sseUrl: string;
  readonly close: () => Promise<void>;
}

/** Serves HTTP clients on loopback; port 0 takes a free one. */
export async function connectHttp(options: ConnectOptions, port: number): Promise<LoopbackConnection> {
  const tunnel = await openTunnel(options);
  const token = randomBytes(24).toString("base64url");
  const { send } = tunnel;
  const { log } = options;
  const old = sseFront({
    send: async (request) => collected(await send(request)),
    path: `/${token}`,
    maxBodyBytes: maxRequestBytes,
    maxEventBytes: limits.answerBytes,
    maxUnreadBytes: limits.answerBytes,
    log,
  });
  const server = loopbackFront({ send, token, maxBodyBytes: maxRequestBytes, log, sse: old });
  const address = await listen(server, `127.0.0.1:${port}`).catch(async (error: unknown) => {
    await tunnel.close();
    throw error;
  });
  const base = `http://localhost:${address.slice(address.lastIndexOf(":") + 1)}/${token}`;
  return {
    url: `${base}/mcp`,
    sseUrl: `${base}/sse`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await old.close();
      await tunnel.close();
    },
  };
}

function targetUrl(target: string, identity: SidecarIdentity): URL {
  if (!target.includes("://")) return new URL(`https://${identity.gateway.address}${mcpPath}${target}`);
  const url = URL.parse(target);
  if (url?.protocol !== "https:") {
    throw new Refusal("bad_config", `Expected a server's name or an https URL, found "${target}".`);
  }
  return url;
}

/** A gateway cuts a link it doesn't accept right after the handshake; TLS 1.3 gives it no word for why. */
function explained(error: unknown): never {
  if (error instanceof Refusal && error.facts["cause"] === "UND_ERR_SOCKET") {
    throw new Refusal(
      error.code,
      "The gateway closed the link. If this goes on, it doesn't accept this identity (revoked, or from another gateway); its log says why.",
      { cause: error, facts: error.facts },
    );
  }
  throw error;
}
