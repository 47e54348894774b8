/** Time as an argument: nothing below host/ reads a clock of its own. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly nowUnixMs: () => number;
}
