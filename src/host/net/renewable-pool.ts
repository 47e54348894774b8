/** Connections to one origin whose TLS credentials change while it is in use. */
import type tls from "node:tls";

import { type buildConnector, Client, type Dispatcher, Pool } from "undici";

import { certificateFacts } from "../../crypto/certificate.ts";
import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import { serverLink } from "./link-facts.ts";
import { exchangeProofs, type ProofOffer } from "./link-proof.ts";
import { LinkTurns } from "./link-turns.ts";
import { connectTimeoutMs, linkOpener } from "./open-link.ts";
import { patientDial } from "./patient-dial.ts";
import { handingOver, targetOf } from "./path-connector.ts";
import { withLink } from "./server-links.ts";
import { negotiatedGroup } from "./tls.ts";

export interface RenewablePool {
  /** For one request; the next may get another. */
  readonly dispatcher: () => Dispatcher;
  /** New requests use these; those under way finish on the old connections, unless these are to be cut. */
  readonly renew: (options: LinkOptions, old?: "finish" | "cut") => void;
  /** Ends the links whose peer was revoked, or that are of what the newest terms don't have, with what is under way on them. */
  readonly review: () => void;
  /** TLS group of the newest link; undefined before the first. */
  readonly group: () => string | undefined;
  readonly close: () => Promise<void>;
}

/** What each link of a pool begins with. */
export interface LinkOptions {
  readonly tls: tls.ConnectionOptions;
  /** What it may negotiate. */
  readonly terms: LinkTerms;
  /** Both ends prove classical identities before the first request; absent where this end has none. */
  readonly proof?: ProofOffer | undefined;
  /** Puts into words why there is no link. */
  readonly explain?: (reason: unknown) => Promise<unknown>;
  /** Told of each link whose other end is proven, before anything is sent; throws for one that isn't to be used. */
  readonly seen?: OnLink | undefined;
  /** Shown each link that is used: what was asked for, and judged. */
  readonly onLink?: (link: tls.TLSSocket) => void;
  /** Opens a link on which HTTP/2 is spoken, to whom it should be; by default the origin's address is dialled. */
  readonly connect?: () => Promise<tls.TLSSocket>;
  /** The numeric address of a host; throws for one that isn't to be connected to. By default whatever it has. */
  readonly resolve?: ((host: string) => Promise<string>) | undefined;
}

export type OnLink = (link: tls.TLSSocket) => void;

/** What is known of a link that is up. */
interface PeerLink {
  readonly serial: string;
  readonly group: string;
  /** Of the peer's certificate. */
  readonly algorithm: string;
}

function isWithin({ groups, identities }: LinkTerms, { group, algorithm }: PeerLink): boolean {
  return groups.some(({ id }) => id === group) && identities.some(({ id }) => id === algorithm);
}

class LinksInUse {
  readonly #links = new Map<tls.TLSSocket, PeerLink>();
  readonly #isRevoked: (serial: string) => boolean;

  constructor(isRevoked: (serial: string) => boolean) {
    this.#isRevoked = isRevoked;
  }

