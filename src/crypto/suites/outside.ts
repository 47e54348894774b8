/** What authorities outside may certify and sign with: keys of workloads they vouch for, and their own certificates. */
import { isSignatureKeyType, signatureOids } from "./signatures.ts";

/** A classical key of a workload that another authority vouches for: good for proving itself once, on a link of ours. */
export interface OutsideKeySuite {
  readonly id: string;
  /** `asymmetricKeyType` in node:crypto. */
  readonly keyType: "ec" | "rsa";
  /** OpenSSL's name of the curve. */
  readonly curve?: string;
  /** Bits of the modulus. A longer one would cost whoever verifies. */
  readonly modulus?: { readonly minBits: number; readonly maxBits: number };
  /** Digest of the signatures it makes for us. */
  readonly digest: "sha256" | "sha384";
}

export const outsideKeySuites = [
  { id: "ECDSA-P-256", keyType: "ec", curve: "prime256v1", digest: "sha256" },
  { id: "ECDSA-P-384", keyType: "ec", curve: "secp384r1", digest: "sha384" },
  { id: "RSASSA-PSS", keyType: "rsa", modulus: { minBits: 2048, maxBits: 8192 }, digest: "sha256" },
] as const satisfies readonly OutsideKeySuite[];

/** Signature algorithms that certificates of outside authorities may have (RFC 5758, RFC 4055); none with SHA-1. */
export const outsideSignatureOids: readonly string[] = [
  "1.2.840.10045.4.3.2", // ecdsa-with-SHA256
  "1.2.840.10045.4.3.3", // ecdsa-with-SHA384
  "1.2.840.10045.4.3.4", // ecdsa-with-SHA512
  "1.2.840.113549.1.1.11", // sha256WithRSAEncryption
  "1.2.840.113549.1.1.12", // sha384WithRSAEncryption
  "1.2.840.113549.1.1.13", // sha512WithRSAEncryption
];

/** With what an outside authority may sign, by OID; RSA-PSS is judged by its hash, which stands in its parameters. */
const outsideSignatures = new Set([...outsideSignatureOids, ...signatureOids]);
const rsaPss = "1.2.840.113549.1.1.10";
/** hashAlgorithm [0] of RSASSA-PSS-params (RFC 8017 A.2.3), SHA-256, SHA-384 or SHA-512; left out it means SHA-1. */
const strongPssHash = /^30..a0..30..060960864801650304020[123]/;
const outsideCurves = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const leastRsaBits = 3072;

/** Why an outside authority's signature doesn't count; undefined if it does. @param parameters DER, in hex */
export function weaknessOfSignature(oid: string, parameters: string): string | undefined {
  const isStrong = oid === rsaPss ? strongPssHash.test(parameters) : outsideSignatures.has(oid);
  return isStrong ? undefined : `is signed with an algorithm that doesn't count (${oid})`;
}

/** Why an outside authority's key doesn't count; undefined if it does. */
export function weaknessOfKey(key: {
  readonly type: string | undefined;
  readonly bits: number | undefined;
  readonly curve: string | undefined;
}): string | undefined {
  if (key.type === "rsa" || key.type === "rsa-pss") {
    const bits = key.bits ?? 0;
    return bits >= leastRsaBits
      ? undefined
      : `has an RSA key of ${bits} bits, expected ${leastRsaBits} or more`;
  }
  if (key.type === "ec") return outsideCurves.has(key.curve ?? "") ? undefined : `has a key on ${key.curve}`;
  return isSignatureKeyType(key.type) ? undefined : `has a key of type ${key.type}`;
}

/** Why an access token may not be bound to a certificate with this key; undefined if it may. */
export function weaknessOfTokenKey({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: {
  readonly asymmetricKeyType?: string | undefined;
  readonly asymmetricKeyDetails?: { readonly modulusLength?: number | undefined } | undefined;
}): string | undefined {
  if (type !== "rsa" && type !== "rsa-pss") return undefined;
  const bits = details?.modulusLength ?? 0;
  const { minBits, maxBits } = outsideKeySuites[2].modulus;
  if (bits >= minBits && bits <= maxBits) return undefined;
  return `its certificate has an RSA key of ${bits} bits, expected ${minBits} to ${maxBits}`;
}
