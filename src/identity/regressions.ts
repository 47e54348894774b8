/**
 * What a peer shows now that is less than it was seen to be capable of: a row for each kind. Whatever our own profile
 * changed isn't the peer's doing and is none.
 */
import { groupNumbered } from "../crypto/suites/key-exchange.ts";
import type { InForce } from "../crypto/suites/in-force.ts";
import { type Best, isWeaker, keyExchangeOf, type Observation, strengthOf } from "./peer-memory.ts";

/** In ascending order. */
export const confidences = ["low", "medium", "high"] as const;
export type Confidence = (typeof confidences)[number];

/** What our side would negotiate now. */
export interface PeerTerms {
  /** Names of groups with ML-KEM, in our order of preference. */
  readonly groups: readonly string[];
  /** Algorithms that count in certificates, the one that is given out first; undefined where others give them out. */
  readonly identities?: readonly string[];
  /** What the profile before had, as long as it is still taken: who uses it hasn't followed yet. */
  readonly outgoing: { readonly groups: readonly string[]; readonly identities: readonly string[] };
}

export interface Regression {
  readonly kind: RegressionKind;
  readonly confidence: Confidence;
  readonly from: string;
  readonly to: string;
  /** Since when the better one was seen. */
  readonly sinceUnixMs: number;
  /** One sentence: what changed, from what, to what, since when it was so. */
  readonly says: string;
}

interface Change {
  readonly from: string;
  readonly to: string;
  readonly sinceUnixMs: number;
  readonly confidence?: Confidence;
}

interface Rule {
  readonly kind: string;
  readonly confidence: Confidence;
  readonly find: (best: Best, seen: Observation, terms: PeerTerms) => Change | undefined;
  /** @param since a time as people read it */
  readonly says: (change: Change, since: string) => string;
}

const rules = [
  {
    kind: "group_lost",
    confidence: "high",
    find: ({ keyExchange }, { group, offer }, { groups }) =>
      keyExchange?.kind === "hybrid" &&
      keyExchangeOf(group).kind === "classical" &&
      groups.includes(keyExchange.group) &&
      !offers(offer?.groups, keyExchange.group)
        ? { from: keyExchange.group, to: group, sinceUnixMs: keyExchange.sinceUnixMs }
        : undefined,
    says: ({ from, to }, since) =>
      `It used ${from} since ${since} and doesn't any more: this link has ${to}, without ML-KEM.`,
  },
  {
    kind: "level_lowered",
    confidence: "medium",
    find: ({ keyExchange }, { group, offer }, { groups, outgoing }) => {
      const used = keyExchangeOf(group);
      if (keyExchange === undefined || used.kind === "classical" || !isWeaker(used, keyExchange))
        return undefined;
      if (!groups.includes(keyExchange.group) || outgoing.groups.includes(group)) return undefined;
      // Of what both know our order picks: where it picked the weaker one, that was us.
      const isOurs =
        offer === undefined
          ? groups.includes(group) && groups.indexOf(group) < groups.indexOf(keyExchange.group)
          : offers(offer.groups, keyExchange.group);
      const { sinceUnixMs } = keyExchange;
      return isOurs ? undefined : { from: keyExchange.group, to: group, sinceUnixMs };
    },
    says: ({ from, to }, since) =>
      `It used ${from} since ${since}, and now at best ${to}, of a lower category.`,
  },
  {
    kind: "signature_weakened",
    confidence: "medium",
    find: ({ certificate }, seen, { identities, outgoing }) => {
      if (certificate === undefined || seen.certificate === undefined) return undefined;
      if (!isWeaker(strengthOf(seen.certificate), certificate)) return undefined;
      const [givenOut] = identities ?? [certificate.algorithm];
      // A profile that moved back gives out the weaker one itself.
      const isOurs =
        givenOut === undefined ||
        isWeaker(strengthOf(givenOut), certificate) ||
        outgoing.identities.includes(seen.certificate);
      const { algorithm: from, sinceUnixMs } = certificate;
      return isOurs ? undefined : { from, to: seen.certificate, sinceUnixMs };
    },
    says: ({ from, to }, since) => `It proved itself with ${from} since ${since}, and now with ${to}.`,
  },
  {
    kind: "version_lowered",
    confidence: "high",
    find: ({ version }, seen) =>
      version !== undefined && seen.version < version.version
        ? {
            from: versionName(version.version),
            to: versionName(seen.version),
            sinceUnixMs: version.sinceUnixMs,
          }
        : undefined,
    says: ({ from, to }, since) => `It spoke ${from} since ${since}, and now ${to}.`,
  },
  {
    kind: "key_share_missing",
    confidence: "low",
    find: ({ keyShare }, { offer }, { groups }) =>
      keyShare !== undefined &&
      offer !== undefined &&
      groups.includes(keyShare.group) &&
      offers(offer.groups, keyShare.group) &&
      !offer.keyShares.some((id) => groupNumbered(id)?.kind === "hybrid")
        ? { from: keyShare.group, to: namesOf(offer.keyShares), sinceUnixMs: keyShare.sinceUnixMs }
        : undefined,
    says: ({ from, to }, since) =>
      `It sent a key share for ${from} at once since ${since}, and now only for ${to}; so does a client whose long hello got lost on the way.`,
  },
  {
    kind: "fallback",
    confidence: "medium",
    find: (_best, { group, offer, atUnixMs }) =>
      offer?.follows !== undefined && keyExchangeOf(group).kind === "classical"
        ? {
            from: namesOf([offer.follows.groupId]),
            to: group,
            sinceUnixMs: atUnixMs - offer.follows.agoMs,
          }
        : undefined,
    says: ({ from, to }, since) =>
      `A handshake with ${from} from the same address failed at ${since}, and this one came without ML-KEM (${to}); nobody proved that it is the same client.`,
  },
] as const satisfies readonly Rule[];

