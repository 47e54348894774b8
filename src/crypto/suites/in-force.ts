/** The profile in force, and what the one before it had that is still taken for a while. */
import type { KeyExchangeSuite } from "./key-exchange.ts";
import type { Profile } from "./profiles.ts";
import type { KnownSignatureSuite } from "./signatures.ts";

export interface InForce {
  readonly profile: Profile;
  /** When it was applied; 0 for the first one. */
  readonly sinceUnixMs: number;
  /** The one it took the place of. */
  readonly outgoing?: {
    readonly profile: Profile;
    /** Until then calls on links that were good under it go on. */
    readonly untilUnixMs: number;
  };
}

/** What a link may negotiate. */
export interface LinkTerms {
  /** With ML-KEM, in order of preference. */
  readonly groups: readonly KeyExchangeSuite[];
  /** Without; links of these groups are marked. */
  readonly classicalGroups: readonly KeyExchangeSuite[];
  /** Algorithms of identities that count, the one that is given out first. */
  readonly identities: readonly KnownSignatureSuite[];
  /** Colon-separated, for `ciphers`. */
  readonly ciphers: string;
}

/** What is new comes first, so that whoever has both is led to it. */
export function termsAt({ profile, outgoing }: InForce, nowUnixMs: number): LinkTerms {
  if (outgoing === undefined || outgoing.untilUnixMs <= nowUnixMs) return profile;
  return joined(profile, outgoing.profile);
}

/** What either has, the first one's before the other's. */
export function joined(first: LinkTerms, second: LinkTerms): LinkTerms {
  return {
    groups: union(first.groups, second.groups),
    classicalGroups: union(first.classicalGroups, second.classicalGroups),
    identities: union(first.identities, second.identities),
    ciphers: [...new Set(`${first.ciphers}:${second.ciphers}`.split(":"))].join(":"),
  };
}

function union<Row extends { readonly id: string }>(
  first: readonly Row[],
  second: readonly Row[],
): readonly Row[] {
  return [...first, ...second.filter(({ id }) => first.every((row) => row.id !== id))];
}
