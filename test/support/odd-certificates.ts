/** Certificates that no authority of ours would issue: any key, any names, any purpose, any signature. */
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_extKeyUsage,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

import type { SigningKey } from "../../src/crypto/keys.ts";
import type { Credentials } from "../../src/host/net/tls.ts";

/** How keys sign, by type: the algorithm's object identifier (RFC 4055, 5758, 9881) and the digest before it. */
const signatures: Readonly<Record<string, { readonly oid: string; readonly digest: string | null }>> = {
  rsa: { oid: "1.2.840.113549.1.1.11", digest: "sha256" },
  ec: { oid: "1.2.840.10045.4.3.2", digest: "sha256" },
  "ml-dsa-44": { oid: "2.16.840.1.101.3.4.3.17", digest: null },
  "ml-dsa-65": { oid: "2.16.840.1.101.3.4.3.18", digest: null },
  "ml-dsa-87": { oid: "2.16.840.1.101.3.4.3.19", digest: null },
};

export interface OddIssuer {
  readonly name: string;
  readonly oid: string;
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
}

export function issuerOf(name: string, key: KeyObject): OddIssuer {
  const { oid, digest } = signatures[key.asymmetricKeyType ?? ""] ?? { oid: "", digest: null };
  return { name, oid, sign: (bytes) => Promise.resolve(sign(digest, bytes, key)) };
}

/** An authority of ours, for once issuing what it never would. */
export function issuerWith(name: string, key: SigningKey): OddIssuer {
  return { name, oid: key.suite.oid, sign: key.sign };
}

export interface OddLeaf {
  readonly key: KeyObject;
  readonly issuer: OddIssuer;
  /** Subject alternative names; none leaves the extension out. */
  readonly names?: readonly ({ readonly uri: string } | { readonly dns: string })[];
  readonly usage?: string;
  readonly notBeforeUnixMs?: number;
  readonly notAfterUnixMs?: number;
  /** Bytes of an extension nobody knows. */
  readonly padding?: number;
}

export const testId = "spiffe://latticegate.local/agent/test";

export function privateKey(
  kind: "rsa-1024" | "rsa-2048" | "ec" | "ml-dsa-44" | "ml-dsa-65" | "ml-dsa-87",
): KeyObject {
  if (kind === "ec") return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  if (kind.startsWith("rsa")) {
    return generateKeyPairSync("rsa", { modulusLength: Number(kind.slice(4)) }).privateKey;
  }
  return generateKeyPairSync(kind as "ml-dsa-65").privateKey;
}

/** PEM. */
export async function oddCertificate(leaf: OddLeaf): Promise<string> {
  const { key, issuer, names = [{ uri: testId }], usage = id_kp_clientAuth, padding = 0 } = leaf;
  const algorithm = new AlgorithmIdentifier({ algorithm: issuer.oid });
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.from([0x40, ...randomBytes(15)]).buffer,
    signature: algorithm,
    issuer: nameOf(issuer.name),
    validity: new Validity({
      notBefore: new Date(leaf.notBeforeUnixMs ?? Date.now() - 60_000),
      notAfter: new Date(leaf.notAfterUnixMs ?? Date.now() + 3_600_000),
    }),
    subject: nameOf("test"),
    subjectPublicKeyInfo: AsnConvert.parse(
      createPublicKey(key).export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    extensions: new Extensions([
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([usage])),
      ...(names.length === 0 ? [] : [extension(id_ce_subjectAltName, alternativeNames(names))]),
      ...(padding === 0
        ? []
        : [
            new Extension({
              extnID: "1.3.6.1.4.1.55555.1",
              extnValue: new OctetString(new Uint8Array(padding)),
            }),
          ]),
    ]),
  });
  const signatureValue = Uint8Array.from(await issuer.sign(new Uint8Array(AsnConvert.serialize(tbs)))).buffer;
  const der = AsnConvert.serialize(
    new Certificate({ tbsCertificate: tbs, signatureAlgorithm: algorithm, signatureValue }),
  );
  return new X509Certificate(Buffer.from(der)).toString();
}

/** What a client shows: the leaf, and further certificates behind it. */
export async function oddCredentials(leaf: OddLeaf, ...more: readonly string[]): Promise<Credentials> {
  return {
    certificate: [await oddCertificate(leaf), ...more].join(""),
    privateKey: leaf.key.export({ format: "pem", type: "pkcs8" }),
  };
}

function alternativeNames(names: NonNullable<OddLeaf["names"]>): SubjectAlternativeName {
  return new SubjectAlternativeName(
    names.map((name) =>
      "uri" in name
        ? new GeneralName({ uniformResourceIdentifier: name.uri })
        : new GeneralName({ dNSName: name.dns }),
    ),
  );
}

function nameOf(commonName: string): Name {
  const value = new AttributeValue({ utf8String: commonName });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: "2.5.4.3", value })])]);
}

function extension(id: string, value: object): Extension {
  return new Extension({
    extnID: id,
    critical: false,
    extnValue: new OctetString(AsnConvert.serialize(value)),
  });
}
