/** Questions that one browser answers once, soon: what a passkey signs. In memory alone. */
import { sha256Base64url } from "../crypto/hash.ts";
import type { From } from "./login.ts";

export interface Challenges<T> {
  /** @returns what is to be signed, base64url */
  readonly ask: (about: T, from: From, nowUnixMs: number) => string;
  /**
   * What it was asked about; it can't be answered again, whatever this one is worth.
   * @returns undefined: it wasn't asked here, not there, or too long ago
   */
  readonly take: (challenge: string, from: From, nowUnixMs: number) => T | undefined;
}

/** People look for their key, and type its PIN. */
export const challengeLifetimeMs = 5 * 60_000;
/** More than the pace of logging in lets through in that time. */
const maxChallenges = 1024;

interface Asked<T> {
  readonly about: T;
  readonly from: From;
  readonly expiresAtUnixMs: number;
}

/** @param random 32 bytes of it */
export function challenges<T>(random: () => Uint8Array): Challenges<T> {
  /** By their digests. */
  const open = new Map<string, Asked<T>>();
  return {
    ask: (about, from, nowUnixMs) => {
      const challenge = Buffer.from(random()).toString("base64url");
      open.set(sha256Base64url(challenge), {
        about,
        from,
        expiresAtUnixMs: nowUnixMs + challengeLifetimeMs,
      });
      const [oldest] = open.keys();
      if (open.size > maxChallenges && oldest !== undefined) open.delete(oldest);
      return challenge;
    },
    take: (challenge, from, nowUnixMs) => {
      const digest = sha256Base64url(challenge);
      const asked = open.get(digest);
      open.delete(digest);
      if (asked === undefined || nowUnixMs >= asked.expiresAtUnixMs) return undefined;
      const isHere = asked.from.address === from.address && asked.from.agent === from.agent;
      return isHere ? asked.about : undefined;
    },
  };
}
