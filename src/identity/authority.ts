/** The embedded certificate authority: its roots by generation, and which certificate follows from an approved request. */
import { issueLeaf, issueRoot, type ParsedCertificate } from "../crypto/certificate.ts";
import { algorithmOf, type PublicKey, type SigningKey } from "../crypto/keys.ts";
import { Refusal } from "../kernel/refusal.ts";

/** SPIFFE recommends short lives; an hour bounds what a stolen key is worth. */
export const svidLifetimeMs = 3_600_000;
/** Clocks differ; a certificate is valid from a little before it was made. */
export const clockSkewMs = 60_000;
/** Roots are replaced with overlap, long before they end. */
export const rootLifetimeMs = 5 * 365 * 24 * 3_600_000;
/** Within two lives of a certificate everybody whose certificate counts has renewed it, and heard of the new root. */
export const overlapMs = 2 * svidLifetimeMs;

export type Purpose = "server" | "client";

export const purposes = ["server", "client"] as const satisfies readonly Purpose[];

export interface Root {
  readonly generation: number;
  /** PEM: the trust anchor of what it issues. */
  readonly certificate: string;
  readonly key: SigningKey;
  /** Until then the generation before it issues, since not everybody may know this one yet. */
  readonly issuesFromUnixMs: number;
}

/** One root per direction and generation, leafs directly below: a peer then sends one certificate, not its root too. */
export interface Authority {
  readonly trustDomain: string;
  /** Those that are trusted, oldest first; at least one each. */
  readonly roots: Readonly<Record<Purpose, readonly [Root, ...Root[]]>>;
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
  which: { readonly purpose: Purpose; readonly generation: number },
  key: SigningKey,
  nowUnixMs: number,
): Promise<string> {
  return issueRoot({
    commonName: rootName(trustDomain, which),
    key,
    trustDomain,
    notBeforeUnixMs: nowUnixMs - clockSkewMs,
    notAfterUnixMs: nowUnixMs + rootLifetimeMs,
  });
}

/**
 * INVARIANT: no two roots share a name. OpenSSL finds a certificate's issuer by its name, and so do we when we
 * ask which generation a link's certificate is of.
 */
export function rootName(
  trustDomain: string,
  { purpose, generation }: { readonly purpose: Purpose; readonly generation: number },
): string {
  return `${trustDomain} ${purpose} root${generation === 1 ? "" : ` ${generation}`}`;
}

/**
 * The root that issues for keys of that algorithm now: the newest of the same one that everybody can know, since a
 * certificate is worth no more than the weaker of the two. Undefined if no such root is trusted.
 */
export function issuingRoot(
  authority: Authority,
  which: { readonly purpose: Purpose; readonly algorithm: string },
  nowUnixMs: number,
): Root | undefined {
  const roots = authority.roots[which.purpose].filter(({ key }) => key.suite.id === which.algorithm);
  return roots.findLast((root) => root.issuesFromUnixMs <= nowUnixMs) ?? roots[0];
}

/** PEM of all roots under which certificates of that purpose count. */
export function trustedRoots(authority: Authority, purpose: Purpose): readonly string[] {
  return authority.roots[purpose].map((root) => root.certificate);
}

/**
 * A certificate for an identity somebody with the right to do so has approved; by the root that issues now, or `root`.
 * @throws Refusal `bad_state` if no root of the key's algorithm is trusted
 */
export async function issueSvid(
  authority: Authority,
  approved: { readonly spiffeId: string; readonly purpose: Purpose; readonly publicKey: PublicKey },
  nowUnixMs: number,
  root: Root | undefined = issuingRoot(
    authority,
    { purpose: approved.purpose, algorithm: algorithmOf(approved.publicKey) },
    nowUnixMs,
  ),
): Promise<Svid> {
  if (root === undefined) {
    throw new Refusal(
      "bad_state",
      `No ${approved.purpose} root of ${algorithmOf(approved.publicKey)} is trusted.`,
    );
  }
  const notAfterUnixMs = nowUnixMs + svidLifetimeMs;
  const certificate = await issueLeaf({
    commonName: svidCommonName(approved.spiffeId),
    publicKey: approved.publicKey,
    notBeforeUnixMs: nowUnixMs - clockSkewMs,
    notAfterUnixMs,
    issuer: root,
    spiffeId: approved.spiffeId,
    purpose: approved.purpose,
  });
  return { spiffeId: approved.spiffeId, certificate, notAfterUnixMs };
}

/** id-kp-serverAuth (RFC 5280 §4.2.1.12) */
export function isForServers(certificate: ParsedCertificate): boolean {
  return certificate.keyUsage?.includes("1.3.6.1.5.5.7.3.1") ?? false;
}

/** When to ask for the next one: at half-life, so that a gateway may be away for half an hour. */
export function renewAtUnixMs(notAfterUnixMs: number): number {
  return notAfterUnixMs - svidLifetimeMs / 2;
}

/** What a certificate's subject says, for people; nobody decides by it. */
export function svidCommonName(spiffeId: string): string {
  return spiffeId.slice(spiffeId.lastIndexOf("/") + 1).slice(0, 64);
}
