/** Commands that find what is there, and bring it behind the gateway. */
import type { CommandRow } from "../command.ts";

export const discoveryCommands = [
  {
    name: "scan",
    arguments: "[TARGET ...]",
    summary:
      "Find what speaks MCP, and with what cryptography: on this machine (clients' configurations, processes, ports), in what a gateway saw, and on the network at the TARGETs: hosts, host:ports, networks such as 10.0.0.0/24, URLs. Starts and changes nothing, and prints no secret; --keep adds it to the inventory.",
    load: async () => (await import("../scan.ts")).scan,
  },
  {
    name: "inventory list",
    before: "inventory",
    arguments: "",
    summary:
      "List the servers that scans found (`scan --keep`): who answers for them, how they are reached, with what cryptography.",
    load: async () => (await import("../inventory.ts")).inventoryList,
  },
  {
    name: "inventory show",
    arguments: "SERVER",
    summary: "Show all that is known of one server, by its id or its name.",
    load: async () => (await import("../inventory.ts")).inventoryShow,
  },
  {
    name: "inventory label",
    arguments: "SERVER",
    summary:
      "Say who answers for a server, what it is for, what data it has and how long that has to stay secret.",
    load: async () => (await import("../inventory.ts")).inventoryLabel,
  },
  {
    name: "inventory forget",
    arguments: "SERVER",
    summary: "Forget a server, with its labels; if it is there still, the next scan finds it as a new one.",
    load: async () => (await import("../inventory.ts")).inventoryForget,
  },
  {
    name: "inventory export",
    arguments: "",
    summary: "Write the inventory as JSON, CSV, a CycloneDX 1.7 CBOM, or a page with a graph and the plan.",
    load: async () => (await import("../inventory.ts")).inventoryExport,
  },
  {
    name: "inventory plan",
    arguments: "",
    summary:
      "Print the migration as steps, the most urgent first, each with the command that does it, and how far it has come.",
    load: async () => (await import("../inventory.ts")).inventoryPlan,
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
