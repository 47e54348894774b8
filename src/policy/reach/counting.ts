/** Whether a rule counts for calls of which not everything is known; if that can't be told, what it depends on. */
import type { LinkPosture } from "../../model/channel.ts";
import { compileRules, type Rule, type RuleDocument } from "../rules.ts";
import { type AboutCall, knownFacts } from "./known-facts.ts";
import { type KnownFacts, type Left, type PartialCondition, partialCondition } from "./partial-condition.ts";
import { naming, type ReachTarget } from "./targets.ts";

export interface ReachRule {
  readonly rule: Rule;
  readonly document: RuleDocument;
  readonly when?: PartialCondition;
}

/** What has to be true. */
export interface Clause {
  /** The rules that ask for it. */
  readonly rules: readonly string[];
  /** In CEL, or in words where it is about names. */
  readonly says: string;
  readonly isCel: boolean;
  /** It is about nothing but what the caller picks itself: arguments, purpose, method and size of the call. */
  readonly isOwnChoice: boolean;
}

/** How the caller stands in the call that is judged: alone, for others, or as the first of those it is made for. */
type Standing = "itself" | "for others" | "lending";

export interface Judged extends AboutCall {
  readonly target: ReachTarget;
  readonly standing: Standing;
}

/** A rule that counts, or may. */
export interface Counting extends ReachRule {
  /** It counts whatever isn't known. */
  readonly isSure: boolean;
  /** True where it counts. */
  readonly counts: Clause;
  /** True where it doesn't. */
  readonly spares: Clause;
}

/** Those that are enforced and about the caller. */
export function rulesAbout(caller: string, documents: readonly RuleDocument[]): readonly ReachRule[] {
  return documents.flatMap((document) => {
    const [rule] = compileRules([document]);
    if (rule === undefined || rule.isShadow || !rule.matchesCaller(caller)) return [];
    const { when } = document;
    return [{ rule, document, ...(when !== undefined && { when: partialCondition(when) }) }];
  });
}

/** Whether it matters to the rule on which link a call comes. */
export function looksAtLinks({ rule }: ReachRule): boolean {
  const { matchesLink, stepUp, when } = rule;
  return matchesLink !== undefined || stepUp?.link !== undefined || when?.variables.has("link") === true;
}

/** One that names all that a target stands for, or some of it. */
interface NamingRule extends ReachRule {
  readonly named: "all" | "some";
}

/** Those that name any of it. */
export function rulesNaming(rules: readonly ReachRule[], target: ReachTarget): readonly NamingRule[] {
  return rules.flatMap((each) => {
    const named = naming(each.document[target.kind] ?? [], target);
    return named === "none" ? [] : [{ ...each, named }];
  });
}

export function countingOf(rules: readonly NamingRule[], judged: Judged): readonly Counting[] {
  const known = knownFacts(judged);
  return rules.flatMap((each) => countingRule(each, judged, known) ?? []);
}

function countingRule(each: NamingRule, judged: Judged, known: KnownFacts): Counting | undefined {
  const { rule, document, when, named } = each;
  const { target, link, standing } = judged;
  const behalf = behalfOf(rule, document, standing);
  if (behalf === "never" || !isOn(link, rule)) return undefined;
  const left = when?.(known) ?? always;
  const isAllow = rule.effect === "allow";
  if (!left.can.true && (isAllow || !left.can.error)) return undefined;
  const isSure = !left.can.false && !(isAllow && left.can.error) && named === "all" && behalf === "always";
  return { ...each, isSure, ...clausesOf(each, left, { target, named, behalf }) };
}

const always: Left = {
  can: { true: true, false: false, error: false },
  text: "true",
  negated: "false",
  reads: [],
};

function isOn(link: LinkPosture, { matchesLink }: Rule): boolean {
  return matchesLink?.(link) !== false;
}

/** On whose behalf isn't known: only a rule about anybody is surely about them. */
function behalfOf(rule: Rule, document: RuleDocument, standing: Standing): "always" | "maybe" | "never" {
  if (rule.neverDelegated && standing !== "itself") return "never";
  const { on_behalf_of: others } = document;
  if (others === undefined) return "always";
  if (standing !== "for others") return "never";
  return others.some((pattern) => /^\*+$/.test(pattern)) ? "always" : "maybe";
}

interface Uncertain {
  readonly target: ReachTarget;
  readonly named: "all" | "some";
  readonly behalf: "always" | "maybe";
}

function clausesOf(
  { rule, document }: ReachRule,
  left: Left,
  { target, named, behalf }: Uncertain,
): Pick<Counting, "counts" | "spares"> {
  const names = (document[target.kind] ?? []).join(", ");
  const others = (document.on_behalf_of ?? []).join(", ");
  const isOpen = left.can.false || left.can.error;
  // On whose behalf it has to be, is told apart from conditions.
  const counts = [...(isOpen ? [left.text] : []), ...(named === "some" ? [`it is one of ${names}`] : [])];
  const spares = [
    ...(left.can.false ? [left.negated] : []),
    ...(named === "some" ? [`it is none of ${names}`] : []),
    ...(behalf === "maybe" ? [`it isn't on behalf of ${others}`] : []),
  ];
  const isCel = named === "all";
  const isOwnChoice = isCel && left.reads.every((variable) => ownChoice.has(variable));
  const about = { rules: [rule.name], isCel, isOwnChoice };
  return {
    counts: { ...about, says: counts.join(" and ") || "true" },
    spares: {
      ...about,
      isCel: isCel && behalf === "always",
      isOwnChoice: isOwnChoice && behalf === "always",
      says: spares.join(", or ") || "false",
    },
  };
}

const ownChoice: ReadonlySet<string> = new Set(["args", "call", "intent"]);
