/** X.509 certificates with ML-DSA keys (RFC 5280, RFC 9881): written with an ASN.1 library, read by OpenSSL. */
import { randomBytes, X509Certificate } from "node:crypto";

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  Name,
  NameConstraints,
  RelativeDistinguishedName,
  AttributeTypeAndValue,
  AttributeValue,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

import { toBase64url } from "../kernel/bytes.ts";
import { sha256 } from "./hash.ts";
import { algorithmOf, type PublicKey, type SigningKey } from "./keys.ts";

/** A certificate as OpenSSL read it. */
export type ParsedCertificate = X509Certificate;

interface CertificateRequest {
  readonly commonName: string;
  readonly publicKey: PublicKey;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  readonly issuer: Issuer;
  /** Instead of the common name, the subject of this certificate (PEM). */
  readonly subjectOf?: string;
}

/** What certificates are signed with. */
export interface IssuingKey extends Pick<SigningKey, "publicKey" | "sign"> {
  readonly suite: {
    readonly oid: string;
    /** Whether NULL stands behind the OID (RFC 4055 §5); left out otherwise. */
    readonly hasNullParameters?: boolean;
  };
}

/** Who signs: by the subject of its certificate (PEM), or by a name that has none yet. */
type Issuer = { readonly key: IssuingKey } & (
  | { readonly certificate: string }
  | { readonly commonName: string }
);

/** A workload's certificate: exactly one URI SAN, one purpose. */
export interface LeafRequest extends CertificateRequest {
  readonly spiffeId: string;
  readonly purpose: "server" | "client";
}

const usages = { server: id_kp_serverAuth, client: id_kp_clientAuth } as const;

/** A trust anchor that can only vouch for SPIFFE IDs of its trust domain. */
export interface RootRequest {
  readonly commonName: string;
  readonly key: IssuingKey;
  readonly trustDomain: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** What a certificate says, read by OpenSSL; nothing in it is trusted by being read. */
export interface CertificateFacts {
  /** Lower-case hex. */
  readonly serial: string;
  /** All subject alternative names of type URI. */
  readonly uris: readonly string[];
  readonly otherNames: number;
  readonly keyAlgorithm: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** PEM of a leaf with a fresh 128-bit serial number. */
export function issueLeaf(request: LeafRequest): Promise<string> {
  return issue(request, leafExtensions(request));
}

/** All that a leaf says beyond names, times and key. */
export function leafExtensions({
  spiffeId,
  purpose,
}: Pick<LeafRequest, "spiffeId" | "purpose">): Extension[] {
  return [
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([usages[purpose]])),
    extension(
      id_ce_subjectAltName,
      false,
      new SubjectAlternativeName([new GeneralName({ uniformResourceIdentifier: spiffeId })]),
    ),
  ];
}

/** PEM of a self-signed root, name-constrained to its trust domain. */
export function issueRoot(request: RootRequest): Promise<string> {
  return issue(
    {
      ...request,
      publicKey: request.key.publicKey,
      issuer: { commonName: request.commonName, key: request.key },
    },
    issuerExtensions(request.trustDomain),
  );
}

/**
 * PEM of our own self-signed certificate for a key that an outside authority signed, with the same subject and span:
 * a trust anchor is a name and a key (RFC 5280 §6.1.1), and TLS programs, Node's servers among them, take none that
 * isn't self-signed. Constrained to its trust domain, whatever the outside authority allows.
 */
export function issueAnchor(
  issuing: ParsedCertificate,
  key: SigningKey,
  trustDomain: string,
): Promise<string> {
  const certificate = issuing.toString();
  return issue(
    {
      commonName: "",
      subjectOf: certificate,
      publicKey: key.publicKey,
      notBeforeUnixMs: issuing.validFromDate.getTime(),
      notAfterUnixMs: issuing.validToDate.getTime(),
      issuer: { certificate, key },
    },
    issuerExtensions(trustDomain),
  );
}

/** What makes a certificate one that may sign leafs of this trust domain and nothing else. */
export function issuerExtensions(trustDomain: string): Extension[] {
  const uris = new GeneralSubtree({ base: new GeneralName({ uniformResourceIdentifier: trustDomain }) });
  return [
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
    extension(
      id_ce_nameConstraints,
      true,
      new NameConstraints({ permittedSubtrees: new GeneralSubtrees([uris]) }),
    ),
  ];
}

/** @returns undefined if `certificate` is no certificate, or its key is none that can be read. */
export function parseCertificate(certificate: string | Uint8Array): ParsedCertificate | undefined {
  try {
    const parsed = new X509Certificate(certificate);
    return parsed.publicKey.asymmetricKeyType === undefined ? undefined : parsed;
  } catch {
    return undefined;
  }
}

/** The certificates of a PEM text, in order; what can't be read is left out. */
export function certificatesIn(pem: string): readonly ParsedCertificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => parseCertificate(block) ?? []);
}

