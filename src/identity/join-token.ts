/**
 * Join tokens (docs/formats/join-token.md): one secret for one identity, once, within minutes, and
 * the hash of the root that proves the gateway before the secret is sent.
 */
import { isAddress } from "../kernel/address.ts";
import { concat, fromBase64url, fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";

const prefix = "lgjoin1.";
const secretBytes = 32;
const hashBytes = 32;
const maxTokenLength = 512;

export interface JoinToken {
  /** `host:port` of the gateway's listener. */
  readonly address: string;
  readonly secret: Uint8Array;
  /** SHA-256 of the DER of the gateway's server root. */
  readonly serverRootHash: Uint8Array;
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

export function writeJoinToken(token: JoinToken): string {
  return prefix + toBase64url(concat([token.secret, token.serverRootHash, utf8(token.address)]));
}

/** @throws Refusal `bad_join_token` */
export function readJoinToken(text: string): JoinToken {
  const bytes =
    text.length <= maxTokenLength && text.startsWith(prefix)
      ? fromBase64url(text.slice(prefix.length))
      : undefined;
  const address = bytes === undefined ? undefined : fromUtf8(bytes.subarray(secretBytes + hashBytes));
  if (bytes === undefined || address === undefined || !isAddress(address)) {
    throw new Refusal(
      "bad_join_token",
      `Expected a join token that starts with "${prefix}"; make one with "latticegate ca token".`,
    );
  }
  return {
    secret: bytes.subarray(0, secretBytes),
    serverRootHash: bytes.subarray(secretBytes, secretBytes + hashBytes),
    address,
  };
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
