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
}

type CallerProof = SvidProof | TokenProof;

interface SvidProof {
  readonly kind: "svid";
  /** Lower-case hex serial number of the certificate. */
  readonly serial: string;
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
  readonly notAfterUnixMs: number;
}

/** Whose something is: the caller together with everybody it acts for. Nobody else has this text. */
export function holderOf({ id, chain }: Pick<Caller, "id" | "chain">): string {
  return chain.length === 0 ? id : JSON.stringify([...chain, id]);
}
