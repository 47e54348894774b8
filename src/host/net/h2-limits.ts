/** What both ends of an HTTP/2 connection of ours allow each other (RFC 9113). */
import type http2 from "node:http2";

/** Requests at a time on one connection. */
export const maxStreams = 128;

/** As Node bounds those of HTTP/1.1. */
const headerBytes = 16 * 1024;

/** Of each stream; what a reader doesn't take waits at the other end. */
const streamWindowBytes = 256 * 1024;

/** Of all streams together: what may be on its way. Less would slow down long paths. */
export const linkWindowBytes = 4 * 1024 * 1024;

export const settings: http2.Settings = {
  // INVARIANT: no header is remembered for another request: those of one connection may be of several callers, and
  // what is compressed with a secret beside it tells of the secret by its length. Nor can a few bytes become many.
  headerTableSize: 0,
  enablePush: false,
  maxConcurrentStreams: maxStreams,
  maxHeaderListSize: headerBytes,
  initialWindowSize: streamWindowBytes,
};

export const sessionBounds = {
  maxDeflateDynamicTableSize: 0,
  maxHeaderListPairs: 128,
  maxSettings: 16,
  maxOutstandingPings: 4,
} as const satisfies http2.SessionOptions;
