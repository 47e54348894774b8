/** The log and the servers, as the path of a call uses them: what passes is measured. */
import type { Journal, Ports, Upstreams } from "../../gate/ports.ts";
import { meteredUpstreams } from "../../host/net/flow-meter.ts";
import type { FlowWatch } from "../flow-watch.ts";
import type { FollowedCalls } from "./followed-calls.ts";

interface Measuring {
  readonly journal: Journal;
  readonly flows: FlowWatch;
  /** Absent where nobody measures calls. */
  readonly calls?: FollowedCalls;
}

export function measuredPorts(
  { journal, flows, calls }: Measuring,
  connected: Upstreams,
): Pick<Ports, "journal" | "upstreams" | "onlooker"> {
  const upstreams = meteredUpstreams(connected, flows.onExchange);
  if (calls === undefined) return { journal, upstreams };
  return {
    journal: calls.journal(journal),
    upstreams: calls.upstreams(upstreams),
    onlooker: calls.onlooker,
  };
}
