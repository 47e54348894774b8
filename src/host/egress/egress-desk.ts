/** What the proxy asks: whether a connection may come about, and whether it may go on. Bytes are counted, never shown. */
import type { Destination } from "../../policy/egress/destination.ts";
import type { ClientHello } from "../../wire/client-hello.ts";

export interface EgressDesk {
  /**
   * Judges, looks the name up, judges its addresses, and records that the connection comes.
   * @param how `tunnel` of CONNECT, whose bytes are the two ends' own; `http` of one plain request
   * @throws EgressRefusal
   */
  readonly open: (destination: Destination, how: "tunnel" | "http") => Promise<Crossing>;
  /** A request that can't be understood. */
  readonly misread: (why: string) => void;
}

/** One connection out of the sandbox. */
export interface Crossing {
  /** To be dialled as they are, in turn; judged already. */
  readonly addresses: readonly string[];
  /** One of them answered. */
  readonly reached: (address: string) => void;
  /** What the tunnel begins with, told before a byte of it goes on; `undefined`: no TLS. @returns why it has to end */
  readonly began: (hello: ClientHello | undefined) => string | undefined;
  /** Before the bytes go on. @returns why it has to end */
  readonly moved: (way: "sent" | "received", bytes: number) => string | undefined;
  /** It is over; of those that count only the first. `because`: it never came about, or was ended. */
  readonly ended: (because?: string) => void;
}

/** The answer to a proxy request that goes nowhere. */
export class EgressRefusal extends Error {
  override readonly name = "EgressRefusal";
  readonly status: 400 | 403 | 502 | 503 | 504;

  constructor(status: EgressRefusal["status"], publicText: string, cause?: unknown) {
    super(publicText, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}
