/** What becomes of a call, in one word. */
import type { Denial, Permit } from "./decide.ts";

export type Verdict = "allow" | "deny" | "cut" | "hold" | "read_only" | "step_up";

/** `allow` with redactions, too; a `cut` whose condition errs is a `deny`. */
export function verdictOf(decision: Permit | Denial): Verdict {
  if (decision.kind === "permit") return "allow";
  const { effect, cuts } = decision;
  if (effect === "cut") return cuts === true ? "cut" : "deny";
  return effect === "hold" || effect === "read_only" || effect === "step_up" ? effect : "deny";
}
