/** `delegation` in the config: how far callers may act for others. */
import { z } from "zod";

import { durationMs } from "./values.ts";

const maxLifetimeMs = 24 * 3_600_000;

export const delegationSchema = z
  .strictObject({
    max_depth: z
      .int()
      .min(0)
      .max(16)
      .default(3)
      .describe("How many delegations may follow upon each other; 0 lets nobody act for others."),
    max_lifetime: durationMs
      .refine((ms) => ms >= 1000 && ms <= maxLifetimeMs, "expected one second to one day")
      .prefault("1h")
      .describe(
        "How long a delegation may last, a day at most; it begins to count for those given out before, too.",
      ),
  })
  .prefault({})
  .describe("How far callers may delegate what they may do to others (docs/guide/delegation.md).");
