/** Carries out what was planned: step after step; what fails is told, and the step says what becomes of the others. */
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Plan, PlannedStep } from "../../respond/plan.ts";
import { isLasting } from "../../respond/playbook-actions.ts";
import type { StepDocument } from "../../respond/playbook-schema.ts";
import type { Stage } from "../../respond/restriction.ts";
import type { ResponseDesk } from "./response-desk.ts";

export interface PlaybookRuns {
  /** What lasts is in force when it returns, up to the first step that waits for something. Never throws. */
  readonly run: (planned: Plan) => void;
  /** Resolves when nothing is under way. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly responses: ResponseDesk;
  readonly observes: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export function playbookRuns(options: Options): PlaybookRuns {
  const underWay = new Set<Promise<void>>();
  return {
    run: (planned) => {
      const running = carriedOut(planned, options)
        .catch((error: unknown) => {
          const reason = error instanceof Error ? error.message : "unknown";
          options.log.error("response.fault", { playbook: planned.playbook.name, reason });
        })
        .finally(() => underWay.delete(running));
      underWay.add(running);
    },
    stop: async () => void (await Promise.allSettled(underWay)),
  };
}

/** INVARIANT: it runs without a pause up to the first step that waits: a call that shows an attack is judged after it. */
async function carriedOut(planned: Plan, options: Options): Promise<void> {
  const { playbook, steps } = planned;
  const done: string[] = [];
  for (const each of steps) {
    if (options.observes || playbook.mode === "dry_run") {
      tell("response.dry_run", each, { planned, ...options });
      continue;
    }
    try {
      const made = enacted(each, { planned, ...options });
      if (made !== undefined) done.push(made);
    } catch (error) {
      failed(each, error, { planned, ...options });
      if (each.step.on_failure === "roll_back") rollBack(done, planned, options);
      if (each.step.on_failure !== "continue") return;
    }
  }
}

interface Running extends Options {
  readonly planned: Plan;
}

/** @returns the id of what is new; undefined of what was only renewed */
function enacted(
  { step, scope, because }: PlannedStep,
  { planned, responses, clock }: Running,
): string | undefined {
  const known = new Set(responses.restrictions().map(({ id }) => id));
  const { id } = responses.enact({
    scope,
    stages: stagesOf(step, clock.nowUnixMs()),
    because,
    by: byOf(planned),
    cause: planned.signal.callId,
  });
  return known.has(id) ? undefined : id;
}

function byOf({ playbook: { name } }: Plan): string {
  return `playbook:${name}`;
}

/** Each begins where the one before ends. */
function stagesOf(step: StepDocument, nowUnixMs: number): readonly Stage[] {
  let untilUnixMs = nowUnixMs;
  return [step, ...step.then].flatMap((each) => {
    untilUnixMs += each.for;
    return isLasting(each.do) ? [{ kind: each.do, untilUnixMs }] : [];
  });
}

function failed(each: PlannedStep, error: unknown, running: Running): void {
  const why = error instanceof Error ? error.message : "unknown";
  running.log.error("response.fail", { by: byOf(running.planned), action: each.step.do, reason: why });
  tell("response.fail", each, running, { why: why.slice(0, 500) });
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
  const { caller, session, server, tool } = scope;
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
      ...(isLasting(step.do) && { until: new Date(nowUnixMs + step.for).toISOString() }),
      ...(next && { next: next.do }),
      ...(caller !== undefined && { caller }),
      ...(session !== undefined && { session }),
      ...(server !== undefined && { server }),
      because,
      by: byOf(planned),
      cause: planned.signal.callId,
      ...more,
    },
  });
}
