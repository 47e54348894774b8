/** OWASP Top 10 for Agentic Applications, 2026. */
import { control, type Framework } from "../control.ts";

export const owaspAsi = {
  name: "owasp-asi",
  title: "OWASP Top 10 for Agentic Applications",
  source: "https://genai.owasp.org/resource/owasp-top-10-for-agentic-applications-for-2026/",
  note: "What a gateway can do about each; agents and models have their own part.",
  controls: [
    control(
      "ASI01",
      "Goal hijack",
      "Instructions that come with data are found, and what follows is contained.",
      {
        events: ["risk", "answer-found", "auto-response"],
      },
    ),
    control("ASI02", "Tool misuse", "Tools are called as rules allow, by their arguments.", {
      events: ["call", "arguments", "risk"],
      tests: ["tool-without-rule"],
      against: ["observing"],
    }),
    control(
      "ASI03",
      "Identity and privilege abuse",
      "Identities are proven, short-lived, and end when revoked.",
      {
        events: ["mutual", "short-lived"],
        tests: ["no-certificate", "foreign-certificate", "revoked-identity", "tool-without-rule"],
        against: ["bearer-token", "observing"],
      },
    ),
    control("ASI04", "Supply chain", "Tools are pinned; a changed one waits for approval.", {
      events: ["manifest"],
      tests: ["tools-pinned"],
      lacks: "the packages of servers aren't checked; their tools are",
    }),
    control(
      "ASI05",
      "Unexpected code",
      "Code that arrives in arguments or answers is found, and runs confined.",
      {
        events: ["found"],
        lacks: "servers that the gateway starts run without a sandbox; those of `expose --sandbox` have one",
      },
    ),
    control("ASI06", "Poisoned memory and context", "What agents will remember is looked at on its way.", {
      events: ["answer-found", "risk"],
      lacks: "agents' memories are theirs; only what passes the gateway is seen",
    }),
    control(
      "ASI07",
      "Insecure links between agents",
      "Links are authenticated at both ends, encrypted, and messages whole.",
      {
        events: ["mutual", "hybrid", "signed"],
        tests: [
          "plain-http",
          "classical-only",
          "no-certificate",
          "foreign-certificate",
          "forged-signature",
          "replayed-call",
        ],
        against: ["classical"],
      },
    ),
    control(
      "ASI08",
      "Cascading failures",
      "What goes wrong is contained, bounded, and can be stopped as a whole.",
      {
        events: ["auto-response", "kill-drilled"],
        tests: ["long-request"],
      },
    ),
    control("ASI09", "Misplaced human trust", "People are asked with what they need to decide.", {
      events: ["held", "approved"],
      against: ["observing"],
    }),
    control("ASI10", "Rogue agents", "An agent that goes its own way is found, shut out, and stays out.", {
      events: ["risk", "incident", "auto-response"],
      tests: ["revoked-identity"],
    }),
  ],
} as const satisfies Framework;
