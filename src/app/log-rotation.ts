/** Rotations of the log's keys that a command asks for: carried out by the running gateway, or by the command itself. */
import type { LogSuites } from "../crypto/suites/signatures.ts";
import {
  openRotationRequests,
  type RotationOutcome,
  type RotationRequest,
  type RotationRequests,
} from "../host/store/state-log-rotations.ts";
import { readIfThere } from "../host/store/files.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Config } from "./config.ts";
import { mayPass, outcomeOf, quiet, watchRequests, withLogOf } from "./log-requests.ts";
import { statePaths } from "./state-folder.ts";

interface Following {
  readonly audit: Pick<AuditLog, "journal" | "rotate">;
  readonly requests: RotationRequests;
  /** What the new keys are to be of. */
  readonly suites: () => LogSuites;
  /** Who acts. */
  readonly principal: string;
  readonly log: Log;
}

/** What a person waits for a command's answer. */
const patienceMs = 30_000;

/** Carries out what commands ask for, until it is stopped; what is under way then is left to the log's end. */
export function followRotationRequests(following: Following): { readonly stop: () => Promise<void> } {
  const { requests, log } = following;
  const { stop } = watchRequests({
    version: requests.version,
    carryOut: (isOver) => carryOut(following, isOver),
    waits: (reason) => log.error("log.rotation_waits", { reason }),
  });
  return {
    stop: () => {
      // Not waited for: one that a signer keeps from being done ends with the log.
      void stop();
      return Promise.resolve();
    },
  };
}

/** A rotation as who asked for it sees it. */
export interface RotatedLog {
  readonly generation: number;
  /** Whether a gateway did it, which runs. */
  readonly byGateway: boolean;
}

/**
 * Asks for new keys and waits until the log is signed with them.
 * @param by what asks, for the entry
 * @throws Refusal `bad_state` before the first start, if it can't be done, or if it isn't done in time and will be later
 */
export async function rotateLog(config: Config, by: string, clock: Clock): Promise<RotatedLog> {
  const paths = statePaths(config.state);
  if ((await readIfThere(paths.trustDomain)) === undefined) {
    throw new Refusal("bad_state", `There is no log in ${config.state} yet; run "latticegate up" once.`);
  }
  const requests = openRotationRequests(paths.database);
  try {
    const id = requests.ask({ atUnixMs: clock.nowUnixMs(), by });
    const { outcome, byGateway } = await outcomeOf(config, {
      outcome: () => settled(requests.outcome(id)),
      here: () =>
        withLogOf(config, clock, (audit, { suites, principal }) =>
          carryOut({ audit, requests, suites: () => suites, principal, log: quiet }, () => false),
        ),
      patienceMs,
      notInTime,
    });
    return { generation: doneOf(outcome), byGateway };
  } finally {
    requests.close();
  }
}

type Settled = Exclude<RotationOutcome, { kind: "open" }>;

function settled(outcome: RotationOutcome): Settled | undefined {
  return outcome.kind === "open" ? undefined : outcome;
}

function doneOf(outcome: Settled): number {
  if (outcome.kind === "done") return outcome.generation;
  throw new Refusal("bad_state", `The log's keys weren't rotated: ${outcome.why}`);
}

function notInTime(): Refusal {
  return new Refusal(
    "bad_state",
    "The rotation is asked for, but isn't done yet. It waits for a renewal or a removal of entries that is under way; the gateway's log says what keeps it (\"log.rotation_waits\").",
  );
}

/** Everything that is asked for. @throws what may pass, with the request left open */
async function carryOut(following: Following, isOver: () => boolean): Promise<void> {
  const { audit, requests, log } = following;
  for (let request = requests.open(); request !== undefined; request = requests.open()) {
    const { number } = audit.journal.generation();
    // One that was begun has its entry, or nothing of it is left: the log knows.
    if (request.generation !== null && number >= request.generation) {
      requests.settle(request.id, { kind: "done", generation: request.generation });
      continue;
    }
    requests.begin(request.id, number + 1);
    const why = await rotateFor(request, following);
    if (isOver()) return;
    const generation = audit.journal.generation().number;
    requests.settle(request.id, why === undefined ? { kind: "done", generation } : { kind: "failed", why });
    if (why === undefined) log.warn("log.keys_rotated", { generation, by: request.by });
    else log.error("log.rotation_failed", { reason: why });
  }
}

/** Why it can't be done; undefined if it was. @throws Refusal for what may pass */
async function rotateFor(
  { by }: RotationRequest,
  { audit, suites, principal }: Following,
): Promise<string | undefined> {
  try {
    await audit.rotate({ suites: suites(), principal, by });
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal) || mayPass(error)) throw error;
    return error.message;
  }
}
