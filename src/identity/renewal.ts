/** Who may have a new certificate for an identity it already holds. */
import { certificateFacts, isIssuedBy, type ParsedCertificate } from "../crypto/certificate.ts";
import type { PublicKey } from "../crypto/keys.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Purpose } from "./authority.ts";
import { provenSpiffeId, type Trust } from "./admission.ts";

/**
 * Of an identity that an operator gave with a join token: a sidecar that was off may come back this long after its certificate ended, if it still holds the
 * key and wasn't revoked. Such a certificate opens no link; it only asks for the next one.
 */
export const renewalGraceMs = 30 * 24 * 3_600_000;

/** By which time an identity that its workload proved itself must be proven again; certificates of others aren't bound. */
export interface RenewalBound {
  /** How it was proven, as the audit log says it. */
  readonly how: string;
  readonly untilUnixMs: number;
}

/**
 * @param old the certificate that is to be renewed; @param key the key the request was signed with, which is
 * another only if the old one `signedFor` it
 * @throws Refusal `bad_certificate`
 */
export function approveRenewal(
  old: {
    readonly certificate: ParsedCertificate;
    readonly purpose: Purpose;
    readonly key: PublicKey;
    readonly signedFor: boolean;
  },
  world: {
    readonly roots: Readonly<Record<Purpose, readonly ParsedCertificate[]>>;
    readonly trust: Trust;
    readonly bound?: RenewalBound | undefined;
  },
  nowUnixMs: number,
): { readonly spiffeId: string; readonly purpose: Purpose; readonly publicKey: PublicKey } {
  const facts = certificateFacts(old.certificate);
  const isOurs = world.roots[old.purpose].some((root) => isIssuedBy(old.certificate, root));
  const [spiffeId] = isOurs ? facts.uris : [];
  const refuse = (reason: string): Refusal =>
    new Refusal("bad_certificate", `The certificate can't be renewed: ${reason}.`, {
      facts: { reason, serial: facts.serial, ...(spiffeId !== undefined && { spiffeId }) },
    });
  if (!isOurs) throw refuse("no root that is trusted now issued it");
  if (!old.signedFor && !old.certificate.publicKey.equals(old.key)) {
    throw refuse("the request is for another key");
  }
  if (facts.notBeforeUnixMs > nowUnixMs) throw refuse("it isn't valid yet");
  if (world.bound !== undefined && world.bound.untilUnixMs <= nowUnixMs) {
    throw refuse("its workload has to prove itself again");
  }
  if (facts.notAfterUnixMs + renewalGraceMs <= nowUnixMs) throw refuse("it ended too long ago; join again");
  return { spiffeId: provenSpiffeId(facts, world.trust), purpose: old.purpose, publicKey: old.key };
}
