/**
 * In which ways one caller can get a call through, on the links it may come on: at once, signed better, or past people.
 * It follows `decide` step by step. INVARIANT: a way that isn't listed isn't there; one that is may turn out not to be.
 */
import { Wrong } from "../../expr/mistake.ts";
import { parse } from "../../expr/syntax.ts";
import type { LinkPosture } from "../../model/channel.ts";
import { canNeverBe } from "../check/condition-logic.ts";
import { isDenying } from "../rule-index.ts";
import type { RuleDocument } from "../rules.ts";
import { isMet, type SignatureDemand } from "../signature-demand.ts";
import {
  type Clause,
  type Counting,
  countingOf,
  type Judged,
  looksAtLinks,
  type ReachRule,
  rulesNaming,
} from "./counting.ts";
import { linksInWords } from "./links-in-words.ts";
import { remembering } from "./remembering.ts";

/** What a call meets: nothing that stops it, a better signature that it must bring, or people. */
const levels = ["allowed", "step_up", "held"] as const;
type Level = (typeof levels)[number];

export interface Way {
  readonly level: Level;
  /** The rules that allow it; of several, one is enough. */
  readonly by: readonly string[];
  /** All of it must be true. */
  readonly conditions: readonly Clause[];
  /** Absent where any link does. */
  readonly link?: string;
  /** How the call must be signed, all of it. */
  readonly signatures: readonly Signed[];
  readonly approvals: readonly Approval[];
  readonly redactions: readonly Redacted[];
  /** It is a call for others, who must be allowed it too: patterns of who began. */
  readonly onBehalfOf?: readonly string[];
}

interface Signed {
  readonly rule: string;
  readonly says: string;
}

interface Approval {
  readonly rule: string;
  readonly approvers: number;
  /** Absent where any operator may. */
  readonly from?: readonly string[];
}

interface Redacted {
  readonly rule: string;
  readonly arguments: readonly string[];
  readonly answer: readonly string[];
  /** What is taken out, is taken out of each call. */
  readonly isSure: boolean;
}

/** Of a tool nobody said it of, where others don't pass. */
const itOnlyReads = "it only reads";

/** Whether nothing but what only reads gets through. */
export function leavesReading(ways: readonly Way[]): boolean {
  return ways.every(({ conditions }) => conditions.some(({ says }) => says === itOnlyReads));
}

/** Those with the least in between first. */
export function waysOf(
  rules: readonly ReachRule[],
  judged: Omit<Judged, "link">,
  links: readonly LinkPosture[],
): readonly Way[] {
  const about = rulesNaming(rules, judged.target);
  if (!about.some(({ rule }) => rule.effect === "allow")) return [];
  const tried = about.some(looksAtLinks) ? links : links.slice(0, 1);
  const onLinks = new Map<string, readonly Way[]>();
  const found = new Map<Way, LinkPosture[]>();
  const same = new Map<string, Way>();
  for (const link of tried) {
    const counting = countingOf(about, { ...judged, link });
    const key = keyOf(counting, link);
    const ways = onLinks.get(key) ?? waysBy(counting, { ...judged, link });
    onLinks.set(key, ways);
    for (const each of ways) {
      const written = JSON.stringify(each);
      const way = same.get(written) ?? each;
      same.set(written, way);
      found.set(way, [...(found.get(way) ?? []), link]);
    }
  }
  return [...found]
    .map(([way, on]) => {
      const link = linksInWords(on, tried);
      return { ...way, ...(link !== undefined && { link }) };
    })
    .toSorted((a, b) => costOf(a) - costOf(b));
}

/** What stands in between, to compare by. */
export function costOf({ level, conditions, link }: Way): number {
  return levels.indexOf(level) * 1000 + Math.min(900, conditions.length * 2) + (link === undefined ? 0 : 1);
}

/** Nothing is asked for: no condition, no link, no signature and no person. */
export function isFree({ level, conditions, link, onBehalfOf }: Way): boolean {
  return level === "allowed" && conditions.length === 0 && link === undefined && onBehalfOf === undefined;
}

/** The same for links on which the same counts. */
function keyOf(counting: readonly Counting[], link: LinkPosture): string {
  return JSON.stringify(
    counting.map(({ rule, isSure, counts, spares }) => [
      rule.name,
      isSure,
      counts.says,
      spares.says,
      rule.stepUp?.link?.(link),
    ]),
  );
}

function waysBy(counting: readonly Counting[], judged: Judged): readonly Way[] {
  const blocking = counting.flatMap((each) => blockOf(each, judged) ?? []);
  if (blocking.some((clause) => clause.says === "false")) return [];
  const signing = counting.filter(
    (each) => each.rule.effect === "step_up" && needsSignature(stepDemand(each)),
  );
  const sorted: Sorted = {
    blocking,
    signing,
    holding: counting.filter(({ rule }) => rule.effect === "hold"),
    allowing: counting.filter(({ rule }) => rule.effect === "allow"),
    redacting: counting.filter(({ rule }) => rule.effect === "redact"),
    isForOthers: judged.standing === "for others",
  };
  const found: Way[] = [];
  for (const level of levels) {
    const way = wayAt(level, sorted);
    if (way === undefined || !isPossible(way.conditions)) continue;
    found.push(way);
    if (way.conditions.length === 0) break;
  }
  return found;
}

/** Counting rules, by what they do. */
interface Sorted {
  readonly blocking: readonly Clause[];
  readonly signing: readonly Counting[];
  readonly holding: readonly Counting[];
  readonly allowing: readonly Counting[];
  readonly redacting: readonly Counting[];
  readonly isForOthers: boolean;
}

