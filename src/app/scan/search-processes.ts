/**
 * What runs on this machine and speaks MCP, by its command line and, if asked for, at the ports it listens on. Looks at
 * processes, and starts and ends none.
 */
import type { Machine } from "../../host/scan/linux-processes.ts";
import { thisMachine } from "../../host/scan/this-machine.ts";
import type { ClientSighting } from "../../inventory/clients/client-sighting.ts";
import { withoutSecrets } from "../../inventory/clients/secrets.ts";
import { postureOf } from "../../inventory/posture/verdicts.ts";
import { type Recognised, recognise } from "../../inventory/processes/recognise.ts";
import type { ServerSighting, Sighting } from "../../inventory/sighting.ts";
import type { Asking } from "./asking.ts";
import { searchListeners } from "./search-listeners.ts";

export interface ProcessSearch {
  /** What was found of clients: their servers are recognised by it. */
  readonly clients: readonly ClientSighting[];
  /** Without it, no port is asked. */
  readonly asking?: Asking;
  readonly signal: AbortSignal;
}

export async function* searchProcesses({ clients, asking, signal }: ProcessSearch): AsyncGenerator<Sighting> {
  const machine = shown(await thisMachine(signal));
  for (const because of machine.problems)
    yield { kind: "problem", problem: { at: "processes of this machine", because } };
  const known = clients.flatMap(({ entries }) =>
    entries.flatMap(({ reaches }) => (reaches.kind === "stdio" ? [reaches] : [])),
  );
  const recognised = recognise({
    ...machine,
    configured: known.map(({ command }) => command),
    ownPid: process.pid,
  });
  for (const one of recognised) {
    if (one.kind === "server") yield { kind: "server", server: serverOf(one, known) };
  }
  if (asking !== undefined) yield* searchListeners({ ...machine, recognised, asking, signal });
}

/** Command lines without their secrets, as clients' sightings have them: from here on none goes anywhere. */
function shown(machine: Machine): Machine {
  const processes = machine.processes.map((one) => ({ ...one, command: withoutSecrets(one.command) }));
  return { ...machine, processes };
}

type RecognisedServer = Extract<Recognised, { readonly kind: "server" }>;

interface Configured {
  readonly command: readonly string[];
  readonly environment: readonly string[];
}

function serverOf(one: RecognisedServer, known: readonly Configured[]): ServerSighting {
  const { pid, user, command } = one.process;
  const environment = known.find((entry) => entry.command === one.command)?.environment ?? [];
  return {
    place: { kind: "stdio", command: one.command, environment },
    evidence: {
      by: "process",
      pid,
      program: command.join(" ").slice(0, 1024),
      ...(user === undefined ? {} : { user }),
      ...(one.startedBy === undefined ? {} : { startedBy: one.startedBy }),
    },
    spoken: "stdio",
    authentication: { kind: "local-user" },
    posture: postureOf({ kind: "local" }, 0),
  };
}
