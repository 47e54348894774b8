/** `traces` in the config: where the spans of calls are sent (OpenTelemetry, OTLP over HTTP). */
import { z } from "zod";

import { secretSource, secureUrl } from "./values.ts";

export const tracesSchema = z
  .strictObject({
    url: secureUrl.describe(
      "Where spans are sent as OTLP/HTTP with JSON, e.g. `https://collector.test/v1/traces`; http on localhost only.",
    ),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/, "expected the name of a header"), secretSource)
      .default({})
      .describe("Headers to send with them, each with its value in a file or the environment."),
    sample: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe("Share of calls that are traced, from 0 to 1; callers can't choose which."),
    service: z
      .string()
      .regex(/^[\x20-\x7e]{1,128}$/, "expected up to 128 visible characters")
      .default("latticegate")
      .describe("`service.name` of the spans."),
    rewrite_parent: z
      .boolean()
      .default(false)
      .describe(
        "Write the gateway's span into `_meta.traceparent` of calls, so that the server's span is its child; by default messages stay as they are. Signed messages are never touched.",
      ),
  })
  .optional()
  .describe("Traces for OpenTelemetry; none by default.");

export type TracesSettings = NonNullable<z.output<typeof tracesSchema>>;
