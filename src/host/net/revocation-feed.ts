/** The list of revoked certificates for servers that admit peers by themselves (docs/formats/revocations.md). */
import http from "node:http";
import type { Duplex } from "node:stream";

import { sha256 } from "../../crypto/hash.ts";
import { toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import type { Channel } from "../../model/channel.ts";
import type { RevokedCertificate } from "../store/certificate-records.ts";
import { endLinks, type OpenLink, type WhyEnded } from "./ended-links.ts";
import { type LinkNow, linksNow } from "./links-now.ts";
import { isAboutLog, type LogHttp } from "./log-http.ts";

export const revocationsPath = "/identity/revocations";

/** A longer wait would only make it later that a dead link is noticed. */
export const longestWaitSeconds = 30;

export interface RevocationFeed {
  /** Serves a link of a server whose identity is proven. */
  readonly serve: (link: Duplex, channel: Channel) => void;
  /** The list may have changed: who waits for that is told. */
  readonly changed: () => void;
  readonly review: (why: WhyEnded) => void;
  readonly links: () => readonly LinkNow[];
  readonly close: () => void;
}

interface Snapshot {
  readonly tag: string;
  readonly body: Uint8Array;
}

/**
 * @param list every certificate that is revoked and hasn't ended
 * @param renewBefore who was certified before that moment should renew now
 * @param witnesses what servers ask of the log, on the same links
 */
export function revocationFeed(
  list: () => readonly RevokedCertificate[],
  renewBefore: () => number,
  log: Log,
  witnesses?: LogHttp,
): RevocationFeed {
  const links = new Map<Duplex, OpenLink>();
  const waiting = new Set<() => void>();
  const asking = new Set<Duplex>();
  let current = snapshot(list(), renewBefore());
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (isForWitnesses(request, response, links.get(request.socket), witnesses)) return;
    request.resume();
    const answer = (): void => write(response, current, request.headers["if-none-match"]);
    if (request.method !== "GET" || request.url !== revocationsPath) {
      response.writeHead(404, { connection: "close" }).end();
      return;
    }
    if (asking.has(request.socket)) {
      request.socket.destroy(); // One question at a time: a peer doesn't heap them up here.
      return;
    }
    const waitMs = waitIn(request.headers["prefer"]) * 1000;
    if (request.headers["if-none-match"] !== current.tag || waitMs === 0) {
      answer();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      waiting.delete(finish);
      asking.delete(request.socket);
      if (!response.destroyed) answer();
    };
    const timer = setTimeout(finish, waitMs).unref();
    waiting.add(finish);
    asking.add(request.socket);
    response.once("close", finish);
  });
  server.emit("listening"); // Node looks after timeouts only on servers that listen.
  return {
    serve: (link, channel) => {
      links.set(link, { channel, calls: new Set(), isRetired: false });
      link.once("close", () => links.delete(link));
      server.emit("connection", link);
    },
    changed: () => {
      const next = snapshot(list(), renewBefore());
      if (next.tag === current.tag) return;
      current = next;
      for (const finish of waiting) finish();
    },
    review: (why) => endLinks(links, why, log),
    links: () => linksNow(links.values()),
    close: () => {
      for (const link of links.keys()) link.destroy();
      server.close();
    },
  };
}

/** What is asked about the log goes to those who answer for it. */
function isForWitnesses(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  link: OpenLink | undefined,
  witnesses: LogHttp | undefined,
): boolean {
  if (witnesses === undefined || link === undefined || !isAboutLog(request)) return false;
  void witnesses(request, response, link.channel);
  return true;
}

function snapshot(list: readonly RevokedCertificate[], renewBeforeUnixMs: number): Snapshot {
  const revoked = list.map(({ serial, notAfterUnixMs }) => ({
    serial,
    not_after: new Date(notAfterUnixMs).toISOString(),
  }));
  const body = utf8(JSON.stringify({ revoked, renew_before: new Date(renewBeforeUnixMs).toISOString() }));
  return { tag: `"${toBase64url(sha256(body))}"`, body };
}

function write(response: http.ServerResponse, { tag, body }: Snapshot, known: string | undefined): void {
  if (known === tag) {
    response.writeHead(304, { etag: tag }).end();
    return;
  }
  response
    .writeHead(200, { "content-type": "application/json", "content-length": body.length, etag: tag })
    .end(body);
}

/** The seconds of `Prefer: wait=N` (RFC 7240 §4.3), as far as we go. */
function waitIn(prefer: string | string[] | undefined): number {
  const seconds = /(?:^|,)\s*wait=(\d{1,4})(?:$|[\s,;])/.exec(String(prefer ?? ""))?.[1];
  return Math.min(Number(seconds ?? 0), longestWaitSeconds);
}
