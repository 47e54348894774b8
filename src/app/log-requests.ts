/** What commands ask of whoever writes the log: the running gateway looks for it, or the command does it itself. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import type { LogSuites } from "../crypto/suites/signatures.ts";
import { lockFile } from "../host/store/log-folder.ts";
import { isLockHeld } from "../host/store/writer-lock.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Refusal } from "../kernel/refusal.ts";
import { type AuditLog, openAuditLog } from "./audit-log.ts";
import type { Config } from "./config.ts";
import { profileInForce } from "./profile-in-force.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
import { statePaths } from "./state-folder.ts";

interface Watching {
  /** Changes when somebody else has written to the database. */
  readonly version: () => number;
  /** Everything that is asked for. Throws what may pass. */
  readonly carryOut: (isOver: () => boolean) => Promise<void>;
  /** Tells what keeps it from being done. */
  readonly waits: (reason: string) => void;
}

/** How soon a running gateway sees that it was asked; to look costs a few microseconds. */
const watchMs = 100;
/** How soon it tries again what a full disk or a signer that is away has kept from being done. */
const retryMs = 5000;
const pollMs = 50;

/** Looks for requests until it is stopped, which resolves once nothing is carried out any more. */
export function watchRequests({ version, carryOut, waits }: Watching): {
  readonly stop: () => Promise<void>;
} {
  let seen: number | undefined;
  let looking: Promise<void> | undefined;
  let isOver = false;
  let notBefore = 0;
  const look = async (): Promise<void> => {
    try {
      const now = version();
      if (now === seen) return;
      await carryOut(() => isOver);
      seen = now;
    } catch (error) {
      if (isOver) return;
      notBefore = performance.now() + retryMs;
      waits(error instanceof Error ? error.message : "unknown");
    }
  };
  const lookAgain = (): void => {
    if (performance.now() < notBefore) return;
    looking ??= look().finally(() => (looking = undefined));
  };
  const timer = setInterval(lookAgain, watchMs).unref();
  lookAgain();
  return {
    stop: async () => {
      isOver = true;
      clearInterval(timer);
      await looking;
    },
  };
}

interface Asking<Outcome> {
  /** Undefined as long as it is open. */
  readonly outcome: () => Outcome | undefined;
  /** Does it, where nobody else writes the log. */
  readonly here: () => Promise<void>;
  readonly patienceMs: number;
  readonly notInTime: () => Refusal;
}

/** Waits until a request is settled: by the gateway if one runs, else here. */
export async function outcomeOf<Outcome>(
  config: Config,
  { outcome, here, patienceMs, notInTime }: Asking<Outcome>,
): Promise<{ readonly outcome: Outcome; readonly byGateway: boolean }> {
  const until = performance.now() + patienceMs;
  let byGateway = false;
  for (;;) {
    const settled = outcome();
    if (settled !== undefined) return { outcome: settled, byGateway };
    if (performance.now() > until) throw notInTime();
    byGateway = isWritten(config);
    if (byGateway) await pause(pollMs);
    else await here();
  }
}

/** Opens the log for a command. Nothing, if somebody else writes it after all: a gateway that has just been started. */
export async function withLogOf(
  config: Config,
  clock: Clock,
  work: (audit: AuditLog, by: { readonly suites: LogSuites; readonly principal: string }) => Promise<void>,
): Promise<void> {
  const { trust_domain: trustDomain } = config;
  const { log: suites } = profileInForce(config, clock).profile;
  const { keys, close } = await openConfigKeys(config);
  let journal: AuditLog["journal"] | undefined;
  try {
    const { durability } = config.audit;
    const options = { trustDomain, suites, durability, clock, log: quiet };
    const audit = await openAuditLog(config.state, keys, options);
    ({ journal } = audit);
    await work(audit, { suites, principal: gatewayIdOf(trustDomain) });
  } catch (error) {
    if (journal !== undefined || !isWritten(config)) throw error;
  } finally {
    await journal?.close();
    close();
  }
}

/** Whether a refusal is one that trying again may get over. */
export function mayPass({ code }: Refusal): boolean {
  return code === "journal_unavailable" || code === "signer_unavailable" || code === "busy";
}

function isWritten(config: Config): boolean {
  return isLockHeld(path.join(statePaths(config.state).log, lockFile));
}

/** A command says what is wrong by its refusal. */
export const quiet: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
