/** A look around, from one search to the next: clients' files, what runs here and listens here, what they name elsewhere. */
import type { ClientSighting } from "../../inventory/clients/client-sighting.ts";
import type { Sighting } from "../../inventory/sighting.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { askServer } from "./ask-server.ts";
import type { Asking } from "./asking.ts";
import { probePosture } from "./probe-posture.ts";
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

/** Of one server, for all that it is asked. */
const askMs = 20_000;
/** Of one connection of a probe. */
const connectionMs = 4000;

export async function* scan(request: ScanRequest): AsyncGenerator<Sighting> {
  const { machine, signal, onProgress } = request;
  const asking = request.asks ? askingOf(request) : undefined;
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

function askingOf({ clock, signal }: ScanRequest): Asking {
  return {
    ask: (url) => askServer({ url, signal, timeoutMs: askMs }),
    probe: async (host, port) => {
      const posture = await probePosture({ host, port, clock, signal, timeoutMs: connectionMs });
      if (posture === undefined) throw new Refusal("upstream_failed", "it doesn't answer");
      return posture;
    },
  };
}
