/** What conditions ask `flow`: of which labels, and whether text is to be known again. */
import { type Node, parse } from "../expr/syntax.ts";
import { nodesIn } from "./check/condition-logic.ts";
import type { Rule } from "./rules.ts";

/** What rules ask; where they ask nothing, nothing is remembered of what is read. */
export interface FlowAsked {
  readonly labels: ReadonlySet<string>;
  /** Those among them that are looked for in what is said. */
  readonly carried: ReadonlySet<string>;
}

export function flowAsked(rules: readonly Rule[]): FlowAsked {
  const asked = rules.flatMap(({ when }) =>
    when?.variables.has("flow") === true ? labelsAskedFor(parse(when.text)) : [],
  );
  return {
    labels: new Set(asked.map(({ label }) => label)),
    carried: new Set(asked.filter(({ method }) => method === "carries").map(({ label }) => label)),
  };
}

/** INVARIANT: labels are written out: a condition is none otherwise. */
export function labelsAskedFor(
  node: Node,
): readonly { readonly method: string; readonly label: string; readonly node: Node }[] {
  return nodesIn(node).flatMap((part) => {
    if (part.op !== "rcall" || part.args[1].op !== "id" || part.args[1].args !== "flow") return [];
    const [given] = part.args[2];
    return typeof given?.args === "string" ? [{ method: part.args[0], label: given.args, node: given }] : [];
  });
}
