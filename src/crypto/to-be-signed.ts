/**
 * A TBSCertificate (RFC 5280 §4.1) before it is signed, for a signer that doesn't trust who asks: its variable
 * parts are read, and the whole is compared, byte for byte, with what our own issuing code makes of those parts.
 * What is hidden where nobody looks (a further extension, another encoding, bytes behind) can't pass.
 */
import { createPublicKey } from "node:crypto";

import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  Certificate,
  type Extension,
  Extensions,
  id_ce_subjectAltName,
  type Name,
  SubjectAlternativeName,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

import { equalInConstantTime, toHex } from "../kernel/bytes.ts";
import { leafExtensions, type ParsedCertificate, issuerExtensions } from "./certificate.ts";
import type { PublicKey } from "./keys.ts";
import type { SignatureSuite } from "./suites/signatures.ts";

export interface ToBeSigned {
  /** Lower-case hex of the integer's octets. */
  readonly serial: string;
  /** DER. */
  readonly issuer: Uint8Array;
  /** DER. */
  readonly subject: Uint8Array;
  /** Undefined if the subject is anything but one common name. */
  readonly commonName: string | undefined;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  readonly publicKey: PublicKey;
  /** Of all subject alternative names, the URIs. */
  readonly uris: readonly string[];
  /** Whether it is, in every other byte, a leaf for that name and purpose, signed with `suite`. */
  readonly isLeaf: (
    suite: SignatureSuite,
    leaf: { readonly spiffeId: string; readonly purpose: "server" | "client" },
  ) => boolean;
  /** Whether it is, in every other byte, a root for that trust domain, signed with `suite`. */
  readonly isRoot: (suite: SignatureSuite, trustDomain: string) => boolean;
}

/** Undefined if `bytes` isn't a TBSCertificate with a key that OpenSSL reads. */
export function readToBeSigned(bytes: Uint8Array): ToBeSigned | undefined {
  try {
    return facts(AsnConvert.parse(bytes, TBSCertificate), bytes);
  } catch {
    return undefined;
  }
}

/** DER of a certificate's subject. */
export function subjectOf(certificate: ParsedCertificate): Uint8Array {
  return der(AsnConvert.parse(certificate.raw, Certificate).tbsCertificate.subject);
}

function facts(tbs: TBSCertificate, bytes: Uint8Array): ToBeSigned {
  const fits = (suite: SignatureSuite, extensions: Extension[]): boolean =>
    equalInConstantTime(der(rebuilt(tbs, suite, extensions)), bytes);
  return {
    serial: toHex(new Uint8Array(tbs.serialNumber)),
    issuer: der(tbs.issuer),
    subject: der(tbs.subject),
    commonName: commonNameOf(tbs.subject),
    notBeforeUnixMs: tbs.validity.notBefore.getTime().getTime(),
    notAfterUnixMs: tbs.validity.notAfter.getTime().getTime(),
    publicKey: createPublicKey({
      key: Buffer.from(der(tbs.subjectPublicKeyInfo)),
      format: "der",
      type: "spki",
    }),
    uris: urisOf(tbs),
    isLeaf: (suite, leaf) => fits(suite, leafExtensions(leaf)),
    isRoot: (suite, trustDomain) => fits(suite, issuerExtensions(trustDomain)),
  };
}

/** The same names, number, times and key; everything else as we write it. */
function rebuilt(tbs: TBSCertificate, suite: SignatureSuite, extensions: Extension[]): TBSCertificate {
  return new TBSCertificate({
    version: Version.v3,
    serialNumber: tbs.serialNumber,
    signature: new AlgorithmIdentifier({ algorithm: suite.oid }),
    issuer: tbs.issuer,
    validity: new Validity({
      notBefore: tbs.validity.notBefore.getTime(),
      notAfter: tbs.validity.notAfter.getTime(),
    }),
    subject: tbs.subject,
    subjectPublicKeyInfo: tbs.subjectPublicKeyInfo,
    extensions: new Extensions(extensions),
  });
}

function urisOf(tbs: TBSCertificate): readonly string[] {
  return (tbs.extensions ?? [])
    .filter(({ extnID }) => extnID === id_ce_subjectAltName)
    .flatMap(({ extnValue }) => [...AsnConvert.parse(extnValue, SubjectAlternativeName)])
    .flatMap(({ uniformResourceIdentifier: uri }) => (uri === undefined ? [] : [uri]));
}

function commonNameOf(name: Name): string | undefined {
  const [relative, ...others] = name;
  const [attribute, ...more] = relative ?? [];
  if (attribute?.type !== "2.5.4.3" || others.length + more.length > 0) return undefined;
  return attribute.value.utf8String;
}

function der(value: object): Uint8Array {
  return new Uint8Array(AsnConvert.serialize(value));
}
