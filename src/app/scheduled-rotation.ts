/** Roots and keys that are replaced by themselves when their time has come, and old roots that nobody needs any more. */
import { setTimeout as pause } from "node:timers/promises";

import { purposes } from "../identity/authority.ts";
import { renewalGraceMs } from "../identity/renewal.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import { withProfiles } from "./profile-in-force.ts";
import { rotateTlsKeys } from "./profile-operations.ts";
import { listRoots, retireRoots, rotateRoot } from "./root-operations.ts";

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
  await attempt("roots", () => rotateRoots(config, clock));
  await attempt("old roots", () => retireOldRoots(config, clock));
  await attempt("tls", () => rotateKeys(config, clock));
}

async function rotateRoots(config: Config, clock: Clock): Promise<boolean> {
  const every = config.crypto.rotation.roots;
  if (every === "off") return false;
  const roots = await listRoots(config, clock);
  let isRotated = false;
  for (const purpose of purposes) {
    const mine = roots.filter((root) => root.purpose === purpose);
    const issuing = mine.find(({ state }) => state === "issuing");
    const isDue = issuing !== undefined && issuing.createdUnixMs + every <= clock.nowUnixMs();
    if (!isDue || mine.some(({ state }) => state === "announced")) continue;
    await rotateRoot(config, purpose, clock);
    isRotated = true;
  }
  return isRotated;
}

/** Who was away may come back under an old root for as long as its own certificate may be renewed. */
async function retireOldRoots(config: Config, clock: Clock): Promise<boolean> {
  if (config.crypto.rotation.roots === "off") return false;
  const roots = await listRoots(config, clock);
  let isRetired = false;
  for (const purpose of purposes) {
    const mine = roots.filter((root) => root.purpose === purpose);
    const issuing = mine.find(({ state }) => state === "issuing");
    const isOver = issuing !== undefined && issuing.issuesFromUnixMs + renewalGraceMs <= clock.nowUnixMs();
    const others = mine.filter(({ state }) => state === "trusted" || state === "announced");
    if (!isOver || others.length === 0 || others.some(({ state }) => state === "announced")) continue;
    try {
      await retireRoots(config, purpose, { isEarly: false, clock });
      isRetired = true;
    } catch (error) {
      // Somebody may need it still.
      if (!(error instanceof Refusal)) throw error;
    }
  }
  return isRetired;
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
