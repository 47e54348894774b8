/** What runs on this machine and speaks MCP, by its command line. Looks at processes, and starts and ends none. */
import { thisMachine } from "../../host/scan/this-machine.ts";
import type { ClientSighting } from "../../inventory/clients/client-sighting.ts";
import { withoutSecrets } from "../../inventory/clients/secrets.ts";
import { recognise } from "../../inventory/processes/recognise.ts";
import type { Sighting } from "../../inventory/sighting.ts";

export interface ProcessSearch {
  /** What was found of clients: their servers are recognised by it. */
  readonly clients: readonly ClientSighting[];
  readonly signal: AbortSignal;
}

export async function* searchProcesses({ clients, signal }: ProcessSearch): AsyncGenerator<Sighting> {
  const machine = await thisMachine(signal);
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
    if (one.kind === "latticegate") continue;
    const entry = known.find(({ command }) => command === one.command);
    const { pid, user, command } = one.process;
    yield {
      kind: "server",
      server: {
        place: {
          kind: "stdio",
          command: withoutSecrets(one.command),
          environment: entry?.environment ?? [],
        },
        evidence: {
          by: "process",
          pid,
          program: withoutSecrets(command).join(" ").slice(0, 1024),
          ...(user === undefined ? {} : { user }),
          ...(one.startedBy === undefined ? {} : { startedBy: one.startedBy }),
        },
        spoken: "stdio",
        authentication: { kind: "local-user" },
      },
    };
  }
}
