/** The embedded certificate authority: which certificate follows from an approved request. */
import { issueLeaf, issueRoot } from "../crypto/certificate.ts";
import type { PublicKey, SigningKey } from "../crypto/keys.ts";

/** SPIFFE recommends short lives; an hour bounds what a stolen key is worth. */
export const svidLifetimeMs = 3_600_000;
/** Clocks differ; a certificate is valid from a little before it was made. */
export const clockSkewMs = 60_000;
/** Roots are replaced with overlap, long before they end. */
export const rootLifetimeMs = 5 * 365 * 24 * 3_600_000;

export type Purpose = "server" | "client";

/** One root per direction, leafs directly below: a peer then sends one certificate, not its root too. */
export interface Authority {
  readonly trustDomain: string;
  readonly roots: Readonly<Record<Purpose, { readonly key: SigningKey; readonly certificate: string }>>;
}

export interface Svid {
  readonly spiffeId: string;
  /** PEM. */
  readonly certificate: string;
  readonly notAfterUnixMs: number;
}

/** PEM of a new root for certificates of that purpose. */
export function createRoot(
  trustDomain: string,
  purpose: Purpose,
  key: SigningKey,
  nowUnixMs: number,
): Promise<string> {
  return issueRoot({
    commonName: rootName(trustDomain, purpose),
    key,
    trustDomain,
    notBeforeUnixMs: nowUnixMs - clockSkewMs,
    notAfterUnixMs: nowUnixMs + rootLifetimeMs,
  });
}

/** A certificate for an identity somebody with the right to do so has approved. */
export async function issueSvid(
  authority: Authority,
  approved: { readonly spiffeId: string; readonly purpose: Purpose; readonly publicKey: PublicKey },
  nowUnixMs: number,
): Promise<Svid> {
  const notAfterUnixMs = nowUnixMs + svidLifetimeMs;
  const certificate = await issueLeaf({
    commonName: svidCommonName(approved.spiffeId),
    publicKey: approved.publicKey,
    notBeforeUnixMs: nowUnixMs - clockSkewMs,
    notAfterUnixMs,
    issuer: {
      commonName: rootName(authority.trustDomain, approved.purpose),
      key: authority.roots[approved.purpose].key,
    },
    spiffeId: approved.spiffeId,
    purpose: approved.purpose,
  });
  return { spiffeId: approved.spiffeId, certificate, notAfterUnixMs };
}

/** When to ask for the next one: at half-life, so that a gateway may be away for half an hour. */
export function renewAtUnixMs(notAfterUnixMs: number): number {
  return notAfterUnixMs - svidLifetimeMs / 2;
}

/** What a certificate's subject says, for people; nobody decides by it. */
export function svidCommonName(spiffeId: string): string {
  return spiffeId.slice(spiffeId.lastIndexOf("/") + 1).slice(0, 64);
}

export function rootName(trustDomain: string, purpose: Purpose): string {
  return `${trustDomain} ${purpose} root`;
}
