/** What people do about what playbooks propose: commands and the API, whether the gateway runs or not. */
import { existsSync } from "node:fs";

import type { Approver } from "../../host/store/approval-rows.ts";
import {
  isWaiting,
  openProposals,
  type Proposal,
  type ProposalStore,
} from "../../host/store/state-proposals.ts";
import { openResponses, type ResponseEvent } from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { matcher } from "../../policy/patterns.ts";
import { isRestriction } from "../../respond/actions.ts";
import type { Stage } from "../../respond/restriction.ts";
import { statePaths } from "../state-folder.ts";
import { enact, tellMoment } from "./changes.ts";
import { askForFreshKeys } from "./response-desk.ts";

/** Whose proposals. */
export interface ProposalPlace {
  /** The gateway's state folder. */
  readonly state: string;
  readonly clock: Clock;
}

/** A proposal as people see it. */
export interface ShownProposal extends Pick<
  Proposal,
  "id" | "playbook" | "scope" | "because" | "cause" | "from" | "votes"
> {
  readonly state: Proposal["state"] | "expired";
  /** In order, what it would be. */
  readonly actions: readonly string[];
  readonly have: number;
  readonly need: number;
  readonly asked: string;
  readonly expires: string;
}

export interface ProposalVerdict {
  readonly by: Approver;
  readonly what: "approve" | "deny";
  readonly reason?: string;
}

/** Newest first; those that wait alone unless `all`. */
export function listProposals(
  place: ProposalPlace,
  { all }: { readonly all: boolean },
): readonly ShownProposal[] {
  if (!existsSync(statePaths(place.state).database)) return [];
  const nowUnixMs = place.clock.nowUnixMs();
  const proposals = withProposals(place, (store) => store.list());
  return proposals
    .filter((each) => all || isWaiting(each, nowUnixMs))
    .map((each) => shownOf(each, nowUnixMs));
}

/**
 * One approver's decision; with the last approval that is needed, it is done.
 * @returns the proposal as it stands now
 * @throws Refusal `bad_state` if there is nothing to decide, `denied` if that one may not
 */
export function decideProposal(place: ProposalPlace, id: string, verdict: ProposalVerdict): ShownProposal {
  if (!existsSync(statePaths(place.state).database)) throw unknown(id);
  const nowUnixMs = place.clock.nowUnixMs();
  return withProposals(place, (store) => {
    let before: Proposal | undefined;
    const decided = store.change(id, (proposal) => withVote((before = proposal), verdict, nowUnixMs));
    if (decided === undefined) throw unknown(id);
    try {
      carryOut(place, decided, { ...verdict, nowUnixMs });
    } catch (error) {
      // What can't be done isn't approved either: it waits on.
      store.change(id, (proposal) => before ?? proposal);
      throw error;
    }
    if (decided.isUndone === true) store.change(id, asDone);
    return shownOf(decided, nowUnixMs);
  });
}

/**
 * Does what was approved and, by a crash in between, not done; its times are those of the approval. What was done already
 * is the same afterwards.
 * @returns of each its id, and why it still isn't done where that is so
 */
export function finishApproved(
  place: ProposalPlace,
): readonly { readonly id: string; readonly why?: string }[] {
  return withProposals(place, (store) =>
    store
      .list()
      .filter(({ isUndone }) => isUndone === true)
      .map((proposal) => {
        const { id, votes } = proposal;
        const last = votes.findLast(({ what }) => what === "approve");
        if (last === undefined) return { id, why: "nobody approved it" };
        const { by: name, login, atUnixMs: nowUnixMs } = last;
        try {
          carryOut(place, proposal, { by: { name, login, also: [] }, what: "approve", nowUnixMs });
          store.change(id, asDone);
          return { id };
        } catch (error) {
          return { id, why: error instanceof Error ? error.message : "unknown" };
        }
      }),
  );
}

function asDone(proposal: Proposal): Proposal {
  const { isUndone: _, ...done } = proposal;
  return done;
}

/** What the log is to have of a proposal. */
export function proposalEvent(
  event: ResponseEvent["event"],
  { id, scope, stages, because, cause, playbook, expiresUnixMs, approvers }: Proposal,
  nowUnixMs: number,
  more: Readonly<Record<string, string>> = {},
): ResponseEvent {
  const { caller, user, session, server, tool } = scope;
  const [first, next] = stages;
  return {
    event,
    atUnixMs: nowUnixMs,
    ...(caller !== undefined && { principal: caller }),
    ...(server !== undefined && tool !== undefined && { tool: `${server}/${tool}` }),
    facts: {
      proposal: id,
      ...(first && { action: first.action }),
      ...(next && { next: next.action }),
      ...(caller !== undefined && { caller }),
      ...(user !== undefined && { user }),
      ...(session !== undefined && { session }),
      ...(server !== undefined && { server }),
      because,
      by: `playbook:${playbook}`,
      cause,
      expires: new Date(expiresUnixMs).toISOString(),
      need: String(approvers),
      ...more,
    },
  };
}

