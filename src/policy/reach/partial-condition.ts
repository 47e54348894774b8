/**
 * A condition of which only some facts are known: what it can still come to, and the text of what is left to decide.
 * It is taken apart at `&&`, `||`, `!` and `?:`; each part is decided by the condition's own judge if all that it
 * reads is known, or if it comes out the same without. INVARIANT: whatever isn't decided may be true, false or err.
 */
import type { Condition, FactValues } from "../../expr/condition.ts";
import { type Node, parse } from "../../expr/syntax.ts";
import { keyOf } from "../check/comparison.ts";
import { factTypes, linkFactTypes, type LinkHook } from "../facts.ts";
import { ruleCondition } from "../rule-condition.ts";

/** What a condition can come to. */
interface Outcomes {
  readonly true: boolean;
  readonly false: boolean;
  readonly error: boolean;
}

export interface Left {
  readonly can: Outcomes;
  /** CEL, true exactly where the whole is, and false where it is; of what is decided, `true` or `false`. */
  readonly text: string;
  /** The same of its negation. */
  readonly negated: string;
  /** Variables that what is left reads. */
  readonly reads: readonly string[];
}

export interface KnownFacts {
  readonly facts: FactValues;
  /** What of them is known: `caller.groups`, `now`. */
  readonly paths: ReadonlySet<string>;
}

type Part =
  | Atom
  | { readonly kind: "&&" | "||"; readonly one: Part; readonly other: Part }
  | { readonly kind: "!"; readonly of: Part }
  | { readonly kind: "?:"; readonly test: Part; readonly yes: Part; readonly no: Part };

interface Atom {
  readonly kind: "atom";
  readonly text: string;
  readonly condition: Condition;
  readonly reads: readonly string[];
}

/** A condition made ready to be asked with some of the facts. */
export type PartialCondition = (known: KnownFacts) => Left;

/** @param text of a rule that was compiled before */
export function partialCondition(text: string, hook?: LinkHook): PartialCondition {
  const part = partOf(parse(text), hook) ?? atomOf(text, parse(text), hook);
  if (part === undefined) return () => undecided(text, ["?"]);
  const members = [...new Set(readsOf(part).map(memberIn))];
  const found = new Map<string, Left>();
  // Most conditions read little of what differs from call to call.
  return (known) => {
    const key = JSON.stringify(members.map((member) => valueOf(member, known)));
    const left = found.get(key) ?? leftOf(part, known);
    if (found.size >= maxRemembered) found.clear();
    found.set(key, left);
    return left;
  };
}

/** What is left of one condition, by the values it reads. */
const maxRemembered = 2000;

function readsOf(part: Part): readonly string[] {
  switch (part.kind) {
    case "atom":
      return part.reads;
    case "!":
      return readsOf(part.of);
    case "?:":
      return [part.test, part.yes, part.no].flatMap(readsOf);
    default:
      return [part.one, part.other].flatMap(readsOf);
  }
}

function memberIn(path: string): string {
  return /^\w+(?:\.\w+)?/.exec(path)?.[0] ?? path;
}

/** In an array, so that what isn't known is told from every value. */
function valueOf(path: string, { facts, paths }: KnownFacts): readonly unknown[] {
  if (!isKnown(path, paths)) return [];
  const [variable = "", member] = path.split(".");
  const value = facts[variable];
  return [
    member !== undefined && typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)[member]
      : value,
  ];
}

function partOf(node: Node, hook: LinkHook | undefined): Part | undefined {
  switch (node.op) {
    case "&&":
    case "||": {
      const [one, other] = node.args.map((each) => partOf(each, hook));
      return one && other && { kind: node.op, one, other };
    }
    case "!_": {
      const of = partOf(node.args, hook);
      return of && { kind: "!", of };
    }
    case "?:": {
      const [test, yes, no] = node.args.map((each) => partOf(each, hook));
      return test && yes && no && { kind: "?:", test, yes, no };
    }
    default:
      return atomOf(node.input.slice(node.start, node.end), node, hook);
  }
}

/** Undefined where its text by itself isn't what it is within the whole. */
function atomOf(text: string, node: Node, hook: LinkHook | undefined): Atom | undefined {
  const condition = ruleCondition(text, hook);
  if (condition.kind === "mistake" || keyOf(parse(text)) !== keyOf(node)) return undefined;
  const variables = new Set(condition.reads.map(variableIn));
  const named = namesIn(node).filter((name) => isVariable(name) && !variables.has(name));
  return { kind: "atom", text: text.trim(), condition, reads: [...condition.reads, ...named] };
}

