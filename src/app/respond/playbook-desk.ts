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
import { plan, planMemory, undone } from "../../respond/plan.ts";
import type { Signal } from "../../respond/signal.ts";
import { verdictSignals } from "../../respond/verdict-signals.ts";
import { signalsOf } from "../../respond/signals-of-entry.ts";
import { openProposals } from "../../host/store/state-proposals.ts";
import { runPlaybook } from "./playbook-runs.ts";
import type { Config } from "../config.ts";
import type { WatchedWorld } from "../watched-world.ts";
import type { FollowedPlaybooks } from "./followed-playbooks.ts";
import type { ResponseDesk } from "./response-desk.ts";

export interface PlaybookDesk extends Responses {
  /** An entry that is in the log. Returns at once; what it sets off is done before the next call is read. */
  readonly written: (entry: EntryDraft) => void;
}

interface Options {
  /** The state database. */
  readonly database: string;
  readonly books: FollowedPlaybooks;
  readonly responses: ResponseDesk;
  readonly world: Pick<WatchedWorld, "current" | "refresh">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Entries that wait: more than that in one turn of the loop is a flood, of which the first are enough. */
const maxWaiting = 10_000;

/** @throws Refusal `bad_state` if the database can't be read */
export function openPlaybookDesk(
  config: Pick<Config, "observes">,
  { database, books, responses, world, clock, log }: Options,
  opening: AsyncDisposableStack,
): PlaybookDesk {
  const observes = config.observes === true;
  const playbooks = () => books.current().inForce;
  const memory = planMemory();
  const proposals = openProposals(database);
  books.onChange(world.refresh);
  /** @returns whether anything was done */
  const act = (signals: readonly Signal[], facts?: () => FactValues): boolean => {
    if (signals.length === 0) return false;
    const planned = plan(signals, {
      playbooks: playbooks(),
      memory,
      nowUnixMs: clock.nowUnixMs(),
      ...(facts && { facts }),
    });
    for (const each of planned) {
      const isDone = runPlaybook(each, { proposals, responses, observes, clock, log });
      if (!isDone) undone(each, memory);
    }
    return planned.length > 0;
  };
  let waiting: EntryDraft[] = [];
  opening.defer(() => {
    waiting = [];
    proposals.close();
  });
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
      if (!before.watchesCalls && !books.current().countsCalls) return before;
      const signals = signalsOfCall(call, before);
      return act(signals, () => factsOf(call, before)) ? world.current() : before;
    },
    now: world.current,
    written: (entry) => {
      if (waiting.length >= maxWaiting) return;
      waiting.push(entry);
      if (waiting.length === 1) setImmediate(lookAt);
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
