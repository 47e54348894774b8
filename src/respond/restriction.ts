/**
 * What was done about a finding and is still in force: whom or what it is about, and what it does, stage by stage, each
 * milder than the one before. It ends by itself. INVARIANT: two restrictions with one text do the same, so that the
 * world's digest says all of them.
 */
import type { Condition } from "../expr/condition.ts";
import { compileRuleCondition } from "../policy/rule-condition.ts";
import type { Rule, TargetKind } from "../policy/rules.ts";

/** What a restriction does while it lasts. */
export const restrictionKinds = ["quarantine", "read_only"] as const;
export type RestrictionKind = (typeof restrictionKinds)[number];

/** Whom and what it is about: all that is named has to be so. INVARIANT: something is named; a tool goes with its server. */
export interface Scope {
  /** As the log has it: a SPIFFE ID, or `oauth:ISSUER/client/…`. */
  readonly caller?: string;
  /** One session of the caller's clients. */
  readonly session?: string;
  readonly server?: string;
  readonly tool?: string;
}

export interface Stage {
  readonly kind: RestrictionKind;
  readonly untilUnixMs: number;
}

export interface Restriction {
  /** Unique for ever. */
  readonly id: string;
  readonly scope: Scope;
  /** In order; never empty. */
  readonly stages: readonly Stage[];
  /** One sentence, for those who are refused and for people. */
  readonly because: string;
  /** `playbook:NAME` or `operator:NAME` */
  readonly by: string;
  readonly sinceUnixMs: number;
  /** The incident that it belongs to. */
  readonly incident?: string;
  /** The call whose finding it was. */
  readonly cause?: string;
}

/** What it does now; undefined once it is over. */
export function stageAt({ stages }: Pick<Restriction, "stages">, nowUnixMs: number): Stage | undefined {
  return stages.find(({ untilUnixMs }) => nowUnixMs < untilUnixMs);
}

/** When the next of them becomes milder, or ends; undefined where none will. */
export function nextRelief(restrictions: readonly Restriction[], nowUnixMs: number): number | undefined {
  const times = restrictions.flatMap((each) => stageAt(each, nowUnixMs)?.untilUnixMs ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** All that they ask of a world, and the text it is known by. */
export interface Restraints {
  readonly rules: readonly Rule[];
  /** The same for the same restraints; "" where there are none. */
  readonly text: string;
}

export function restraintsOf(restrictions: readonly Restriction[], nowUnixMs: number): Restraints {
  const now = restrictions
    .flatMap((restriction) => {
      const stage = stageAt(restriction, nowUnixMs);
      return stage === undefined ? [] : [{ restriction, stage }];
    })
    .toSorted((a, b) => (a.restriction.id < b.restriction.id ? -1 : 1));
  return {
    rules: now.map(({ restriction, stage }) => ruleOf(restriction, stage)),
    text: now.length === 0 ? "" : JSON.stringify(now.map(written)),
  };
}

function written({ restriction: { id, scope, because }, stage: { kind } }: Current): readonly unknown[] {
  const { caller = null, session = null, server = null, tool = null } = scope;
  return [id, kind, caller, session, server, tool, because];
}

interface Current {
  readonly restriction: Restriction;
  readonly stage: Stage;
}

/** How the log and callers know that it wasn't an operator's rule. */
export function ruleNameOf({ id }: Pick<Restriction, "id">): string {
  return `response-${id}`;
}

/** INVARIANT: it names what it names and nothing else; a caller may have a name that reads as a pattern. */
function ruleOf(restriction: Restriction, { kind }: Stage): Rule {
  const { scope, because } = restriction;
  const { caller, server, tool } = scope;
  const name = ruleNameOf(restriction);
  const namesServer = (asked: string): boolean => server === undefined || asked === server;
  const when = sessionCondition(name, scope);
  return {
    name,
    effect: effects[kind],
    because,
    isShadow: false,
    matchesCaller: (party) => caller === undefined || party === caller,
    neverDelegated: false,
    matches: {
      tools: (asked, called) => namesServer(asked) && (tool === undefined || called === tool),
      resources: (asked) => tool === undefined && namesServer(asked),
      prompts: (asked) => tool === undefined && namesServer(asked),
    } satisfies Rule["matches"] & Record<TargetKind, unknown>,
    namesServer,
    namesAllOfServer: (asked) => tool === undefined && namesServer(asked),
    ...(when && { when }),
  };
}

const effects = { quarantine: "deny", read_only: "read_only" } as const satisfies Record<
  RestrictionKind,
  Rule["effect"]
>;

function sessionCondition(rule: string, { session }: Scope): Condition | undefined {
  return session === undefined
    ? undefined
    : compileRuleCondition(rule, `session.id == ${JSON.stringify(session)}`);
}