export function certificateFacts(certificate: ParsedCertificate): CertificateFacts {
  const names = (certificate.subjectAltName ?? "").split(", ").filter((name) => name !== "");
  const uris = names.filter((name) => name.startsWith("URI:")).map((name) => name.slice(4));
  return {
    serial: certificate.serialNumber.toLowerCase(),
    uris,
    otherNames: names.length - uris.length,
    keyAlgorithm: algorithmOf(certificate.publicKey),
    notBeforeUnixMs: certificate.validFromDate.getTime(),
    notAfterUnixMs: certificate.validToDate.getTime(),
  };
}

/** Whether it is a leaf that was issued for that purpose and no other (RFC 5280 §4.2.1.12). */
export function isLeafFor(certificate: ParsedCertificate, purpose: LeafRequest["purpose"]): boolean {
  const { keyUsage, ca } = certificate; // OpenSSL's word for the extended one.
  return !ca && keyUsage?.length === 1 && keyUsage[0] === usages[purpose];
}

/** SHA-256 of the certificate's DER, base64url. */
export function certificateHash(certificate: ParsedCertificate): string {
  return toBase64url(sha256(certificate.raw));
}

/** Whether `root`'s key signed `certificate` and names fit; validity and purpose are another question. */
export function isIssuedBy(certificate: ParsedCertificate, root: ParsedCertificate): boolean {
  return certificate.checkIssued(root) && certificate.verify(root.publicKey);
}

async function issue(request: CertificateRequest, extensions: Extension[]): Promise<string> {
  const { oid, hasNullParameters = false } = request.issuer.key.suite;
  const algorithm = new AlgorithmIdentifier({
    algorithm: oid,
    ...(hasNullParameters && { parameters: null }),
  });
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: freshSerial(),
    signature: algorithm,
    issuer: nameOf(request.issuer),
    validity: new Validity({
      notBefore: new Date(request.notBeforeUnixMs),
      notAfter: new Date(request.notAfterUnixMs),
    }),
    subject: request.subjectOf === undefined ? name(request.commonName) : subjectOf(request.subjectOf),
    subjectPublicKeyInfo: AsnConvert.parse(
      request.publicKey.export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    extensions: new Extensions(extensions),
  });
  const signed = await request.issuer.key.sign(new Uint8Array(AsnConvert.serialize(tbs)));
  const certificate = new Certificate({
    tbsCertificate: tbs,
    signatureAlgorithm: algorithm,
    signatureValue: toArrayBuffer(signed),
  });
  return new X509Certificate(Buffer.from(AsnConvert.serialize(certificate))).toString();
}

/** 16 random bytes, positive and without a leading zero octet (RFC 5280 §4.1.2.2). */
function freshSerial(): ArrayBuffer {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return toArrayBuffer(serial);
}

/** The subject as its certificate has it, byte for byte: names are compared as they are encoded. */
function nameOf(issuer: Issuer): Name {
  return "commonName" in issuer ? name(issuer.commonName) : subjectOf(issuer.certificate);
}

function subjectOf(certificate: string): Name {
  const { raw } = new X509Certificate(certificate);
  return AsnConvert.parse(raw, Certificate).tbsCertificate.subject;
}

export function name(commonName: string): Name {
  return new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: "2.5.4.3", value: new AttributeValue({ utf8String: commonName }) }),
    ]),
  ]);
}

function extension(id: string, critical: boolean, value: object): Extension {
  return new Extension({
    extnID: id,
    critical,
    extnValue: new OctetString(AsnConvert.serialize(value)),
  });
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
