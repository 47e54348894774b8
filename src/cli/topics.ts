/** What the help of all commands shows: what to type first, then the commands by what they are about. */

/** What a newcomer types, in that order. */
export const firstSteps: readonly (readonly [typed: string, does: string])[] = [
  ["scan", "Find the MCP servers and clients of this machine; changes nothing."],
  ["up", "Run the gateway that latticegate.yaml in this folder describes."],
  ["adopt", "Put the servers of clients on this machine behind it; shows the changes, and asks."],
  ["doctor", "Check everything, down to a real call on each server."],
  ["login", "Print a link to the control room in a browser."],
  ["audit tail --follow", "Watch what is asked and decided."],
];

export interface Topic {
  readonly title: string;
  /** First words of commands, each with what it is or does. */
  readonly things: Readonly<Record<string, string>>;
}

/** Each first word stands in one of them. */
export const topics: readonly Topic[] = [
  {
    title: "Run, and see how it is",
    things: {
      up: "Run the gateway.",
      connect: "Sidecar for a client: stdio or loopback HTTP in front, the post-quantum tunnel behind.",
      expose: "Sidecar for a server: puts a stdio or HTTP server behind a post-quantum endpoint.",
      relay: "Where peers behind NATs meet, and through which they talk where they must.",
      status: "Whether the gateway runs, and where.",
      login: "A link to the control room, for once.",
      doctor: "Check everything, and say what to do.",
      remote: "Control rooms on other machines, for commands with --remote.",
      api: "The control API, as programs have it.",
      config: "The config file.",
    },
  },
  {
    title: "Find what is there, and bring it behind the gateway",
    things: {
      scan: "Find what speaks MCP, and with what cryptography: here, in traffic, on a network.",
      adopt: "Put the servers of clients on this machine behind the gateway.",
      "client-config": "What to paste into a client's configuration.",
      inventory: "What scans found, and the plan to migrate it.",
      openapi: "APIs as MCP servers.",
    },
  },
  {
    title: "Decide what may be called",
    things: {
      policy: "Rules: checked, tried, explained, drafted, and handed out as bundles.",
      approvals: "Calls that wait for people.",
      tools: "What servers' tools are, against what they were.",
      egress: "Where a sandboxed server may go.",
      delegate: "Let another agent act for this one, narrower and for a while.",
      grant: "Ask the person here to let this sidecar use a server that needs consent.",
      grants: "What servers granted, by people's consent.",
    },
  },
  {
    title: "Notice, and respond",
    things: {
      incidents: "What was found, as stories.",
      respond: "Act against a caller, a session, a server or a tool, at once and for a time.",
      response: "What is in force against callers, servers and tools.",
      playbooks: "What is done without anybody asking.",
      kill: "Stop every call, and let them pass again.",
      outlets: "Who is told: SIEMs, chats, collectors.",
    },
  },
  {
    title: "Prove it afterwards",
    things: {
      audit: "The signed log of every call: read, searched, verified, exported.",
      assess: "The deployment against frameworks, by its own log.",
    },
  },
  {
    title: "Identities, keys and algorithms",
    things: {
      ca: "Join tokens, certificates, roots, backups.",
      identity: "This sidecar's own.",
      pins: "Whose message keys are known.",
      crypto: "Algorithms in use, profiles, rotations, peers.",
      signer: "Keys in a process of their own.",
    },
  },
  {
    title: "Detectors and measurements",
    things: {
      detect: "Models of calls, texts and flows: trained, measured, tried.",
      bench: "What it costs on this machine.",
    },
  },
  {
    title: "This command line",
    things: { completion: "The script that completes commands, options and names in a shell." },
  },
];
