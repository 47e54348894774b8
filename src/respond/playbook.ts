/** A playbook, ready to be asked whether a signal sets it off. */
import { compileCondition, type Condition, type FactValues } from "../expr/condition.ts";
import type { Mistake } from "../expr/mistake.ts";
import type { TypeSpec } from "../expr/type-spec.ts";
import { factTypes } from "../policy/facts.ts";
import { matcher } from "../policy/patterns.ts";
import type { PlaybookDocument, StepDocument } from "./playbook-schema.ts";
import type { Signal } from "./signal.ts";

export interface Playbook {
  readonly name: string;
  readonly because: string;
  readonly triggers: readonly Trigger[];
  readonly when?: Condition;
  readonly mode: "enforce" | "dry_run";
  readonly coolDownMs: number;
  readonly steps: readonly StepDocument[];
}

/** What sets a playbook off: so many such signals of one caller in a time. */
export interface Trigger {
  readonly matches: (signal: Signal) => boolean;
  readonly times: number;
  readonly withinMs: number;
  /** Of a call that isn't decided yet. */
  readonly hasCall: boolean;
  /** Calls of each tool are counted by themselves. */
  readonly ofTool?: true;
}

export type CompiledPlaybook =
  | { readonly kind: "playbook"; readonly playbook: Playbook }
  | (Mistake & { readonly kind: "mistake" });

export function compilePlaybook(
  document: Omit<PlaybookDocument, "mode"> & Pick<Playbook, "mode">,
): CompiledPlaybook {
  const { name, because, mode, steps } = document;
  const triggers = triggersOf(document.on);
  const when = document.when === undefined ? undefined : conditionOf(document.when, triggers);
  if (when?.kind === "mistake") return when;
  const playbook = { name, because, triggers, mode, coolDownMs: document.cool_down, steps };
  return { kind: "playbook", playbook: { ...playbook, ...(when && { when }) } };
}

/** What is told of a signal to conditions. */
const signalType: TypeSpec = {
  kind: "object",
  others: "none",
  members: {
    kind: "string",
    score: "double",
    hard: "bool",
    evidence: { kind: "enum", values: ["proven", "manifest", "unproven"] },
    caller: "string",
    session: "string",
    server: "string",
    tool: "string",
    source: "string",
    rule: "string",
  },
};

/** Its values, as `signalType` has them. */
export function signalFacts({ kind, score, isHard, evidence, about, source, rule }: Signal): FactValues {
  const { caller = "", session = "", server = "", tool = "" } = about;
  return {
    kind,
    score,
    hard: isHard,
    evidence,
    caller,
    session,
    server,
    tool,
    source: source ?? "",
    rule: rule ?? "",
  };
}

/** Whether what sets it off is a call that can still be refused: then its condition may read all of the call. */
function conditionOf(when: string, triggers: readonly Trigger[]): Condition | Mistake {
  const whole = compileCondition(when, { ...factTypes, signal: signalType });
  if (whole.kind === "mistake" || triggers.every(({ hasCall }) => hasCall)) return whole;
  const early = [...whole.variables].find((name) => name !== "signal");
  return early === undefined ? whole : unknownThen(early, when);
}

function unknownThen(name: string, when: string): Mistake {
  const before = when.slice(0, Math.max(0, when.search(new RegExp(`\\b${name}\\b`, "v"))));
  return {
    kind: "mistake",
    message: `nothing is known of \`${name}\` when answers, links or tools set a playbook off; there is signal. Only \`risk\`, \`findings\` and \`rate\` come with a call: write a playbook of their own for them`,
    line: before.split("\n").length,
    column: before.length - before.lastIndexOf("\n"),
  };
}

const confidences = { high: 0.9, medium: 0.6, low: 0 } as const;

function triggersOf(on: PlaybookDocument["on"]): readonly Trigger[] {
  const { risk, verdicts, regression, rate } = on;
  return [
    ...(risk?.call === undefined ? [] : [fromScore("risk.call", risk.call, true)]),
    ...(risk?.session === undefined ? [] : [fromScore("risk.session", risk.session, true)]),
    ...(on.findings ? [ofKinds("finding", on.findings, true)] : []),
    ...(on.answers ? [ofKinds("answer", on.answers)] : []),
    ...(on.flows ? [ofKinds("flow", on.flows)] : []),
    ...(on.tools ? [ofKinds("tool", on.tools)] : []),
    ...(verdicts ? [ofVerdicts(verdicts)] : []),
    ...(regression === undefined ? [] : [fromScore("regression", confidences[regression], false)]),
    ...(["drift", "egress", "signature"] as const).flatMap((kind) =>
      on[kind] === true ? [fromScore(kind, 0, false)] : [],
    ),
    ...(rate
      ? [{ ...fromScore("call", 0, true), times: rate.calls + 1, withinMs: rate.per, ofTool: true } as const]
      : []),
  ];
}

const once = { times: 1, withinMs: 0 } as const;

function fromScore(kind: string, least: number, hasCall: boolean): Trigger {
  return { ...once, hasCall, matches: (signal) => signal.kind === kind && signal.score >= least };
}

function ofKinds(family: string, patterns: readonly string[], hasCall = false): Trigger {
  const matches = matcher(patterns.map((pattern) => `${family} ${pattern}`));
  return { ...once, hasCall, matches: ({ kind }) => matches(kind) };
}

function ofVerdicts({
  rules,
  reasons,
  times,
  within,
}: NonNullable<PlaybookDocument["on"]["verdicts"]>): Trigger {
  const isRule = matcher(rules ?? (reasons === undefined ? ["*"] : []));
  const isReason = matcher(reasons ?? (rules === undefined ? ["*"] : []));
  return {
    times,
    withinMs: within,
    hasCall: false,
    matches: ({ kind, rule = "" }) =>
      (kind === "denied" && isRule(rule)) || (kind === "refused" && isReason(rule)),
  };
}
