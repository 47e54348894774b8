/** A certificate authority that isn't ours: classical keys, and every mistake one can ask for. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import { CertificationRequest } from "@peculiar/asn1-csr";
import {
  AlgorithmIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  KeyUsage,
  KeyUsageFlags,
  type Name,
  NameConstraints,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

import { name } from "../../src/crypto/certificate.ts";

export interface OutsideKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface OutsideCertificate {
  readonly subject: string | Name;
  readonly publicKey: KeyObject;
  readonly issuer: { readonly name: string; readonly key: OutsideKey };
  readonly days?: readonly [number, number];
  readonly isCa?: boolean;
  readonly pathLength?: number;
  readonly usage?: number;
  readonly permits?: string;
  readonly digest?: "sha256" | "sha1";
  readonly critical?: string;
}

const dayMs = 24 * 3_600_000;

export function rsaKey(bits: number): OutsideKey {
  return generateKeyPairSync("rsa", { modulusLength: bits });
}

export function ecKey(namedCurve = "P-256"): OutsideKey {
  return generateKeyPairSync("ec", { namedCurve });
}

/** The key and name a PKCS #10 request (PEM) asks for. */
export function readRequest(pem: string): { readonly publicKey: KeyObject; readonly subject: Name } {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const { subject, subjectPKInfo } = AsnConvert.parse(der, CertificationRequest).certificationRequestInfo;
  const key = Buffer.from(AsnConvert.serialize(subjectPKInfo));
  return { subject, publicKey: createPublicKey({ key, format: "der", type: "spki" }) };
}

/** PEM. */
export function certificateOf(wish: OutsideCertificate): string {
  const { digest = "sha256", days = [-1, 365], isCa = true, usage = KeyUsageFlags.keyCertSign } = wish;
  const isRsa = wish.issuer.key.privateKey.asymmetricKeyType === "rsa";
  const oid = isRsa
    ? { sha256: "1.2.840.113549.1.1.11", sha1: "1.2.840.113549.1.1.5" }[digest]
    : { sha256: "1.2.840.10045.4.3.2", sha1: "1.2.840.10045.4.1" }[digest];
  const algorithm = new AlgorithmIdentifier({
    algorithm: oid,
    ...(isRsa && { parameters: Uint8Array.of(5, 0).buffer }),
  });
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.from([1, ...Buffer.from(String(Math.random()).slice(2, 10))]).buffer,
    signature: algorithm,
    issuer: name(wish.issuer.name),
    validity: new Validity({
      notBefore: new Date(Date.now() + days[0] * dayMs),
      notAfter: new Date(Date.now() + days[1] * dayMs),
    }),
    subject: typeof wish.subject === "string" ? name(wish.subject) : wish.subject,
    subjectPublicKeyInfo: AsnConvert.parse(
      wish.publicKey.export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    extensions: new Extensions(extensionsOf(wish, isCa, usage)),
  });
  const signature = sign(digest, Buffer.from(AsnConvert.serialize(tbs)), wish.issuer.key.privateKey);
  const whole = new Certificate({
    tbsCertificate: tbs,
    signatureAlgorithm: algorithm,
    signatureValue: Uint8Array.from(signature).buffer,
  });
  return new X509Certificate(Buffer.from(AsnConvert.serialize(whole))).toString();
}

function extensionsOf(wish: OutsideCertificate, isCa: boolean, usage: number): Extension[] {
  const { pathLength, permits, critical } = wish;
  const basic = new BasicConstraints({
    cA: isCa,
    ...(pathLength !== undefined && { pathLenConstraint: pathLength }),
  });
  const extension = (id: string, value: object): Extension =>
    new Extension({ extnID: id, critical: true, extnValue: new OctetString(AsnConvert.serialize(value)) });
  const subtree = (uri: string): GeneralSubtree =>
    new GeneralSubtree({ base: new GeneralName({ uniformResourceIdentifier: uri }) });
  return [
    extension(id_ce_basicConstraints, basic),
    extension(id_ce_keyUsage, new KeyUsage(usage)),
    ...(permits === undefined
      ? []
      : [
          extension(
            id_ce_nameConstraints,
            new NameConstraints({ permittedSubtrees: new GeneralSubtrees([subtree(permits)]) }),
          ),
        ]),
    ...(critical === undefined ? [] : [extension(critical, new BasicConstraints({ cA: true }))]),
  ];
}
