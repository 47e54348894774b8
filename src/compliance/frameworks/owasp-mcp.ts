/** OWASP MCP Top 10, 2025 (beta). */
import { control, type Framework } from "../control.ts";

export const owaspMcp = {
  name: "owasp-mcp",
  title: "OWASP MCP Top 10",
  source: "https://owasp.org/www-project-mcp-top-10/",
  note: "2025, beta: its list may still change. MCP06 was called prompt injection by context before.",
  controls: [
    control(
      "MCP01",
      "Token mismanagement, exposed secrets",
      "Credentials are short-lived, bound and kept sealed.",
      {
        events: ["short-lived", "mutual"],
        tests: ["sealed-keys", "revoked-identity", "join-token-twice"],
        against: ["bearer-token"],
      },
    ),
    control("MCP02", "Scope creep", "Nobody may more than rules say, now.", {
      events: ["call", "short-lived"],
      tests: ["tool-without-rule"],
      against: ["observing"],
    }),
    control("MCP03", "Tool poisoning", "Definitions are looked at, pinned, and changes approved.", {
      events: ["call", "tool-blocked"],
      tests: ["tools-pinned"],
    }),
    control("MCP04", "Supply chain", "What servers are made of is known and checked.", {
      events: ["call"],
      tests: ["tools-pinned"],
      lacks: "the packages of servers aren't checked; their tools are",
    }),
    control("MCP05", "Command injection", "Arguments that carry commands don't run.", {
      events: ["arguments", "found"],
      tests: ["tool-without-rule"],
      against: ["observing"],
    }),
    control(
      "MCP06",
      "Subverted intent",
      "Instructions in what a model reads are found, and what follows is contained.",
      {
        events: ["risk", "answer-found", "auto-response"],
      },
    ),
    control("MCP07", "Authentication and authorization", "Each caller is proven, each call decided.", {
      events: ["mutual", "call"],
      tests: [
        "no-certificate",
        "foreign-certificate",
        "revoked-identity",
        "tool-without-rule",
        "unknown-server",
      ],
      against: ["observing"],
    }),
    control("MCP08", "Audit and telemetry", "What is done is recorded, and can't be changed unnoticed.", {
      events: ["call", "outcome"],
      tests: ["tampered-log"],
      against: ["log-incident"],
    }),
    control("MCP09", "Shadow servers", "Servers that nobody registered are found, and can't be called.", {
      events: ["call"],
      tests: ["unknown-server", "inventory"],
    }),
    control("MCP10", "Over-shared context", "What one caller's session holds isn't another's.", {
      events: ["session", "redacted"],
      tests: ["invented-session"],
    }),
  ],
} as const satisfies Framework;
