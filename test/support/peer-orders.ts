/** What a calling peer in a lab is told to do, and what it says of it. */
import type { PeerPath } from "../../src/model/peer-path.ts";

export interface CallerSettings {
  readonly state: string;
  readonly joinToken: string;
  readonly via: readonly string[];
  readonly isLocal: boolean;
  readonly probeEachMs?: number;
  readonly patienceMs?: number;
  /** For URLs, where each call has a link of its own by default. */
  readonly http?: "h2";
}

/**
 * `meet`: links to a peer, each with its own dialler, ended at once. `open`: takes that server for what follows, a peer
 * or an https URL with whom to expect there.
 * `call`: that many tool calls, each with its number among its arguments. `load`: one every so often, until `unload`,
 * which is answered with what became of all. `heard`: the numbers of the calls that its server was sent, in order.
 * `told`: what was logged since the last time.
 */
export type CallerOrder =
  | { readonly do: "meet"; readonly target: string; readonly times: number }
  | { readonly do: "open"; readonly target: string; readonly whom?: string }
  | {
      readonly do: "call";
      readonly first: number;
      readonly count: number;
      readonly inFlight: number;
      readonly tool: string;
      readonly arguments?: Readonly<Record<string, unknown>>;
    }
  | { readonly do: "load"; readonly everyMs: number }
  | { readonly do: "unload" }
  | { readonly do: "heard" }
  | { readonly do: "told" }
  | { readonly do: "close" };

export interface MetOutcome {
  readonly ms: number;
  readonly path?: PeerPath;
  readonly failure?: string;
}

export interface CallsOutcome {
  /** Of calls that were answered, in order. */
  readonly ms: readonly number[];
  readonly wholeMs: number;
  readonly cpuMs: number;
  readonly failures: readonly FailedCall[];
}

export interface FailedCall {
  readonly call: number;
  readonly text: string;
  /** Whether it is said that it may have been carried out. */
  readonly isLost: boolean;
}

export interface LoadOutcome {
  readonly answered: readonly number[];
  readonly failures: readonly FailedCall[];
}

/** A line of the log. */
export type Told = { readonly event: string; readonly time: string } & Readonly<Record<string, unknown>>;
