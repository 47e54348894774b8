/** A look around, from one search to the next: clients' files, what runs here and listens here, what they name elsewhere. */
import type { ClientSighting } from "../../inventory/clients/client-sighting.ts";
import type { Sighting } from "../../inventory/sighting.ts";
import type { Clock } from "../../kernel/clock.ts";
import { asStranger } from "./asking.ts";
import { searchClients, type ClientSearch } from "./search-clients.ts";
import { searchProcesses } from "./search-processes.ts";

export interface ScanRequest {
  /** Absent if this machine isn't looked at. */
  readonly machine?: Omit<ClientSearch, "signal">;
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
  const { machine, signal, onProgress } = request;
  const asking = request.asks ? asStranger({ clock: request.clock, signal, timeoutMs }) : undefined;
  if (machine === undefined) return;
  onProgress("clients' configurations");
  const clients: ClientSighting[] = [];
  for await (const sighting of searchClients({ ...machine, signal, ...(asking && { asking }) })) {
    if (sighting.kind === "client") clients.push(sighting.client);
    yield sighting;
  }
  onProgress("processes and listening ports of this machine");
  yield* searchProcesses({ clients, signal, ...(asking && { asking }) });
}
