/**
 * The best that a proven peer was ever seen to be capable of. It only grows by what is seen, in whatever order that
 * comes, and each part of it is forgotten when it wasn't seen for long enough. What nobody proved changes nothing.
 */
import { z } from "zod";

import type { Offer } from "../model/offer.ts";
import { groupNamed, groupNumbered } from "../crypto/suites/key-exchange.ts";
import { isSignatureSuiteId, signatureSuite } from "../crypto/suites/signatures.ts";

const time = z.number().int().nonnegative();
/** Since when, and until when last, it was seen. */
const span = { sinceUnixMs: time, lastUnixMs: time };

const keyExchangeSchema = z.object({
  /** As it was negotiated. */
  group: z.string(),
  kind: z.enum(["classical", "hybrid"]),
  /** NIST's category. */
  level: z.number().int(),
  ...span,
});

const certificateSchema = z.object({
  algorithm: z.string(),
  kind: z.enum(["classical", "pq"]),
  level: z.number().int(),
  ...span,
});

/** What is remembered; parts that were never seen, or not for long enough, aren't there. */
export const bestSchema = z.object({
  keyExchange: keyExchangeSchema.optional(),
  certificate: certificateSchema.optional(),
  version: z.object({ version: z.number().int(), ...span }).optional(),
  /** It sent a key share for the group with ML-KEM that it used, with its first hello. */
  keyShare: z.object({ group: z.string(), ...span }).optional(),
  fingerprint: z.object({ ja4: z.string(), groups: z.string(), lastUnixMs: time }).optional(),
});

export type Best = Readonly<z.output<typeof bestSchema>>;

/** One link, as far as it says what its peer is capable of. */
export interface Observation {
  readonly atUnixMs: number;
  readonly group: string;
  /** TLS version by its number. */
  readonly version: number;
  /** Algorithm of the key the peer proved itself with in the handshake; absent where it proved nobody there. */
  readonly certificate?: string;
  /** What its first message offered; absent where we were the client. */
  readonly offer?: Offer;
}

/** What is kept of one peer. */
export interface PeerRecord {
  readonly best: Best;
  /** What its newest link showed. */
  readonly last: Best;
  readonly firstUnixMs: number;
  readonly lastUnixMs: number;
  readonly links: number;
}

/**
 * Of a key or certificate of its own that the peer used for this very link or request, or of something that whoever
 * has it could have sent: a bearer token, an address, a hello.
 */
export type Evidence = "proven" | "unproven";

/** @returns `record` itself where nothing was proven */
export function remember(
  record: PeerRecord | undefined,
  seen: Observation,
  { evidence, memoryMs }: { readonly evidence: Evidence; readonly memoryMs: number },
): PeerRecord | undefined {
  if (evidence !== "proven") return record;
  const { atUnixMs } = seen;
  const now = shown(seen);
  if (record === undefined) {
    return { best: now, last: now, firstUnixMs: atUnixMs, lastUnixMs: atUnixMs, links: 1 };
  }
  return {
    best: joined(unexpired(record.best, atUnixMs, memoryMs), now),
    last: atUnixMs >= record.lastUnixMs ? now : record.last,
    firstUnixMs: Math.min(record.firstUnixMs, atUnixMs),
    lastUnixMs: Math.max(record.lastUnixMs, atUnixMs),
    links: record.links + 1,
  };
}

/** The change was meant: what the newest link showed counts from now on. */
export function accepted(record: PeerRecord): PeerRecord {
  return { ...record, best: record.last };
}

/** The best that one link alone shows. */
export function shown(seen: Observation): Best {
  const { atUnixMs, group, certificate, offer } = seen;
  const held = { sinceUnixMs: atUnixMs, lastUnixMs: atUnixMs };
  const used = keyExchangeOf(group);
  const isPredicted =
    used.kind === "hybrid" && offer?.keyShares.some((id) => groupNumbered(id)?.id === group) === true;
  return {
    keyExchange: { ...used, ...held },
    version: { version: seen.version, ...held },
    ...(certificate !== undefined && { certificate: { ...strengthOf(certificate), ...held } }),
    ...(isPredicted && { keyShare: { group, ...held } }),
    ...(offer !== undefined && { fingerprint: { ...offer.fingerprint, lastUnixMs: atUnixMs } }),
  };
}

