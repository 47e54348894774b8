/** Held calls, in lines for a terminal. INVARIANT: nothing that others said moves its cursor. */
import type { ShownRequest } from "../app/approvals/approval-operations.ts";
import { shown } from "./tools-text.ts";

export function listedLines(requests: readonly ShownRequest[]): readonly string[] {
  if (requests.length === 0) return ["nothing waits for approval"];
  return requests.flatMap((request) => [
    `${request.id}  ${request.state.padEnd(8)}  ${request.have} of ${request.need}  ${what(request)}`,
    `                  by ${whose(request)}, until ${request.expires}`,
  ]);
}

export function shownLines(request: ShownRequest): readonly string[] {
  const { id, state, have, need, asked, expires, rules, votes, arguments: said } = request;
  return [
    `request    ${id}`,
    `state      ${state}, ${have} of ${need} approvals`,
    `call       ${what(request)}`,
    `caller     ${whose(request)}`,
    `asked      ${asked}`,
    `expires    ${expires}`,
    ...rules.map(({ rule, because, approvers, from }) => {
      const who = from === undefined ? "" : ` from ${from.map(shown).join(", ")}`;
      return `rule       ${rule}: ${shown(because)} (${approvers} to approve${who})`;
    }),
    ...votes.map(({ by, login, what: voted, at, reason }) => {
      const why = reason === undefined ? "" : `: ${shown(reason)}`;
      return `${voted.padEnd(9)}  ${by} (${login}) ${at}${why}`;
    }),
    // What is hidden in them is revealed already.
    ...(said ?? []).map(
      ({ name, value, isCut }) => `argument   ${name} = ${value}${isCut === true ? " [cut]" : ""}`,
    ),
    ...(said === undefined ? ["arguments  no longer kept: the request is over"] : []),
  ];
}

/** What a decision came to, in a line. */
export function standing({ id, state, have, need }: ShownRequest): string {
  if (state === "denied") return `denied: ${id}`;
  if (state === "approved") return `approved: ${id}; the call may be made once`;
  return `${state}: ${id} has ${have} of ${need} approvals`;
}

function what({ server, method, name }: ShownRequest): string {
  return `${shown(method)} ${server}/${shown(name)}`;
}

function whose({ caller, chain }: ShownRequest): string {
  return chain.length === 0 ? shown(caller) : `${shown(caller)} for ${chain.map(shown).join(", ")}`;
}
