/** Connections to one origin whose TLS credentials change while it is in use. */
import type tls from "node:tls";

import type { Dispatcher, Pool } from "undici";

import { certificateFacts } from "../../crypto/certificate.ts";
import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import { serverLink } from "./link-facts.ts";
import { H2Links } from "./h2-links.ts";
import { h2Opener } from "./h2-pool.ts";
import { type Dialling, makePool } from "./link-pool.ts";
import { LinkTurns } from "./link-turns.ts";
import { patientDial } from "./patient-dial.ts";
import type { LinkOptions } from "./proven-links.ts";
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

/** What requests go through, of one version of HTTP. */
interface Lines {
  readonly dispatcher: Dispatcher;
  readonly renew: (options: Checked, old: "finish" | "cut") => void;
  readonly end: () => Promise<void>;
}

/** With what a link is checked and noted. */
type Checked = LinkOptions & { readonly check: (link: tls.TLSSocket) => ServerLink };

export function renewablePool(
  origin: string,
  options: LinkOptions,
  { isRevoked = () => false, patienceMs = 0 }: PoolRules = {},
): RenewablePool {
  let group: string | undefined;
  let newest = options.terms;
  const links = new LinksInUse(isRevoked);
  const checked = (current: LinkOptions): Checked => ({
    ...current,
    check: (link) => links.take(link, current.terms),
    onLink: (link) => {
      group = negotiatedGroup(link, current.terms).id;
      current.onLink?.(link);
    },
  });
  const makeLines = options.http === "h2" ? sharedLines : ownLines;
  const lines = makeLines(origin, checked(options), patienceMs);
  let isClosed = false;
  return {
    dispatcher: () => lines.dispatcher,
    renew: (next, fate = "finish") => {
      if (isClosed) return; // The certificate came after the end.
      lines.renew(checked(next), fate);
      newest = next.terms;
    },
    review: () => links.review(newest),
    group: () => group,
    close: async () => {
      isClosed = true;
      await lines.end();
    },
  };
}

/** A link for each request under way. */
function ownLines(origin: string, first: Checked, patienceMs: number): Lines {
  const turns = new LinkTurns(() => pool);
  let waiting = new AbortController();
  const make = ({ check, ...options }: Checked): Pool => {
    const { signal } = waiting;
    const dialling: Dialling = {
      dial: (open) => turns.opening(() => patientDial(open, patienceMs, signal)),
      watched: (client) => turns.watched(client),
    };
    return makePool(origin, { ...options, dialling }, check);
  };
  let pool = make(first);
  return {
    dispatcher: turns,
    renew: (next, fate) => {
      const old = pool;
      if (fate === "cut") {
        waiting.abort();
        waiting = new AbortController();
      }
      pool = make(next);
      (fate === "cut" ? old.destroy() : old.close()).catch(() => undefined); // Its last requests failed, and their callers know.
    },
    end: async () => {
      waiting.abort();
      const destroyed = pool.destroy();
      turns.end();
      await destroyed;
    },
  };
}

/** One link for all of them, as far as it goes. */
function sharedLines(origin: string, first: Checked, patienceMs: number): Lines {
  const opener = ({ check, ...options }: Checked) => h2Opener(origin, options, { check, patienceMs });
  const links = new H2Links(opener(first));
  return {
    dispatcher: links,
    renew: (next, fate) => links.renew(opener(next), fate),
    end: () => Promise.resolve(links.end()),
  };
}
