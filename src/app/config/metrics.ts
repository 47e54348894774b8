/** `metrics` in the config: where Prometheus fetches what the gateway counts. */
import { z } from "zod";

import { isLoopbackHost } from "../../host/net/loopback.ts";
import { address, secretSource } from "./values.ts";

const mostSeries = 100_000;

export const metricsSchema = z
  .strictObject({
    listen: address
      .default("127.0.0.1:9464")
      .describe("Where `/metrics` is served; on other addresses than this machine's own only with a token."),
    token: secretSource
      .optional()
      .describe("Bearer token that whoever fetches the metrics has to show; in a file or the environment."),
    callers: z
      .boolean()
      .default(false)
      .describe("Count calls by caller too, by name: who may read the metrics learns who calls."),
    series: z
      .number()
      .int()
      .min(100)
      .max(mostSeries)
      .default(2000)
      .describe("Most series of one metric; what would be one more counts under `other`."),
  })
  .refine(({ listen, token }) => token !== undefined || isOwn(listen), {
    path: ["token"],
    message: "expected a token: who reaches this address could read the metrics",
  })
  .optional()
  .describe("Metrics for Prometheus. None by default; `{}` serves them on loopback.");

export type MetricsSettings = NonNullable<z.output<typeof metricsSchema>>;

function isOwn(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(":"));
  return isLoopbackHost(host) || /^127\.\d+\.\d+\.\d+$/.test(host);
}
