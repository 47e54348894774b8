/** The profile in force, and what those before it had that is still taken for a while. */
import { z } from "zod";

import type { KeyExchangeSuite } from "./key-exchange.ts";
import { type Profile, type ProfileDocument, profileOf, profileSchema } from "./profiles.ts";
import type { KnownSignatureSuite } from "./signatures.ts";

/** A profile whose place another one took. */
interface Outgoing {
  readonly profile: Profile;
  /** Until then calls on links that were good under it go on. */
  readonly untilUnixMs: number;
}

export interface InForce {
  readonly profile: Profile;
  /** When it was applied. */
  readonly sinceUnixMs: number;
  /** Those that still count, the latest first. */
  readonly outgoing: readonly Outgoing[];
}

/** What a link may negotiate: a profile, or what several have together. */
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

/** A change of profile, oldest first in any list. */
export interface Applied {
  readonly atUnixMs: number;
  readonly profile: ProfileDocument;
  /** Until then what the one before it had is still taken. */
  readonly outgoingUntilUnixMs: number;
}

/**
 * What follows from a history of changes. INVARIANT: what a change ends, no earlier one's later deadline keeps.
 * @throws Error for no history
 */
export function inForceAfter(changes: readonly Applied[], nowUnixMs: number): InForce {
  const last = changes.at(-1);
  if (last === undefined) throw new Error("no profile was ever applied");
  const outgoing: Outgoing[] = [];
  let untilUnixMs = last.outgoingUntilUnixMs;
  for (const { profile, outgoingUntilUnixMs } of changes.slice(0, -1).toReversed()) {
    if (untilUnixMs <= nowUnixMs) break;
    outgoing.push({ profile: profileOf(profile), untilUnixMs });
    untilUnixMs = Math.min(untilUnixMs, outgoingUntilUnixMs);
  }
  return { profile: profileOf(last.profile), sinceUnixMs: last.atUnixMs, outgoing };
}

/** What is new comes first, so that whoever has both is led to it. */
export function termsAt({ profile, outgoing }: InForce, nowUnixMs: number): LinkTerms {
  return outgoing
    .filter(({ untilUnixMs }) => untilUnixMs > nowUnixMs)
    .reduce<LinkTerms>((terms, { profile: next }) => joined(terms, next), profile);
}

/** When the terms change by themselves next; undefined if they don't. */
export function nextDeadline({ outgoing }: InForce, nowUnixMs: number): number | undefined {
  const ahead = outgoing.map(({ untilUnixMs }) => untilUnixMs).filter((until) => until > nowUnixMs);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
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

/** How a gateway tells its sidecars (docs/formats/enrolment.md). */
export const inForceSchema = z.object({
  profile: profileSchema,
  since: z.iso.datetime(),
  outgoing: z.array(z.object({ profile: profileSchema, until: z.iso.datetime() })).max(64),
});

export type WrittenInForce = z.output<typeof inForceSchema>;

export function writtenInForce({ profile, sinceUnixMs, outgoing }: InForce): WrittenInForce {
  const iso = (unixMs: number): string => new Date(unixMs).toISOString();
  return {
    profile: profile.document,
    since: iso(sinceUnixMs),
    outgoing: outgoing.map(({ profile: { document }, untilUnixMs }) => ({
      profile: document,
      until: iso(untilUnixMs),
    })),
  };
}

export function readInForce({ profile, since, outgoing }: WrittenInForce): InForce {
  return {
    profile: profileOf(profile),
    sinceUnixMs: Date.parse(since),
    outgoing: outgoing.map((each) => ({
      profile: profileOf(each.profile),
      untilUnixMs: Date.parse(each.until),
    })),
  };
}
