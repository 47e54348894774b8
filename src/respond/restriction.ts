/**
 * What was done about a finding and is still in force: whom or what it is about, and what it does, stage by stage, each
 * milder than the one before. It ends by itself. INVARIANT: two restrictions with one text do the same, so that the
 * world's digest says all of them.
 */
import type { Condition } from "../expr/condition.ts";
import type { LinkRule } from "../policy/link-rules.ts";
import { baseOfSession } from "../identity/client-session.ts";
import { compileRuleCondition } from "../policy/rule-condition.ts";
import type { Rule, TargetKind } from "../policy/rules.ts";

/** What a restriction does while it lasts. */
export const restrictionKinds = [
  "revoke_identity",
  "cut",
  "quarantine",
  "freeze_manifest",
  "hold",
  "read_only",
  "step_up",
  "limit",
] as const;
export type RestrictionKind = (typeof restrictionKinds)[number];

/** Whom and what it is about: all that is named has to be so. INVARIANT: something is named; a tool goes with its server. */
export interface Scope {
  /** As the log has it: a SPIFFE ID, or `oauth:ISSUER/client/…`. */
  readonly caller?: string;
  /** The one user on whose behalf the caller, a client that came with a token, asks: `oauth:ISSUER/user/…`. */
  readonly user?: string;
  /** One session of the caller's clients. */
  readonly session?: string;
  readonly server?: string;
  readonly tool?: string;
}

export interface Stage {
  readonly kind: RestrictionKind;
  readonly untilUnixMs: number;
  /** Of `limit`. */
  readonly limit?: Limit;
}

/** So many calls in any time of that length. */
export interface Limit {
  readonly calls: number;
  readonly perMs: number;
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
  /** How many of its stages the audit log knows to be over; none if absent. */
  readonly passed?: number;
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
  /** Those of `rules` that end what is under way, too. */
  readonly shutting: readonly Rule[];
  /** About links. */
  readonly linkRules: readonly LinkRule[];
  /** Who counts no more, as the log names them. */
  readonly suspended: ReadonlySet<string>;
  /** Servers whose tools stay as they are pinned. */
  readonly frozen: ReadonlySet<string>;
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
  const of = (...kinds: readonly RestrictionKind[]): readonly Current[] =>
    now.filter(({ stage }) => kinds.includes(stage.kind));
  // Of one user's client only the calls are ended: other users come through the same client.
  const ofAll = (...kinds: readonly RestrictionKind[]): readonly Current[] =>
    of(...kinds).filter(({ restriction: { scope } }) => scope.user === undefined);
  return {
    rules: now.flatMap((each) => ruleOrDeny(each) ?? []),
    shutting: of("quarantine", "cut", "revoke_identity").flatMap((each) => ruleOrDeny(each) ?? []),
    linkRules: ofAll("cut", "revoke_identity").map(({ restriction }) => linkRuleOf(restriction)),
    suspended: new Set(ofAll("revoke_identity").flatMap(({ restriction: { scope } }) => scope.caller ?? [])),
    frozen: new Set(of("freeze_manifest").flatMap(({ restriction: { scope } }) => scope.server ?? [])),
    text: now.length === 0 ? "" : JSON.stringify(now.map(written)),
  };
}

function written({
  restriction: { id, scope, because, sinceUnixMs },
  stage: { kind, limit },
}: Current): readonly unknown[] {
  const { caller = null, user = null, session = null, server = null, tool = null } = scope;
  return [
    id,
    sinceUnixMs,
    kind,
    caller,
    user,
    session,
    server,
    tool,
    because,
    ...(limit ? [limit.calls, limit.perMs] : []),
  ];
}

interface Current {
  readonly restriction: Restriction;
  readonly stage: Stage;
}

/** How the log and callers know that it wasn't an operator's rule. */
function ruleNameOf({ id }: Pick<Restriction, "id">): string {
  return `response-${id}`;
}

/** @throws Refusal `bad_config` if one of its stages can't be made a rule */
export function checkRules(restriction: Restriction): void {
  for (const stage of restriction.stages) ruleOf({ restriction, stage });
}

