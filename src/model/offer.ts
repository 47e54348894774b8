/** What the first message of a link's client offered (RFC 8446 §4.1.2), as far as it says what the client is capable of. */
export interface Offer {
  /** TLS versions by their numbers, 0x0304 for TLS 1.3. */
  readonly versions: readonly number[];
  /** Groups by their numbers in the IANA registry, in the client's order. */
  readonly groups: readonly number[];
  /** Those among them for which it sent a key share at once. */
  readonly keyShares: readonly number[];
  readonly signatureSchemes: readonly number[];
  readonly fingerprint: Fingerprint;
  /** The protocols it asks for; absent where it asks for none. */
  readonly alpn?: readonly string[];
  /** The server it names; absent where it names none. */
  readonly serverName?: string;
  /** A handshake from the same address that offered ML-KEM and failed just before; nobody proved that it was the same client. */
  readonly follows?: FailedHandshake;
  /** Handshakes with ML-KEM from the same address that failed within the half minute before; absent where none did. */
  readonly failedBefore?: number;
  /** From its first message to the end of the handshake; absent while that isn't done. */
  readonly tookMs?: number;
}

/** By what a TLS client is known again, whoever uses it. */
export interface Fingerprint {
  /** JA4: versions, cipher suites, extensions, signature algorithms, ALPN. */
  readonly ja4: string;
  /** What JA4 leaves out: the first 12 hexadecimal digits of SHA-256 over groups and key shares, in order. */
  readonly groups: string;
}

export interface FailedHandshake {
  /** The first group with ML-KEM it offered, by its number. */
  readonly groupId: number;
  /** How long before the hello of this link it ended. */
  readonly agoMs: number;
}
