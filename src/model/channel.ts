/** What is known about the link a message came in on: negotiated facts, never claims. */
export interface Channel {
  /** TLS group name as negotiated, e.g. `X25519MLKEM768`. */
  readonly group: string;
  readonly peer: Peer;
  /** IP address and port, for the log. */
  readonly remote: string;
}

/** What the other end proved in the handshake. */
type Peer = SvidPeer;

/** A workload with a certificate of this trust domain. */
interface SvidPeer {
  readonly kind: "svid";
  /** Signature algorithm of the certificate's key, e.g. `ML-DSA-65`. */
  readonly keyAlgorithm: string;
  /** The one SPIFFE ID. */
  readonly spiffeId: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notAfterUnixMs: number;
}
