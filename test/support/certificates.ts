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

type KeyType = "ec" | "ml-dsa-65" | "rsa-2048" | "rsa-1024";

/** What no authority that is one would do. */
interface Wrong {
  readonly endsUnixMs?: number;
  readonly digest?: "sha1";
}

export interface OutsideAuthority {
  readonly certificate: string;
  readonly issue: (commonName: string, keyType?: KeyType, wrong?: Wrong) => Issued;
}

/** ecdsa-with-SHA256 and ecdsa-with-SHA1 (RFC 5758, RFC 3279), as the authority itself signs. */
const ecdsa = { sha256: "1.2.840.10045.4.3.2", sha1: "1.2.840.10045.4.1" } as const;

export function outsideAuthority(commonName: string): OutsideAuthority {
  const own = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const write = (subject: string, publicKey: KeyObject, isAuthority: boolean, wrong: Wrong = {}): string =>
    written({ subject, publicKey, isAuthority, issuer: commonName, issuerKey: own.privateKey, ...wrong });
  return {
    certificate: write(commonName, own.publicKey, true),
    issue: (subject, keyType = "ec", wrong = {}) => {
      const { publicKey, privateKey } = keyPair(keyType);
      const key = privateKey.export({ type: "pkcs8", format: "pem" });
      return { certificate: write(subject, publicKey, false, wrong), key };
    },
  };
}

function keyPair(keyType: KeyType): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  if (keyType === "ec") return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  if (keyType === "ml-dsa-65") return generateKeyPairSync("ml-dsa-65");
  return generateKeyPairSync("rsa", { modulusLength: Number(keyType.slice(4)) });
}

function written(
  request: Wrong & {
    readonly subject: string;
    readonly publicKey: KeyObject;
    readonly isAuthority: boolean;
    readonly issuer: string;
    readonly issuerKey: KeyObject;
  },
): string {
  const { digest = "sha256", endsUnixMs = Date.now() + 3_600_000 } = request;
  const algorithm = new AlgorithmIdentifier({ algorithm: ecdsa[digest] });
  const names = new SubjectAlternativeName([new GeneralName({ iPAddress: "127.0.0.1" })]);
  const serial = randomBytes(16);
  serial[0] = 0x41;
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.from(serial).buffer,
    signature: algorithm,
    issuer: name(request.issuer),
    validity: new Validity({
      notBefore: new Date(Date.now() - 7_200_000),
      notAfter: new Date(endsUnixMs),
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
  const signature = sign(digest, Buffer.from(AsnConvert.serialize(tbs)), request.issuerKey);
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
