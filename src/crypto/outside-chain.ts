/**
 * Whether an outside authority's certificate makes our issuing key one that may issue (RFC 5280 §6): the chain it
 * came with is checked once, when it is imported. What counts from then on is the issuing certificate itself.
 */
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  type Extension,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  NameConstraints,
} from "@peculiar/asn1-x509";

import { toHex } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { isIssuedBy, type ParsedCertificate, parseCertificate } from "./certificate.ts";
import type { PublicKey } from "./keys.ts";
import { weaknessOfKey, weaknessOfSignature } from "./suites/outside.ts";

/** anyExtendedKeyUsage (RFC 5280 §4.2.1.12) */
const anyPurpose = "2.5.29.37.0";
const maxFileBytes = 128 * 1024;
const maxCertificates = 6;
/** What we check of an extension, or what has no say in whom we may issue for. */
const understood = new Set<string>([
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_extKeyUsage,
  id_ce_nameConstraints,
  "2.5.29.32", // certificate policies
]);

export interface ChainQuestion {
  /** PEM: the issuing certificate, intermediates, and the outside root, in any order. */
  readonly pem: string;
  readonly key: PublicKey;
  readonly trustDomain: string;
  readonly purpose: "server" | "client";
  readonly nowUnixMs: number;
}

/** @returns the issuing certificate first, the self-signed root last. @throws Refusal `bad_certificate` with the reason */
export function readChain(question: ChainQuestion): readonly [ParsedCertificate, ...ParsedCertificate[]] {
  const certificates = certificatesIn(question.pem);
  const issuing = certificates.find((each) => each.publicKey.equals(question.key));
  if (issuing === undefined) throw bad("none of its certificates is for the key that was requested");
  const above = chainAbove(issuing, certificates);
  const chain = [issuing, ...above] as const;
  chain.forEach((certificate, depth) => checkOne(certificate, depth, question));
  return chain;
}

function certificatesIn(pem: string): readonly ParsedCertificate[] {
  if (pem.length > maxFileBytes) throw bad(`it is longer than ${maxFileBytes} bytes`);
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length < 2)
    throw bad("expected the issuing certificate and every one above it, up to the root, as PEM");
  if (blocks.length > maxCertificates) throw bad(`it has more than ${maxCertificates} certificates`);
  return blocks.map((block) => {
    const certificate = parseCertificate(block);
    if (certificate === undefined) throw bad("one of its certificates can't be read");
    return certificate;
  });
}

function chainAbove(
  issuing: ParsedCertificate,
  all: readonly ParsedCertificate[],
): readonly ParsedCertificate[] {
  const chain: ParsedCertificate[] = [];
  for (let last = issuing; !isSignedBy(last, last);) {
    const above = all.find((each) => each !== issuing && !chain.includes(each) && isSignedBy(last, each));
    if (above === undefined)
      throw bad(`the certificate above "${oneLine(last.subject)}" isn't in the file, or didn't sign it`);
    chain.push(above);
    last = above;
  }
  if (chain.length === 0) throw bad("our key signed it itself");
  return chain;
}

function isSignedBy(certificate: ParsedCertificate, above: ParsedCertificate): boolean {
  try {
    return isIssuedBy(certificate, above);
  } catch {
    return false; // An algorithm OpenSSL can't take.
  }
}

function checkOne(certificate: ParsedCertificate, depth: number, question: ChainQuestion): void {
  const who = `"${oneLine(certificate.subject)}"`;
  const written = AsnConvert.parse(certificate.raw, Certificate);
  const { extensions = [] } = written.tbsCertificate;
  const find = (id: string): Extension | undefined => extensions.find(({ extnID }) => extnID === id);
  if (certificate.validFromDate.getTime() > question.nowUnixMs) throw bad(`${who} isn't valid yet`);
  if (certificate.validToDate.getTime() <= question.nowUnixMs) throw bad(`${who} has ended`);
  const weakness = weaknessOf(certificate, written);
  if (weakness !== undefined) throw bad(`${who} ${weakness}`);
  checkRights(who, find, { depth, purpose: question.purpose });
  checkNames(who, find(id_ce_nameConstraints), question.trustDomain);
  const unknown = extensions.find(({ critical, extnID }) => critical && !understood.has(extnID));
  if (unknown !== undefined)
    throw bad(`${who} has a critical extension that isn't understood, ${unknown.extnID}`);
}

/** Whether it may sign certificates of that direction, with so many authorities below it. */
function checkRights(
  who: string,
  find: (id: string) => Extension | undefined,
  { depth, purpose }: { readonly depth: number; readonly purpose: ChainQuestion["purpose"] },
): void {
  const constraints = find(id_ce_basicConstraints);
  const basic = constraints && AsnConvert.parse(constraints.extnValue, BasicConstraints);
  if (basic?.cA !== true) throw bad(`${who} is no certificate authority's`);
  // Below the certificate at depth n stand n others that aren't leafs.
  if (basic.pathLenConstraint !== undefined && basic.pathLenConstraint < depth)
    throw bad(`${who} allows only ${basic.pathLenConstraint} authorities below it`);
  const usage = find(id_ce_keyUsage);
  const flags =
    usage === undefined ? KeyUsageFlags.keyCertSign : AsnConvert.parse(usage.extnValue, KeyUsage).toNumber();
  if ((flags & KeyUsageFlags.keyCertSign) === 0) throw bad(`${who} may not sign certificates`);
  const purposes = find(id_ce_extKeyUsage);
  const wanted = [purpose === "server" ? id_kp_serverAuth : id_kp_clientAuth, anyPurpose];
  if (
    purposes &&
    !AsnConvert.parse(purposes.extnValue, ExtendedKeyUsage).some((each) => wanted.includes(each))
  )
    throw bad(`${who} isn't for ${purpose} certificates`);
}

function weaknessOf(certificate: ParsedCertificate, { signatureAlgorithm }: Certificate): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  const parameters = toHex(new Uint8Array(signatureAlgorithm.parameters ?? new ArrayBuffer(0)));
  return (
    weaknessOfKey({ type, bits: details?.modulusLength, curve: details?.namedCurve }) ??
    weaknessOfSignature(signatureAlgorithm.algorithm, parameters)
  );
}

/** RFC 5280 §4.2.1.10: a URI is judged by its host, here the trust domain. */
function checkNames(who: string, extension: Extension | undefined, trustDomain: string): void {
  if (extension === undefined) return;
  const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(extension.extnValue, NameConstraints);
  const uris = (trees: typeof permittedSubtrees): readonly string[] =>
    Array.from(trees ?? [], ({ base }) => base.uniformResourceIdentifier ?? []).flat();
  const fits = (constraint: string): boolean =>
    constraint.startsWith(".") ? trustDomain.endsWith(constraint) : trustDomain === constraint;
  const permitted = uris(permittedSubtrees);
  if (permitted.length > 0 && !permitted.some(fits)) throw bad(`${who} may not vouch for ${trustDomain}`);
  if (uris(excludedSubtrees).some(fits)) throw bad(`${who} excludes ${trustDomain}`);
}

function bad(reason: string): Refusal {
  return new Refusal("bad_certificate", `The chain can't be imported: ${reason}.`);
}

function oneLine(subject: string | undefined): string {
  return (subject ?? "").replaceAll("\n", ", ").slice(0, 200);
}
