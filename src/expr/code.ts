/** A compiled expression: its type, and how it is run. */
import type { Budget } from "./budget.ts";
import type { TypeSpec } from "./type-spec.ts";
import { Halt, type Result } from "./values.ts";

export interface Code {
  readonly type: TypeSpec;
  readonly run: (at: Run) => Result;
  /** How many parts it has: what one run of it costs in steps. */
  readonly parts: number;
  /** What it reads, if it is nothing but a path. */
  readonly path?: Path;
  /** A string or null that was written, for what is looked at when it is compiled. */
  readonly literal?: string | null;
}

interface Path {
  /** `args.items.*.price`: `*` is an element of a loop. */
  readonly text: string;
  /** It begins with such an element, so that it means nothing outside of its loop. */
  readonly inLoop: boolean;
}

/** One evaluation. */
export interface Run {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly missing: ReadonlySet<string>;
  readonly budget: Budget;
  /** The current element of each loop, the outermost first. */
  readonly locals: Result[];
}

/**
 * Of two, for an operator that needs both: what went wrong is so whatever the missing facts are, so it wins.
 */
export function strictly(left: Result, right: Result): Halt | undefined {
  if (!(left instanceof Halt)) return right instanceof Halt ? right : undefined;
  if (!(right instanceof Halt)) return left;
  if (left.missing === undefined) return left;
  return right.missing === undefined ? right : together(left.missing, right.missing);
}

/** Of two, for `&&` and `||`: with the missing facts the other side may yet decide it, so they win. */
export function either(left: Halt, right: Halt): Halt {
  if (left.missing !== undefined && right.missing !== undefined) return together(left.missing, right.missing);
  return right.missing === undefined ? left : right;
}

function together(one: ReadonlySet<string>, other: ReadonlySet<string>): Halt {
  return new Halt("", new Set([...one, ...other]));
}