function withVote(proposal: Proposal, { by, what, reason }: ProposalVerdict, nowUnixMs: number): Proposal {
  const { id, votes, approvers, from, scope } = proposal;
  if (!isWaiting(proposal, nowUnixMs))
    throw new Refusal("bad_state", `Proposal ${id} is ${shownOf(proposal, nowUnixMs).state}.`);
  const names = [by.name, ...by.also];
  if ([scope.caller, scope.user].some((each) => each !== undefined && names.includes(each)))
    throw new Refusal("denied", `Proposal ${id} is about ${by.name}; somebody else has to decide.`);
  if (from !== undefined && !names.some(matcher(from)))
    throw new Refusal("denied", `${by.name} may not decide proposal ${id}; ${from.join(", ")} may.`);
  if (votes.some((vote) => vote.by === by.name))
    throw new Refusal("bad_state", `${by.name} has decided about proposal ${id} already.`);
  const vote = {
    by: by.name,
    login: by.login,
    what,
    atUnixMs: nowUnixMs,
    ...(reason !== undefined && { reason }),
  };
  const all = [...votes, vote];
  if (what === "deny") return { ...proposal, votes: all, state: "denied" };
  const isEnough = all.filter((each) => each.what === "approve").length >= approvers;
  return {
    ...proposal,
    votes: all,
    ...(isEnough ? { state: "approved", isUndone: true } : { state: "waiting" }),
  };
}

/** Puts the decision on record, and does what is approved. @throws what keeps it from being done */
function carryOut(
  { state }: ProposalPlace,
  proposal: Proposal,
  { by, what, reason, nowUnixMs }: ProposalVerdict & { readonly nowUnixMs: number },
): void {
  const { database } = statePaths(state);
  const store = openResponses(database);
  try {
    const have = proposal.votes.filter((vote) => vote.what === "approve").length;
    const said = {
      decided_by: by.name,
      login: by.login,
      have: String(have),
      ...(reason !== undefined && { reason }),
    };
    const event = what === "approve" ? "response.approve" : "response.deny";
    const onRecord = (): void => store.tell(proposalEvent(event, proposal, nowUnixMs, said));
    if (proposal.state !== "approved") return onRecord();
    const { scope, because, cause, playbook, stages } = proposal;
    const asked = { scope, because, cause, by: `playbook:${playbook}` };
    const [first] = stages;
    if (first === undefined) return;
    if (isRestriction(first.action)) {
      enact(store, { ...asked, stages: stagesFrom(stages, nowUnixMs) }, nowUnixMs);
      return onRecord();
    }
    if (first.action === "rotate_keys") askForFreshKeys(database, nowUnixMs);
    tellMoment(store, { ...asked, action: first.action }, nowUnixMs);
    onRecord();
  } finally {
    store.close();
  }
}

/** Each begins where the one before ends. */
export function stagesFrom(stages: Proposal["stages"], nowUnixMs: number): readonly Stage[] {
  let untilUnixMs = nowUnixMs;
  return stages.flatMap(({ action: kind, forMs, limit }) => {
    untilUnixMs += forMs;
    return isRestriction(kind) ? [{ kind, untilUnixMs, ...(limit && { limit }) }] : [];
  });
}

function shownOf(proposal: Proposal, nowUnixMs: number): ShownProposal {
  const { id, playbook, scope, because, cause, from, votes, state, stages, approvers } = proposal;
  const isOver = state === "waiting" && !isWaiting(proposal, nowUnixMs);
  return {
    id,
    playbook,
    scope,
    because,
    cause,
    ...(from && { from }),
    votes,
    state: isOver ? "expired" : state,
    actions: stages.map(({ action, forMs }) =>
      isRestriction(action) ? `${action} for ${forMs / 1000} s` : action,
    ),
    have: votes.filter(({ what }) => what === "approve").length,
    need: approvers,
    asked: new Date(proposal.askedUnixMs).toISOString(),
    expires: new Date(proposal.expiresUnixMs).toISOString(),
  };
}

function unknown(id: string): Refusal {
  return new Refusal("bad_state", `There is no proposal "${id}"; "latticegate playbooks waiting" has them.`);
}

function withProposals<T>({ state }: ProposalPlace, work: (store: ProposalStore) => T): T {
  const store = openProposals(statePaths(state).database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}
