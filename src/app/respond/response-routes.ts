/** Restrictions in the control API: the same as the commands. */
import { z } from "zod";

import { page, pageOf, pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import { parseDurationMs } from "../../kernel/units.ts";
import { actionNames } from "../../respond/actions.ts";
import { restrictionKinds } from "../../respond/restriction.ts";
import { responseAnswer } from "./response-answers.ts";
import {
  actByHand,
  liftByHand,
  listResponses,
  maxBecauseChars,
  type Order,
  renewByHand,
  type ResponsePlace,
} from "./response-operations.ts";

const because = z.string().trim().min(1).max(maxBecauseChars);
const params = z.object({ id: z.string().min(1).max(64) });
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
type Ordered = z.output<typeof order>;

const tag = "responses";

export function responseRoutes(place: ResponsePlace): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/responses",
      summary: "Restrictions in force.",
      tag,
      role: "viewer",
      query: z.object(pageQuery),
      answer: pageOf(responseAnswer),
      handle: ({ query }) => page(listResponses(place), query, ({ id }) => id),
    }),
    route({
      method: "POST",
      path: "/responses",
      summary: "Restricts a caller, session, server or tool for a while, or does what is done at once.",
      tag,
      role: "operator",
      body: order,
      /** Null: it was of a moment, and is done. */
      answer: z.object({ response: responseAnswer.nullable() }),
      touches: "responses",
      handle: ({ body, login }) => ({ response: actByHand(place, orderOf(body, login.name)) ?? null }),
    }),
    route({
      method: "POST",
      path: "/responses/{id}/lift",
      summary: "Ends a restriction.",
      tag,
      role: "operator",
      params,
      body: z.strictObject({ because }),
      answer: responseAnswer,
      touches: "responses",
      handle: ({ params: { id }, body, login }) => liftByHand(place, id, { by: login.name, ...body }),
    }),
    route({
      method: "POST",
      path: "/responses/{id}/renew",
      summary: "Lets a restriction last longer.",
      tag,
      role: "operator",
      params,
      body: z.strictObject({ for: duration, because: because.default("It is still needed.") }),
      answer: responseAnswer,
      touches: "responses",
      handle: ({ params: { id }, body, login }) =>
        renewByHand(place, id, { by: login.name, because: body.because, forMs: body.for }),
    }),
  ];
}

function orderOf({ action, for: forMs, next, limit, because: why, ...scope }: Ordered, by: string): Order {
  return {
    action,
    scope,
    forMs,
    next: next.map((each) => ({ action: each.action, forMs: each.for })),
    ...(limit && { limit: { calls: limit.calls, perMs: limit.per } }),
    because: why,
    by,
  };
}
