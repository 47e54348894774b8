/**
 * The port of outlets: takes events to another end, in order.
 *
 * Ordering: one `send` at a time, events in the order given. Acknowledgement: what `taken` counts has arrived there as far
 * as the protocol can say; the caller sends the rest again. Failure: never throws for what the other end or the network
 * does. Retries: none; they are the caller's.
 */
import type { Told } from "../../respond/events/told.ts";

export interface Delivery {
  /** So many from the beginning are done with: acknowledged, or refused for ever. */
  readonly taken: number;
  /** Why it isn't all of them; no secret, no address. */
  readonly failed?: string;
  /** Those of the taken that the other end will never take. */
  readonly dead?: readonly DeadLetter[];
}

export interface DeadLetter {
  readonly event: Told;
  readonly why: string;
}

export interface Sink {
  readonly send: (events: readonly Told[], signal: AbortSignal) => Promise<Delivery>;
  /** So many are taken to it at once. */
  readonly maxBatch: number;
  /** So many of the last batches that it took may be lost when its end breaks: they are sent again then. */
  readonly inDoubt: number;
  /** What TLS negotiated last, e.g. `TLSv1.3 X25519MLKEM768`. */
  readonly link: () => SinkLink | undefined;
  readonly close: () => Promise<void>;
}

export interface SinkLink {
  readonly text: string;
  readonly isPostQuantum: boolean;
}
