/** EU AI Act, article 12, with how long its records are kept (articles 19 and 26). */
import { control, type Framework } from "../control.ts";

export const aiAct = {
  name: "ai-act",
  title: "EU AI Act, article 12",
  source: "https://eur-lex.europa.eu/eli/reg/2024/1689/oj",
  note: "For systems that the act calls high-risk. The gateway records tool calls, not what a model thinks.",
  controls: [
    control(
      "AIA-12.1",
      "Automatic records",
      "Events are recorded as they happen, for as long as the system lives.",
      {
        events: ["started", "call", "outcome"],
        tests: ["tampered-log"],
        against: ["log-incident"],
      },
    ),
    control("AIA-12.2a", "Risks can be identified", "Situations that are risky stand in the record.", {
      events: ["risk"],
    }),
    control("AIA-12.2b", "Monitoring after the market", "Records serve who watches the system later.", {
      events: ["call", "world"],
      tests: ["agentic-fields"],
    }),
    control("AIA-12.2c", "Monitoring in operation", "Who operates the system can follow it.", {
      events: ["call", "outcome"],
      tests: ["agentic-fields"],
    }),
    control(
      "AIA-19",
      "Kept for half a year",
      "Records are kept for six months at least (articles 19 and 26).",
      {
        events: ["call"],
        tests: ["retention"],
      },
    ),
  ],
} as const satisfies Framework;
