/** Rotations of the log's keys that a command asks for: carried out by the running gateway, or by the command itself. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import type { LogSuites } from "../crypto/suites/signatures.ts";
import {
  openRotationRequests,
  type RotationOutcome,
  type RotationRequest,
  type RotationRequests,
} from "../host/store/state-log-rotations.ts";
import { readIfThere } from "../host/store/files.ts";
import { lockFile } from "../host/store/log-folder.ts";
import { isLockHeld } from "../host/store/writer-lock.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";
import type { Config } from "./config.ts";
import { profileInForce } from "./profile-in-force.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
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

/** How soon a running gateway sees that it was asked; to look costs a few microseconds. */
const watchMs = 100;
/** How soon it tries again what a full disk or a signer that is away has kept from being done. */
const retryMs = 5000;
/** What a person waits for a command's answer. */
const patienceMs = 30_000;
const pollMs = 50;

/** Carries out what commands ask for, until it is stopped; what is under way then is left to the log's end. */
export function followRotationRequests(following: Following): { readonly stop: () => void } {
  const { requests, log } = following;
  let seen: number | undefined;
  let isBusy = false;
  let isOver = false;
  let notBefore = 0;
  const look = async (): Promise<void> => {
    if (isBusy || performance.now() < notBefore) return;
    isBusy = true;
    try {
      const version = requests.version();
      if (version === seen) return;
      await carryOut(following, () => isOver);
      seen = version;
    } catch (error) {
      if (isOver) return;
      notBefore = performance.now() + retryMs;
      log.error("log.rotation_waits", { reason: error instanceof Error ? error.message : "unknown" });
    } finally {
      isBusy = false;
    }
  };
  const timer = setInterval(() => void look(), watchMs).unref();
  void look();
  return {
    stop: () => {
      isOver = true;
      clearInterval(timer);
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
    const until = performance.now() + patienceMs;
    let byGateway = false;
    for (;;) {
      const outcome = requests.outcome(id);
      if (outcome.kind !== "open") return { generation: doneOf(outcome), byGateway };
      if (performance.now() > until) throw notInTime();
      byGateway = isWritten(config);
      if (byGateway) await pause(pollMs);
      else await carryOutHere(config, requests, clock);
    }
  } finally {
    requests.close();
  }
}

function doneOf(outcome: Exclude<RotationOutcome, { kind: "open" }>): number {
  if (outcome.kind === "done") return outcome.generation;
  throw new Refusal("bad_state", `The log's keys weren't rotated: ${outcome.why}`);
}

function notInTime(): Refusal {
  return new Refusal(
    "bad_state",
    "The rotation is asked for, but isn't done yet; the gateway's log says what keeps it (\"log.rotation_waits\").",
  );
}

/** Nothing, if somebody else writes the log after all: a gateway that has just been started. */
async function carryOutHere(config: Config, requests: RotationRequests, clock: Clock): Promise<void> {
  const { trust_domain: trustDomain } = config;
  const { log: suites } = profileInForce(config, clock).profile;
  const { keys, close } = await openConfigKeys(config);
  let journal: AuditLog["journal"] | undefined;
  try {
    const audit = await openAuditLog(config.state, keys, {
      trustDomain,
      suites,
      durability: config.audit.durability,
      clock,
      log: quiet,
    });
    ({ journal } = audit);
    const principal = gatewayIdOf(trustDomain);
    await carryOut({ audit, requests, suites: () => suites, principal, log: quiet }, () => false);
  } catch (error) {
    if (journal !== undefined || !isWritten(config)) throw error;
  } finally {
    await journal?.close();
    close();
  }
}

function isWritten(config: Config): boolean {
  return isLockHeld(path.join(statePaths(config.state).log, lockFile));
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
    const mayPass = ["journal_unavailable", "signer_unavailable", "busy"];
    if (!(error instanceof Refusal) || mayPass.includes(error.code)) throw error;
    return error.message;
  }
}

/** A command says what is wrong by its refusal. */
const quiet: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
