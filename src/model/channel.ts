/** What is known about the link a message came in on: negotiated facts, never claims. */
export interface Channel {
  /** TLS group name as negotiated, e.g. `X25519MLKEM768`. */
  readonly group: string;
  /** Signature algorithm of the peer's certificate key, e.g. `ML-DSA-65`. */
  readonly peerKeyAlgorithm: string;
  /** The peer's one SPIFFE ID. */
  readonly peerSpiffeId: string;
  readonly peerSerial: string;
  readonly peerNotAfterUnixMs: number;
  /** IP address and port, for the log. */
  readonly remote: string;
}
