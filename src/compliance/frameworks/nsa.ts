/** NSA, Security Design Considerations for AI-Driven Automation Leveraging MCP: its nine recommendations. */
import { control, type Framework } from "../control.ts";

export const nsa = {
  name: "nsa",
  title: "NSA, security design considerations for MCP",
  source: "https://media.defense.gov/2026/Jun/02/2003943289/-1/-1/0/CSI_MCP_SECURITY.PDF",
  note: "U/OO/6030316-26, May 2026. Numbers and short names are by the order in which its recommendations come.",
  controls: [
    control(
      "NSA-1",
      "Filtering egress proxy",
      "What servers reach outside goes through a proxy that filters.",
      {
        events: ["egress-opened", "egress-denied"],
      },
    ),
    control("NSA-2", "Sandboxed tools", "Tools run with as little of the machine as they need.", {
      events: ["egress-opened"],
      lacks: "servers that the gateway starts run without a sandbox; those of `expose --sandbox` have one",
    }),
    control("NSA-3", "Message integrity", "Messages are signed, count for a time, and once.", {
      events: ["signed", "answer-signed"],
      tests: ["forged-signature", "replayed-call"],
    }),
    control("NSA-4", "Output filtering", "What servers answer is filtered before a model reads it.", {
      events: ["answer-found", "redacted"],
      against: ["observing"],
    }),
    control("NSA-5", "Collision and drift", "Tools with another's name, and tools that change, are found.", {
      events: ["call", "tool-blocked"],
      tests: ["tools-pinned"],
    }),
    control("NSA-6", "Audit to a SIEM", "Each call is recorded in detail, and a SIEM is told.", {
      events: ["call", "outcome", "digests"],
      tests: ["tampered-log", "outlet"],
    }),
    control("NSA-7", "Search for servers", "The network is searched for MCP servers.", {
      events: ["call"],
      tests: ["inventory"],
    }),
    control("NSA-8", "Validation, rates, rules", "Content is checked, rates are bounded, rules decide.", {
      events: ["call", "limited"],
      tests: ["malformed-json", "deep-json", "long-request", "tool-without-rule"],
      against: ["observing"],
    }),
    control(
      "NSA-9",
      "Injection and pivots",
      "Injected instructions, and tools led on to others, are found.",
      {
        events: ["risk", "answer-found"],
      },
    ),
  ],
} as const satisfies Framework;
