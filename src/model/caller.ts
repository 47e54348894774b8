/** Who is calling, and how that was proven. */
export interface Caller {
  readonly spiffeId: string;
  readonly proof: {
    readonly kind: "svid";
    /** Lower-case hex serial number of the certificate. */
    readonly serial: string;
    readonly notAfterUnixMs: number;
  };
}
