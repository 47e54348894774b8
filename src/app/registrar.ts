/** Gives out identities: checks the right to one, logs the certificate, and only then hands it over. */
import { randomUUIDv7 } from "node:crypto";

import { certificateFacts, type ParsedCertificate, parseCertificate } from "../crypto/certificate.ts";
import { sha256 } from "../crypto/hash.ts";
import { readSigningRequest } from "../crypto/signing-request.ts";
import { isSignatureSuiteId, type SignatureSuite, signatureSuite } from "../crypto/suites/signatures.ts";
import type { Journal } from "../gate/ports.ts";
import type { Enrolled, EnrolledClassical, EnrolmentProfile, Registrar } from "../host/net/enrol-http.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import type { SpentToken } from "../host/store/state-tokens.ts";
import type { Trust } from "../identity/admission.ts";
import {
  type Authority,
  isForServers,
  issueSvid,
  type Purpose,
  type Svid,
  trustedRoots,
} from "../identity/authority.ts";
import { type ClassicalAuthority, issueClassicalSvid } from "../identity/classical-authority.ts";
import { approveClassicalRenewal } from "../identity/classical-renewal.ts";
import { approveRenewal, type RenewalBound } from "../identity/renewal.ts";
import { renewalProofText } from "../identity/renewal-proof.ts";
import { toBase64url } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { isSignedBy, type PublicKey } from "../crypto/keys.ts";
import { readRoot } from "./roots.ts";
import { proofRefusedText } from "../identity/workload.ts";
import type { ProvenWorkload, WorkloadEnrolment } from "./workload-enrolment.ts";

export interface RegistrarOptions {
  readonly authority: () => Authority;
  /** What identities may be of now. */
  readonly suites: () => readonly SignatureSuite[];
  /** What sidecars are told of it. */
  readonly profile: () => EnrolmentProfile;
  readonly classicalAuthority: ClassicalAuthority;
  readonly classicalSuite: SignatureSuite;
  readonly gatewayId: string;
  readonly state: StateStore;
  readonly journal: Journal;
  readonly trust: () => Trust;
  readonly workloads: WorkloadEnrolment;
  readonly clock: Clock;
  readonly onRefused: (how: "join" | "renew", refusal: Refusal) => void;
}

/** How the purposes of classical certificates begin in the state. */
const classicalPurpose = "classical";

interface Approved extends Recorded {
  readonly spiffeId: string;
  readonly publicKey: PublicKey;
  readonly asOf: number;
}

/** What is on record of a certificate beside itself. */
interface Recorded {
  readonly purpose: Purpose;
  /** `lastRevocation` before the right to this was looked at; absent for the gateway's own. */
  readonly asOf?: number;
  /** Serial of the certificate it takes the place of, whose family it belongs to. */
  readonly renewedFrom?: string;
  /** Serial of the certificate it stands beside, in one family. */
  readonly twinOf?: string;
  readonly isClassical?: boolean;
  /** Of an identity that its workload proved itself. */
  readonly bound?: RenewalBound | undefined;
  /** The token it was proven with just now. */
  readonly token?: SpentToken;
  /** Further facts for the audit log. */
  readonly facts?: Readonly<Record<string, string>>;
}

