/** What is known about the link a message came in on: negotiated facts, never claims. */
import type { Offer } from "./offer.ts";
import type { PeerPath } from "./peer-path.ts";

export interface Channel {
  /** TLS group name as negotiated, e.g. `X25519MLKEM768`. */
  readonly group: string;
  /** Whether the key exchange holds against a quantum computer. */
  readonly keyExchange: "hybrid" | "classical";
  /** NIST security category of the key exchange; 0 without ML-KEM. */
  readonly level: number;
  /** As Node names it: `TLSv1.3`. */
  readonly version: string;
  /** Name of the profile that was in force when the link was let in. */
  readonly profile: string;
  readonly peer: Peer;
  /** IP address and port, for the log. */
  readonly remote: string;
  /** Its listener takes calls only on links that prove a classical identity too. */
  readonly demands?: "hybrid-mtls";
  /** What the client's first message offered. */
  readonly offer?: Offer;
  /** In what it is less than its peer was seen to be capable of, in short, where it was let in all the same. */
  readonly regression?: string;
  /** Of a peer who was introduced, or found on the same network: how its stream goes. */
  readonly path?: PeerPath;
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
  readonly notBeforeUnixMs?: number;
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

/** The link on which a server behind the gateway was asked. */
export type ServerLink =
  | {
      readonly kind: "tls";
      readonly group: string;
      readonly keyExchange: Channel["keyExchange"];
      readonly level: number;
      readonly version: string;
      /** Algorithm of the key of the server's certificate, e.g. `ML-DSA-65`, `RSA-2048`. */
      readonly certificate: string;
    }
  /** Plain HTTP to another machine. */
  | { readonly kind: "plain" };

/** What rules can ask of a link. */
export interface LinkPosture {
  readonly group: string;
  readonly level: number;
  readonly isPostQuantum: boolean;
  /** Algorithm of the identity that the handshake proved; undefined where it proved none. */
  readonly certificate: string | undefined;
}

export function postureOf({ group, level, keyExchange, peer }: Omit<Channel, "remote">): LinkPosture {
  return {
    group,
    level,
    isPostQuantum: keyExchange === "hybrid",
    certificate: peer.kind === "svid" ? peer.keyAlgorithm : undefined,
  };
}