function isVariable(name: string): boolean {
  return Object.hasOwn(factTypes, name) || Object.hasOwn(linkFactTypes.connection, name);
}

/** All that is written as a name by itself. */
function namesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (typeof value !== "object" || value === null || !("op" in value) || !("args" in value)) return [];
  return value.op === "id" && typeof value.args === "string" ? [value.args] : namesIn(value.args);
}

function variableIn(path: string): string {
  return /^\w+/.exec(path)?.[0] ?? path;
}

function leftOf(part: Part, known: KnownFacts): Left {
  switch (part.kind) {
    case "atom":
      return leftOfAtom(part, known);
    case "!": {
      const { can, text, negated, reads } = leftOf(part.of, known);
      return { can: { ...can, true: can.false, false: can.true }, text: negated, negated: text, reads };
    }
    case "?:":
      return leftOfChoice(part, known);
    default:
      return leftOfPair(part.kind, leftOf(part.one, known), leftOf(part.other, known));
  }
}

function leftOfAtom({ text, condition, reads }: Atom, { facts, paths }: KnownFacts): Left {
  const unknown = reads.filter((path) => !isKnown(path, paths));
  const missing = new Set(unknown.map(variableIn));
  const { kind } = condition.evaluate(facts, missing);
  if (kind === "true" || kind === "false") return decided(kind);
  if (kind === "error" && missing.size === 0) return { ...undecided(text, []), can: only("error") };
  return undecided(text, [...missing]);
}

function isKnown(path: string, paths: ReadonlySet<string>): boolean {
  return paths.has(memberIn(path)) || paths.has(variableIn(path));
}

function leftOfPair(op: "&&" | "||", one: Left, other: Left): Left {
  const decides = op === "||";
  const neutral = String(!decides);
  const can = canOfPair(decides, one.can, other.can);
  const sure = sureOf(can);
  if (sure !== undefined && sure !== "error") return decided(sure);
  if (one.text === neutral) return { ...other, can };
  if (other.text === neutral) return { ...one, can };
  return {
    can,
    text: `${grouped(one.text)} ${op} ${grouped(other.text)}`,
    negated: `!(${grouped(one.text)} ${op} ${grouped(other.text)})`,
    reads: [...new Set([...one.reads, ...other.reads])],
  };
}

/** CEL's `&&` and `||` with errors: what decides wins over an error on the other side. */
function canOfPair(decides: boolean, one: Outcomes, other: Outcomes): Outcomes {
  const [deciding, going] = decides ? (["true", "false"] as const) : (["false", "true"] as const);
  const goes = one[going] && other[going];
  const halts = (one.error && (other.error || other[going])) || (other.error && one[going]);
  const wins = one[deciding] || other[deciding];
  return decides ? { true: wins, false: goes, error: halts } : { true: goes, false: wins, error: halts };
}

function leftOfChoice(part: Extract<Part, { kind: "?:" }>, known: KnownFacts): Left {
  const test = leftOf(part.test, known);
  const [yes, no] = [leftOf(part.yes, known), leftOf(part.no, known)];
  const sure = sureOf(test.can);
  if (sure === "true") return yes;
  if (sure === "false") return no;
  const either = (kind: keyof Outcomes): boolean =>
    (test.can.true && yes.can[kind]) || (test.can.false && no.can[kind]);
  const can = {
    true: either("true"),
    false: either("false"),
    error: either("error") || test.can.error,
  };
  const text = `(${test.text}) ? (${yes.text}) : (${no.text})`;
  const reads = [...new Set([test, yes, no].flatMap((each) => each.reads))];
  return { can, text, negated: `!(${text})`, reads };
}

function sureOf(can: Outcomes): keyof Outcomes | undefined {
  const kinds = (["true", "false", "error"] as const).filter((kind) => can[kind]);
  return kinds.length === 1 ? kinds[0] : undefined;
}

function only(kind: keyof Outcomes): Outcomes {
  return { true: kind === "true", false: kind === "false", error: kind === "error" };
}

function decided(kind: "true" | "false"): Left {
  return { can: only(kind), text: kind, negated: String(kind === "false"), reads: [] };
}

function undecided(text: string, reads: readonly string[]): Left {
  return { can: { true: true, false: true, error: true }, text, negated: not(text), reads };
}

function not(text: string): string {
  return /^[\w.]+$/.test(text) ? `!${text}` : `!(${text})`;
}

/** Within `&&` and `||`, in brackets where it has one of them, or a choice, itself. */
function grouped(text: string): string {
  const hasParts = /&&|\|\||\?/.test(text);
  return hasParts ? `(${text})` : text;
}