export function registrar(options: RegistrarOptions): Registrar {
  const { state, clock } = options;
  const give = async (approved: Approved, how: string, classicalKey?: PublicKey): Promise<Enrolled> => {
    if (options.trust().suspended?.has(approved.spiffeId) === true) throw suspended(approved.spiffeId);
    const authority = options.authority();
    const svid = await issueSvid(authority, approved, clock.nowUnixMs());
    const twinOf = await recordIssue(svid, approved, how, options);
    const beside = classicalKey && { svid, purpose: approved.purpose, publicKey: classicalKey };
    const classical = beside && (await certifyClassical(beside, { how, twinOf }, options));
    return {
      spiffe_id: svid.spiffeId,
      certificate: svid.certificate,
      ...standingOf(options),
      ...(classical && { classical }),
      ...(approved.bound && { renewable_until: new Date(approved.bound.untilUnixMs).toISOString() }),
    };
  };
  const ways: Registrar = {
    profile: options.profile,
    join: async ({ secret, csr, classical_csr: classicalCsr }) => {
      const asOf = state.lastRevocation();
      const publicKey = readSigningRequest(csr, options.suites());
      const classicalKey = classicalKeyIn(classicalCsr, options);
      const grant = state.takeGrant(toBase64url(sha256(secret)), clock.nowUnixMs());
      const approved = { spiffeId: grant.spiffeId, purpose: grant.purpose, publicKey, asOf };
      return await give(approved, "join", classicalKey);
    },
    renew: async ({ certificate, csr, signature, channelBinding, ...classical }) => {
      const asOf = state.lastRevocation();
      const old = parseCertificate(certificate);
      if (old === undefined)
        throw new Refusal("bad_message", "Expected the certificate to be renewed, as PEM.");
      const text = renewalProofText(channelBinding, csr);
      const signedFor = signature !== undefined && isSignedByHolder(old, text, signature);
      const key = readSigningRequest(csr, options.suites());
      const request = { certificate: old, purpose: purposeOf(old), key, signedFor };
      const rootsOf = (purpose: Purpose) => trustedRoots(options.authority(), purpose).map(readRoot);
      const roots = { server: rootsOf("server"), client: rootsOf("client") };
      const [trust, nowUnixMs] = [comebackTrust(options), clock.nowUnixMs()];
      const renewedFrom = certificateFacts(old).serial;
      const bound = state.renewalBound(renewedFrom);
      const approved = approveRenewal(request, { roots, trust, bound }, nowUnixMs);
      const classicalKey = classicalKeyIn(classical.classical_csr, options);
      if (classicalKey !== undefined) {
        const asked = { ...approved, key: classicalKey, old: classical.classical_certificate };
        const hadOne = state.wasCertified(approved.spiffeId, classicalPurpose);
        const known = { authority: options.classicalAuthority, trust, hadOne };
        approveClassicalRenewal(asked, known, nowUnixMs);
      }
      const facts = bound === undefined ? {} : { proven: bound.how };
      return await give({ ...approved, bound, facts, asOf, renewedFrom }, "renew", classicalKey);
    },
    ...provenBy(options, give),
  };
  return tellingOf(ways, options.onRefused);
}

/** The same ways, with each refusal told to the operator too. */
function tellingOf(ways: Registrar, onRefused: RegistrarOptions["onRefused"]): Registrar {
  const told = async (how: "join" | "renew", work: () => Promise<Enrolled>): Promise<Enrolled> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refusal) onRefused(how, error);
      throw error;
    }
  };
  return {
    profile: ways.profile,
    join: (request) => told("join", () => ways.join(request)),
    renew: (request) => told("renew", () => ways.renew(request)),
    token: (request) => told("join", () => ways.token(request)),
    svid: (request) => told("join", () => ways.svid(request)),
  };
}

/** The ways in for workloads that prove themselves. */
function provenBy(
  options: RegistrarOptions,
  give: (approved: Approved, how: string, classicalKey?: PublicKey) => Promise<Enrolled>,
): Pick<Registrar, "token" | "svid"> {
  const giveProven = async (
    asked: Pick<Approved, "publicKey" | "asOf">,
    proven: ProvenWorkload,
    classicalKey: PublicKey | undefined,
  ): Promise<Enrolled> => {
    const { how, untilUnixMs } = proven;
    return await give({ ...proven, ...asked, bound: { how, untilUnixMs } }, how, classicalKey);
  };
  return {
    token: async ({ token, csr, classical_csr: classicalCsr }) => {
      const asOf = options.state.lastRevocation();
      const publicKey = readSigningRequest(csr, options.suites());
      const classicalKey = classicalKeyIn(classicalCsr, options);
      return await giveProven({ publicKey, asOf }, await options.workloads.byToken(token), classicalKey);
    },
    svid: async (request) => {
      const asOf = options.state.lastRevocation();
      const publicKey = readSigningRequest(request.csr, options.suites());
      const classicalKey = classicalKeyIn(request.classical_csr, options);
      return await giveProven({ publicKey, asOf }, await options.workloads.bySvid(request), classicalKey);
    },
  };
}

function classicalKeyIn(
  csr: Uint8Array | undefined,
  { classicalSuite }: Pick<RegistrarOptions, "classicalSuite">,
): PublicKey | undefined {
  return csr && readSigningRequest(csr, [classicalSuite]);
}