/** INVARIANT: one that can't be made a rule denies without a condition, and the others are in force all the same. */
function ruleOrDeny({ restriction, stage }: Current): Rule | undefined {
  try {
    return ruleOf({ restriction, stage });
  } catch {
    const { session: _, ...scope } = restriction.scope;
    const { untilUnixMs } = stage;
    return ruleOf({ restriction: { ...restriction, scope }, stage: { kind: "quarantine", untilUnixMs } });
  }
}

/** INVARIANT: it names what it names and nothing else; a caller may have a name that reads as a pattern. */
function ruleOf({ restriction, stage }: Current): Rule | undefined {
  const what = whatOf[stage.kind];
  if (what === undefined) return undefined;
  const { scope, because } = restriction;
  const { caller, user, server, tool } = scope;
  const name = ruleNameOf(restriction);
  const namesServer = (asked: string): boolean => server === undefined || asked === server;
  const when = conditionOf(name, restriction, stage);
  return {
    name,
    ...what,
    because,
    isShadow: false,
    matchesCaller: (party) => caller === undefined || party === caller,
    ...(user !== undefined && { matchesOnBehalfOf: (began: string) => began === user }),
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

/** How long people have to approve a call. */
const approvalMs = 15 * 60_000;

/** What it is for the judge; undefined where it restricts otherwise than by a rule about calls. */
const whatOf: Readonly<Record<RestrictionKind, Pick<Rule, "effect" | "approval" | "stepUp"> | undefined>> = {
  revoke_identity: { effect: "deny" },
  cut: { effect: "cut" },
  quarantine: { effect: "deny" },
  freeze_manifest: undefined,
  hold: { effect: "hold", approval: { approvers: 1, expiresMs: approvalMs } },
  read_only: { effect: "read_only" },
  step_up: { effect: "step_up", stepUp: { signature: { mode: "direct", answer: "none" } } },
  limit: { effect: "deny" },
};

function linkRuleOf(restriction: Restriction): LinkRule {
  const { scope, because } = restriction;
  return {
    name: ruleNameOf(restriction),
    because,
    isShadow: false,
    // INVARIANT: of nobody, rather than of all, where nobody is named.
    matchesCaller: (party) => party === scope.caller,
  };
}

function conditionOf(
  rule: string,
  { scope, sinceUnixMs }: Restriction,
  { limit }: Stage,
): Condition | undefined {
  const { session } = scope;
  const parts = [
    ...(session === undefined ? [] : [inSession(session, sinceUnixMs)]),
    ...(limit === undefined ? [] : [`${recalled(scope, limit)} >= ${limit.calls}`]),
  ];
  return parts.length === 0 ? undefined : compileRuleCondition(rule, parts.join(" && "));
}

/**
 * INVARIANT: no name that a client picks leads out of it: it is about the session with all its parts, and about the
 * caller's sessions that began since, to the second.
 */
function inSession(session: string, sinceUnixMs: number): string {
  const base = baseOfSession(session);
  const since = new Date(sinceUnixMs - (sinceUnixMs % 1000)).toISOString();
  const isIt = `session.id == ${JSON.stringify(base)} || session.id.startsWith(${JSON.stringify(`${base}.`)})`;
  return `(${isIt} || session.began >= timestamp(${JSON.stringify(since)}))`;
}

/**
 * How many calls of that scope there were. Of a server whose name reads as a pattern, each target counts by itself: a
 * limit is then wider than it says, and about nobody else. Of a session all of its caller's calls count, whatever
 * session they are in: a session's parts and those that follow it have histories of their own.
 */
function recalled({ caller, user, server, tool }: Scope, { perMs }: Limit): string {
  const own = user === undefined ? "history" : "history.user";
  const whose = caller === undefined ? "history.everybody" : own;
  const isOne = tool !== undefined || server?.includes("*") === true;
  const of = isOne ? "" : `.of(${JSON.stringify(server === undefined ? "*" : `${server}/*`)})`;
  return `${whose}${of}.count(${JSON.stringify(`${perMs}ms`)})`;
}
