/** Commands that find what is there, and bring it behind the gateway. */
import type { CommandRow } from "../command.ts";

export const discoveryCommands = [
  {
    name: "scan",
    arguments: "[TARGET ...]",
    summary:
      "Find what speaks MCP, and with what cryptography: on this machine (clients' configurations, processes, ports), in what a gateway saw, and on the network at the TARGETs: hosts, host:ports, networks such as 10.0.0.0/24, URLs. Starts and changes nothing, and prints no secret.",
    load: async () => (await import("../scan.ts")).scan,
  },
  {
    name: "adopt",
    arguments: "[CLIENT|FILE ...] | --server NAME (URL | -- COMMAND ...)",
    summary:
      "Put the servers of clients on this machine behind the gateway: shows what would change in their configurations and in the gateway's, asks, and writes it. All of one's own clients by default; files of projects by name alone. Each URL found is asked whether it could be reached through the gateway.",
    load: async () => (await import("../adopt.ts")).adopt,
  },
  {
    name: "openapi preview",
    arguments: "FILE",
    summary: "Show which tools an OpenAPI document makes, and what was left out and why. Asks no server.",
    load: async () => (await import("../openapi.ts")).openapiPreview,
  },
] as const satisfies readonly CommandRow[];
