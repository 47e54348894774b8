/** Restrictions in the API on loopback: the same as the commands, in JSON. */
import { z } from "zod";

import type { DashboardOptions } from "../../control/dashboard.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { parseDurationMs } from "../../kernel/units.ts";
import { actionNames } from "../../respond/actions.ts";
import { restrictionKinds } from "../../respond/restriction.ts";
import {
  actByHand,
  liftByHand,
  listResponses,
  maxBecauseChars,
  renewByHand,
  type ResponsePlace,
} from "./response-operations.ts";

/** How the log names who did it by the API: its token says no more. */
const by = "operator:api";

const because = z.string().trim().min(1).max(maxBecauseChars);
const id = z.string().min(1).max(64);
const name = z.string().min(1).max(2048).exactOptional();
const duration = z
  .string()
  .max(20)
  .transform((text, context) => {
    const ms = parseDurationMs(text);
    if (ms !== undefined) return ms;
    context.addIssue({ code: "custom", message: 'expected a time such as "1h"' });
    return z.NEVER;
  });

const order = z.strictObject({
  action: z.enum(actionNames),
  caller: name,
  session: name,
  server: name,
  tool: name,
  for: duration.default(3_600_000),
  next: z
    .array(z.strictObject({ action: z.enum(restrictionKinds), for: duration }))
    .max(5)
    .default([]),
  limit: z.strictObject({ calls: z.int().min(0).max(1_000_000), per: duration }).exactOptional(),
  because,
});
const lifting = z.strictObject({ id, because });
const renewing = z.strictObject({ id, for: duration, because: because.default("It is still needed.") });

export function responseRoutes(place: ResponsePlace): Pick<DashboardOptions, "routes" | "changes"> {
  return {
    routes: { responses: () => ({ responses: listResponses(place) }) },
    changes: {
      "responses/act": (body) => {
        const { action, for: forMs, next, limit, because: why, ...scope } = read(order, body);
        const made = actByHand(place, {
          action,
          scope,
          forMs,
          next: next.map((each) => ({ action: each.action, forMs: each.for })),
          ...(limit && { limit: { calls: limit.calls, perMs: limit.per } }),
          because: why,
          by,
        });
        return { response: made ?? null };
      },
      "responses/lift": (body) => {
        const { id: which, because: why } = read(lifting, body);
        return { lifted: liftByHand(place, which, { by, because: why }) };
      },
      "responses/renew": (body) => {
        const { id: which, for: forMs, because: why } = read(renewing, body);
        return { response: renewByHand(place, which, { by, because: why, forMs }) };
      },
    },
  };
}

/** @throws Refusal `bad_message` that names the first wrong place */
export function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue?.path.join(".") ?? "";
  throw new Refusal("bad_message", `${at === "" ? "The body" : at}: ${issue?.message ?? "isn't right"}.`);
}
