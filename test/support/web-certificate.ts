/** Certificates as public authorities make them, for a name on the web; these sign themselves. */
import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import * as x509 from "@peculiar/asn1-x509";

const kinds = {
  ecdsa: {
    oid: "1.2.840.10045.4.3.2",
    keys: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    sign: (bytes: Uint8Array, key: KeyObject) => sign("sha256", bytes, key),
  },
  "ml-dsa": {
    oid: "2.16.840.1.101.3.4.3.18",
    keys: () => generateKeyPairSync("ml-dsa-65"),
    sign: (bytes: Uint8Array, key: KeyObject) => sign(null, bytes, key),
  },
} as const;

export interface WebCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly fingerprint: string;
}

export function webCertificate(
  kind: keyof typeof kinds,
  host = "mcp.acme.test",
  endsInMs = 3_600_000,
): WebCertificate {
  const { oid, keys, sign: signWith } = kinds[kind];
  const { publicKey, privateKey } = keys();
  const algorithm = new x509.AlgorithmIdentifier({ algorithm: oid });
  const name = new x509.Name([
    new x509.RelativeDistinguishedName([
      new x509.AttributeTypeAndValue({
        type: "2.5.4.3",
        value: new x509.AttributeValue({ utf8String: host }),
      }),
    ]),
  ]);
  const names = new x509.SubjectAlternativeName([new x509.GeneralName({ dNSName: host })]);
  const tbs = new x509.TBSCertificate({
    version: x509.Version.v3,
    serialNumber: Uint8Array.from([1, ...crypto.getRandomValues(new Uint8Array(8))]).buffer,
    signature: algorithm,
    issuer: name,
    validity: new x509.Validity({
      notBefore: new Date(Date.now() - 7_200_000),
      notAfter: new Date(Date.now() + endsInMs),
    }),
    subject: name,
    subjectPublicKeyInfo: AsnConvert.parse(
      publicKey.export({ type: "spki", format: "der" }),
      x509.SubjectPublicKeyInfo,
    ),
    extensions: new x509.Extensions([
      new x509.Extension({
        extnID: x509.id_ce_subjectAltName,
        extnValue: new OctetString(AsnConvert.serialize(names)),
      }),
    ]),
  });
  const signature = signWith(new Uint8Array(AsnConvert.serialize(tbs)), privateKey);
  const parsed = new X509Certificate(
    Buffer.from(
      AsnConvert.serialize(
        new x509.Certificate({
          tbsCertificate: tbs,
          signatureAlgorithm: algorithm,
          signatureValue: Uint8Array.from(signature).buffer,
        }),
      ),
    ),
  );
  return {
    certificate: parsed.toString(),
    key: privateKey.export({ format: "pem", type: "pkcs8" }),
    fingerprint: parsed.fingerprint256,
  };
}
