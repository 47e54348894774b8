/** Commands that run a gateway or a sidecar, and say how they are. */
import type { CommandRow } from "../command.ts";

export const linkCommands = [
  {
    name: "up",
    arguments: "",
    summary: "Run the gateway.",
    load: async () => (await import("../up.ts")).up,
  },
  {
    name: "connect",
    arguments: "SERVER|URL|PEER",
    summary: "Sidecar for a client: stdio or loopback HTTP in front, the post-quantum tunnel behind.",
    load: async () => (await import("../connect.ts")).connect,
  },
  {
    name: "delegate",
    arguments: "",
    summary: "Let another agent act for this one: narrower, for a while, within what each of the two may do.",
    load: async () => (await import("../delegate.ts")).delegate,
  },
  {
    name: "expose",
    arguments: "(URL | -- COMMAND ...)",
    summary: "Sidecar for a server: puts a stdio or HTTP MCP server behind a post-quantum endpoint.",
    load: async () => (await import("../expose.ts")).expose,
  },
  {
    name: "relay",
    arguments: "",
    summary:
      "Introduce peers behind NATs to each other as rules say, and carry, unread, what can't go directly.",
    load: async () => (await import("../relay.ts")).relay,
  },
  {
    name: "remote join",
    arguments: "NAME URL",
    summary:
      "Make the control room of another machine known, and get an identity there: commands with --remote NAME ask it.",
    load: async () => (await import("../remote.ts")).remoteJoin,
  },
  {
    name: "remote list",
    arguments: "",
    summary: "List the control rooms of other machines that are known, and whom you are there.",
    load: async () => (await import("../remote.ts")).remoteList,
  },
  {
    name: "remote forget",
    arguments: "NAME",
    summary: "Forget one, with the key for it.",
    load: async () => (await import("../remote.ts")).remoteForget,
  },
  {
    name: "api",
    arguments: "METHOD PATH [JSON]",
    summary:
      "Ask the control API whatever it answers, as JSON: `api GET /status`. The document is at /openapi.json; for what no command has.",
    load: async () => (await import("../api.ts")).api,
  },
  {
    name: "client-config",
    arguments: "",
    summary: "Give a client on this machine an identity and print what to paste into its configuration.",
    load: async () => (await import("../client-config.ts")).clientConfig,
  },
  {
    name: "grant",
    arguments: "SERVER",
    summary: "Ask the person here to let this sidecar's identity use a server that needs consent.",
    load: async () => (await import("../grant.ts")).grant,
  },
  {
    name: "grants list",
    before: "grants",
    arguments: "",
    summary: "List what servers were granted to this sidecar's identity, or on the gateway to everybody.",
    load: async () => (await import("../grant.ts")).grants,
  },
  {
    name: "grants revoke",
    before: "grant revoke",
    arguments: "SERVER",
    summary: "Give back what a server granted; its authorization server is told where it listens to that.",
    load: async () => (await import("../grant.ts")).grantRevoke,
  },
  {
    name: "status",
    arguments: "",
    summary: "Say whether the gateway runs, and where.",
    load: async () => (await import("../status.ts")).status,
  },
  {
    name: "login",
    arguments: "",
    summary: "Print a link that logs a browser into the running gateway's control room, once.",
    load: async () => (await import("../login.ts")).login,
  },
  {
    name: "doctor",
    arguments: "",
    summary: "Check everything from the runtime to a real call on each server, and say what to do.",
    load: async () => (await import("../doctor.ts")).doctor,
  },
] as const satisfies readonly CommandRow[];
