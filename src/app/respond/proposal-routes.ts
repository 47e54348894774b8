/** What playbooks propose, in the control API: the same as the commands, for operators and for people who approve. */
import { z } from "zod";

import type { Login } from "../../control/login.ts";
import { page, pageOf, pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import { matcher } from "../../policy/patterns.ts";
import { approverOfLogin, knownApprover, type People, seesAll } from "../approvals/approvers.ts";
import {
  decideProposal,
  listProposals,
  type ProposalPlace,
  type ShownProposal,
} from "./proposal-operations.ts";
import { proposalAnswer } from "./response-answers.ts";

const params = z.object({ id: z.string().regex(/^[0-9a-f]{16}$/, "expected a proposal's id") });
const decision = z.strictObject({ reason: z.string().trim().min(1).max(500).exactOptional() });
const tag = "approvals";

export function proposalRoutes({
  people,
  ...place
}: ProposalPlace & { readonly people: People }): readonly Route[] {
  const mayRead = ({ from }: ShownProposal, login: Login): boolean => {
    if (seesAll(login) || from === undefined) return true;
    const approver = knownApprover(login, people);
    return approver !== undefined && [approver.name, ...approver.also].some(matcher(from));
  };
  const decide = (what: "approve" | "deny"): Route =>
    route({
      method: "POST",
      path: `/proposals/{id}/${what}`,
      summary:
        what === "approve" ? "Lets a playbook do what it proposes." : "Denies what a playbook proposes.",
      tag,
      role: "approver",
      params,
      body: decision,
      answer: proposalAnswer,
      touches: "approvals",
      handle: ({ params: { id }, body, login }) =>
        decideProposal(place, id, { by: approverOfLogin(login, people), what, ...body }),
    });
  return [
    route({
      method: "GET",
      path: "/proposals",
      summary: "What playbooks propose, newest first; with `all`, what was decided, too.",
      tag,
      role: ["viewer", "approver"],
      query: z.object({ ...pageQuery, all: z.stringbool().default(false) }),
      answer: pageOf(proposalAnswer),
      handle: ({ query, login }) =>
        page(
          listProposals(place, query).filter((each) => mayRead(each, login)),
          query,
          ({ id }) => id,
        ),
    }),
    decide("approve"),
    decide("deny"),
  ];
}
