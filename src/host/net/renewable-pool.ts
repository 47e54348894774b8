/** Connections to one origin whose TLS credentials change while it is in use. */
import tls from "node:tls";

import { buildConnector, type Dispatcher, Pool } from "undici";

import type { Profile } from "../../crypto/suites.ts";
import { negotiatedGroup } from "./tls.ts";

export interface RenewablePool {
  /** For one request; the next may get another. */
  readonly dispatcher: () => Dispatcher;
  /** New requests use these; those under way finish on the old connections. */
  readonly renew: (options: tls.ConnectionOptions) => void;
  /** TLS group of the newest link; undefined before the first. */
  readonly group: () => string | undefined;
  readonly close: () => Promise<void>;
}

const connectTimeoutMs = 10_000;

export function renewablePool(
  origin: string,
  options: tls.ConnectionOptions,
  profile: Profile,
): RenewablePool {
  let group: string | undefined;
  const make = (current: tls.ConnectionOptions): Pool =>
    makePool(origin, current, (link) => (group = negotiatedGroup(link, profile)));
  let pool = make(options);
  let isClosed = false;
  return {
    dispatcher: () => pool,
    renew: (next) => {
      if (isClosed) return; // The certificate came after the end.
      const old = pool;
      pool = make(next);
      old.close().catch(() => undefined); // Its last requests failed, and their callers know.
    },
    group: () => group,
    close: async () => {
      isClosed = true;
      await pool.destroy();
    },
  };
}

/** Connections to one origin with those options. @param check throws for a link that isn't what was asked for; offering only hybrid groups is what enforces them */
export function makePool(
  origin: string,
  options: tls.ConnectionOptions,
  check: (link: tls.TLSSocket) => void,
): Pool {
  const connect = buildConnector({
    ...(options as object),
    // One for all links: each of its own would read the keys and roots again, and hold them.
    secureContext: tls.createSecureContext(options),
    timeout: connectTimeoutMs,
    // A resumed session would skip the check of the peer's certificate.
    maxCachedSessions: 0,
  });
  return new Pool(origin, {
    // Each stream holds a connection; a bound here would let streams starve the calls that end them.
    connections: null,
    pipelining: 1,
    connect: (target, callback) => {
      connect(target, (error, socket) => {
        if (error !== null) {
          callback(error, null);
          return;
        }
        try {
          check(socket as tls.TLSSocket);
        } catch (reason) {
          socket.destroy();
          callback(reason instanceof Error ? reason : new Error("The link isn't what was asked for."), null);
          return;
        }
        callback(null, socket);
      });
    },
  });
}
