/** An authority with classical keys, as SPIRE runs one: certificates of any shape, right or wrong. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  KeyUsage,
  KeyUsageFlags,
  Name,
  NameConstraints,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

/** When everything here was issued; it counts for an hour. */
export const issuedAtUnixMs = Date.now();

export interface OutsideKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function ecKey(curve = "P-256"): OutsideKey {
  return generateKeyPairSync("ec", { namedCurve: curve });
}

export function rsaKey(bits: number): OutsideKey {
  return generateKeyPairSync("rsa", { modulusLength: bits });
}

/** What is to be written; everything that isn't named is as SPIRE writes it. */
export interface OutsideShape {
  readonly key?: OutsideKey;
  readonly name?: string;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  readonly usage?: number;
  /** OIDs; none for no such extension. */
  readonly purposes?: readonly string[];
  readonly notBeforeUnixMs?: number;
  readonly notAfterUnixMs?: number;
  readonly digest?: "sha1" | "sha256" | "sha384";
  /** Hosts of URIs it may vouch for. */
  readonly permittedHosts?: readonly string[];
  readonly permittedDnsNames?: readonly string[];
  readonly unknownCritical?: boolean;
}

export interface OutsideCertificate {
  readonly key: OutsideKey;
  readonly name: string;
  readonly der: Uint8Array;
  readonly pem: string;
  /** A certificate below this one. */
  readonly issue: (shape: OutsideShape) => OutsideCertificate;
}

const clientAuth = "1.3.6.1.5.5.7.3.2";
export const serverAuth = "1.3.6.1.5.5.7.3.1";

/** A root that signs itself. */
export function outsideRoot(shape: OutsideShape = {}): OutsideCertificate {
  const key = shape.key ?? ecKey("P-384");
  const name = shape.name ?? "root";
  return written({ ...authority, ...shape, key, name }, { key, name });
}

/** Shape of an authority below another. */
export const authority: OutsideShape = {
  isAuthority: true,
  usage: KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign,
  purposes: [],
  uris: [],
};

function written(
  shape: OutsideShape,
  issuer: { readonly key: OutsideKey; readonly name: string },
): OutsideCertificate {
  const { key = ecKey(), name = "workload" } = shape;
  const algorithm = new AlgorithmIdentifier({
    algorithm: signatureOid(issuer.key, shape.digest ?? "sha256"),
  });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.from([1, ...randomBytes(15)]).buffer,
    signature: algorithm,
    issuer: nameOf(issuer.name),
    validity: new Validity({
      notBefore: new Date(shape.notBeforeUnixMs ?? issuedAtUnixMs - 10_000),
      notAfter: new Date(shape.notAfterUnixMs ?? issuedAtUnixMs + 3_600_000),
    }),
    subject: nameOf(name),
    subjectPublicKeyInfo: AsnConvert.parse(
      key.publicKey.export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    extensions: new Extensions(extensionsOf(shape)),
  });
  const signature = sign(
    shape.digest ?? "sha256",
    Buffer.from(AsnConvert.serialize(tbsCertificate)),
    issuer.key.privateKey,
  );
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: Uint8Array.from(signature).buffer,
  });
  const der = new Uint8Array(AsnConvert.serialize(certificate));
  return {
    key,
    name,
    der,
    pem: new X509Certificate(der).toString(),
    issue: (below) => written(below, { key, name }),
  };
}

function extensionsOf(shape: OutsideShape): Extension[] {
  const {
    isAuthority = false,
    uris = ["spiffe://prod.acme.test/ns/agents/sa/builder"],
    dnsNames = [],
  } = shape;
  const names = [
    ...uris.map((uri) => new GeneralName({ uniformResourceIdentifier: uri })),
    ...dnsNames.map((dns) => new GeneralName({ dNSName: dns })),
  ];
  const permitted = [
    ...(shape.permittedHosts ?? []).map((host) => new GeneralName({ uniformResourceIdentifier: host })),
    ...(shape.permittedDnsNames ?? []).map((dns) => new GeneralName({ dNSName: dns })),
  ].map((base) => new GeneralSubtree({ base }));
  const purposes = shape.purposes ?? [serverAuth, clientAuth];
  const basic = new BasicConstraints({
    cA: isAuthority,
    ...(shape.pathLength !== undefined && { pathLenConstraint: shape.pathLength }),
  });
  return [
    extension("2.5.29.19", true, basic),
    extension("2.5.29.15", true, new KeyUsage(shape.usage ?? KeyUsageFlags.digitalSignature)),
    ...(purposes.length > 0 ? [extension("2.5.29.37", false, new ExtendedKeyUsage([...purposes]))] : []),
    ...(names.length > 0 ? [extension("2.5.29.17", false, new SubjectAlternativeName(names))] : []),
    ...(permitted.length > 0
      ? [
          extension(
            "2.5.29.30",
            true,
            new NameConstraints({ permittedSubtrees: new GeneralSubtrees(permitted) }),
          ),
        ]
      : []),
    ...(shape.unknownCritical === true ? [extension("1.2.3.4.5", true, new BasicConstraints({}))] : []),
  ];
}

function extension(extnID: string, critical: boolean, value: object): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function nameOf(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: "2.5.4.3", value })])]);
}

function signatureOid(key: OutsideKey, digest: "sha1" | "sha256" | "sha384"): string {
  const ofEc = { sha1: "1.2.840.10045.4.1", sha256: "1.2.840.10045.4.3.2", sha384: "1.2.840.10045.4.3.3" };
  const ofRsa = {
    sha1: "1.2.840.113549.1.1.5",
    sha256: "1.2.840.113549.1.1.11",
    sha384: "1.2.840.113549.1.1.12",
  };
  return key.publicKey.asymmetricKeyType === "rsa" ? ofRsa[digest] : ofEc[digest];
}
