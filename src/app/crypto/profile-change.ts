/** A change of profile in two steps: a plan that somebody is shown, and its application, which names that plan. */
import type { z } from "zod";

import { sha256Base64url } from "../../crypto/hash.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import { applyProfile, profileNamed } from "../profile-operations.ts";
import type { appliedAnswer, PlanAnswer } from "./crypto-answers.ts";
import type { LiveDocument } from "./live-document.ts";
import { overlapOf } from "./overlap.ts";
import { doesBreak, type Plan, type PlanRow } from "./plan.ts";
import { planFor } from "./plan-for.ts";

interface Place {
  readonly config: Config;
  readonly clock: Clock;
  readonly live: () => LiveDocument;
}

interface Wish {
  readonly profile: string;
  /** Such as `2h`. */
  readonly overlap?: string;
}

interface Order extends Wish {
  readonly planDigest: string;
  /** What breaks may break. */
  readonly breaks: boolean;
  readonly by: string;
  readonly because: string;
}

/** A gateway may have a million links; of those that are alike one is listed. */
const maxRows = 500;

/** @throws Refusal `bad_config` for a profile or a time that isn't one */
export async function shownPlan({ config, clock, live }: Place, wish: Wish): Promise<PlanAnswer> {
  const overlapMs = overlapOf(wish.overlap);
  const to = profileNamed(config, wish.profile);
  const { plan } = await planFor(config, to, { overlapMs, clock, live: live() });
  const rows = alike(plan.rows);
  return {
    from: plan.from,
    to: plan.to,
    isPossible: plan.is_possible,
    doesBreak: doesBreak(plan),
    overlapMs,
    changes: plan.changes.map(({ what, gone, added }) => ({ what, gone: [...gone], added: [...added] })),
    configConflicts: [...plan.config_conflicts],
    rows: rows.slice(0, maxRows),
    more: Math.max(0, rows.length - maxRows),
    planDigest: digestOf(plan, JSON.stringify([to.document, overlapMs])),
  };
}

/**
 * INVARIANT: what is applied is what was shown: the same change, and nobody else is broken by it.
 * @throws Refusal `bad_state` for a plan that isn't the one of now, or breaks something nobody agreed to
 */
export async function applyShown(place: Place, order: Order): Promise<z.output<typeof appliedAnswer>> {
  const { config, clock } = place;
  const plan = await shownPlan(place, order);
  if (plan.planDigest !== order.planDigest) {
    throw new Refusal(
      "bad_state",
      "This isn't the plan any more: what would change, or whom it breaks, is something else now. Look at the plan again.",
    );
  }
  if (plan.doesBreak && !order.breaks) {
    throw new Refusal("bad_state", "Something breaks by it. Put that right first, or say that it may break.");
  }
  const told = { by: order.by, because: order.because };
  const done = await applyProfile(config, order.profile, { overlapMs: plan.overlapMs, clock, told });
  const outgoingUntil = new Date(done.outgoingUntilUnixMs).toISOString();
  return { before: done.before, after: done.after, outgoingUntil };
}

function alike(rows: readonly PlanRow[]): PlanAnswer["rows"] {
  const counted = new Map<string, PlanAnswer["rows"][number]>();
  for (const row of rows) {
    const key = JSON.stringify([row.verdict, row.what, row.who, row.because, row.remedy]);
    const known = counted.get(key);
    counted.set(key, { ...row, count: (known?.count ?? 0) + 1 });
  }
  return [...counted.values()];
}

/** Links come and go: what goes on or renews by itself is no part of it. */
function digestOf({ from, to, changes, is_possible: isPossible, rows }: Plan, target: string): string {
  const broken = rows
    .filter((row) => doesBreak({ rows: [row] }))
    .map(({ verdict, what, who, because }) => JSON.stringify([verdict, what, who, because]));
  const said = [from, to, changes, isPossible, [...new Set(broken)].toSorted(), target];
  return sha256Base64url(JSON.stringify(said));
}
