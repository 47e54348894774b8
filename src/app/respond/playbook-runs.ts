/** Carries out what was planned: step after step; what fails is told, and the step says what becomes of the others. */
import { randomBytes } from "node:crypto";

import type { Proposal, ProposalStore } from "../../host/store/state-proposals.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Plan, PlannedStep } from "../../respond/plan.ts";
import { isRestriction } from "../../respond/actions.ts";
import type { StepDocument } from "../../respond/playbook-schema.ts";
import { proposalEvent, stagesFrom } from "./proposal-operations.ts";
import type { ResponseDesk } from "./response-desk.ts";

export interface Options {
  readonly proposals: Pick<ProposalStore, "add">;
  readonly responses: ResponseDesk;
  /** Nothing is done, only recorded. */
  readonly observes: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** What it does is in force when it returns. Never throws because of what can't be done. @returns whether all was done */
export function runPlaybook(planned: Plan, options: Options): boolean {
  const { playbook, steps } = planned;
  const done: string[] = [];
  let isWhole = true;
  for (const each of steps) {
    const running = { planned, ...options };
    if (options.observes || playbook.mode === "dry_run") {
      tell("response.dry_run", each, running);
      continue;
    }
    try {
      if (each.step.approval === undefined) done.push(...carriedOut(each, running));
      else propose(each, running);
    } catch (error) {
      isWhole = false;
      failed(each, error, running);
      // That too much waits for people is no failure of what was done: callers could bring it about.
      const isAsked = each.step.approval !== undefined;
      if (each.step.on_failure === "roll_back" && !isAsked) rollBack(done, planned, options);
      if (each.step.on_failure !== "continue") return isWhole;
    }
  }
  return isWhole;
}

interface Running extends Options {
  readonly planned: Plan;
}

/** @returns the id of what is new; none of what was only renewed, of what took others' place, and of what doesn't last */
function carriedOut(
  { step, scope, because }: PlannedStep,
  { planned, responses, clock }: Running,
): readonly string[] {
  const asked = { scope, because, by: byOf(planned), cause: planned.signal.callId };
  if (!isRestriction(step.do)) {
    responses.act({ ...asked, action: step.do });
    return [];
  }
  const known = new Set(responses.restrictions().map(({ id }) => id));
  const made = responses.enact({ ...asked, stages: stagesFrom(stagesOf(step), clock.nowUnixMs()) });
  const isAsAsked = JSON.stringify(made.scope) === JSON.stringify(scope);
  return known.has(made.id) || !isAsAsked ? [] : [made.id];
}

function byOf({ playbook: { name } }: Plan): string {
  return `playbook:${name}`;
}

function stagesOf(step: StepDocument): Proposal["stages"] {
  return [step, ...step.then].map(({ do: action, for: forMs, limit }) => ({
    action,
    forMs,
    ...(limit && { limit: { calls: limit.calls, perMs: limit.per } }),
  }));
}

/** @throws Refusal `busy` if too much waits for people already */
function propose(
  { step, scope, because }: PlannedStep,
  { planned, proposals, responses, clock }: Running,
): void {
  const { approvers = 1, from, expires = 0 } = step.approval ?? {};
  const nowUnixMs = clock.nowUnixMs();
  const proposal: Proposal = {
    id: randomBytes(8).toString("hex"),
    playbook: planned.playbook.name,
    scope,
    stages: stagesOf(step),
    because,
    cause: planned.signal.callId,
    askedUnixMs: nowUnixMs,
    expiresUnixMs: nowUnixMs + expires,
    approvers,
    ...(from && { from }),
    votes: [],
    state: "waiting",
  };
  const added = proposals.add(proposal);
  if (added === "full")
    throw new Refusal("busy", "Too much waits for people already; decide it: latticegate playbooks waiting.");
  if (added === "added") responses.tell(proposalEvent("response.propose", proposal, nowUnixMs));
}

function failed(each: PlannedStep, error: unknown, running: Running): void {
  const why = error instanceof Error ? error.message : "unknown";
  running.log.error("response.fail", { by: byOf(running.planned), action: each.step.do, reason: why });
  try {
    tell("response.fail", each, running, { why: why.slice(0, 500) });
  } catch (untold) {
    // What keeps it from being done may keep it from being told, too; the log above has it.
    running.log.error("response.untold", { reason: untold instanceof Error ? untold.message : "unknown" });
  }
}

function rollBack(done: readonly string[], planned: Plan, { responses }: Options): void {
  for (const id of done.toReversed())
    responses.lift(id, { by: "rollback", because: `A later step of ${byOf(planned)} failed.` });
}

function tell(
  event: "response.dry_run" | "response.fail",
  { step, scope, because }: PlannedStep,
  { planned, responses, clock }: Running,
  more: Readonly<Record<string, string>> = {},
): void {
  const { caller, user, session, server, tool } = scope;
  const nowUnixMs = clock.nowUnixMs();
  const [next] = step.then;
  responses.tell({
    event,
    atUnixMs: nowUnixMs,
    ...(caller !== undefined && { principal: caller }),
    ...(server !== undefined && tool !== undefined && { tool: `${server}/${tool}` }),
    ...(event === "response.fail" && { outcome: "error" }),
    facts: {
      action: step.do,
      ...(isRestriction(step.do) && { until: new Date(nowUnixMs + step.for).toISOString() }),
      ...(next && { next: next.do }),
      ...(caller !== undefined && { caller }),
      ...(user !== undefined && { user }),
      ...(session !== undefined && { session }),
      ...(server !== undefined && { server }),
      because,
      by: byOf(planned),
      cause: planned.signal.callId,
      ...more,
    },
  });
}
