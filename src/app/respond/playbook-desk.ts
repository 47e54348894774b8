/**
 * Where playbooks act: on what is seen of a call before it is decided, which may keep that very call away, and on entries
 * of the audit log once they are written.
 */
import { facing } from "../../gate/facts.ts";
import type { Observed } from "../../gate/call.ts";
import type { Responses } from "../../gate/ports.ts";
import { signalsOfCall } from "../../gate/signals-of-call.ts";
import { targetOf } from "../../gate/target.ts";
import type { World } from "../../gate/world.ts";
import type { FactValues } from "../../expr/condition.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { plan, planMemory } from "../../respond/plan.ts";
import type { Playbook } from "../../respond/playbook.ts";
import type { Signal } from "../../respond/signal.ts";
import { verdictSignals } from "../../respond/verdict-signals.ts";
import { signalsOf } from "../../respond/signals-of-entry.ts";
import { openProposals } from "../../host/store/state-proposals.ts";
import { runPlaybook } from "./playbook-runs.ts";
import type { ResponseDesk } from "./response-desk.ts";

export interface PlaybookDesk extends Responses {
  /** An entry that is in the log. Returns at once; what it sets off is done before the next call is read. */
  readonly written: (entry: EntryDraft) => void;
  readonly stop: () => void;
}

interface Options {
  /** The state database. */
  readonly database: string;
  readonly playbooks: () => readonly Playbook[];
  readonly responses: ResponseDesk;
  readonly world: () => World;
  /** Nothing is done, only recorded. */
  readonly observes: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Entries that wait: more than that in one turn of the loop is a flood, of which the first are enough. */
const maxWaiting = 10_000;

export function openPlaybookDesk({
  database,
  playbooks,
  responses,
  world,
  observes,
  clock,
  log,
}: Options): PlaybookDesk {
  const memory = planMemory();
  const proposals = openProposals(database);
  /** @returns whether anything was done */
  const act = (signals: readonly Signal[], facts?: FactValues): boolean => {
    if (signals.length === 0) return false;
    const planned = plan(signals, {
      playbooks: playbooks(),
      memory,
      nowUnixMs: clock.nowUnixMs(),
      ...(facts && { facts }),
    });
    for (const each of planned) runPlaybook(each, { proposals, responses, observes, clock, log });
    return planned.length > 0;
  };
  let waiting: EntryDraft[] = [];
  const lookAt = (): void => {
    const entries = waiting;
    waiting = [];
    for (const entry of entries) {
      try {
        act([...signalsOf(entry).filter(isOfEntry), ...verdictSignals(entry)]);
      } catch (error) {
        log.error("response.fault", { event: entry.event, stack: stackOf(error) });
      }
    }
  };
  return {
    seen: (call, before) => {
      const signals = playbooks().length === 0 ? [] : signalsOfCall(call, before);
      return act(signals, factsOf(call, before)) ? world() : before;
    },
    written: (entry) => {
      if (waiting.length >= maxWaiting) return;
      waiting.push(entry);
      if (waiting.length === 1) setImmediate(lookAt);
    },
    stop: () => {
      waiting = [];
      proposals.close();
    },
  };
}

/** What was seen of a call before it was decided has been acted on then. */
function isOfEntry({ kind }: Signal): boolean {
  return !kind.startsWith("risk.") && !kind.startsWith("finding ");
}

function factsOf(call: Observed, world: World): FactValues {
  return facing(call, targetOf(call.frame), world).of(call.caller.id);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : "not an error";
}
