/** PKCS #10 certification requests (RFC 2986): proof that the asker holds the key it wants certified. */
import { sign } from "node:crypto";

import { AsnConvert } from "@peculiar/asn1-schema";
import { Attributes, CertificationRequest, CertificationRequestInfo } from "@peculiar/asn1-csr";
import { AlgorithmIdentifier, Attribute, Extensions, Name, SubjectPublicKeyInfo } from "@peculiar/asn1-x509";

import { toBase64 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { issuerExtensions, name } from "./certificate.ts";
import { importPublicKey, isSignedBy, type KeyPair, type PublicKey, type SigningKey } from "./keys.ts";
import type { SignatureSuite } from "./suites/signatures.ts";

/** DER. The subject stays empty: the issuer decides the name. */
export function createSigningRequest(key: KeyPair): Uint8Array {
  const info = new CertificationRequestInfo({
    subject: new Name([]),
    subjectPKInfo: AsnConvert.parse(
      key.publicKey.export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    attributes: new Attributes([]),
  });
  const signed = sign(key.suite.digest, Buffer.from(AsnConvert.serialize(info)), key.privateKey);
  const request = new CertificationRequest({
    certificationRequestInfo: info,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: key.suite.oid }),
    signature: Uint8Array.from(signed).buffer,
  });
  return new Uint8Array(AsnConvert.serialize(request));
}

/** PEM: asks an outside authority to make a key of ours one that may issue for this trust domain (RFC 2985 §5.4.2). */
export async function createIssuingRequest(
  key: SigningKey,
  { commonName, trustDomain }: { readonly commonName: string; readonly trustDomain: string },
): Promise<string> {
  const wished = new Attribute({
    type: "1.2.840.113549.1.9.14",
    values: [AsnConvert.serialize(new Extensions(issuerExtensions(trustDomain)))],
  });
  const info = new CertificationRequestInfo({
    subject: name(commonName),
    subjectPKInfo: AsnConvert.parse(
      key.publicKey.export({ type: "spki", format: "der" }),
      SubjectPublicKeyInfo,
    ),
    attributes: new Attributes([wished]),
  });
  const signed = await key.sign(new Uint8Array(AsnConvert.serialize(info)));
  const request = new CertificationRequest({
    certificationRequestInfo: info,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: key.suite.oid }),
    signature: Uint8Array.from(signed).buffer,
  });
  const lines = toBase64(new Uint8Array(AsnConvert.serialize(request))).match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE REQUEST-----", ...lines, "-----END CERTIFICATE REQUEST-----", ""].join(
    "\n",
  );
}

/**
 * The public key of a request whose signature was checked against that key.
 * @param suites those it may be of
 * @throws Refusal `bad_message` if it can't be read, is of another algorithm, or isn't self-signed.
 */
export function readSigningRequest(der: Uint8Array, suites: readonly SignatureSuite[]): PublicKey {
  for (const suite of suites) {
    const key = verifiedKey(der, suite);
    if (key !== undefined) return key;
  }
  const expected = suites.map(({ id }) => id).join(" or ");
  throw new Refusal("bad_message", `Expected a PKCS #10 request signed by the ${expected} key it asks for.`);
}

function verifiedKey(der: Uint8Array, suite: SignatureSuite): PublicKey | undefined {
  try {
    const request = AsnConvert.parse(der, CertificationRequest);
    const spki = AsnConvert.serialize(request.certificationRequestInfo.subjectPKInfo);
    const publicKey = importPublicKey(suite, new Uint8Array(spki));
    if (publicKey === undefined) return undefined;
    const info = Buffer.from(AsnConvert.serialize(request.certificationRequestInfo));
    return isSignedBy({ suite, publicKey }, info, Buffer.from(request.signature)) ? publicKey : undefined;
  } catch {
    return undefined;
  }
}
