/** Held calls in the control API: the same as the commands, for operators and for people who approve. */
import { z } from "zod";

import type { Login } from "../../control/login.ts";
import { page, pageOf, pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import { rulesFor } from "../../host/store/state-approvals.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { approvalAnswer } from "./approval-answers.ts";
import {
  type ApprovalPlace,
  decideRequest,
  listRequests,
  showRequest,
  type ShownRequest,
} from "./approval-operations.ts";
import { approverOfLogin, knownApprover, type People, seesAll } from "./approvers.ts";

export interface ApprovalRoutesOptions extends ApprovalPlace {
  readonly people: People;
  /** Opens what the calls say. */
  readonly key: Uint8Array;
}

const params = z.object({ id: z.string().regex(/^[0-9a-f]{16}$/, "expected a request's id") });
/** Who denies says why to the caller. */
const decision = z.strictObject({ reason: z.string().trim().min(1).max(500).exactOptional() });
const tag = "approvals";
const readers = ["viewer", "approver"] as const;

export function approvalRoutes({ people, key, ...place }: ApprovalRoutesOptions): readonly Route[] {
  const mayRead = ({ rules }: ShownRequest, login: Login): boolean => {
    if (seesAll(login)) return true;
    const approver = knownApprover(login, people);
    return approver !== undefined && rulesFor({ terms: rules }, approver).length > 0;
  };
  const decide = (what: "approve" | "deny"): Route =>
    route({
      method: "POST",
      path: `/approvals/{id}/${what}`,
      summary:
        what === "approve" ? "Approves a held call." : "Denies a held call, with a reason for the caller.",
      tag,
      role: "approver",
      params,
      body: decision,
      answer: approvalAnswer,
      touches: "approvals",
      handle: ({ params: { id }, body, login }) =>
        decideRequest(place, id, { by: approverOfLogin(login, people), what, ...body }),
    });
  return [
    route({
      method: "GET",
      path: "/approvals",
      summary: "Calls that wait for people, newest first; with `all`, those that were decided, too.",
      tag,
      role: readers,
      query: z.object({ ...pageQuery, all: z.stringbool().default(false) }),
      answer: pageOf(approvalAnswer),
      handle: ({ query, login }) =>
        page(
          listRequests(place, { all: query.all }).filter((request) => mayRead(request, login)),
          query,
          ({ id }) => id,
        ),
    }),
    route({
      method: "GET",
      path: "/approvals/{id}",
      summary: "One held call with its arguments. Looking at it decides nothing.",
      tag,
      role: readers,
      params,
      answer: approvalAnswer,
      handle: ({ params: { id }, login }) => {
        const request = showRequest(place, id, key);
        if (mayRead(request, login)) return request;
        throw new Refusal("denied", `Request ${request.id} waits for others than ${login.name}.`);
      },
    }),
    decide("approve"),
    decide("deny"),
  ];
}
