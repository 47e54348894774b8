/** What `latticegate crypto status --json` prints (docs/formats/crypto-status.md). */
import { type WrittenInForce, writtenInForce } from "../../crypto/suites/in-force.ts";
import { manifestSuiteIds } from "../../integrity/tools/publisher-keys.ts";
import { type CryptoFacts, liveIn } from "./crypto-facts.ts";
import type { LiveDocument } from "./live-document.ts";
import { type WeakSpot, weakSpots } from "./weak-spots.ts";

/** Null stands for what only a running gateway knows. */
export interface StatusDocument extends OfGateway {
  readonly format: 1;
  readonly at: string;
  readonly gateway:
    | {
        readonly state: "running";
        readonly listen: string;
        readonly version: string;
        readonly started: string;
      }
    | { readonly state: "not running" }
    | { readonly state: "silent"; readonly why: string };
  readonly profile: Omit<WrittenInForce, "since"> & {
    readonly configured: string;
    /** Null of a state folder from before that was written down. */
    readonly since: string | null;
  };
  /** The worst first. */
  readonly weak_spots: readonly WeakSpot[];
  readonly roots: readonly RootStatus[];
  readonly certificates: readonly CertificateStatus[];
  readonly join_tokens: readonly { readonly for: string; readonly until: string }[];
  readonly log_keys: readonly { readonly algorithm: string; readonly key_id: string }[];
  /** Algorithms of the keys of delegations there are. */
  readonly delegation_keys: readonly string[];
  readonly delegations: readonly { readonly from: string; readonly to: string; readonly until: string }[];
  /** The newest call of each caller over each group within a day, as far as the last entries of the log tell. */
  readonly callers: readonly { readonly caller: string; readonly group: string; readonly at: string }[];
  /** That `tools sign` wrote for the gateway's servers, and that verify. */
  readonly manifests: readonly {
    readonly server: string;
    readonly algorithms: readonly string[];
    readonly publisher: string;
    readonly until: string;
  }[];
}

type OfGateway = {
  readonly [
    Part in "listeners" | "links" | "own_certificates" | "servers" | "peer" | "rendezvous" | "issuers"
  ]: LiveDocument[Part] | null;
};

function ofGateway(live: LiveDocument | undefined): OfGateway {
  if (live !== undefined) {
    const { listeners, links, own_certificates, servers, peer, rendezvous, issuers } = live;
    return { listeners, links, own_certificates, servers, peer, rendezvous, issuers };
  }
  return {
    listeners: null,
    links: null,
    own_certificates: null,
    servers: null,
    peer: null,
    rendezvous: null,
    issuers: null,
  };
}

interface RootStatus {
  readonly purpose: "server" | "client";
  readonly kind: "main" | "classical";
  /** Null of a classical one: there is one of each. */
  readonly generation: number | null;
  readonly algorithm: string;
  readonly state: string;
  readonly until: string | null;
}

interface CertificateStatus {
  readonly holder: string;
  readonly purpose: string;
  /** Null of one from before it was written down. */
  readonly algorithm: string | null;
  readonly certificates: number;
  readonly until: string;
}

export function statusDocument(facts: CryptoFacts): StatusDocument {
  const { stored, inForce, configured } = facts;
  return {
    format: 1,
    at: iso(facts.nowUnixMs),
    gateway: gatewayOf(facts),
    profile: {
      configured,
      ...writtenInForce(inForce),
      since: inForce.sinceUnixMs === 0 ? null : iso(inForce.sinceUnixMs),
    },
    weak_spots: weakSpots(facts),
    ...ofGateway(liveIn(facts)),
    roots: stored.roots.map(({ purpose, generation, suite, state, notAfterUnixMs }) => ({
      purpose,
      kind: generation === undefined ? "classical" : "main",
      generation: generation ?? null,
      algorithm: suite,
      state,
      until: notAfterUnixMs === undefined ? null : iso(notAfterUnixMs),
    })),
    certificates: stored.held.map(({ spiffeId, purpose, keyAlgorithm, certificates, notAfterUnixMs }) => ({
      holder: spiffeId,
      purpose,
      algorithm: keyAlgorithm ?? null,
      certificates,
      until: iso(notAfterUnixMs),
    })),
    join_tokens: stored.joinTokens.map(({ spiffeId, expiresUnixMs }) => ({
      for: spiffeId,
      until: iso(expiresUnixMs),
    })),
    log_keys: stored.logKeys.map(({ algorithm, keyId }) => ({ algorithm, key_id: keyId })),
    delegation_keys: stored.delegationKeys,
    delegations: stored.delegations.map(({ from, to, notAfterUnixMs }) => ({
      from,
      to,
      until: iso(notAfterUnixMs),
    })),
    callers: stored.callers.map(({ caller, group, atUnixMs }) => ({ caller, group, at: iso(atUnixMs) })),
    manifests: stored.manifests.map(({ server, signedBy, expiresAtUnixMs }) => ({
      server,
      algorithms: manifestSuiteIds,
      publisher: signedBy,
      until: iso(expiresAtUnixMs),
    })),
  };
}

function gatewayOf({ gateway }: CryptoFacts): StatusDocument["gateway"] {
  if (gateway.kind === "not running") return { state: "not running" };
  if (gateway.kind === "silent") return { state: "silent", why: gateway.why };
  const { listen, version, started } = gateway.live;
  return { state: "running", listen, version, started };
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