/** What must be true for a rule not to stop the call for good; undefined for one that doesn't anyway. */
function blockOf({ rule, isSure, spares }: Counting, { target, link }: Judged): Clause | undefined {
  const isBlocking = isDenying(rule) || (rule.effect === "step_up" && rule.stepUp?.link?.(link) === false);
  if (isBlocking) return isSure ? { ...spares, says: "false" } : spares;
  if (rule.effect !== "read_only" || target.kind !== "tools" || target.onlyReads === true) return undefined;
  if (target.onlyReads === false) return isSure ? { ...spares, says: "false" } : spares;
  const says = isSure ? itOnlyReads : `${spares.says}, or ${itOnlyReads}`;
  return { ...spares, says, isCel: false, isOwnChoice: false };
}

function stepDemand({ rule }: Counting): SignatureDemand | undefined {
  return rule.stepUp?.signature;
}

function needsSignature(demand: SignatureDemand | undefined): boolean {
  return demand !== undefined && !isMet(demand, { mode: "none" });
}

function wayAt(level: Level, sorted: Sorted): Way | undefined {
  const { signing, holding, blocking } = sorted;
  const isSigned = level !== "allowed";
  const isHeld = level === "held";
  const spared = [...(isSigned ? [] : signing), ...(isHeld ? [] : holding)];
  if (spared.some(({ isSure }) => isSure) || (isHeld && holding.length === 0)) return undefined;
  const allowing = chosen(sorted.allowing.filter(({ rule }) => isSigned || !needsSignature(rule.signature)));
  if (allowing.length === 0) return undefined;
  const signatures = isSigned ? signaturesOf(allowing, signing) : [];
  if (level === "step_up" && signatures.length === 0) return undefined;
  const conditions = [...someOf(allowing), ...blocking, ...spared.map(({ spares }) => spares)];
  return {
    level,
    by: allowing.map(({ rule }) => rule.name),
    conditions: withoutRepeats(conditions),
    signatures,
    approvals: isHeld ? holding.map(approvalOf) : [],
    redactions: sorted.redacting.map(redactedOf),
    ...(sorted.isForOthers && { onBehalfOf: beginners(allowing) }),
  };
}

/** One that surely allows, the least demanding; otherwise all that may. */
function chosen(allowing: readonly Counting[]): readonly Counting[] {
  const sure = allowing.filter(({ isSure, counts }) => isSure || counts.says === "true");
  const first = sure.find(({ rule }) => !needsSignature(rule.signature)) ?? sure[0];
  return first === undefined ? allowing : [first];
}

function someOf(allowing: readonly Counting[]): readonly Clause[] {
  const [only, ...more] = allowing;
  if (only === undefined || only.counts.says === "true") return [];
  if (more.length === 0) return [only.counts];
  const clauses = allowing.map(({ counts }) => counts);
  return [
    {
      rules: clauses.flatMap(({ rules }) => rules),
      says: [...new Set(clauses.map(({ says }) => `(${says})`))].join(" || "),
      isCel: clauses.every(({ isCel }) => isCel),
      isOwnChoice: clauses.some(({ isOwnChoice }) => isOwnChoice),
    },
  ];
}

/** What two rules ask for in the same words is asked for once. */
function withoutRepeats(clauses: readonly Clause[]): readonly Clause[] {
  const seen = new Map<string, Clause>();
  for (const clause of clauses) {
    const known = seen.get(clause.says);
    const rules = [...new Set([...(known?.rules ?? []), ...clause.rules])];
    seen.set(clause.says, { ...clause, rules });
  }
  return [...seen.values()];
}

function signaturesOf(allowing: readonly Counting[], signing: readonly Counting[]): readonly Signed[] {
  const needs = allowing.map(({ rule }) => ({ rule: rule.name, demand: rule.signature }));
  const isNeeded = needs.every(({ demand }) => needsSignature(demand));
  const steps = signing.map((each) => ({ rule: each.rule.name, demand: stepDemand(each) }));
  return [...(isNeeded ? needs : []), ...steps].flatMap(({ rule, demand }) =>
    demand === undefined ? [] : [{ rule, says: demandInWords(demand) }],
  );
}

function demandInWords({ mode, algorithm, maxAgeMs }: SignatureDemand): string {
  return [algorithm ?? mode, ...(maxAgeMs === undefined ? [] : [`no older than ${maxAgeMs / 1000} s`])].join(
    ", ",
  );
}

function approvalOf({ rule: { name, approval } }: Counting): Approval {
  const { approvers = 1, from } = approval ?? {};
  return { rule: name, approvers, ...(from && { from }) };
}

function redactedOf({ rule: { name }, document: { redact }, isSure }: Counting): Redacted {
  return { rule: name, arguments: redact?.arguments ?? [], answer: redact?.answer ?? [], isSure };
}

function beginners(allowing: readonly { readonly document: RuleDocument }[]): readonly string[] {
  return [...new Set(allowing.flatMap(({ document }) => document.on_behalf_of ?? ["*"]))];
}

/** Whether they don't exclude each other; what can't be told, may be. */
function isPossible(conditions: readonly Clause[]): boolean {
  const said = conditions.filter(({ isCel }) => isCel).map(({ says }) => `(${says})`);
  if (said.length === 0) return true;
  const together = said.join(" && ");
  // Together they may be longer than a condition can be.
  return canBeTrue(together) ?? said.every((each) => canBeTrue(each) ?? true);
}

/** Undefined of a text that is too large. */
const canBeTrue = remembering((text: string): boolean | undefined => {
  try {
    return !canNeverBe(true, parse(text));
  } catch (cause) {
    if (cause instanceof Wrong) return undefined;
    throw cause;
  }
});
