/** Calls in the control API: the last ones, one in full, and its receipt. */
import { z } from "zod";

import { pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import { callDetail, callsAnswer, receiptAnswer } from "./calls-answers.ts";
import { sinceQuery } from "./moments.ts";
import { type CallsPlace, listedCalls, toldCall, toldReceipt } from "./told-calls.ts";

const tag = "calls";
const params = z.object({ id: z.string().min(1).max(64) });
const name = z.string().min(1).max(2048).exactOptional();

export function callsRoutes(place: CallsPlace): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/calls",
      summary: "The last calls, newest first; older ones are in the audit log.",
      tag,
      role: "viewer",
      query: z.object({
        ...pageQuery,
        caller: name,
        /** `server/tool`, or `server/` for all of a server. */
        tool: name,
        verdict: z.enum(["allowed", "denied", "held", "error"]).exactOptional(),
        since: sinceQuery.exactOptional(),
      }),
      answer: callsAnswer,
      handle: ({ query: { since: sinceUnixMs, ...query } }) => listedCalls(place, { ...query, sinceUnixMs }),
    }),
    route({
      method: "GET",
      path: "/calls/{id}",
      summary: "One call: its way through the stages, why it was decided so, its entries in the log.",
      tag,
      role: "viewer",
      params,
      answer: callDetail,
      handle: ({ params: { id } }) => toldCall(place, id),
    }),
    route({
      method: "GET",
      path: "/calls/{id}/receipt",
      summary: "The receipt of a call's entry, and what verifies it.",
      tag,
      role: "viewer",
      params,
      query: z.object({
        event: z.enum(["call.decision", "call.outcome"]).default("call.outcome"),
      }),
      answer: receiptAnswer,
      handle: ({ params: { id }, query: { event } }) => toldReceipt(place, id, event),
    }),
  ];
}
