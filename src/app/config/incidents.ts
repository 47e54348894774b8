/** `response.incidents` in the config: how much of what is found people are told. */
import { z } from "zod";

import { durationMs } from "./values.ts";

export const incidentsSchema = z
  .strictObject({
    per_day: z
      .int()
      .min(1)
      .max(10_000)
      .default(20)
      .describe(
        "How many incidents you can read in a day. What models say is told up to so many, the likeliest first; what rules see always is.",
      ),
    false_share: z
      .number()
      .min(0.01)
      .max(0.5)
      .default(0.1)
      .describe(
        "Which share of them may be false on a day on which so many sessions are odd that half of `per_day` isn't enough.",
      ),
    quiet: durationMs
      .refine((ms) => ms >= 60_000 && ms <= 7 * 86_400_000, "expected one minute to seven days")
      .prefault("1h")
      .describe("An incident that nothing was added to for so long closes by itself."),
  })
  .prefault({})
  .describe("Findings are grouped into incidents, and as many are told as people can read.");

export type IncidentSettings = z.output<typeof incidentsSchema>;
