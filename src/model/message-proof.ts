/** What a signature proves about one message, and what may be wrong with one. */

/** How messages are signed, the weakest way first. */
export const signatureModes = ["none", "batched", "direct"] as const;

export type SignatureMode = (typeof signatureModes)[number];

/** Why a message's signature doesn't count. */
const signatureFaults = [
  /** There is none, from one who signs. */
  "stripped",
  /** It can't be read. */
  "malformed",
  /** The message isn't the one that was signed. */
  "tampered",
  "bad_signature",
  /** By a key that isn't among those known of its signer. */
  "unknown_key",
  /** By an algorithm that isn't taken. */
  "weak_algorithm",
  "expired",
  "not_yet_valid",
  /** From before this end began to remember what it has seen. */
  "stale",
  "replayed",
  "wrong_audience",
  "wrong_issuer",
  "wrong_direction",
  /** An answer to another call. */
  "wrong_call",
  /** Somebody on the way changed it and signed it in its stead, whose changes aren't taken. */
  "changed",
  /** Promised, and no attestation came. */
  "unattested",
  /** The attestation says something else. */
  "wrong_batch",
] as const;

export type SignatureFault = (typeof signatureFaults)[number];

/** Whether the text names one. */
export function isSignatureFault(text: string): text is SignatureFault {
  return signatureFaults.some((fault) => fault === text);
}

/** Whether a person said that these are the signer's keys, or they were the first that were seen. */
export type KeyTrust = "first-use" | "approved";

/** A signed message: by whom, and until when it may be shown again. */
export type MessageProof = DirectProof | PromisedProof;

export interface DirectProof extends Proven {
  readonly mode: "direct";
  /** JOSE's name, as `ML-DSA-65`. */
  readonly algorithm: string;
}

/** The signature follows: until a statement covers it, this is a promise. */
export interface PromisedProof extends Proven {
  readonly mode: "batched";
  readonly batch: string;
  readonly seq: number;
}

interface Proven {
  /** SPIFFE ID of the end that signed. */
  readonly signer: string;
  /** Fingerprint of its key set. */
  readonly keySet: string;
  readonly trust: KeyTrust;
  /** The claims as they were signed, in base64url: what the answer names. */
  readonly payload: string;
  readonly nonce: string;
  readonly signedAtUnixMs: number;
  readonly expiresAtUnixMs: number;
  /** The caller on whose behalf a gateway signed. */
  readonly subject?: string;
  /** What the signer had to change of what another had signed. */
  readonly changed?: MessageChange;
}

export interface MessageChange {
  /** JSON pointers (RFC 6901) into the message. */
  readonly paths: readonly string[];
  /** `sha-256:` digest of the message before. */
  readonly original: string;
  /** Who had signed that. */
  readonly issuer: string;
}
