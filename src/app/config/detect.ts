/** `detect` in the config: what is watched for on live links and calls. */
import { z } from "zod";

import { fingerprint } from "./tools.ts";
import { durationMs, sizeBytes } from "./values.ts";

const leastWindowMs = 1000;
const longestWindowMs = 86_400_000;
const leastBurst = 1024;

const flowsSchema = z
  .strictObject({
    window: durationMs
      .refine(
        (ms) => ms >= leastWindowMs && ms <= longestWindowMs,
        'expected a second ("1s") to a day ("24h")',
      )
      .prefault("10m")
      .describe("After so long a flow is judged, and a new one begins."),
    exchanges: z
      .int()
      .min(8)
      .max(120)
      .default(64)
      .describe("After so many calls it is judged, if that is sooner."),
    burst: sizeBytes
      .refine((bytes) => bytes >= leastBurst, 'expected "1KiB" or more')
      .prefault("1MiB")
      .describe("What has to go out at once, beyond what comes back, to be looked at as a burst."),
    alert_on_latency_spike: z
      .union([z.boolean(), z.array(z.string().min(1).max(64)).max(1000)])
      .default(false)
      .describe("Tell when a server's answers take longer than they did: of all servers, or of those named."),
  })
  .prefault({});

export const detectSchema = z
  .strictObject({
    calls: z
      .boolean()
      .default(false)
      .describe(
        "Each call is shown to the models, and its decision in the log says what they made of it; without it, calls are as soon as a rule asks for `risk` or `findings`.",
      ),
    model: z
      .strictObject({
        file: z.string().min(1).describe("Relative to the config file."),
        publishers: z
          .array(fingerprint)
          .min(1)
          .max(16)
          .describe("Fingerprints of the keys whose models count, as `latticegate detect sign` prints them."),
      })
      .optional()
      .describe(
        "A call model that was calibrated with sessions of your own (`latticegate detect calibrate`) and signed (`detect sign`). By the one that comes with the program no call has a risk above 0.7.",
      ),
    flows: z
      .union([z.literal("off"), flowsSchema])
      .prefault({})
      .describe(
        "Sizes, directions and times of what passes on each link, compared with what the same peer did before; what is unlike it is logged and recorded, and stops nothing. `off` for none.",
      ),
    handshakes: z
      .boolean()
      .default(true)
      .describe(
        "What the handshakes of each sidecar are like, compared with those before: TLS clients that take turns, round trips more, failures, and where latency is asked for of all servers, how long they take. What is unlike it is logged and recorded.",
      ),
  })
  .prefault({})
  .describe("What is watched for in calls, and on links that are in use.");

export type FlowSettings = Exclude<z.output<typeof detectSchema>["flows"], "off">;
