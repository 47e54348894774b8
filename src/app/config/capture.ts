/** `capture` in the config: whether the arguments of calls are kept, sealed, for a while. */
import { z } from "zod";

import { durationMs, sizeBytes } from "./values.ts";

const hourMs = 3_600_000;
const longestMs = 90 * 24 * hourMs;
const leastBytes = 1024 ** 2;

export const captureSchema = z
  .strictObject({
    keep: durationMs
      .refine((ms) => ms >= hourMs && ms <= longestMs, 'expected an hour ("1h") to 90 days ("90d")')
      .prefault("7d")
      .describe("How long; after it they are deleted."),
    most: sizeBytes
      .refine((bytes) => bytes >= leastBytes, 'expected "1MiB" or more')
      .prefault("1GiB")
      .describe("How much of the disk they may take; the oldest make way."),
    servers: z
      .array(z.string().min(1).max(256))
      .min(1)
      .max(1000)
      .optional()
      .describe("Names of the servers whose calls are kept; those of all by default."),
  })
  .optional()
  .describe(
    "Keeps what calls asked: who, what for, and the arguments (no answers), sealed under each caller's key in the state folder, for `policy suggest` and `policy report`. By default nothing is kept, but with `up --observe`.",
  );

export type CaptureSettings = NonNullable<z.output<typeof captureSchema>>;

/** What counts: as the config says; with `up --observe` as it would say without saying more. */
export function captureSettings(config: {
  readonly capture?: CaptureSettings | undefined;
  readonly observes?: true;
}): CaptureSettings | undefined {
  return config.capture ?? (config.observes === true ? captureSchema.parse({}) : undefined);
}
