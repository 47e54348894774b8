/** What is known about the link a message came in on: negotiated facts, never claims. */
export interface Channel {
  /** TLS group name as negotiated, e.g. `X25519MLKEM768`. */
  readonly group: string;
  /** Whether the key exchange holds against a quantum computer. */
  readonly keyExchange: "hybrid" | "classical";
  readonly peer: Peer;
  /** IP address and port, for the log. */
  readonly remote: string;
}

/** What the other end proved in the handshake. */
type Peer = SvidPeer | AnonymousPeer;

/** A client of a listener with a web certificate: who it is, it says with each request. */
interface AnonymousPeer {
  readonly kind: "anonymous";
  /** SHA-256 of the certificate whose key it proved to have, base64url; nobody vouched for it (RFC 8705 §3.1). */
  readonly thumbprint?: string;
}

/** A workload with a certificate of this trust domain. */
export interface SvidPeer {
  readonly kind: "svid";
  /** Signature algorithm of the certificate's key, e.g. `ML-DSA-65`. */
  readonly keyAlgorithm: string;
  /** The one SPIFFE ID. */
  readonly spiffeId: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notAfterUnixMs: number;
}
