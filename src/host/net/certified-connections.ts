/** Connections that show a client certificate to servers that aren't ours: TLS 1.3, hybrid groups first, files read again when they change. */
import type tls from "node:tls";

import { Agent, type Dispatcher } from "undici";

import { classicalGroups } from "../../crypto/suites/key-exchange.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { WatchedText } from "../store/watched-text.ts";
import { pathConnector } from "./path-connector.ts";
import {
  type Connections,
  renewedConnections,
  type WebLinkOptions,
  webPool,
  webTlsOptions,
} from "./web-links.ts";

export interface ClientCertificate {
  readonly certificate: WatchedText;
  readonly key: WatchedText;
  /** Roots of the other end; undefined for those that Node brings. */
  readonly ca: WatchedText | undefined;
}

/** Connections to one MCP server. */
export function certifiedConnections(
  origin: string,
  own: ClientCertificate,
  options: WebLinkOptions,
): Connections {
  return showing(own, options.terms, (shown) => webPool(origin, { ...options, tls: shown }));
}

/**
 * Connections to whatever origin is asked for: an authorization server and its endpoints. They aren't MCP's and
 * choose with whom else they speak, so groups without ML-KEM are taken where they have no other.
 */
export function certifiedAgent(own: ClientCertificate, terms: WebLinkOptions["terms"]): Connections {
  const withClassical = (): ReturnType<WebLinkOptions["terms"]> => ({ ...terms(), classicalGroups });
  return showing(own, terms, (shown) => {
    const options = { terms: withClassical, keyExchange: "hybrid-preferred", tls: shown } as const;
    return new Agent({ connect: pathConnector(webTlsOptions(options)) });
  });
}

function showing(
  own: ClientCertificate,
  terms: WebLinkOptions["terms"],
  make: (shown: tls.ConnectionOptions) => Dispatcher,
): Connections {
  const { certificate, key, ca } = own;
  const sources = [certificate.current, key.current, () => ca?.current(), terms];
  return renewedConnections(sources, () => made(textsOf(own), make));
}

type Texts = readonly [certificate: string, key: string, ca: string | undefined];

function textsOf({ certificate, key, ca }: ClientCertificate): Texts {
  return [certificate.current(), key.current(), ca?.current()];
}

function made([cert, key, ca]: Texts, make: (shown: tls.ConnectionOptions) => Dispatcher): Dispatcher {
  try {
    return make({ cert, key, ...(ca !== undefined && { ca }) });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new Refusal(
      "upstream_failed",
      "The gateway's client certificate for this server can't be used: it and its key don't go together, or can't be read.",
      { cause, facts: { cause: code, sent: false } },
    );
  }
}
