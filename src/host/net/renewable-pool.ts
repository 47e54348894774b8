/** Connections to one origin whose TLS credentials change while it is in use. */
import type tls from "node:tls";

import { buildConnector, type Dispatcher, Pool } from "undici";

import type { Profile } from "../../crypto/suites.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { negotiatedGroup } from "./tls.ts";

export interface RenewablePool {
  /** For one request; the next may get another. */
  readonly dispatcher: () => Dispatcher;
  /** New requests use these; those under way finish on the old connections. */
  readonly renew: (options: tls.ConnectionOptions) => void;
  readonly close: () => Promise<void>;
}

const connectTimeoutMs = 10_000;

export function renewablePool(origin: string, options: tls.ConnectionOptions, profile: Profile): RenewablePool {
  let pool = makePool(origin, options, profile);
  return {
    dispatcher: () => pool,
    renew: (next) => {
      const old = pool;
      pool = makePool(origin, next, profile);
      void old.close();
    },
    close: () => pool.destroy(),
  };
}

function makePool(origin: string, options: tls.ConnectionOptions, profile: Profile): Pool {
  const connect = buildConnector({
    ...(options as object),
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
        if (error !== null) callback(error, null);
        else callback(...asserted(socket, profile));
      });
    },
  });
}

/** Offering only hybrid groups is what enforces them; this asserts that it did. */
function asserted(
  socket: unknown,
  profile: Profile,
): [error: null, socket: tls.TLSSocket] | [error: Error, socket: null] {
  const link = socket as tls.TLSSocket;
  try {
    negotiatedGroup(link, profile);
    return [null, link];
  } catch (error) {
    link.destroy();
    return [error instanceof Error ? error : new Refusal("bad_certificate", "The link isn't what was asked for."), null];
  }
}
