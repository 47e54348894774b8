/** What several parts of the config are made of: times, sizes, addresses, and where secrets stand. */
import { z } from "zod";

import { isSecureUrl } from "../../host/oauth/bounded-fetch.ts";
import { isAddress } from "../../kernel/address.ts";
import { parseDurationMs, parseSizeBytes } from "../../kernel/units.ts";

export const durationMs = z.string().transform((text, context) => {
  const value = parseDurationMs(text);
  if (value !== undefined) return value;
  context.addIssue({
    code: "custom",
    message: `expected a duration such as "90s", "5m" or "1h", found "${text}"`,
  });
  return z.NEVER;
});

export const sizeBytes = z.string().transform((text, context) => {
  const value = parseSizeBytes(text);
  if (value !== undefined) return value;
  context.addIssue({ code: "custom", message: `expected a size such as "64KiB" or "8MiB", found "${text}"` });
  return z.NEVER;
});

export const address = z
  .string()
  .refine(isAddress, 'expected "host:port" with a port up to 65535, e.g. "127.0.0.1:8443"');

export const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected the name of an environment variable");

/** Where a secret stands; never the secret itself. */
export const secretSource = z.union([
  z.strictObject({ file: z.string().min(1).describe("File that holds the secret.") }),
  z.strictObject({ env: environmentName.describe("Environment variable that holds the secret.") }),
]);

export const secureUrl = z
  .string()
  .max(2048)
  .refine(isSecureUrl, "expected an https URL without a user name; http on localhost only");