  /** @throws Refusal if the peer's certificate was revoked */
  take(link: tls.TLSSocket, terms: LinkTerms): ServerLink {
    const negotiated = negotiatedGroup(link, terms);
    const certificate = link.getPeerX509Certificate();
    const facts = certificate && certificateFacts(certificate);
    const serial = facts?.serial ?? "";
    if (this.#isRevoked(serial)) {
      throw new Refusal("upstream_failed", "The server's identity was revoked.", {
        facts: { serial, sent: false },
      });
    }
    this.#links.set(link, { serial, group: negotiated.id, algorithm: facts?.keyAlgorithm ?? "" });
    link.once("close", () => this.#links.delete(link));
    return serverLink(link, negotiated);
  }

  review(newest: LinkTerms): void {
    for (const [link, of] of this.#links) {
      if (this.#isRevoked(of.serial)) link.destroy(new Error("The server's certificate was revoked."));
      else if (!isWithin(newest, of))
        link.destroy(new Error("The link is of a suite that isn't taken any more."));
    }
  }
}

export interface PoolRules {
  /** Whether the peer's certificate with that serial number counts no longer. */
  readonly isRevoked?: (serial: string) => boolean;
  /** How long links are dialled again while nobody is there; not at all by default. */
  readonly patienceMs?: number;
}

export function renewablePool(
  origin: string,
  options: LinkOptions,
  { isRevoked = () => false, patienceMs = 0 }: PoolRules = {},
): RenewablePool {
  let group: string | undefined;
  let newest = options.terms;
  const links = new LinksInUse(isRevoked);
  const noted = (link: tls.TLSSocket, { terms, onLink }: LinkOptions): void => {
    group = negotiatedGroup(link, terms).id;
    onLink?.(link);
  };
  const turns = new LinkTurns(() => pool);
  let waiting = new AbortController();
  const make = (current: LinkOptions): Pool => {
    const { signal } = waiting;
    const dialling: Dialling = {
      dial: (open) => turns.opening(() => patientDial(open, patienceMs, signal)),
      watched: (client) => turns.watched(client),
    };
    const given = { ...current, dialling, onLink: (link: tls.TLSSocket) => noted(link, current) };
    return makePool(origin, given, (link) => links.take(link, current.terms));
  };
  let pool = make(options);
  let isClosed = false;
  return {
    dispatcher: () => turns,
    renew: (next, fate = "finish") => {
      if (isClosed) return; // The certificate came after the end.
      const old = pool;
      if (fate === "cut") {
        waiting.abort();
        waiting = new AbortController();
      }
      pool = make(next);
      newest = next.terms;
      (fate === "cut" ? old.destroy() : old.close()).catch(() => undefined); // Its last requests failed, and their callers know.
    },
    review: () => links.review(newest),
    group: () => group,
    close: async () => {
      isClosed = true;
      waiting.abort();
      const destroyed = pool.destroy();
      turns.end();
      await destroyed;
    },
  };
}

/** Who decides when a link is opened. */
interface Dialling {
  readonly dial: <Link>(open: () => Promise<Link>) => Promise<Link>;
  readonly watched: (client: Client) => Client;
}

const atOnce: Dialling = { dial: (open) => open(), watched: (client) => client };

type PoolOptions = Omit<LinkOptions, "terms"> & { readonly dialling?: Dialling };

/**
 * @param check what was negotiated; throws for a link that isn't what was asked for: offering only hybrid groups is
 * what enforces them
 */
export function makePool(
  origin: string,
  options: PoolOptions,
  check: (link: tls.TLSSocket) => ServerLink,
): Pool {
  const { dialling = atOnce } = options;
  const connect = linkOpener(options.tls);
  let proof = options.proof;
  const open = async (target: Target): Promise<Opened> => {
    const named = targetOf(target);
    const { resolve } = options;
    const host = resolve === undefined ? named.host : await resolve(named.host);
    const link = await (options.connect?.() ?? connect({ ...named, host })).catch(async (reason: unknown) => {
      throw (await options.explain?.(reason)) ?? reason;
    });
    try {
      const opened = { link, facts: check(link) };
      options.seen?.(link);
      if (proof === undefined || (await exchangeProofs(link, proof, connectTimeoutMs)) !== undefined) {
        options.onLink?.(link);
        return opened;
      }
    } catch (reason) {
      link.destroy();
      throw reason;
    }
    link.destroy(); // The other end closes it after a request it doesn't know.
    if (proof.isDemanded) throw unproven();
    proof = undefined; // Until the next renewal.
    return await open(target);
  };
  return new Pool(origin, {
    // Each stream holds a connection; a bound here would let streams starve the calls that end them.
    connections: null,
    pipelining: 1,
    factory: (at, given) => {
      let facts: ServerLink | undefined;
      const dial = async (target: Target): Promise<tls.TLSSocket> => {
        const opened = await dialling.dial(() => open(target));
        ({ facts } = opened);
        return opened.link;
      };
      const client = new Client(at, { ...given, connect: handingOver(dial) });
      return withLink(dialling.watched(client), () => facts);
    },
  });
}

interface Opened {
  readonly link: tls.TLSSocket;
  readonly facts: ServerLink;
}

type Target = buildConnector.Options;

function unproven(): Refusal {
  return new Refusal(
    "upstream_failed",
    "The other end offers no proof of a classical identity, and this link demands one. If it runs an older version, update it; if it isn't the one you know, that is why nothing was sent.",
    { facts: { sent: false, cause: "link_proof" } },
  );
}
