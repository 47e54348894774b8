/** Moments in queries: `2026-11-22T08:00:00Z`, or milliseconds since 1970. */
import { z } from "zod";

import { parseTimestamp } from "../../expr/time.ts";

export const sinceQuery = z
  .string()
  .max(40)
  .transform((text, context) => {
    const unixMs = /^\d{1,15}$/.test(text) ? Number(text) : parseTimestamp(text);
    if (unixMs !== undefined) return unixMs;
    context.addIssue({ code: "custom", message: 'expected a time such as "2026-11-22T08:00:00Z"' });
    return z.NEVER;
  });
