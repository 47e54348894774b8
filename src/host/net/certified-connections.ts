/** Connections that show a client certificate to servers that aren't ours: TLS 1.3, hybrid groups first, files read again when they change. */
import type tls from "node:tls";

import { Agent, type Dispatcher } from "undici";

import { classicalGroups } from "../../crypto/suites/key-exchange.ts";
import type { Profile } from "../../crypto/suites/profiles.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { WatchedText } from "../store/watched-text.ts";
import { makePool } from "./renewable-pool.ts";

export interface ClientCertificate {
  readonly certificate: WatchedText;
  readonly key: WatchedText;
  /** Roots of the other end; undefined for those that Node brings. */
  readonly ca: WatchedText | undefined;
}

export interface Connections {
  readonly dispatcher: () => Dispatcher;
  readonly close: () => Promise<void>;
}

/** Connections to one MCP server. @throws Refusal `bad_config` if certificate and key don't go together */
export function certifiedConnections(origin: string, own: ClientCertificate, profile: Profile): Connections {
  return renewing(own, profile, (options) => makePool(origin, { tls: options }, () => undefined));
}

/** Connections to whatever origin is asked for: an authorization server and its endpoints. */
export function certifiedAgent(own: ClientCertificate, profile: Profile): Connections {
  return renewing(
    own,
    profile,
    (connect) => new Agent({ connect: { ...(connect as object), maxCachedSessions: 0 } }),
  );
}

function renewing(
  own: ClientCertificate,
  profile: Profile,
  make: (options: tls.ConnectionOptions) => Dispatcher,
): Connections {
  let shown = textsOf(own);
  let dispatcher = made(shown, profile, make);
  return {
    dispatcher: () => {
      const now = textsOf(own);
      if (now.some((text, at) => text !== shown[at])) {
        const old = dispatcher;
        dispatcher = made(now, profile, make);
        shown = now;
        old.close().catch(() => undefined); // Its last requests failed, and their callers know.
      }
      return dispatcher;
    },
    close: () => dispatcher.destroy(),
  };
}

type Texts = readonly [certificate: string, key: string, ca: string | undefined];

function textsOf({ certificate, key, ca }: ClientCertificate): Texts {
  return [certificate.current(), key.current(), ca?.current()];
}

function made(
  [cert, key, ca]: Texts,
  profile: Profile,
  make: (options: tls.ConnectionOptions) => Dispatcher,
): Dispatcher {
  try {
    return make({
      cert,
      key,
      ...(ca !== undefined && { ca }),
      minVersion: "TLSv1.3",
      ciphers: profile.ciphers,
      ecdhCurve: [...profile.groups, ...classicalGroups].map(({ id }) => id).join(":"),
      rejectUnauthorized: true,
    });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new Refusal(
      "upstream_failed",
      "The gateway's client certificate for this server can't be used: it and its key don't go together, or can't be read.",
      { cause, facts: { cause: code, sent: false } },
    );
  }
}
