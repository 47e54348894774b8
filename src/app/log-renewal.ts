/** Renewals of the log that a command asks for: carried out by the running gateway, or by the command itself. */
import { type RenewalHash, renewalHashes } from "../crypto/suites/symmetric.ts";
import {
  openRenewalRequests,
  type RenewalDone,
  type RenewalOutcome,
  type RenewalRequests,
} from "../host/store/state-log-renewals.ts";
import { readIfThere } from "../host/store/files.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Config } from "./config.ts";
import { mayPass, outcomeOf, quiet, watchRequests, withLogOf } from "./log-requests.ts";
import { statePaths } from "./state-folder.ts";

interface Following {
  readonly audit: Pick<AuditLog, "renew">;
  readonly requests: RenewalRequests;
  /** Who acts. */
  readonly principal: string;
  readonly log: Log;
}

/** What a person waits for a command's answer; ten million entries take a minute or two. */
const patienceMs = 15 * 60_000;

/**
 * Carries out what commands ask for, until it is stopped; what is under way then ends when `AuditLog.stop` is called,
 * and is done again by the next start.
 */
export function followRenewalRequests(following: Following): { readonly stop: () => Promise<void> } {
  const { requests, log } = following;
  return watchRequests({
    version: requests.version,
    carryOut: () => carryOut(following),
    waits: (reason) => log.error("log.renewal_waits", { reason }),
  });
}

export interface RenewedLog extends RenewalDone {
  /** Whether a gateway did it, which runs. */
  readonly byGateway: boolean;
}

/**
 * Asks for a renewal and waits until it is made.
 * @param by what asks, for the entry
 * @throws Refusal `bad_state` before the first start, if it can't be done, or if it isn't done in time and will be later
 */
export async function renewHistory(
  config: Config,
  wish: { readonly hash: RenewalHash; readonly by: string },
  clock: Clock,
): Promise<RenewedLog> {
  const paths = statePaths(config.state);
  if ((await readIfThere(paths.trustDomain)) === undefined) {
    throw new Refusal("bad_state", `There is no log in ${config.state} yet; run "latticegate up" once.`);
  }
  const requests = openRenewalRequests(paths.database);
  try {
    const id = requests.ask({ atUnixMs: clock.nowUnixMs(), ...wish });
    const { outcome, byGateway } = await outcomeOf(config, {
      outcome: () => settled(requests.outcome(id)),
      here: () =>
        withLogOf(config, clock, (audit, { principal }) =>
          carryOut({ audit, requests, principal, log: quiet }),
        ),
      patienceMs,
      notInTime,
    });
    if (outcome.kind === "done") return { ...outcome, byGateway };
    throw new Refusal("bad_state", `The log wasn't renewed: ${outcome.why}`);
  } finally {
    requests.close();
  }
}

type Settled = Exclude<RenewalOutcome, { kind: "open" }>;

function settled(outcome: RenewalOutcome): Settled | undefined {
  return outcome.kind === "open" ? undefined : outcome;
}

function notInTime(): Refusal {
  return new Refusal(
    "bad_state",
    "The renewal is asked for, but isn't done yet; the gateway's log says what keeps it (\"log.renewal_waits\").",
  );
}

/** Everything that is asked for. @throws what may pass, with the request left open */
async function carryOut(following: Following): Promise<void> {
  const { requests, log } = following;
  for (let request = requests.open(); request !== undefined; request = requests.open()) {
    const { id, by, hash } = request;
    const outcome = await renewFor({ by, hash }, following);
    requests.settle(id, outcome);
    if (outcome.kind === "failed") log.error("log.renewal_failed", { reason: outcome.why });
    else log.warn("log.renewed", { renewal: outcome.number, size: outcome.size, hash, by });
  }
}

/** @throws Refusal for what may pass */
async function renewFor(
  { by, hash: name }: { readonly by: string; readonly hash: string },
  { audit, principal }: Following,
): Promise<Settled> {
  try {
    const { number, size, evidence } = await audit.renew({ hash: renewalHash(name), principal, by });
    return { kind: "done", number, size, files: evidence.count };
  } catch (error) {
    if (!(error instanceof Refusal) || mayPass(error)) throw error;
    return { kind: "failed", why: error.message };
  }
}

/** @throws Refusal `bad_config` for a hash that no history is wrapped under */
export function renewalHash(name: string): RenewalHash {
  const hash = renewalHashes.find((id) => id === name);
  if (hash !== undefined) return hash;
  const known = renewalHashes.join(" or ");
  throw new Refusal("bad_config", `A log is renewed with ${known}; found "${name.slice(0, 64)}".`);
}
