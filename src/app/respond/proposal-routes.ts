/** What playbooks propose, in the API on loopback: the same as the commands, for the operator and for people with tokens. */
import { z } from "zod";

import type { DashboardOptions } from "../../control/dashboard.ts";
import { approverOf, operator, type People } from "../approvals/approvers.ts";
import { matcher } from "../../policy/patterns.ts";
import {
  decideProposal,
  listProposals,
  type ProposalPlace,
  type ShownProposal,
} from "./proposal-operations.ts";
import { read } from "./response-routes.ts";

/** Those that people with tokens of their own may use. */
export const proposalRouteNames: ReadonlySet<string> = new Set([
  "proposals",
  "proposals/approve",
  "proposals/deny",
]);

const decision = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/, "expected a proposal's id"),
  reason: z.string().trim().min(1).max(500).exactOptional(),
});

export function proposalRoutes({
  people,
  ...place
}: ProposalPlace & { readonly people: People }): Pick<DashboardOptions, "routes" | "changes"> {
  const decide = (what: "approve" | "deny") => (body: unknown, login: string) => {
    const { id, reason } = read(decision, body);
    const by = approverOf(login, { people, login: "page" });
    return decideProposal(place, id, { by, what, ...(reason !== undefined && { reason }) });
  };
  /** Operators have the state folder anyway. */
  const mayRead = ({ from }: ShownProposal, login: string): boolean => {
    if (login === operator) return true;
    const { name, also } = approverOf(login, { people, login: "page" });
    return from === undefined || [name, ...also].some(matcher(from));
  };
  return {
    routes: {
      proposals: (query, login) => ({
        proposals: listProposals(place, { all: query.get("all") === "true" }).filter((each) =>
          mayRead(each, login),
        ),
      }),
    },
    changes: { "proposals/approve": decide("approve"), "proposals/deny": decide("deny") },
  };
}
