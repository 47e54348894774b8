/** The cryptography of one endpoint: what was observed of it, and what is concluded. */

export interface Posture {
  readonly link: Link;
  readonly keyExchange: Verdict<KeyExchangeVerdict>;
  readonly authentication: Verdict<AuthenticationVerdict>;
  /** Names of the built-in profiles it could satisfy as it is; the strongest last. */
  readonly profiles: readonly string[];
}

export type Link =
  /** Pipes between processes of one machine. */
  | { readonly kind: "local" }
  /** HTTP without TLS. */
  | { readonly kind: "clear" }
  | { readonly kind: "tls"; readonly tls: ObservedTls };

export interface ObservedTls {
  /** `TLSv1`, `TLSv1.1`, `TLSv1.2`, `TLSv1.3`: those it completed a handshake in, or chose when asked for nothing else. */
  readonly versions: readonly string[];
  /** Groups of TLS 1.3 in the server's order, by IANA name or `0x1234`. */
  readonly groups: readonly string[];
  /** Whether a client that sends a classical share and can do ML-KEM is asked for ML-KEM; absent if it has none. */
  readonly asksForHybrid?: boolean;
  /** Cipher suite of the best handshake, and of TLS 1.2 if it is spoken, by their standard names. */
  readonly ciphers: readonly string[];
  /** Each certificate it shows, by the signature algorithm it was asked for; leaf first within a chain. */
  readonly chains: readonly ObservedChain[];
  readonly alpn?: string;
  /** Of the finite field that TLS 1.2 and older agree in, if they do. */
  readonly primeBits?: number;
  readonly asksForClientCertificate: boolean;
  /** Whether a ClientHello over one segment (1,400 bytes and more) is answered as a small one is. */
  readonly takesBigHello?: boolean;
  /** Whether a ClientHello that is split after its first byte is answered. */
  readonly takesSplitHello?: boolean;
  /** What the best handshake took, of a client that proves nothing. */
  readonly handshake?: { readonly ms: number; readonly bytesIn: number; readonly bytesOut: number };
}

export interface ObservedChain {
  readonly certificates: readonly ObservedCertificate[];
}

export interface ObservedCertificate {
  /** As X.509 has them, cut to 256 characters each. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly sha256: string;
  /** `RSA`, `EC P-256`, `Ed25519`, `ML-DSA-65` …, by the names of the suite tables where they have one. */
  readonly key: string;
  readonly keyBits?: number;
  readonly signature: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  readonly bytes: number;
}

/** From worst to best; `local` stands outside the order. */
export type KeyExchangeVerdict =
  /** Anybody on the way reads it now. */
  | "none"
  /** Broken by means of today: TLS 1.1 and older, no forward secrecy, finite fields below 2048 bits. */
  | "weak"
  /** Recorded today, read once there is a quantum computer. */
  | "classical"
  /** Has ML-KEM, but a client that sends a classical share first gets classical. */
  | "downgradable"
  /** Asks every client that can for ML-KEM; takes others, too. */
  | "hybrid-preferred"
  /** Takes nothing without ML-KEM. */
  | "hybrid"
  | "local"
  /** It couldn't be found out. */
  | "unknown";

export type AuthenticationVerdict =
  | "none"
  /** RSA below 2048 bits, SHA-1 or MD5, expired. */
  | "weak"
  | "classical"
  /** A post-quantum certificate for those who ask, a classical one for others. */
  | "hybrid"
  | "post-quantum"
  | "local"
  | "unknown";

export interface Verdict<Name extends string> {
  readonly verdict: Name;
  /** Each reason one sentence; the one that decides first. */
  readonly because: readonly string[];
  readonly dates: readonly Deadline[];
}

export interface Deadline {
  /** UTC day from which it isn't enough any more. */
  readonly from: string;
  readonly what: "deprecated" | "disallowed";
  /** `NIST IR 8547`, `CNSA 2.0`. */
  readonly source: string;
}
