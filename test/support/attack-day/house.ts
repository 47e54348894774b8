/** The house of the day: a gateway with an operator's rules, its servers, and agents with identities of their own. */
import { writeFile } from "node:fs/promises";
import path from "node:path";

import { listIncidents } from "../../../src/app/respond/incident-operations.ts";
import type { Incident } from "../../../src/respond/incidents/incident.ts";
import { sessionPartHeader } from "../../../src/wire/identity-headers.ts";
import type { Cleanup } from "../cleanup.ts";
import {
  type Client,
  clientOf,
  enrol,
  type Enrolment,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../gateway.ts";
import { type ReplayingServer, replayingServer } from "./replaying-server.ts";

/** One call as it went. */
export interface Went {
  readonly isRefused: boolean;
  readonly startedUnixMs: number;
}

export interface Agent {
  readonly name: string;
  readonly caller: string;
  readonly enrolment: Enrolment;
  readonly client: Client;
  /** @param answer what its server says; @param session of the agent's client */
  readonly call: (
    server: string,
    tool: string,
    about: { readonly args?: unknown; readonly answer?: string; readonly session?: string },
  ) => Promise<Went>;
}

export interface House {
  readonly t: Cleanup;
  readonly gateway: TestGateway;
  readonly servers: ReplayingServer;
  readonly agent: (name: string) => Promise<Agent>;
  readonly incidents: () => readonly Incident[];
}

/** What no agent may do here, and that no key leaves: two rules beside the open one. */
const rules = `
policies:
  - { name: agents, callers: ["*"], tools: ["*"], resources: ["*"], prompts: ["*"], effect: allow, because: They work here. }
  - { name: no-admin, callers: ["*"], tools: ["vault/*"], effect: deny, because: Nobody's agent has anything to do there. }
  - { name: no-keys, callers: ["*"], tools: ["*"], when: '"secret" in findings', effect: deny, because: Keys stay here. }
`;

/** Beside those that are shipped. */
const playbooks = `
playbooks:
  - name: key-leaves
    because: A key was about to leave.
    on: { findings: [secret] }
    steps: [{ do: read_only, of: session, for: 1h }]
  - name: burst-out
    because: Far more goes out than ever did.
    on: { flows: [flow.exfiltration-burst] }
    steps: [{ do: quarantine, of: caller, for: 15m }]
`;

export async function house(t: Cleanup, names: readonly string[]): Promise<House> {
  const servers = await replayingServer(t);
  const listed = names.map((name) => `  ${name}: { url: "${servers.urlOf(name)}" }`).join("\n");
  const file = path.join(await temporaryFolder(t), "playbooks.yaml");
  await writeFile(file, playbooks);
  const gateway = await testGateway(
    t,
    `profile: transition\ncrypto: { regression: refuse }\nservers:\n${listed}\ndetect: { calls: true }\nresponse: { playbooks: "${file}", incidents: { per_day: 30 } }\n${rules}`,
    { listen: "{ address: 127.0.0.1:0, key_exchange: hybrid-preferred, classical_servers: [lab] }" },
  );
  const place = { state: gateway.config.state, clock: gateway.clock };
  return {
    t,
    gateway,
    servers,
    agent: (name) => agentAt({ t, gateway, servers }, name),
    incidents: () => listIncidents(place, { all: true }).map(({ incident }) => incident),
  };
}

let ids = 1;

async function agentAt(
  { t, gateway, servers }: Pick<House, "t" | "gateway" | "servers">,
  name: string,
): Promise<Agent> {
  const enrolment = await enrol(gateway, `agent/${name}`);
  const client = clientOf(t, gateway, enrolment);
  return {
    name,
    caller: `spiffe://latticegate.local/agent/${name}`,
    enrolment,
    client,
    call: async (server, tool, { args = {}, answer, session }) => {
      const id = ids++;
      if (answer !== undefined) servers.answerTo(id, answer);
      const headers = session === undefined ? {} : { [sessionPartHeader]: session };
      const startedUnixMs = gateway.clock.nowUnixMs();
      await client.post(server, toolCall(tool, id, args), headers);
      return { isRefused: !servers.hasReached(id), startedUnixMs };
    },
  };
}
