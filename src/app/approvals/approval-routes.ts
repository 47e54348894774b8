/** Held calls in the API on loopback: the same as the commands, in JSON, for the operator and for people with tokens. */
import { z } from "zod";

import type { DashboardOptions } from "../../control/dashboard.ts";
import { rulesFor } from "../../host/store/state-approvals.ts";
import { Refusal } from "../../kernel/refusal.ts";
import {
  type ApprovalPlace,
  decideRequest,
  listRequests,
  showRequest,
  type ShownRequest,
} from "./approval-operations.ts";
import { approverOf, operator, type People } from "./approvers.ts";

export interface ApprovalRoutesOptions extends ApprovalPlace {
  readonly people: People;
  /** Opens what the calls say. */
  readonly key: Uint8Array;
}

/** Those that people with tokens of their own may use. */
export const approvalRouteNames: ReadonlySet<string> = new Set([
  "approvals",
  "approvals/show",
  "approvals/approve",
  "approvals/deny",
]);

const requestId = z.string().regex(/^[0-9a-f]{16}$/, "expected a request's id");
/** Who denies says why to the caller. */
const decision = z.strictObject({ id: requestId, reason: z.string().trim().min(1).max(500).exactOptional() });

export function approvalRoutes({
  people,
  key,
  ...place
}: ApprovalRoutesOptions): Pick<DashboardOptions, "routes" | "changes"> {
  const decide = (what: "approve" | "deny") => (body: unknown, login: string) => {
    const asked = decision.safeParse(body);
    if (!asked.success)
      throw new Refusal("bad_message", `Expected {"id", "reason"}: ${asked.error.issues[0]?.message ?? ""}.`);
    const { id, reason } = asked.data;
    const by = approverOf(login, { people, login: "page" });
    return decideRequest(place, id, { by, what, ...(reason !== undefined && { reason }) });
  };
  /** Operators have the state folder anyway. */
  const mayRead = ({ rules }: ShownRequest, login: string): boolean =>
    login === operator || rulesFor({ terms: rules }, approverOf(login, { people, login: "page" })).length > 0;
  return {
    routes: {
      approvals: (query, login) => {
        const requests = listRequests(place, { all: query.get("all") === "true" });
        return { requests: requests.filter((request) => mayRead(request, login)) };
      },
      "approvals/show": (query, login) => {
        const request = showRequest(place, query.get("id") ?? "", key);
        if (mayRead(request, login)) return request;
        throw new Refusal("denied", `Request ${request.id} waits for others than ${login}.`);
      },
    },
    changes: { "approvals/approve": decide("approve"), "approvals/deny": decide("deny") },
  };
}
