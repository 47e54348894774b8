/**
 * Links to servers that aren't ours, at https URLs: TLS 1.3, groups with ML-KEM first and with a key share, others
 * where the profile and the server's dial both say so. What was negotiated is known before a byte of a request is sent.
 */
import type tls from "node:tls";

import { buildConnector, type Dispatcher, Pool } from "undici";

import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import type { KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import { groupNameOf, serverLink } from "./link-facts.ts";
import { makePool } from "./link-pool.ts";
import type { OnLink } from "./proven-links.ts";
import { explainer } from "./why-no-link.ts";
import type { DoorTerms } from "./web-tls.ts";

/** Whether links without ML-KEM are refused, or tolerated where the other end can't. */
type KeyExchangeDial = "hybrid-required" | "hybrid-preferred";

/** The open ones, each with the group it negotiated. */
export type WebLinks = Map<tls.TLSSocket, string>;

export interface WebLinkOptions {
  /** Those of the moment: what they allow new links, and what is under way on old ones ends as it would. */
  readonly terms: () => DoorTerms;
  readonly keyExchange: KeyExchangeDial;
  /** Where its links are noted. */
  readonly links: WebLinks;
  /** Told of each; throws for one that isn't to be used. */
  readonly seen?: OnLink | undefined;
  /** Shown each new one that is used. */
  readonly onLink?: (link: tls.TLSSocket) => void;
  /** Roots, and what is shown to the server. */
  readonly tls?: Pick<tls.ConnectionOptions, "ca" | "cert" | "key">;
  /** The numeric address of the host; throws for one that isn't to be connected to. By default whatever it has. */
  readonly resolve?: ((host: string) => Promise<string>) | undefined;
}

export interface Connections {
  readonly dispatcher: () => Dispatcher;
  readonly close: () => Promise<void>;
}

/** Connections to one https origin, each negotiated within those terms or refused with what the server offers. */
export function webPool(origin: string, options: WebLinkOptions): Pool {
  const offered = offeredBy(options);
  const { seen, onLink = () => undefined, resolve } = options;
  const wanted = { ...options.terms(), groups: offered };
  const explain = explainer(new URL(origin), wanted, resolve);
  return makePool(origin, { tls: webTlsOptions(options), explain, seen, onLink, resolve }, (link) => {
    const facts = checked(link, offered);
    options.links.set(link, facts.group);
    link.once("close", () => options.links.delete(link));
    return facts;
  });
}

/** Ends the links of groups that aren't among these, with what is under way on them. */
export function endLinksBeyond(
  links: WebLinks,
  { groups, classicalGroups }: Pick<LinkTerms, "groups" | "classicalGroups">,
): void {
  const known = [...groups, ...classicalGroups].map(({ id }) => id);
  for (const [link, group] of links) {
    if (known.includes(group)) continue;
    const message = `The link to the server used ${group}, which the profile in force doesn't have.`;
    link.destroy(new Refusal("upstream_failed", message, { facts: { cause: "link", sent: true } }));
  }
}

/** Connections to an http or https origin; nothing is negotiated for plain HTTP. */
export function webConnections({ protocol, origin }: URL, options: WebLinkOptions): Connections {
  if (protocol !== "https:") {
    const { resolve } = options;
    const connect = resolve && { connect: resolving(resolve) };
    const pool = new Pool(origin, { connections: null, pipelining: 1, ...connect });
    return { dispatcher: () => pool, close: () => pool.destroy() };
  }
  return renewedConnections([options.terms], () => webPool(origin, options));
}

/** Plain connections to the address that was judged, whatever the name leads to by then. */
function resolving(resolve: (host: string) => Promise<string>): buildConnector.connector {
  const plain = buildConnector({});
  return (target, callback) => void connect(target, callback);

  async function connect(target: buildConnector.Options, callback: buildConnector.Callback): Promise<void> {
    const found = await resolve(target.hostname).catch((reason: unknown) =>
      reason instanceof Error ? reason : new Error(String(reason)),
    );
    if (found instanceof Error) callback(found, null);
    else plain({ ...target, hostname: found }, callback);
  }
}

/** Connections that are made anew, with the old ones finishing what is under way, when one of these changes. */
export function renewedConnections(sources: readonly (() => unknown)[], make: () => Dispatcher): Connections {
  const read = (): readonly unknown[] => sources.map((source) => source());
  let seen = read();
  let dispatcher = make();
  return {
    dispatcher: () => {
      const now = read();
      if (now.some((value, at) => value !== seen[at])) {
        const old = dispatcher;
        dispatcher = make();
        seen = now;
        old.close().catch(() => undefined); // Its last requests failed, and their callers know.
      }
      return dispatcher;
    },
    close: () => dispatcher.destroy(),
  };
}

export function webTlsOptions(options: Omit<WebLinkOptions, "links">): tls.ConnectionOptions {
  return {
    ...options.tls,
    minVersion: "TLSv1.3",
    ciphers: options.terms().ciphers,
    ecdhCurve: groupList(options),
    rejectUnauthorized: true,
  };
}

/**
 * As OpenSSL takes it: `*` has a key share sent, `/` begins what is only for servers that have nothing of before.
 * INVARIANT: never one flat list, in which a key share for a classical group would win.
 */
function groupList(options: Omit<WebLinkOptions, "links">): string {
  const offered = offeredBy(options);
  const names = (kind: KeyExchangeSuite["kind"]): string =>
    offered.flatMap((group) => (group.kind === kind ? group.id : [])).join(":");
  const classical = names("classical");
  return `*${names("hybrid")}${classical === "" ? "" : `/${classical}`}`;
}

/** Hybrid ones first. */
function offeredBy({ terms, keyExchange }: Omit<WebLinkOptions, "links">): readonly KeyExchangeSuite[] {
  const { groups, classicalGroups } = terms();
  return keyExchange === "hybrid-preferred" ? [...groups, ...classicalGroups] : groups;
}

/** @throws Refusal `upstream_failed` for a link that isn't what was offered */
function checked(
  link: tls.TLSSocket,
  offered: readonly KeyExchangeSuite[],
): ServerLink & { readonly kind: "tls" } {
  const name = groupNameOf(link);
  const group = offered.find(({ id }) => id === name);
  if (group !== undefined && link.getProtocol() === "TLSv1.3") return serverLink(link, group);
  throw new Refusal(
    "upstream_failed",
    `The link to the server negotiated ${String(link.getProtocol())} with ${String(name)}, which wasn't offered; nothing was sent.`,
    { facts: { cause: "link", sent: false } },
  );
}