/** The second certificate of an identity that was just given one, for a key that signed its own request. */
async function certifyClassical(
  beside: Parameters<typeof issueClassicalSvid>[1],
  { how, twinOf }: { readonly how: string; readonly twinOf: string },
  options: RegistrarOptions,
): Promise<EnrolledClassical> {
  const { roots } = options.classicalAuthority;
  const svid = await issueClassicalSvid(options.classicalAuthority, beside);
  await recordIssue(svid, { purpose: beside.purpose, isClassical: true, twinOf }, how, options);
  return {
    certificate: svid.certificate,
    server_roots: [roots.server.certificate],
    client_roots: [roots.client.certificate],
  };
}

/**
 * Certificate and entry are on disk before anybody holds the certificate.
 * @returns its serial number
 * @throws Refusal `proof_refused` if its token was used meanwhile, or its identity shut out; `bad_certificate` or
 * `bad_join_token` if its family or identity was revoked meanwhile; nobody gets it then
 */
export async function recordIssue(
  svid: Svid,
  approved: Recorded,
  how: string,
  options: { readonly state: StateStore; readonly journal: Journal; readonly clock: Clock },
): Promise<string> {
  const parsed = parseCertificate(svid.certificate);
  if (parsed === undefined) throw new Error("issued an unreadable certificate");
  const { serial, keyAlgorithm } = certificateFacts(parsed);
  const { state } = options;
  const { spiffeId, notAfterUnixMs } = svid;
  const { purpose, bound, token } = approved;
  const related = approved.renewedFrom ?? approved.twinOf;
  // One transaction: of two that come with one token, one alone gets a certificate.
  state.atomically(() => {
    if (token !== undefined) state.spendToken(token, options.clock.nowUnixMs());
    if (bound !== undefined) {
      if (state.isShutOut(spiffeId)) throw shutOut(spiffeId);
      state.boundRenewal({ serial, notAfterUnixMs }, bound);
    }
    // Who revokes by serial number sees which of an identity's two certificates it is.
    const shown = approved.isClassical === true ? `${classicalPurpose} ${purpose}` : purpose;
    state.addCertificate({
      serial,
      spiffeId,
      purpose: shown,
      notAfterUnixMs,
      keyAlgorithm,
      ...(approved.asOf !== undefined && { asOf: approved.asOf }),
      ...(related !== undefined && { renewedFrom: related }),
    });
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
      purpose,
      how,
      key: keyAlgorithm,
      not_after: new Date(notAfterUnixMs).toISOString(),
      ...(approved.renewedFrom !== undefined && { renewed_from: approved.renewedFrom }),
      ...approved.facts,
    },
  });
  return serial;
}

function inForceIn({ profile, since, outgoing }: EnrolmentProfile): Enrolled["in_force"] {
  return { profile, since, outgoing };
}

/** Whom and what everybody is to go by from now on. */
function standingOf({
  authority,
  gatewayId,
  profile,
}: RegistrarOptions): Omit<Enrolled, "spiffe_id" | "certificate" | "classical" | "renewable_until"> {
  const trusted = authority();
  return {
    server_roots: trustedRoots(trusted, "server"),
    client_roots: trustedRoots(trusted, "client"),
    gateway: gatewayId,
    trust_domain: trusted.trustDomain,
    in_force: inForceIn(profile()),
  };
}

function suspended(spiffeId: string): Refusal {
  return new Refusal("proof_refused", proofRefusedText, {
    facts: { reason: "the identity is suspended", spiffeId },
  });
}

/** Who comes back may be of any algorithm that a root is trusted for; calls ask for more. */
function comebackTrust({ trust, authority }: RegistrarOptions): Trust {
  const { roots } = authority();
  const above = [...roots.server, ...roots.client].map(({ key }): string => key.suite.id);
  return { ...trust(), identityAlgorithms: [...new Set(above)] };
}

function isSignedByHolder(certificate: ParsedCertificate, text: Uint8Array, signature: Uint8Array): boolean {
  const { keyAlgorithm } = certificateFacts(certificate);
  if (!isSignatureSuiteId(keyAlgorithm)) return false;
  return isSignedBy(
    { suite: signatureSuite(keyAlgorithm), publicKey: certificate.publicKey },
    text,
    signature,
  );
}

function shutOut(spiffeId: string): Refusal {
  return new Refusal("proof_refused", proofRefusedText, {
    facts: { reason: "the identity was revoked", spiffeId },
  });
}

function purposeOf(certificate: ParsedCertificate): Purpose {
  return isForServers(certificate) ? "server" : "client";
}