const fingerprintChanged = "fingerprint_changed";
type RegressionKind = (typeof rules)[number]["kind"] | typeof fingerprintChanged;

/**
 * @param best what is left of what is remembered of the peer, empty for one that isn't known
 * @returns in the order of the table; a fingerprint that changed makes each of the others likelier
 */
export function regressionsOf(best: Best, seen: Observation, terms: PeerTerms): readonly Regression[] {
  const found = rules.flatMap((rule: Rule): readonly Regression[] => {
    const change = rule.find(best, seen, terms);
    if (change === undefined) return [];
    const { from, to, sinceUnixMs, confidence = rule.confidence } = change;
    const says = rule.says(change, timeOf(sinceUnixMs));
    return [{ kind: rule.kind as RegressionKind, confidence, from, to, sinceUnixMs, says }];
  });
  const changed = found.length === 0 ? undefined : changedFingerprint(best, seen);
  if (changed === undefined) return found;
  return [...found.map((each) => ({ ...each, confidence: stronger(each.confidence) })), changed];
}

/** In a line: `group_lost:high fingerprint_changed:low`. */
export function inShort(
  regressions: readonly { readonly kind: string; readonly confidence: Confidence }[],
): string {
  return regressions.map(({ kind, confidence }) => `${kind}:${confidence}`).join(" ");
}

/** The terms of a profile, for peers whose certificates it gives out. */
export function termsOf({ profile, outgoing }: InForce, nowUnixMs: number): Required<PeerTerms> {
  const before = outgoing.filter(({ untilUnixMs }) => untilUnixMs > nowUnixMs).map((each) => each.profile);
  const names = (rows: readonly { readonly id: string }[]): readonly string[] => rows.map(({ id }) => id);
  return {
    groups: names(profile.groups),
    identities: names(profile.identities),
    outgoing: {
      groups: names(before.flatMap(({ groups }) => groups)),
      identities: names(before.flatMap(({ identities }) => identities)),
    },
  };
}

/** A program that was updated has another one too: alone it says nothing. */
function changedFingerprint({ fingerprint }: Best, { offer }: Observation): Regression | undefined {
  const ja4 = offer?.fingerprint.ja4;
  if (fingerprint === undefined || ja4 === undefined || fingerprint.ja4 === ja4) return undefined;
  const { ja4: from, lastUnixMs: sinceUnixMs } = fingerprint;
  const says = `Its TLS client was ${from} until ${timeOf(sinceUnixMs)}, and now is ${ja4}.`;
  return { kind: fingerprintChanged, confidence: "low", from, to: ja4, sinceUnixMs, says };
}

function stronger(confidence: Confidence): Confidence {
  return confidences[confidences.indexOf(confidence) + 1] ?? "high";
}

function offers(groupIds: readonly number[] | undefined, group: string): boolean {
  return groupIds?.some((id) => groupNumbered(id)?.id === group) ?? false;
}

function namesOf(groupIds: readonly number[]): string {
  const names = groupIds.map((id) => groupNumbered(id)?.id ?? `0x${id.toString(16).padStart(4, "0")}`);
  return names.length === 0 ? "none" : names.join(", ");
}

/** As Node and OpenSSL write it. */
export function versionName(version: number): string {
  return `TLS 1.${Math.max(0, version - 0x0301)}`;
}

/** To the second, which is what a person can compare. */
function timeOf(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`;
}
