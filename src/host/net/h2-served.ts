/**
 * Serves HTTP/2 on a link that is open already (RFC 9113): each stream is a request and its answer, as those of
 * HTTP/1.1 are. What a peer can have done at once is bounded, also by leaving what it asked for.
 */
import http2 from "node:http2";
import type { Duplex } from "node:stream";

import { maxStreams, sessionBounds, settings, linkWindowBytes } from "./h2-limits.ts";
import { type PingTimes, watchPeer } from "./h2-pings.ts";
import { type H2Carried, H2Request, H2Response } from "./h2-message.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

export interface H2Served {
  /** Takes no new request (GOAWAY); those under way go on, and the link ends behind the last. */
  readonly leave: () => void;
}

export interface H2Serving {
  readonly onRequest: (request: ServedRequest & H2Carried, response: ServedResponse & H2Carried) => void;
  /** Requests of this link that aren't over; one whose sender left may be among them. */
  readonly underWay: () => number;
  /** A request is whole within that time, or given up. */
  readonly requestTimeoutMs: number;
  readonly pings: PingTimes;
  /** Told why the other end's frames aren't read any further. */
  readonly onFault: (reason: string) => void;
}

/**
 * Who opens streams and resets them at once has work done that it never waits for ("rapid reset", CVE-2023-44487): what
 * isn't over counts until it is, and resets beyond this rate end the link.
 */
const maxUnfinished = 2 * maxStreams;
const resets = { streamResetBurst: 2 * maxStreams, streamResetRate: maxStreams / 2 } as const;

/** MB that the session may hold beside what streams were given: their heads, and frames that wait to be sent. */
const sessionMemoryMb = 16;

export const serverPings: PingTimes = { everyMs: 30_000, deadMs: 20_000 };

export function serveH2(link: Duplex, serving: H2Serving): H2Served {
  const session = http2.performServerHandshake(link, {
    ...sessionBounds,
    ...resets,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: maxStreams,
    maxSessionMemory: sessionMemoryMb,
    settings,
  });
  session.setLocalWindowSize(linkWindowBytes);
  session.on("error", (error: Error) => {
    if ("code" in error && String(error.code).startsWith("ERR_HTTP2")) serving.onFault(error.message);
    link.destroy();
  });
  session.on("stream", (stream, headers, _flags, rawHeaders) => {
    stream.on("error", () => undefined); // Whoever reads or writes it sees it end.
    if (serving.underWay() >= maxUnfinished) {
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    if (headers.expect === "100-continue") stream.additionalHeaders({ ":status": 100 });
    bound(stream, serving.requestTimeoutMs);
    serving.onRequest(new H2Request(stream, headers, rawHeaders), new H2Response(stream));
  });
  watchPeer(session, link, serving.pings);
  return { leave: () => session.close() };
}

/** Ends the stream of a request that doesn't become whole. */
function bound(stream: http2.ServerHttp2Stream, timeoutMs: number): void {
  if (stream.endAfterHeaders) return;
  const timer = setTimeout(() => stream.destroy(new Error("The request wasn't whole in time.")), timeoutMs);
  const done = (): void => clearTimeout(timer);
  stream.once("end", done).once("close", done);
}
