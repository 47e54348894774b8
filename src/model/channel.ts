/** What is known about the link a message came in on: negotiated facts, never claims. */
export interface Channel {
  /** TLS group name as negotiated, e.g. `X25519MLKEM768`. */
  readonly group: string;
  /** Whether the key exchange holds against a quantum computer. */
  readonly keyExchange: "hybrid" | "classical";
  readonly peer: Peer;
  /** IP address and port, for the log. */
  readonly remote: string;
  /** Its listener takes calls only on links that prove a classical identity too. */
  readonly demands?: "hybrid-mtls";
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
  /** SHA-256 of the root that issued the certificate, base64url. */
  readonly issuer: string;
  readonly notAfterUnixMs: number;
  /** What it proved beside that on this link (docs/formats/link-proof.md). */
  readonly classical?: ClassicalIdentity;
}

/** A certificate of the same SPIFFE ID under the classical roots, whose key signed for this very link. */
export interface ClassicalIdentity {
  /** E.g. `Ed25519`. */
  readonly keyAlgorithm: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notAfterUnixMs: number;
}

/** Whom the log names for a link, before anybody said more than its handshake did. */
export function nameOf({ peer }: Pick<Channel, "peer">): string {
  return peer.kind === "svid" ? peer.spiffeId : "anonymous";
}
