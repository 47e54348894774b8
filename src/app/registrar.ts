/** Gives out identities: checks the right to one, logs the certificate, and only then hands it over. */
import { randomUUIDv7 } from "node:crypto";

import { certificateFacts, type ParsedCertificate, parseCertificate } from "../crypto/certificate.ts";
import { sha256 } from "../crypto/hash.ts";
import { readSigningRequest } from "../crypto/signing-request.ts";
import type { SignatureSuite } from "../crypto/suites.ts";
import type { Journal } from "../gate/ports.ts";
import type { Enrolled, EnrolledClassical, Registrar } from "../host/net/enrol-http.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import type { Trust } from "../identity/admission.ts";
import { type Authority, issueSvid, type Purpose, type Svid, trustedRoots } from "../identity/authority.ts";
import { type ClassicalAuthority, issueClassicalSvid } from "../identity/classical-authority.ts";
import { approveClassicalRenewal } from "../identity/classical-renewal.ts";
import { approveRenewal } from "../identity/renewal.ts";
import { toBase64url } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { PublicKey } from "../crypto/keys.ts";
import { readRoot } from "./roots.ts";

export interface RegistrarOptions {
  readonly authority: () => Authority;
  readonly suite: SignatureSuite;
  readonly classicalAuthority: ClassicalAuthority;
  readonly classicalSuite: SignatureSuite;
  readonly gatewayId: string;
  readonly state: StateStore;
  readonly journal: Journal;
  readonly trust: () => Trust;
  readonly clock: Clock;
}

/** How the purposes of classical certificates begin in the state. */
const classicalPurpose = "classical";

interface Approved {
  readonly spiffeId: string;
  readonly purpose: Purpose;
  readonly publicKey: PublicKey;
}

export function registrar(options: RegistrarOptions): Registrar {
  const { suite, state, clock } = options;
  const give = async (approved: Approved, how: string, classicalKey?: PublicKey): Promise<Enrolled> => {
    const authority = options.authority();
    const svid = await issueSvid(authority, approved, clock.nowUnixMs());
    await recordIssue(svid, approved, how, options);
    const classical =
      classicalKey && (await certifyClassical({ svid, ...approved, publicKey: classicalKey }, how, options));
    return {
      spiffe_id: svid.spiffeId,
      certificate: svid.certificate,
      server_roots: trustedRoots(authority, "server"),
      client_roots: trustedRoots(authority, "client"),
      gateway: options.gatewayId,
      trust_domain: authority.trustDomain,
      ...(classical && { classical }),
    };
  };
  const classicalKeyOf = (csr: Uint8Array | undefined): PublicKey | undefined =>
    csr && readSigningRequest(csr, options.classicalSuite);
  return {
    join: async ({ secret, csr, classical_csr: classicalCsr }) => {
      const publicKey = readSigningRequest(csr, suite);
      const classicalKey = classicalKeyOf(classicalCsr);
      const grant = state.takeGrant(toBase64url(sha256(secret)), clock.nowUnixMs());
      const approved = { spiffeId: grant.spiffeId, purpose: grant.purpose, publicKey };
      return await give(approved, "join", classicalKey);
    },
    renew: async ({ certificate, csr, ...classical }) => {
      const old = parseCertificate(certificate);
      if (old === undefined)
        throw new Refusal("bad_message", "Expected the certificate to be renewed, as PEM.");
      const request = { certificate: old, purpose: purposeOf(old), key: readSigningRequest(csr, suite) };
      const rootsOf = (purpose: Purpose) => trustedRoots(options.authority(), purpose).map(readRoot);
      const roots = { server: rootsOf("server"), client: rootsOf("client") };
      const [trust, nowUnixMs] = [options.trust(), clock.nowUnixMs()];
      const approved = approveRenewal(request, { roots, trust }, nowUnixMs);
      const classicalKey = classicalKeyOf(classical.classical_csr);
      if (classicalKey !== undefined) {
        const asked = { ...approved, key: classicalKey, old: classical.classical_certificate };
        const hadOne = state.wasCertified(approved.spiffeId, classicalPurpose);
        const known = { authority: options.classicalAuthority, trust, hadOne };
        approveClassicalRenewal(asked, known, nowUnixMs);
      }
      return await give(approved, "renew", classicalKey);
    },
  };
}

/** The second certificate of an identity that was just given one, for a key that signed its own request. */
async function certifyClassical(
  beside: Parameters<typeof issueClassicalSvid>[1],
  how: string,
  options: RegistrarOptions,
): Promise<EnrolledClassical> {
  const { roots } = options.classicalAuthority;
  const svid = await issueClassicalSvid(options.classicalAuthority, beside);
  await recordIssue(svid, { ...beside, isClassical: true }, how, options);
  return {
    certificate: svid.certificate,
    server_roots: [roots.server.certificate],
    client_roots: [roots.client.certificate],
  };
}

/** Certificate and entry are on disk before anybody holds the certificate. */
export async function recordIssue(
  svid: Svid,
  approved: { readonly purpose: Purpose; readonly isClassical?: boolean },
  how: string,
  options: { readonly state: StateStore; readonly journal: Journal; readonly clock: Clock },
): Promise<void> {
  const parsed = parseCertificate(svid.certificate);
  if (parsed === undefined) throw new Error("issued an unreadable certificate");
  const { serial, keyAlgorithm } = certificateFacts(parsed);
  options.state.addCertificate({
    serial,
    spiffeId: svid.spiffeId,
    // Who revokes by serial number sees which of an identity's two certificates it is.
    purpose: approved.isClassical === true ? `${classicalPurpose} ${approved.purpose}` : approved.purpose,
    notAfterUnixMs: svid.notAfterUnixMs,
  });
  await options.journal.append({
    event: "identity.issue",
    atUnixMs: options.clock.nowUnixMs(),
    callId: randomUUIDv7(),
    principal: svid.spiffeId,
    tool: null,
    outcome: "allowed",
    facts: {
      serial,
      purpose: approved.purpose,
      how,
      key: keyAlgorithm,
      not_after: new Date(svid.notAfterUnixMs).toISOString(),
    },
  });
}

/** id-kp-serverAuth (RFC 5280 §4.2.1.12) */
function purposeOf(certificate: ParsedCertificate): Purpose {
  return certificate.keyUsage?.includes("1.3.6.1.5.5.7.3.1") ? "server" : "client";
}
