/** Roots and keys that are replaced by themselves when their time has come, and old roots that nobody needs any more. */
import { setTimeout as pause } from "node:timers/promises";

import { type Purpose, purposes } from "../identity/authority.ts";
import { renewalGraceMs } from "../identity/renewal.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import { profileInForce, withProfiles } from "./profile-in-force.ts";
import { rotateTlsKeys } from "./profile-operations.ts";
import { listRoots, retireRoots, type RootReport, rotateRoot } from "./root-operations.ts";

interface Rotating {
  readonly clock: Clock;
  readonly log: Log;
}

const lookEveryMs = 60_000;

/** Looks now and then, one thing after the other. Once `stop` resolves, nothing is under way. */
export function scheduledRotation(config: Config, options: Rotating): { readonly stop: () => Promise<void> } {
  const over = new AbortController();
  const { signal } = over;
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      await pause(lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await rotateWhatIsDue(config, options);
    }
  };
  const following = follow();
  return {
    stop: async () => {
      over.abort();
      await following;
    },
  };
}

/** What failed is tried again at the next look. */
export async function rotateWhatIsDue(config: Config, { clock, log }: Rotating): Promise<void> {
  const attempt = async (what: string, work: () => Promise<boolean>): Promise<void> => {
    try {
      if (await work()) log.info("crypto.rotated", { what });
    } catch (error) {
      log.error("crypto.rotation_failed", {
        what,
        reason: error instanceof Error ? error.message : "unknown",
      });
    }
  };
  for (const purpose of purposes) {
    await attempt(`${purpose} root`, () => rotateDueRoot(config, purpose, clock));
    await attempt(`old ${purpose} roots`, () => retireOldRoots(config, purpose, clock));
  }
  await attempt("tls", () => rotateKeys(config, clock));
}

async function rotateDueRoot(config: Config, purpose: Purpose, clock: Clock): Promise<boolean> {
  const every = config.crypto.rotation.roots;
  if (every === "off") return false;
  const { all, issuing } = await rootsOf(config, purpose, clock);
  const isDue = issuing !== undefined && issuing.createdUnixMs + every <= clock.nowUnixMs();
  // The generation before it, or one that is announced: it waits until they are settled.
  const isSettling = all.some(
    ({ state, suite, generation }) =>
      (state === "trusted" && suite === issuing?.suite && generation !== issuing.generation) ||
      state === "announced",
  );
  if (!isDue || isSettling) return false;
  await rotateRoot(config, purpose, clock);
  return true;
}

/**
 * Who was away may come back under an old root for as long as its own certificate may be renewed. An apply may make an
 * older root the issuing one: what it took the place of is old from then on alone.
 */
async function retireOldRoots(config: Config, purpose: Purpose, clock: Clock): Promise<boolean> {
  if (config.crypto.rotation.roots === "off") return false;
  const { all, issuing } = await rootsOf(config, purpose, clock);
  const { sinceUnixMs } = profileInForce(config, clock);
  const isOver =
    issuing !== undefined &&
    Math.max(issuing.issuesFromUnixMs, sinceUnixMs) + renewalGraceMs <= clock.nowUnixMs();
  const others = all.filter(({ state }) => state === "trusted" || state === "announced");
  if (!isOver || others.length === 0 || others.some(({ state }) => state === "announced")) return false;
  try {
    await retireRoots(config, purpose, { isEarly: false, clock });
    return true;
  } catch (error) {
    // Somebody may need it still.
    if (!(error instanceof Refusal)) throw error;
    return false;
  }
}

async function rootsOf(
  config: Config,
  purpose: Purpose,
  clock: Clock,
): Promise<{ readonly all: readonly RootReport[]; readonly issuing: RootReport | undefined }> {
  const all = (await listRoots(config, clock)).filter((root) => root.purpose === purpose);
  return { all, issuing: all.find(({ state }) => state === "issuing") };
}

async function rotateKeys(config: Config, clock: Clock): Promise<boolean> {
  const every = config.crypto.rotation.tls_keys;
  if (every === "off") return false;
  const last = withProfiles(config.state, (store) =>
    Math.max(store.freshKeysSinceUnixMs(), store.changes()[0]?.atUnixMs ?? clock.nowUnixMs()),
  );
  if (last + every > clock.nowUnixMs()) return false;
  await rotateTlsKeys(config, clock);
  return true;
}
