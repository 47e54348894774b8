/** The configured servers by name, as the one port the gate sees. */
import type { Answer, Journaled } from "../../gate/call.ts";
import type { Upstreams } from "../../gate/ports.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** One server behind the gateway; the contract is that of the port. */
export interface Upstream {
  readonly forward: (call: Journaled) => Promise<Answer>;
  /** Ends what runs for it; never rejects. */
  readonly close: () => Promise<void>;
}

/** How often a server was called, for the operator. */
export interface UpstreamCount {
  calls: number;
  failures: number;
}

export interface NamedUpstreams extends Upstreams {
  readonly counts: ReadonlyMap<string, Readonly<UpstreamCount>>;
  readonly close: () => Promise<void>;
}

export function namedUpstreams(
  upstreams: ReadonlyMap<string, Upstream>,
  regression?: Upstreams["regression"],
): NamedUpstreams {
  const counts = new Map([...upstreams.keys()].map((name) => [name, { calls: 0, failures: 0 }]));
  return {
    ...(regression && { regression }),
    counts,
    forward: async (call) => {
      const upstream = upstreams.get(call.server);
      const count = counts.get(call.server);
      if (upstream === undefined || count === undefined) {
        throw new Refusal("no_such_server", `There is no server "${call.server}" behind this gateway.`);
      }
      count.calls += 1;
      try {
        return await upstream.forward(call);
      } catch (error) {
        count.failures += 1;
        throw error;
      }
    },
    close: async () => {
      await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
    },
  };
}
