/** The immutable snapshot a call is judged under. It is swapped whole, never changed. */
import { sha256 } from "../crypto/hash.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import type { Trust } from "../identity/admission.ts";
import { boundKey } from "../identity/claims.ts";
import type { DelegationLimits } from "../identity/delegation.ts";
import type { ProtocolVersion } from "../wire/protocol-version.ts";
import { originMatcher } from "../policy/origins.ts";
import type { Rule, RuleDocument } from "../policy/rules.ts";
import { compileRules } from "../policy/rules.ts";
import { compileScopes, type TokenScope } from "../policy/token-scopes.ts";

/** The oldest versions of the protocol that may be spoken; none where nothing is said. */
export interface VersionFloor {
  readonly minimum?: ProtocolVersion;
  /** Where a server's own counts instead, by its name. */
  readonly ofServers: ReadonlyMap<string, ProtocolVersion>;
}

/** What a listener for clients with tokens lets them reach, beside the rules. */
export interface WebReach {
  /** Servers that links without post-quantum key exchange may reach. */
  readonly classicalServers: readonly string[];
  /** By name, what each scope is good for; where there are none, tokens aren't asked for scopes. */
  readonly scopes?: Readonly<Record<string, readonly string[]>>;
}

export interface World {
  readonly trust: Trust;
  readonly rules: readonly Rule[];
  readonly servers: ReadonlySet<string>;
  /** By name, the servers that each joins. */
  readonly virtualServers: ReadonlyMap<string, readonly string[]>;
  /** Keys in `_meta` that must name the caller whenever they are there, as `boundKey` has them. */
  readonly claims: ReadonlySet<string>;
  readonly versions: VersionFloor;
  /** Servers that sidecars' links without post-quantum key exchange may reach. */
  readonly classicalServers: ReadonlySet<string>;
  /** Servers whose calls come on links that prove a classical identity too, or not at all. */
  readonly hybridLinks: ReadonlySet<string>;
  readonly delegation: DelegationLimits;
  /** Clients and users whose access tokens count no more here, by their names in `Caller`. */
  readonly shutOut: ReadonlySet<string>;
  /** The forward servers among them, each with what says whether it leads to an origin. */
  readonly forward: ReadonlyMap<string, (origin: string) => boolean>;
  /** By the origin that clients know it by. */
  readonly webListeners: ReadonlyMap<
    string,
    { readonly classicalServers: ReadonlySet<string>; readonly scopes: readonly TokenScope[] | undefined }
  >;
  /** SHA-256 over everything above, base64url; stands in each decision's entry. */
  readonly digest: string;
}

/** @throws Refusal if a rule can't be compiled */
export function makeWorld(parts: {
  readonly trust: Trust;
  readonly rules: readonly RuleDocument[];
  readonly servers: readonly string[];
  readonly virtualServers?: ReadonlyMap<string, readonly string[]>;
  /** Origin patterns of the forward servers, by name. */
  readonly forward?: Readonly<Record<string, readonly string[]>>;
  readonly claims?: readonly string[];
  readonly versions?: VersionFloor;
  readonly webListeners?: Readonly<Record<string, WebReach>>;
  readonly hybridLinks?: readonly string[];
  /** By default none. */
  readonly classicalServers?: readonly string[];
  readonly shutOut?: readonly string[];
  /** By default nobody may act for others. */
  readonly delegation?: DelegationLimits;
}): World {
  const { trust, rules, servers, virtualServers = new Map(), forward = {}, claims = [] } = parts;
  const { versions = { ofServers: new Map() }, webListeners = {}, hybridLinks = [] } = parts;
  const { classicalServers = [] } = parts;
  const { delegation = { maxDepth: 0, maxLifetimeMs: 0 }, shutOut = [] } = parts;
  const content = JSON.stringify({
    trust: {
      ...trust,
      revokedSerials: [...trust.revokedSerials].sort(),
      issuers: [...trust.issuers].sort(),
    },
    rules,
    servers: [...servers].sort(),
    virtualServers: [...virtualServers].sort(([a], [b]) => (a < b ? -1 : 1)),
    claims: [...claims].sort(),
    versions: { ...versions, ofServers: [...versions.ofServers].sort(([a], [b]) => (a < b ? -1 : 1)) },
    hybridLinks: hybridLinks.toSorted(),
    classicalServers: classicalServers.toSorted(),
    delegation,
    shutOut: shutOut.toSorted(),
    forward: Object.entries(forward).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    webListeners: Object.entries(webListeners).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  });
  return {
    trust,
    rules: compileRules(rules),
    servers: new Set(servers),
    virtualServers,
    claims: new Set(claims.map(boundKey)),
    versions,
    hybridLinks: new Set(hybridLinks),
    classicalServers: new Set(classicalServers),
    delegation,
    shutOut: new Set(shutOut),
    forward: new Map(Object.entries(forward).map(([name, patterns]) => [name, originMatcher(patterns)])),
    webListeners: new Map(
      Object.entries(webListeners).map(([origin, { classicalServers, scopes }]) => [
        origin,
        {
          classicalServers: new Set(classicalServers),
          scopes: scopes === undefined ? undefined : compileScopes(scopes),
        },
      ]),
    ),
    digest: toBase64url(sha256(utf8(content))),
  };
}
