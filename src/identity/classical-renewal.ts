/**
 * Who may have a new classical certificate beside a renewed ML-DSA one. Whoever breaks ML-DSA can ask for a renewal in
 * anybody's name; so that this never gives them a classical identity, it takes the classical key that was certified
 * before.
 */
import {
  certificateFacts,
  isIssuedBy,
  isLeafFor,
  type ParsedCertificate,
  parseCertificate,
} from "../crypto/certificate.ts";
import type { PublicKey } from "../crypto/keys.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Trust } from "./admission.ts";
import type { Purpose } from "./authority.ts";
import type { ClassicalAuthority } from "./classical-authority.ts";
import { renewalGraceMs } from "./renewal.ts";

interface Asked {
  readonly spiffeId: string;
  readonly purpose: Purpose;
  /** The key the classical request was signed with. */
  readonly key: PublicKey;
  /** PEM of the classical certificate there was; undefined if the asker says there was none. */
  readonly old: string | undefined;
}

/**
 * @param known `hadOne`: whether that identity was given a classical certificate before
 * @throws Refusal `bad_certificate`
 */
export function approveClassicalRenewal(
  { spiffeId, purpose, key, old }: Asked,
  known: { readonly authority: ClassicalAuthority; readonly trust: Trust; readonly hadOne: boolean },
  nowUnixMs: number,
): void {
  if (old === undefined) {
    if (known.hadOne) throw refused("this identity had one, which must be shown; join again if it is lost");
    return; // The first one of an identity from before there were any rests on its ML-DSA key alone.
  }
  const certificate = parseCertificate(old);
  const root = parseCertificate(known.authority.roots[purpose].certificate);
  if (certificate === undefined || root === undefined) throw refused("it can't be read");
  const reason = objection(certificate, root, { spiffeId, purpose, key, old });
  if (reason !== undefined) throw refused(reason);
  const { serial, notBeforeUnixMs, notAfterUnixMs } = certificateFacts(certificate);
  if (known.trust.revokedSerials.has(serial)) throw refused("it is revoked");
  if (notBeforeUnixMs > nowUnixMs) throw refused("it isn't valid yet");
  if (notAfterUnixMs + renewalGraceMs <= nowUnixMs) throw refused("it ended too long ago; join again");
}

function objection(
  certificate: ParsedCertificate,
  root: ParsedCertificate,
  { spiffeId, purpose, key }: Asked,
): string | undefined {
  if (!isIssuedBy(certificate, root) || !isLeafFor(certificate, purpose)) {
    return "this authority didn't issue it";
  }
  if (!certificate.publicKey.equals(key)) return "the request is for another key";
  const { uris } = certificateFacts(certificate);
  return uris.length === 1 && uris[0] === spiffeId ? undefined : "it is another identity's";
}

function refused(reason: string): Refusal {
  return new Refusal("bad_certificate", `The classical certificate can't be renewed: ${reason}.`, {
    facts: { reason },
  });
}
