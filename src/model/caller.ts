/** Who is calling, for whom, and how that was proven. */
export interface Caller {
  /**
   * What rules and the log call it: a workload's SPIFFE ID, or `oauth:ISSUER/client/CLIENT` for a client that came
   * with an access token of the issuer configured under that name.
   */
  readonly id: string;
  /** Those it acts for, who began first; empty if it acts for itself. Names like `id`, or `oauth:ISSUER/user/SUBJECT`. */
  readonly chain: readonly string[];
  readonly proof: CallerProof;
  /** With what it acts for them, if that is a delegation of this gateway's. */
  readonly delegation?: Delegation;
}

/** What a delegation bounds. Its holder may do no more than this, and nothing that one of the chain may not do. */
export interface Delegation {
  readonly id: string;
  readonly scope: Scope;
  /** How often it may be delegated on. */
  readonly depth: number;
  readonly notAfterUnixMs: number;
  /** Serial numbers of the certificates with which those of the chain delegated, in its order. */
  readonly serials: readonly string[];
  /** Hashes of the roots above those certificates, in the same order. */
  readonly issuers: readonly string[];
}

/** Patterns as rules have them, by the kind of what they name. */
export interface Scope {
  readonly tools: readonly string[];
  readonly resources: readonly string[];
  readonly prompts: readonly string[];
}

type CallerProof = SvidProof | TokenProof;

interface SvidProof {
  readonly kind: "svid";
  /** Lower-case hex serial number of the certificate. */
  readonly serial: string;
  /** SHA-256 of the root above it, base64url. */
  readonly issuer: string;
  readonly issuedAtUnixMs?: number;
  readonly notAfterUnixMs: number;
}

/** An access token, judged when its request came in. */
export interface TokenProof {
  readonly kind: "token";
  /** The issuer's name in the config. */
  readonly issuer: string;
  /** What a thief would need beside the token: a key (RFC 9449), a certificate (RFC 8705), or nothing. */
  readonly binding: "dpop" | "mtls" | "bearer";
  /** Origin of the listener it was presented to, which says what its scopes are good for. */
  readonly listener: string;
  readonly scopes: readonly string[];
  /** What the token says, as its issuer signed it. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly notAfterUnixMs: number;
}

/** Whose something is: the caller together with everybody it acts for. Nobody else has this text. */
export function holderOf({ id, chain }: Pick<Caller, "id" | "chain">): string {
  return chain.length === 0 ? id : JSON.stringify([...chain, id]);
}

/** The user that a client with an access token acts for; undefined for those who prove to be who they are themselves. */
export function userOf({ id, chain: [first] }: Pick<Caller, "id" | "chain">): string | undefined {
  return id.startsWith("oauth:") && first !== undefined && isUser(first) ? first : undefined;
}

/** Whether that names a user, as against a client or a workload. */
function isUser(party: string): boolean {
  return /^oauth:[^\/]+\/user\//v.test(party);
}
