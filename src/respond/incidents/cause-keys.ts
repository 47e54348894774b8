/**
 * Which signals have one cause. Each names what it belongs to, the nearest first, and what others that share its cause
 * would name: a flow of data by its source, a session, a caller and a tool, and a campaign by what it does where.
 */
import { targetOf } from "./incident.ts";
import type { Signal } from "../signal.ts";

export interface CauseKeys {
  /** It joins the first open incident that has one of them, in this order. */
  readonly joins: readonly string[];
  /** Others join by these; none of a signal that says too little. */
  readonly offers: readonly string[];
}

/** From here on a signal says enough about its cause for others to follow it. */
const leadsFrom = 0.3;

export function causeKeys(signal: Signal): CauseKeys {
  const { score, about, source, evidence } = signal;
  const { caller, session } = about;
  const target = targetOf(signal);
  const campaign = campaignOf(signal);
  // What anybody could have made up leads nobody to the caller it names, nor the caller's signals to it.
  if (evidence === "unproven") {
    const alone = [...key("unproven", caller ?? target), ...campaign.map((each) => `unproven ${each}`)];
    return { joins: alone, offers: alone };
  }
  const isOfCall = session !== undefined || about.tool !== undefined;
  const flow = score >= leadsFrom ? key("source", source) : [];
  const own = caller === undefined ? [] : [`session ${caller} ${session ?? ""}`];
  const use = caller === undefined || target === undefined ? [] : [`use ${caller} ${target}`];
  const ofCaller = isOfCall ? [] : key("caller", caller);
  const offers = [
    ...flow,
    ...own,
    ...use,
    ...campaign,
    // What is found of a caller's links belongs to what its calls show.
    ...key("caller", isOfCall ? caller : undefined),
  ];
  return {
    joins: [...flow, ...own, ...use, ...campaign, ...ofCaller],
    offers: score >= leadsFrom ? offers : [],
  };
}

/** What is seen of many links at once is one thing on the way; of calls, the same thing done at the same place. */
function campaignOf(signal: Signal): readonly string[] {
  const { kind, score, about } = signal;
  if (score < leadsFrom) return [];
  if (kind === "drift" || kind.startsWith("tool ")) return key("tools", about.server);
  // One burst passes two hops: the caller's link and the server's.
  if (kind === "regression" || kind === "signature" || kind.startsWith("flow ")) return [`links ${kind}`];
  const target = targetOf(signal);
  return target === undefined ? [] : [`campaign ${kind} ${target}`];
}

function key(what: string, value: string | undefined): readonly string[] {
  return value === undefined ? [] : [`${what} ${value}`];
}
