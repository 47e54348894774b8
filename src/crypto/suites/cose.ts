/** COSE numbers of the signatures that passkeys make (RFC 9053, RFC 8812, RFC 9964). */

export interface CoseAlgorithm {
  readonly number: number;
  readonly name: string;
}

/** In the order in which an authenticator is asked for them: it makes the first that it has. */
export const passkeyAlgorithms = [
  { number: -49, name: "ML-DSA-65" },
  { number: -50, name: "ML-DSA-87" },
  { number: -48, name: "ML-DSA-44" },
  { number: -8, name: "Ed25519" },
  { number: -7, name: "ES256" },
  /** Of machines with an older TPM. */
  { number: -257, name: "RS256" },
] as const satisfies readonly CoseAlgorithm[];
