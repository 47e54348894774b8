/** Certificates of an authority that isn't ours, ECDSA or ML-DSA, for servers on 127.0.0.1 and for clients. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_subjectAltName,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface OutsideAuthority {
  readonly certificate: string;
  readonly issue: (commonName: string, keyType?: "ec" | "ml-dsa-65") => Issued;
}

/** ecdsa-with-SHA256 (RFC 5758), as the authority itself signs. */
const ecdsa = "1.2.840.10045.4.3.2";

export function outsideAuthority(commonName: string): OutsideAuthority {
  const own = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const write = (subject: string, publicKey: KeyObject, isAuthority: boolean): string =>
    written({ subject, publicKey, isAuthority, issuer: commonName, issuerKey: own.privateKey });
  return {
    certificate: write(commonName, own.publicKey, true),
    issue: (subject, keyType = "ec") => {
      const { publicKey, privateKey } =
        keyType === "ec"
          ? generateKeyPairSync("ec", { namedCurve: "prime256v1" })
          : generateKeyPairSync("ml-dsa-65");
      const key = privateKey.export({ type: "pkcs8", format: "pem" });
      return { certificate: write(subject, publicKey, false), key };
    },
  };
}

function written(request: {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly isAuthority: boolean;
  readonly issuer: string;
  readonly issuerKey: KeyObject;
}): string {
  const algorithm = new AlgorithmIdentifier({ algorithm: ecdsa });
  const names = new SubjectAlternativeName([new GeneralName({ iPAddress: "127.0.0.1" })]);
  const serial = randomBytes(16);
  serial[0] = 0x41;
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.from(serial).buffer,
    signature: algorithm,
    issuer: name(request.issuer),
    validity: new Validity({
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
    }),
    subject: name(request.subject),
    subjectPublicKeyInfo: AsnConvert.parse(
      request.publicKey.export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    extensions: new Extensions([
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: request.isAuthority })),
      ...(request.isAuthority ? [] : [extension(id_ce_subjectAltName, names)]),
    ]),
  });
  const signature = sign("sha256", Buffer.from(AsnConvert.serialize(tbs)), request.issuerKey);
  const certificate = new Certificate({
    tbsCertificate: tbs,
    signatureAlgorithm: algorithm,
    signatureValue: Uint8Array.from(signature).buffer,
  });
  return new X509Certificate(Buffer.from(AsnConvert.serialize(certificate))).toString();
}

function name(commonName: string): Name {
  return new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: "2.5.4.3", value: new AttributeValue({ utf8String: commonName }) }),
    ]),
  ]);
}

function extension(id: string, value: object): Extension {
  return new Extension({
    extnID: id,
    critical: id === id_ce_basicConstraints,
    extnValue: new OctetString(AsnConvert.serialize(value)),
  });
}
