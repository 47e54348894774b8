/** Calls of the audit log, judged again by other rules: which would have been decided otherwise. */
import type { Entry } from "../../audit/entry.ts";
import { isPseudonym } from "../../crypto/subject-keys.ts";
import { targetKinds } from "../../gate/target.ts";
import type { LogReader } from "../../host/store/log-reader.ts";
import {
  type Judgement,
  judgeRecorded,
  type RuleVariants,
  ruleVariants,
} from "../../policy/replay/judge-recorded.ts";
import type { Rule } from "../../policy/rules.ts";
import type { TrialWorld } from "../../policy/trial/described-call.ts";
import type { Verdict } from "../../policy/verdict.ts";
import type { Naming } from "../subject-names.ts";
import { type Captured, recordedQuestion } from "./recorded-question.ts";

/** How a call was decided, or would be. */
type Decided = Pick<Extract<Judgement, { kind: "known" }>, "verdict" | "rule"> & {
  readonly because?: string;
};

export interface ReplayedCall {
  readonly callId: string;
  readonly atUnixMs: number;
  readonly caller: string;
  readonly target: string;
  readonly before: Decided | Extract<Judgement, { kind: "unknown" }>;
  readonly after: Judgement;
  readonly becomes: "stays" | "changes" | "unknown";
}

interface Replay {
  readonly reader: LogReader;
  readonly from: number;
  readonly sinceUnixMs: number;
  readonly untilUnixMs: number;
  readonly named: Naming;
  readonly world: TrialWorld;
  /** By call id. */
  readonly captured: ReadonlyMap<string, Captured>;
  /** What it is compared with; what was decided then if absent. */
  readonly before?: readonly Rule[];
  readonly after: readonly Rule[];
}

/** Each call that was decided in that time, oldest first. */
export async function* replayed(replay: Replay): AsyncGenerator<ReplayedCall, void, void> {
  const { reader, from, sinceUnixMs, untilUnixMs, named, world, captured, before, after } = replay;
  const variants = { before: before && ruleVariants(before), after: ruleVariants(after) };
  const decision = Buffer.from('"event_type":"call.decision"');
  for await (const { bytes, reading } of reader.forwards(from)) {
    if (
      reading.kind !== "entry" ||
      !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(decision)
    )
      continue;
    const { atUnixMs } = reading.entry;
    if (atUnixMs < sinceUnixMs || atUnixMs > untilUnixMs) continue;
    const entry = { ...reading.entry, ...named(reading.entry) };
    if (isHousekeeping(entry)) continue;
    const asked = recordedQuestion(entry, world, { rules: after, captured: captured.get(entry.callId) });
    const judge = (by: RuleVariants): Judgement => judged(asked, by);
    const now = judge(variants.after);
    const old = variants.before ? judge(variants.before) : decidedThen(entry);
    const { callId, principal: caller, tool, facts } = entry;
    const target = tool ?? `${facts["server"] ?? ""}/${facts["resource"] ?? ""}`;
    yield { callId, atUnixMs, caller, target, before: old, after: now, becomes: becomesOf(old, now) };
  }
}

function judged(asked: ReturnType<typeof recordedQuestion>, by: RuleVariants): Judgement {
  if (asked === undefined) return ofNothing;
  const { question, isKnown } = asked;
  const isErased = [question.caller.id, ...question.caller.chain].some(isPseudonym);
  return isErased ? ofNobody : judgeRecorded(question, isKnown, by);
}

/** The protocol's own messages, which every caller of a server may send: no rule of the kinds that are compared names them. */
function isHousekeeping({ tool, facts }: Entry): boolean {
  return tool === null && !targetKinds.has(facts["method"] ?? "");
}

/** What the log has no name of: prompts, and methods beside calls. */
const ofNothing: Judgement = {
  kind: "unknown",
  rules: [{ rule: "whatever names prompts or methods", reads: ["call.name"] }],
};

/** Which rules are about whose name was erased, nobody can tell. */
const ofNobody: Judgement = {
  kind: "unknown",
  rules: [{ rule: "whatever names callers", reads: ["caller.id"] }],
};

function becomesOf(before: ReplayedCall["before"], after: Judgement): ReplayedCall["becomes"] {
  if (!("verdict" in before) || after.kind === "unknown") return "unknown";
  return before.verdict === after.verdict ? "stays" : "changes";
}

/** As the decision's entry has it; an approved call was held, and is compared as one that waits for people. */
function decidedThen({ outcome, facts }: Entry): Decided {
  const rule = facts["rule"] ?? "";
  if (outcome === "allowed")
    return facts["approval"] === undefined ? { verdict: "allow", rule } : { verdict: "hold", rule };
  const effect = facts["rule.effect"] ?? "deny";
  return { verdict: isVerdict(effect) ? effect : "deny", rule };
}

const verdicts: ReadonlySet<string> = new Set<Verdict>([
  "allow",
  "deny",
  "cut",
  "hold",
  "read_only",
  "step_up",
]);

function isVerdict(text: string): text is Verdict {
  return verdicts.has(text);
}
