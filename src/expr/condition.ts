/**
 * A condition: a CEL expression of type bool over typed facts, checked when it is compiled and bounded when it runs.
 *
 * CEL's library reads the text. What is done with the syntax tree is ours, because no library's evaluator can be told
 * how much it may do, knows facts that are missing, or refuses to compare values of different kinds. The language is
 * CEL's without bytes, unsigned numbers, `type`, `dyn`, `cel.bind` and the optional types, and stricter or wider in
 * four places: values of different kinds are an error to compare instead of unequal; whole numbers and numbers with
 * fractions mix; dividing by zero is an error for both; patterns and zones are written out, so that they are checked
 * when the condition is compiled.
 */
import { type Budget, Exhausted, freshBudget } from "./budget.ts";
import { compile, type Compiled } from "./compile.ts";
import { explain, type Explained } from "./explain.ts";
import { type Mistake, mistakeOf, Wrong } from "./mistake.ts";
import { parse } from "./syntax.ts";
import type { Recollection } from "./recall.ts";
import type { TypeSpec } from "./type-spec.ts";
import { Halt, type Result } from "./values.ts";

/** The variables a condition may name. */
export type Variables = Readonly<Record<string, TypeSpec>>;

/** The values, by variable; one that is neither here nor said to be missing is an error when it is read. */
export type FactValues = Readonly<Record<string, unknown>>;

export type Outcome =
  | { readonly kind: "true" }
  | { readonly kind: "false" }
  /** It depends on these variables, which were said to be missing. */
  | { readonly kind: "unknown"; readonly missing: readonly string[] }
  /** A sentence that names paths and kinds, never a value. */
  | { readonly kind: "error"; readonly why: string };

export interface Condition {
  readonly kind: "condition";
  readonly text: string;
  /** The variables it names: facts of no other need be built. */
  readonly variables: ReadonlySet<string>;
  /** The paths it reads, `*` for each element: `args.amount`, `args.items.*.price`. */
  readonly reads: readonly string[];
  /** What it asks of calls that came before. */
  readonly recalls: readonly Recollection[];
  /**
   * Never throws, whatever the facts are. `missing`: variables that aren't known yet. `budget`: what it may do, where
   * several conditions share one; without it, it has one of its own.
   */
  readonly evaluate: (facts: FactValues, missing?: ReadonlySet<string>, budget?: Budget) => Outcome;
  /**
   * The value of each path it reads outside of loops, cut to a length; of paths that `secret` is true of, only kind
   * and size. Never throws.
   */
  readonly explain: (facts: FactValues, secret?: (path: string) => boolean) => readonly Explained[];
}

/** Compiles `text`; what it may name, and of which types, is said by `variables`. */
export function compileCondition(text: string, variables: Variables): Condition | Mistake {
  try {
    return conditionOf(text, compile(parse(text), variables));
  } catch (cause) {
    if (cause instanceof Wrong) return mistakeOf(cause, text);
    throw cause;
  }
}

function conditionOf(text: string, { code, reads, recalls }: Compiled): Condition {
  return {
    kind: "condition",
    text,
    variables: new Set([...reads.keys()].map((path) => /^\w+/.exec(path)?.[0] ?? path)),
    reads: [...reads.keys()],
    recalls,
    evaluate: (facts, missing = nothing, budget = freshBudget()) => {
      try {
        return outcomeOf(code.run({ facts, missing, budget, locals: [] }));
      } catch (cause) {
        return { kind: "error", why: faultInWords(cause) };
      }
    },
    explain: (facts, secret = () => false) => {
      try {
        return explain(reads, { facts, missing: nothing, budget: freshBudget(), locals: [] }, secret);
      } catch (cause) {
        return [{ path: text, value: faultInWords(cause) }];
      }
    },
  };
}

const nothing: ReadonlySet<string> = new Set();
const yes: Outcome = { kind: "true" };
const no: Outcome = { kind: "false" };

function outcomeOf(result: Result): Outcome {
  if (result === true) return yes;
  if (result === false) return no;
  if (!(result instanceof Halt)) return { kind: "error", why: "the condition is neither true nor false." };
  return result.missing === undefined
    ? { kind: "error", why: result.why }
    : { kind: "unknown", missing: [...result.missing] };
}

/** Facts that can't even be read, such as an object whose member throws. */
function faultInWords(cause: unknown): string {
  return cause instanceof Exhausted ? cause.message : "the facts can't be read.";
}
