/** `flow` in conditions: what the caller's session has read, and what of it a call carries. Whoever evaluates knows it. */
import { type Budget, spend } from "./budget.ts";
import type { Row } from "./functions.ts";
import { Dictionary, Flow, Halt, List, type Result, type Value } from "./values.ts";

/** A label, as configs name them. */
const labelPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** For each argument that is looked through; letters cost more. */
const lookSteps = 50;

const label = { at: 1, required: true, prepare: prepareLabel } as const;

/** `flow.seen("pii")`, `flow.carries("pii")` of all arguments, `flow.carries("pii", args.body)` of one value. */
export const flowRows: readonly Row[] = [
  {
    name: "seen",
    style: "method",
    takes: [["flow"], ["string"]],
    gives: "bool",
    literal: label,
    run: ([flow, name]) => (flow instanceof Flow ? told(flow.known.seen(nameOf(name))) : notFlow),
  },
  {
    name: "carries",
    style: "method",
    takes: [["flow"], ["string"]],
    gives: "bool",
    literal: label,
    run: ([flow, name], budget) => carries(flow, { label: nameOf(name), value: undefined }, budget),
  },
  {
    name: "carries",
    style: "method",
    takes: [["flow"], ["string"], ["string", "int", "double", "list", "map"]],
    gives: "bool",
    literal: label,
    run: ([flow, name, value], budget) =>
      carries(flow, { label: nameOf(name), value: plainOf(value) }, budget),
  },
];

const notFlow = new Halt("what is asked isn't flow.");

function carries(
  flow: Value | undefined,
  asked: { readonly label: string; readonly value: unknown },
  budget: Budget,
): Result {
  if (!(flow instanceof Flow)) return notFlow;
  return told(
    flow.known.carries(asked.label, asked.value, (chars) => spend(budget, lookSteps + (chars >> 2))),
  );
}

function nameOf(name: Value | undefined): string {
  return typeof name === "string" ? name : "";
}

/** A value as it came. */
function plainOf(value: Value | undefined): unknown {
  if (value instanceof List) return value.items;
  return value instanceof Dictionary ? value.members : value;
}

function told(answer: boolean | { readonly why: string }): Result {
  return typeof answer === "boolean" ? answer : new Halt(answer.why);
}

function prepareLabel(name: string): { made: string } | { wrong: string } {
  return labelPattern.test(name) ? { made: name } : { wrong: `"${name}" can't be a label` };
}
