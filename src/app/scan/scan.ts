/** A look around, from one search to the next: clients' files, what runs here and listens here, what they name elsewhere. */
import type { ClientSighting } from "../../inventory/clients/client-sighting.ts";
import type { Sighting } from "../../inventory/sighting.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type Asking, asStranger } from "./asking.ts";
import { searchClients, type ClientSearch } from "./search-clients.ts";
import { type NetworkSearch, searchNetwork } from "./search-network.ts";
import { searchProcesses } from "./search-processes.ts";
import { searchTraffic, type TrafficSearch } from "./search-traffic.ts";

export interface ScanRequest {
  /** Absent if this machine isn't looked at. */
  readonly machine?: Omit<ClientSearch, "signal">;
  /** Absent if there is no gateway. */
  readonly traffic?: Omit<TrafficSearch, "asking" | "signal">;
  /** Absent if no network is looked at. */
  readonly network?: Omit<NetworkSearch, "asking" | "signal" | "onProgress">;
  /** Whether servers are asked, and listening ports; without it, files and processes alone are read. */
  readonly asks: boolean;
  readonly clock: Pick<Clock, "nowUnixMs">;
  readonly signal: AbortSignal;
  /** Told before each search, and by searches as they go on. */
  readonly onProgress: (what: string) => void;
}

/** Of one connection of a probe. */
const timeoutMs = 4000;

export async function* scan(request: ScanRequest): AsyncGenerator<Sighting> {
  const { machine, traffic, network, clock, signal, onProgress } = request;
  const stranger = asStranger({ clock, signal, timeoutMs });
  if (machine !== undefined) yield* ofMachine(machine, request, request.asks ? stranger : undefined);
  if (traffic !== undefined) {
    onProgress(`what ${traffic.gateway} saw`);
    yield* searchTraffic({ ...traffic, asking: request.asks ? stranger : noAsking, signal });
  }
  if (network === undefined) return;
  yield* searchNetwork({
    ...network,
    asking: stranger,
    signal,
    onProgress: ({ done, total, found }) =>
      onProgress(`the network: ${done} of ${total} ports, ${found} open`),
  });
}

const noAsking: Pick<Asking, "probe"> = { probe: () => Promise.resolve(undefined) };

async function* ofMachine(
  machine: Omit<ClientSearch, "signal">,
  { signal, onProgress }: ScanRequest,
  asking: Asking | undefined,
): AsyncGenerator<Sighting> {
  onProgress("clients' configurations");
  const clients: ClientSighting[] = [];
  for await (const sighting of searchClients({ ...machine, signal, ...(asking && { asking }) })) {
    if (sighting.kind === "client") clients.push(sighting.client);
    yield sighting;
  }
  onProgress("processes and listening ports of this machine");
  yield* searchProcesses({ clients, signal, ...(asking && { asking }) });
}
