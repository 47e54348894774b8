/**
 * Certificates of a second, classical key for identities that have an ML-DSA one: a link that proves both is worth
 * what the stronger of the two algorithms is worth (docs/formats/link-proof.md).
 */
import { certificateFacts, issueLeaf, issueRoot, parseCertificate } from "../crypto/certificate.ts";
import type { PublicKey, SigningKey } from "../crypto/keys.ts";
import {
  clockSkewMs,
  type Purpose,
  rootLifetimeMs,
  rootName,
  type Svid,
  svidCommonName,
} from "./authority.ts";

/** Roots of their own, one per direction, so that no ML-DSA key vouches for a classical one or the other way round. */
export interface ClassicalAuthority {
  readonly trustDomain: string;
  readonly roots: Readonly<Record<Purpose, { readonly key: SigningKey; readonly certificate: string }>>;
}

/** PEM of a new classical root for certificates of that purpose. */
export function createClassicalRoot(
  trustDomain: string,
  purpose: Purpose,
  key: SigningKey,
  nowUnixMs: number,
): Promise<string> {
  return issueRoot({
    commonName: classicalRootName(trustDomain, purpose),
    key,
    trustDomain,
    notBeforeUnixMs: nowUnixMs - clockSkewMs,
    notAfterUnixMs: nowUnixMs + rootLifetimeMs,
  });
}

/** A certificate of the same name, purpose and span as the ML-DSA one it stands beside. */
export async function issueClassicalSvid(
  authority: ClassicalAuthority,
  beside: { readonly svid: Svid; readonly purpose: Purpose; readonly publicKey: PublicKey },
): Promise<Svid> {
  const { svid, purpose, publicKey } = beside;
  const twin = parseCertificate(svid.certificate);
  if (twin === undefined) throw new Error("issued an unreadable certificate");
  const { notBeforeUnixMs, notAfterUnixMs } = certificateFacts(twin);
  const certificate = await issueLeaf({
    commonName: svidCommonName(svid.spiffeId),
    publicKey,
    notBeforeUnixMs,
    notAfterUnixMs,
    issuer: {
      commonName: classicalRootName(authority.trustDomain, purpose),
      key: authority.roots[purpose].key,
    },
    spiffeId: svid.spiffeId,
    purpose,
  });
  return { spiffeId: svid.spiffeId, certificate, notAfterUnixMs };
}

/** As the rules for root keys have it: the ML-DSA root's name, and more. */
function classicalRootName(trustDomain: string, purpose: Purpose): string {
  return `${rootName(trustDomain, { purpose, generation: 1 })} classical`;
}
