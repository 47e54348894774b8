/** Opens links whose other end is proven to be the one that is meant, before any request is sent on them. */
import type tls from "node:tls";

import type { buildConnector } from "undici";

import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import type { PingTimes } from "./h2-pings.ts";
import { exchangeProofs, type PostProof, type ProofOffer } from "./link-proof.ts";
import { linkOpener } from "./open-link.ts";
import { targetOf } from "./path-connector.ts";

/** What each link of a pool begins with. */
export interface LinkOptions {
  readonly tls: tls.ConnectionOptions;
  /** What it may negotiate. */
  readonly terms: LinkTerms;
  /** `h2`: all requests share a link, or few of them; by default each has one of its own while it is under way. */
  readonly http?: "http/1.1" | "h2";
  /** When the other end of a link that is shared is asked whether it is there. */
  readonly pings?: PingTimes;
  /** Opens a link to the other end; by default the origin's host is dialled. */
  readonly connect?: (() => Promise<tls.TLSSocket>) | undefined;
  /** Both ends prove classical identities before the first request; absent where this end has none. */
  readonly proof?: ProofOffer | undefined;
  /** Puts into words why there is no link. */
  readonly explain?: (reason: unknown) => Promise<unknown>;
  /** Told of each link whose other end is proven, before anything is sent; throws for one that isn't to be used. */
  readonly seen?: OnLink | undefined;
  /** Shown each link that is used: what was asked for, and judged. */
  readonly onLink?: (link: tls.TLSSocket) => void;
  /** The numeric address of a host; throws for one that isn't to be connected to. By default whatever it has. */
  readonly resolve?: ((host: string) => Promise<string>) | undefined;
}

export type OnLink = (link: tls.TLSSocket) => void;

export interface Opened {
  readonly link: tls.TLSSocket;
  readonly facts: ServerLink;
}

export type Target = Pick<buildConnector.Options, "hostname" | "port" | "servername">;

/** How requests are sent on a link. */
export interface Speech<Spoken> {
  readonly begin: (opened: Opened) => Promise<Spoken>;
  readonly post: (on: Spoken, ...post: Parameters<PostProof>) => ReturnType<PostProof>;
  /** Whether a link on which the other end proves nothing can still be used. */
  readonly outlivesRefusal: boolean;
}

/** What a link is checked with; throws for one that isn't what was asked for. */
export type CheckLink = (link: tls.TLSSocket) => ServerLink;

export function provenLinks<Spoken>(
  options: Omit<LinkOptions, "terms">,
  check: CheckLink,
  speech: Speech<Spoken>,
): (target: Target) => Promise<Spoken> {
  const { resolve, explain } = options;
  const connect = options.connect ?? linkOpener(options.tls);
  let { proof } = options;
  const opened = async (target: Target): Promise<tls.TLSSocket> => {
    const named = targetOf(target);
    const host = resolve === undefined ? named.host : await resolve(named.host);
    return await connect({ ...named, host }).catch(async (reason: unknown) => {
      throw (await explain?.(reason)) ?? reason;
    });
  };
  /** Undefined where another link is to be tried, without a proof. */
  const proven = async (link: tls.TLSSocket): Promise<Spoken | undefined> => {
    const facts = check(link);
    options.seen?.(link);
    const spoken = await speech.begin({ link, facts });
    if (proof !== undefined) {
      const theirs = await exchangeProofs(link, proof, (post) => speech.post(spoken, post));
      if (theirs === undefined && proof.isDemanded) throw unproven();
      if (theirs === undefined) proof = undefined; // Until the next renewal.
      if (theirs === undefined && !speech.outlivesRefusal) return undefined;
    }
    options.onLink?.(link);
    return spoken;
  };
  return async (target) => {
    for (;;) {
      const link = await opened(target);
      const spoken = await proven(link).catch((reason: unknown) => {
        link.destroy();
        throw reason;
      });
      if (spoken !== undefined) return spoken;
      link.destroy(); // The other end closes it after a request it doesn't know.
    }
  };
}

function unproven(): Refusal {
  return new Refusal(
    "upstream_failed",
    "The other end offers no proof of a classical identity, and this link demands one. If it runs an older version, update it; if it isn't the one you know, that is why nothing was sent.",
    { facts: { sent: false, cause: "link_proof" } },
  );
}