/** What is left of it at that time. */
export function unexpired(best: Best, nowUnixMs: number, memoryMs: number): Best {
  const isFresh = (part: { readonly lastUnixMs: number } | undefined): boolean =>
    part !== undefined && part.lastUnixMs + memoryMs > nowUnixMs;
  return Object.fromEntries(Object.entries(best).filter(([, part]) => isFresh(part)));
}

/**
 * The better of each part, whichever stands first; of what is as good, the time both span. The fingerprint is that of
 * the newest link that showed all of it: with less, nobody gets another one known.
 */
export function joined(known: Best, seen: Best): Best {
  const parts = {
    keyExchange: better(known.keyExchange, seen.keyExchange, ranks.keyExchange),
    certificate: better(known.certificate, seen.certificate, ranks.certificate),
    version: better(known.version, seen.version, ranks.version),
    keyShare: better(known.keyShare, seen.keyShare, ranks.keyShare),
  };
  const isWhole =
    isAsGood(seen.keyExchange, parts.keyExchange, ranks.keyExchange) &&
    isAsGood(seen.certificate, parts.certificate, ranks.certificate) &&
    isAsGood(seen.version, parts.version, ranks.version) &&
    isAsGood(seen.keyShare, parts.keyShare, ranks.keyShare);
  const fingerprint = isWhole ? (seen.fingerprint ?? known.fingerprint) : known.fingerprint;
  return Object.fromEntries(
    Object.entries({ ...parts, fingerprint }).filter(([, part]) => part !== undefined),
  );
}

/** Whether it is weaker as it is, whatever it is called. */
export function isWeaker(one: Strength, other: Strength): boolean {
  return compared(strengthRank(one), strengthRank(other)) < 0;
}

interface Strength {
  readonly kind: "classical" | "hybrid" | "pq";
  readonly level: number;
}

/** What a group is; one without a row is classical, whatever it is. */
export function keyExchangeOf(
  group: string,
): Pick<z.output<typeof keyExchangeSchema>, "group" | "kind" | "level"> {
  const row = groupNamed(group);
  return { group, kind: row?.kind ?? "classical", level: row?.nistLevel ?? 1 };
}

export function strengthOf(
  algorithm: string,
): Pick<z.output<typeof certificateSchema>, "algorithm" | "kind" | "level"> {
  if (!isSignatureSuiteId(algorithm)) return { algorithm, kind: "classical", level: 1 };
  const { kind, nistLevel } = signatureSuite(algorithm);
  return { algorithm, kind, level: nistLevel };
}

type Rank = readonly (number | string)[];

function strengthRank({ kind, level }: Strength): Rank {
  // Elliptic curves and RSA all fall to the same machine: none is better than another.
  return kind === "classical" ? [0, 0] : [1, level];
}

type Part<Name extends keyof Best> = NonNullable<Best[Name]>;

/** Names only make one of two equals the one that counts, always the same one. */
const ranks = {
  keyExchange: (part: Part<"keyExchange">): Rank => [...strengthRank(part), part.group],
  certificate: (part: Part<"certificate">): Rank => [...strengthRank(part), part.algorithm],
  version: ({ version }: Part<"version">): Rank => [version],
  keyShare: ({ group }: Part<"keyShare">): Rank => [...strengthRank(keyExchangeOf(group)), group],
} as const;

/** Up to what it is called. */
function isAsGood<T>(part: T | undefined, best: T | undefined, rank: (part: T) => Rank): boolean {
  if (best === undefined) return true;
  return part !== undefined && compared(rank(part).slice(0, 2), rank(best).slice(0, 2)) >= 0;
}

interface Span {
  readonly sinceUnixMs: number;
  readonly lastUnixMs: number;
}

function better<T extends Span>(
  one: T | undefined,
  other: T | undefined,
  rank: (part: T) => Rank,
): T | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const order = compared(rank(one), rank(other));
  if (order !== 0) return order > 0 ? one : other;
  return {
    ...one,
    sinceUnixMs: Math.min(one.sinceUnixMs, other.sinceUnixMs),
    lastUnixMs: Math.max(one.lastUnixMs, other.lastUnixMs),
  };
}

function compared(one: Rank, other: Rank): number {
  for (const [i, value] of one.entries()) {
    const against = other[i] ?? 0;
    if (value !== against) return value > against ? 1 : -1;
  }
  return 0;
}
