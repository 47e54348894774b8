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

type CallerProof = {
  readonly kind: "svid";
  /** Lower-case hex serial number of the certificate. */
  readonly serial: string;
  readonly notAfterUnixMs: number;
};

/** Whose something is: the caller together with everybody it acts for. Nobody else has this text. */
export function holderOf({ id, chain }: Pick<Caller, "id" | "chain">): string {
  return chain.length === 0 ? id : JSON.stringify([...chain, id]);
}
