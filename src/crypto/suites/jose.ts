/** JOSE names of signature algorithms (RFC 7518, RFC 8037, RFC 9864, RFC 9964): of tokens that others issue, and of ours. */
import type { SignatureSuite, SignatureSuiteId } from "./signatures.ts";

/**
 * Signature algorithms of tokens that others issue, by their JOSE names (RFC 7518, RFC 8037, RFC 9864, RFC 9964).
 * Asymmetric ones only: with a shared secret, whoever verifies could issue.
 */
export const joseAlgorithms = [
  "ML-DSA-44",
  "ML-DSA-65",
  "ML-DSA-87",
  "Ed25519",
  "EdDSA",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
] as const;

/**
 * Of those, the ones a client may prove the possession of its key with (RFC 9449). No RSA: such keys are made for the
 * purpose, and a hostile one is dear to check.
 */
export const proofAlgorithms: readonly string[] = joseAlgorithms.filter((name) => !/^[PR]S/.test(name));

/** How a JWT of ours is signed (RFC 7518 §3, RFC 8037, RFC 9964), and what WebCrypto wants to know of such a key. */
export interface JwtSuite {
  /** As oauth4webapi and jose name it. */
  readonly id: string;
  readonly keyType: string;
  /** Of an elliptic key, as node:crypto names it. */
  readonly curve?: string;
  readonly webCrypto: { readonly name: string; readonly namedCurve?: string; readonly hash?: string };
}

const jwtSuites = [
  { id: "ML-DSA-44", keyType: "ml-dsa-44", webCrypto: { name: "ML-DSA-44" } },
  { id: "ML-DSA-65", keyType: "ml-dsa-65", webCrypto: { name: "ML-DSA-65" } },
  { id: "ML-DSA-87", keyType: "ml-dsa-87", webCrypto: { name: "ML-DSA-87" } },
  { id: "Ed25519", keyType: "ed25519", webCrypto: { name: "Ed25519" } },
  {
    id: "ES256",
    keyType: "ec",
    curve: "prime256v1",
    webCrypto: { name: "ECDSA", namedCurve: "P-256" },
  },
  { id: "PS256", keyType: "rsa", webCrypto: { name: "RSA-PSS", hash: "SHA-256" } },
] as const satisfies readonly JwtSuite[];

/** How JWTs are signed with a key of that type; undefined if we don't. */
export function jwtSuiteOf(keyType: string | undefined, curve?: string): JwtSuite | undefined {
  return jwtSuites.find((row: JwtSuite) => row.keyType === keyType && row.curve === curve);
}

/** The `alg` of a JWT that is signed with a key of that suite. */
export function jwtAlgorithm({ id }: SignatureSuite): string {
  return id === "Ed25519" ? "EdDSA" : id;
}

/** What assertions about callers may be signed with; the first one is what authorization servers know today. */
export const assertionSuites = ["Ed25519", "ML-DSA-65"] as const satisfies readonly SignatureSuiteId[];

/** Proofs of possession (RFC 9449) are signed with what every authorization server has to know. */
export const dpopSuite: JwtSuite = jwtSuites[4];
