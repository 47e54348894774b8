/** `latticegate playbooks waiting | approve | deny` */
import { decideProposal, listProposals, type ShownProposal } from "../app/respond/proposal-operations.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { proposalAnswer } from "../app/respond/response-answers.ts";
import { decidesByToken, deciding, reasonOf, whoDecides } from "./approvals.ts";
import type { Command, CommandCall } from "./command.ts";
import { ask, inPath, roomOptions } from "./room.ts";
import { jsonText, shown } from "./tools-text.ts";

export const playbooksWaiting = {
  options: {
    ...roomOptions,
    all: { type: "boolean", help: "What is over too, of the last 30 days." },
  },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const all = call.flag("all");
    const proposals = await ask<readonly ShownProposal[]>(call, {
      asked: (room) => room.list("/proposals", proposalAnswer, { all: String(all) }),
      here: ({ state }) => listProposals({ state, clock: systemClock }, { all }),
    });
    if (call.flag("json")) call.out(jsonText(proposals));
    else if (proposals.length === 0) call.out("nothing waits");
    else for (const line of proposals.flatMap(linesOf)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const playbooksApprove = {
  options: { ...deciding, because: { ...deciding.because, help: "Why; it goes on record." } },
  run: (call) => decide(call, "approve"),
} as const satisfies Command;

export const playbooksDeny = {
  options: { ...deciding, because: { ...deciding.because, help: "Why; it goes on record." } },
  run: (call) => decide(call, "deny"),
} as const satisfies Command;

async function decide(call: CommandCall, what: "approve" | "deny"): Promise<number> {
  const [id, ...more] = call.positionals;
  if (id === undefined || more.length > 0)
    throw new Refusal("bad_config", 'Name one proposal; "latticegate playbooks waiting" has them.');
  const why = reasonOf(call);
  const proposal = await ask<ShownProposal>(call, {
    asked: (room) => room.post(`/proposals/${inPath(id)}/${what}`, why, proposalAnswer),
    here: (config) => {
      const by = whoDecides(call, config);
      return decideProposal({ state: config.state, clock: systemClock }, id, { by, what, ...why });
    },
    prefersFiles: decidesByToken(call),
  });
  if (call.flag("json")) call.out(jsonText(proposal));
  else call.out(standing(proposal));
  return 0;
}

function standing({ id, state, have, need, actions }: ShownProposal): string {
  if (state === "approved") return `${id} approved and done: ${actions.join(", then ")}`;
  return state === "waiting" ? `${id} has ${have} of ${need} approvals` : `${id} ${state}`;
}

function linesOf(proposal: ShownProposal): readonly string[] {
  const { id, playbook, scope, because, state, actions, have, need, expires, votes, from } = proposal;
  const about = Object.entries(scope).map(
    ([name, value]: readonly [string, string]) => `${name} ${shown(value)}`,
  );
  return [
    `${id}  ${state}, ${have} of ${need} approvals, until ${expires}`,
    `  ${actions.join(", then ")}: ${about.join(", ")}`,
    `  ${playbook}: ${shown(because)}`,
    ...(from === undefined ? [] : [`  may decide: ${from.join(", ")}`]),
    ...votes.map(
      ({ by, what, reason }) => `  ${by}: ${what}${reason === undefined ? "" : `, ${shown(reason)}`}`,
    ),
  ];
}
