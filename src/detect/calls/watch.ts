/**
 * The call model as a gateway uses it. Of each session keep a trail: tell it each result and each call; ask it about a call
 * before it is let through. All is bounded and takes microseconds; nothing here reads a clock, a file or the network.
 *
 *     const seen = scoreCall({ trail, call, baseline, model });   // before the call goes out
 *     noteCall(trail, call);                                      // once it went out
 *     noteResult(trail, { tool, texts });                         // when its answer is there
 */
import { type Baseline, learnCalls } from "./baseline.ts";
import { callValues } from "./call-values.ts";
import { because, sourceOf } from "./because.ts";
import { type Call, longestToolName, see } from "./features.ts";
import { pOf, riskOf } from "../learn/conformal.ts";
import { scoreOf } from "../learn/trees.ts";
import { keptText } from "./kept-text.ts";
import { type CallModel, partFor } from "./model.ts";
import { noParts, type Parts, partsOf } from "./parts.ts";
import { toolClass } from "./tool-class.ts";
import { isInResults, type Trail, trailBytes } from "./trail.ts";

export { freshTrail, noteResult, type Trail } from "./trail.ts";
export { baselineFrom, type Baseline, freshBaseline } from "./baseline.ts";
export { callFeaturesVersion, type Call } from "./features.ts";
export { type CallModel, parseCallModel } from "./model.ts";

export interface CallScore {
  /** Log-odds of the trees: comparable within one model only. */
  readonly raw: number;
  /** The share of benign sessions that have a call at least as odd. */
  readonly p: number;
  /** 0 to 1: 0.6 is one benign session in a hundred, 0.9 one in a thousand. */
  readonly risk: number;
  /** How much each side of the call adds to `raw`; all 0 where p is above 0.1: there is nothing to explain. */
  readonly parts: Parts;
  /** The tool in whose answer the call, or what it says, was found; "" where nothing was, or there is nothing to explain. */
  readonly source: string;
  /** One sentence for people, without values. */
  readonly because: string;
}

export interface Watched {
  readonly trail: Trail;
  readonly call: Call;
  /** What this caller does usually; undefined or one with nothing learned: cold start. */
  readonly baseline?: Baseline | undefined;
  readonly model: CallModel;
}

/** What is as usual as that isn't explained. */
const explainedFromP = 0.1;

/** How a call looks after what the session's tools answered; changes nothing. */
export function scoreCall({ trail, call, baseline, model }: Watched): CallScore {
  const seen = see(trail, call, baseline);
  const { trees, calibration } =
    model[partFor({ isKnown: seen.unusual.isKnown === 1, isAsked: seen.isAsked })];
  const raw = scoreOf(trees, seen.vector);
  // What couldn't be searched whole is taken for the oddest there is: only who prepared for it gets there.
  const p = pOf(calibration, seen.matches.isWhole ? raw : Infinity);
  const parts = p > explainedFromP ? noParts : partsOf(trees, seen.vector, raw);
  const source = p > explainedFromP ? undefined : sourceOf(trail, seen);
  return {
    raw,
    p,
    risk: riskOf(p),
    parts,
    source: source ?? "",
    because: because({ trail, call, seen, parts, p }),
  };
}

/** Kept of a session's calls; the order of the last two counts. */
const keptCalls = 64;
const maxOwnWords = 4096;

/** Takes in a call that went out. */
export function noteCall(trail: Trail, call: Call): void {
  const tool = keptText(call.tool, longestToolName);
  trail.calls.push({ tool, seq: trail.callCount });
  if (trail.calls.length > keptCalls) trail.calls.shift();
  trail.callCount++;
  if (toolClass(call.tool, call).writes) trail.writes++;
  for (const word of callValues(call.args).flatMap(({ words }) => words))
    if (!isInResults(trail, word)) noteOwn(trail.own, word);
}

function noteOwn(own: Set<number>, word: number): void {
  const [oldest] = own;
  if (own.size >= maxOwnWords && oldest !== undefined) own.delete(oldest);
  own.add(word);
}

/** Takes the calls of one session, in order, into a caller's baseline: call it for sessions that are above suspicion only. */
export function learnSession(baseline: Baseline, calls: readonly Call[]): void {
  learnCalls(
    baseline,
    calls
      .slice(0, maxLearnedCalls)
      .map(({ tool, args }) => ({ tool: tool.slice(0, longestToolName), values: callValues(args) })),
  );
}

/** A session has one vote: a longer one would drown the others. */
const maxLearnedCalls = 512;

export interface SessionRisk {
  readonly risk: number;
  readonly atMs: number;
}

const halfLifeMs = 30 * 60_000;

/**
 * A session is as risky as its riskiest call; that fades by half in 30 minutes. A clock that goes back fades nothing, and
 * from there it goes on: a risk of a time that was wrong doesn't stay until that time has come.
 */
export function sessionRisk(before: SessionRisk | undefined, risk: number, nowMs: number): SessionRisk {
  const atMs = Number.isFinite(nowMs) ? nowMs : (before?.atMs ?? 0);
  const passedMs = before === undefined ? 0 : Math.max(0, atMs - before.atMs);
  const faded = (before?.risk ?? 0) * 2 ** (-passedMs / halfLifeMs);
  return { risk: Math.max(faded, risk), atMs };
}

/** Bytes that a trail or a baseline holds, about. */
export function sizeOf(held: Trail | Baseline): number {
  return "bytes" in held ? held.bytes.byteLength : trailBytes(held);
}
