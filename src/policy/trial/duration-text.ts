/** A duration as people write it in YAML, read as milliseconds. */
import { z } from "zod";

import { parseDuration } from "../../expr/time.ts";

export const durationText = z.string().transform((text, context) => {
  const value = parseDuration(text);
  if (value !== undefined && value >= 0) return value;
  context.addIssue({
    code: "custom",
    message: `expected a duration such as "30m" or "1d12h", found "${text}"`,
  });
  return z.NEVER;
});
