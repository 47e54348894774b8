/**
 * The proof of a classical identity on a link whose ends have proved ML-DSA ones (docs/formats/link-proof.md): a
 * signature over what only the two ends of this very TLS connection share. Pure; sockets are host/net's.
 */
import {
  certificateFacts,
  isIssuedBy,
  isLeafFor,
  type ParsedCertificate,
  parseCertificate,
} from "../crypto/certificate.ts";
import { sha256 } from "../crypto/hash.ts";
import { isSignedBy, type SigningKey } from "../crypto/keys.ts";
import type { SignatureSuite } from "../crypto/suites/signatures.ts";
import { concat, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { ClassicalIdentity } from "../model/channel.ts";
import type { Purpose } from "./authority.ts";

/** One end of a link, as the handshake showed it. */
interface LinkEnd {
  readonly spiffeId: string;
  /** SHA-256 of the DER of its ML-DSA certificate. */
  readonly certificateHash: Uint8Array;
}

/** What both ends know of their link, and nobody else of another. */
export interface LinkBinding {
  /** `tls-exporter` (RFC 9266 §4.2), 32 bytes. */
  readonly exporter: Uint8Array;
  readonly client: LinkEnd;
  readonly server: LinkEnd;
}

/** The client's end of a link on which it shows nothing, since it comes to get an identity. */
export const nobody: LinkEnd = { spiffeId: "", certificateHash: new Uint8Array(0) };

export interface LinkProof {
  /** PEM of the classical leaf. */
  readonly certificate: string;
  readonly signature: Uint8Array;
}

/** Whose classical certificates count, now. */
export interface ClassicalTrust {
  readonly suite: SignatureSuite;
  /** PEM of the roots of the prover's direction. */
  readonly roots: readonly string[];
  /** Lower-case hex serial numbers. */
  readonly revokedSerials: ReadonlySet<string>;
}

/** The proof that the end of that role holds the classical key of `own` too. */
export async function proveLink(
  binding: LinkBinding,
  role: Purpose,
  own: { readonly certificate: string; readonly key: SigningKey },
): Promise<LinkProof> {
  const certificate = parseCertificate(own.certificate);
  if (certificate === undefined) throw new Error("the own classical certificate can't be read");
  const message = signedContent(binding, role, sha256(certificate.raw));
  return { certificate: own.certificate, signature: await own.key.sign(message) };
}

/**
 * What the other end's proof adds to its identity.
 * @param role the prover's
 * @throws Refusal `bad_certificate` with the reason
 */
export function verifyLinkProof(
  proof: LinkProof,
  on: { readonly binding: LinkBinding; readonly role: Purpose },
  trust: ClassicalTrust,
  nowUnixMs: number,
): ClassicalIdentity {
  const certificate = parseCertificate(proof.certificate);
  if (certificate === undefined) throw refused("its certificate can't be read");
  const facts = certificateFacts(certificate);
  const refuse = (reason: string): Refusal => refused(reason, facts.serial);
  const { binding, role } = on;
  if (facts.keyAlgorithm !== trust.suite.id) {
    throw refuse(`its key is ${facts.keyAlgorithm}, not ${trust.suite.id}`);
  }
  if (!isLeafFor(certificate, role)) throw refuse(`its certificate isn't one of a ${role}`);
  const [name, ...more] = facts.uris;
  if (name === undefined || more.length > 0 || facts.otherNames > 0) {
    throw refuse("expected exactly one URI name and no other");
  }
  if (name !== binding[role].spiffeId)
    throw refuse(`it is ${name}'s, and the link ${binding[role].spiffeId}'s`);
  if (!isValidAt(certificate, nowUnixMs)) throw refuse("its certificate isn't valid now");
  if (trust.revokedSerials.has(facts.serial)) throw refuse("its certificate is revoked");
  if (!trust.roots.some((root) => isUnder(certificate, root, trust.suite, nowUnixMs))) {
    throw refuse(`no classical ${role} root vouches for it`);
  }
  const message = signedContent(binding, role, sha256(certificate.raw));
  if (!isSignedBy({ suite: trust.suite, publicKey: certificate.publicKey }, message, proof.signature)) {
    throw refuse("its signature isn't one over this link");
  }
  return { keyAlgorithm: facts.keyAlgorithm, serial: facts.serial, notAfterUnixMs: facts.notAfterUnixMs };
}

/**
 * In the form of a TLS 1.3 CertificateVerify (RFC 8446 §4.4.3), so that no signature made for something else is one
 * of these: 64 spaces, a context string with the role, a zero byte, then fields that each say how long they are.
 */
export function signedContent(binding: LinkBinding, role: Purpose, certificateHash: Uint8Array): Uint8Array {
  const { exporter, client, server } = binding;
  const fields = [
    exporter,
    utf8(client.spiffeId),
    client.certificateHash,
    utf8(server.spiffeId),
    server.certificateHash,
    certificateHash,
  ];
  return concat([
    utf8(`${" ".repeat(64)}latticegate link-proof v1, ${role}\0`),
    ...fields.flatMap((field) => [Uint8Array.of(field.length >> 8, field.length & 0xff), field]),
  ]);
}

/** Leafs stand directly below a root; a root of another algorithm would make it the weakest link. */
function isUnder(
  leaf: ParsedCertificate,
  rootPem: string,
  suite: SignatureSuite,
  nowUnixMs: number,
): boolean {
  const root = parseCertificate(rootPem);
  if (root === undefined || !root.ca || certificateFacts(root).keyAlgorithm !== suite.id) return false;
  return isValidAt(root, nowUnixMs) && isIssuedBy(leaf, root);
}

function isValidAt(certificate: ParsedCertificate, nowUnixMs: number): boolean {
  const { notBeforeUnixMs, notAfterUnixMs } = certificateFacts(certificate);
  return notBeforeUnixMs <= nowUnixMs && nowUnixMs < notAfterUnixMs;
}

function refused(reason: string, serial?: string): Refusal {
  return new Refusal("bad_certificate", `The proof of a classical identity isn't accepted: ${reason}.`, {
    facts: { reason, ...(serial !== undefined && { serial }) },
  });
}
