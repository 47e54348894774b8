/**
 * Join tokens (docs/formats/join-token.md): one secret for one identity, once, within minutes, and
 * the hash of the root that proves the gateway before the secret is sent.
 */
import { defaultProfile, isProfileName, type ProfileName } from "../crypto/suites/profiles.ts";
import { isAddress } from "../kernel/address.ts";
import { concat, fromBase64url, fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";

/** Of the default profile; of any other, whose name stands in the token. */
const prefixes = { plain: "lgjoin1.", named: "lgjoin2." } as const;
const secretBytes = 32;
const hashBytes = 32;
const maxTokenLength = 512;

export interface JoinToken {
  /** `host:port` of the gateway's listener. */
  readonly address: string;
  readonly secret: Uint8Array;
  /** SHA-256 of the DER of the gateway's server root. */
  readonly serverRootHash: Uint8Array;
  /** What the newcomer is to speak from its first connection on. */
  readonly profile: ProfileName;
}

/** What the gateway remembers of a token it gave out; never the secret itself. */
export interface JoinGrant {
  /** SHA-256 of the secret, base64url. */
  readonly secretHash: string;
  readonly spiffeId: string;
  readonly purpose: "client" | "server";
  readonly expiresUnixMs: number;
  readonly usedUnixMs: number | null;
}

export function writeJoinToken({ secret, serverRootHash, address, profile }: JoinToken): string {
  const known = concat([secret, serverRootHash]);
  if (profile === defaultProfile) return prefixes.plain + toBase64url(concat([known, utf8(address)]));
  const name = utf8(profile);
  return prefixes.named + toBase64url(concat([known, Uint8Array.of(name.length), name, utf8(address)]));
}

/** @throws Refusal `bad_join_token` */
export function readJoinToken(text: string): JoinToken {
  const isNamed = text.startsWith(prefixes.named);
  const bytes =
    text.length <= maxTokenLength && (isNamed || text.startsWith(prefixes.plain))
      ? fromBase64url(text.slice(prefixes.plain.length))
      : undefined;
  const rest = bytes?.subarray(secretBytes + hashBytes);
  const { profile, address } = (isNamed ? namedPart(rest) : plainPart(rest)) ?? {};
  if (bytes === undefined || profile === undefined || address === undefined || !isAddress(address)) {
    throw new Refusal(
      "bad_join_token",
      `Expected a join token that starts with "${prefixes.plain}" or "${prefixes.named}"; make one with "latticegate ca token".`,
    );
  }
  return {
    secret: bytes.subarray(0, secretBytes),
    serverRootHash: bytes.subarray(secretBytes, secretBytes + hashBytes),
    address,
    profile,
  };
}

interface Whereabouts {
  readonly profile: ProfileName;
  readonly address: string | undefined;
}

function plainPart(rest: Uint8Array | undefined): Whereabouts | undefined {
  return rest && { profile: defaultProfile, address: fromUtf8(rest) };
}

/** One way to write a token: the default profile is never named. */
function namedPart(rest: Uint8Array | undefined): Whereabouts | undefined {
  const end = 1 + (rest?.[0] ?? 0);
  const profile = rest && fromUtf8(rest.subarray(1, end));
  if (rest === undefined || profile === undefined || !isProfileName(profile) || profile === defaultProfile)
    return undefined;
  return { profile, address: fromUtf8(rest.subarray(end)) };
}

/**
 * Whether a grant may still be redeemed. What is wrong is told to the operator's log only: a caller
 * learns nothing about which tokens exist.
 * @throws Refusal `bad_join_token`
 */
export function redeem(grant: JoinGrant | undefined, nowUnixMs: number): JoinGrant {
  const reason = whyUnredeemable(grant, nowUnixMs);
  if (grant === undefined || reason !== undefined) {
    throw new Refusal("bad_join_token", "This join token is unknown, used or expired. Ask for a new one.", {
      facts: { reason: reason ?? "unknown", ...(grant === undefined ? {} : { spiffeId: grant.spiffeId }) },
    });
  }
  return grant;
}

function whyUnredeemable(grant: JoinGrant | undefined, nowUnixMs: number): string | undefined {
  if (grant === undefined) return "unknown";
  if (grant.usedUnixMs !== null) return "used";
  return grant.expiresUnixMs <= nowUnixMs ? "expired" : undefined;
}
