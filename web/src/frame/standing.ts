/** What the frame shows on every page: how the gateway is, and how much waits. */
import { useLoaded } from "../use-loaded.ts";
import { items } from "../model/fields.ts";
import { readStatus, type Status } from "../model/status.ts";
import { streamState } from "../stream.ts";

export interface Standing {
  readonly status: Status | undefined;
  /** Undefined until they are known. */
  readonly incidents: number | undefined;
  /** Held calls, and what playbooks propose. */
  readonly approvals: number | undefined;
}

export type GatewayState = "connecting" | "live" | "reconnecting" | "unreachable" | "stopped";

/** Who only approves is asked for approvals alone. */
export function useStanding(isViewer: boolean): Standing {
  const status = useLoaded(isViewer ? "/status" : undefined, readStatus, ["status", "responses"]);
  const incidents = useLoaded(
    isViewer ? "/incidents?limit=100" : undefined,
    (answer) => items(answer).length,
    ["incidents"],
  );
  const approvals = useLoaded("/approvals?limit=100", (answer) => items(answer).length, ["approvals"]);
  const proposals = useLoaded("/proposals?limit=100", (answer) => items(answer).length, ["approvals"]);
  return {
    status: status.data,
    incidents: incidents.data,
    approvals: approvals.data === undefined ? undefined : approvals.data + (proposals.data ?? 0),
  };
}

export function gatewayState(status: Status | undefined): GatewayState {
  if (streamState.value === "live" && status !== undefined && status.stopped.length > 0) return "stopped";
  return streamState.value;
}
