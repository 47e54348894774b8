/** What both directions of a bridge are made of. */
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Link, LinkEvents } from "../link/link.ts";
import type { Upstream } from "../net/upstreams.ts";

export interface BehindOptions {
  /** Of the server, for the log and where it says no name of its own. */
  readonly name: string;
  /** The server's own adapter. */
  readonly upstream: Upstream;
  /** Of the gateway, for servers that ask who is there. */
  readonly version: string;
  /** Longest message of the server's. */
  readonly maxMessageBytes: number;
  readonly log: Log;
  readonly clock: Clock;
}

/** The server as one of the other era: what a client of that says goes in, what it hears comes out. */
export type Behind = (events: LinkEvents) => Link;
