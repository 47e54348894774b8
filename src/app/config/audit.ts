/** `audit` in the config: what its entries survive, and how long they are kept. */
import { z } from "zod";

import { durationMs } from "./values.ts";

const dayMs = 24 * 3_600_000;

export const auditSchema = z
  .strictObject({
    durability: z
      .enum(["process", "power"])
      .default("process")
      .describe(
        "What an entry survives before its call goes on: `process`, the death of the gateway (a loss of power may cost the last second); `power`, a loss of power as well, for one wait for the disk per call.",
      ),
    retention: durationMs
      .refine((ms) => ms >= dayMs, 'expected a day ("1d") or more')
      .optional()
      .describe(
        'How long entries are kept, e.g. "400d"; by default for ever. Older ones are removed once a day by whole bundles of 256, after an entry that says so; their hashes stay.',
      ),
  })
  .prefault({})
  .describe("The audit log's files.");
