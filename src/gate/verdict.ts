/** What the rules say of a question in this world: enforced, or only observed. */
import { decide, type Denial, observe, type Permit, type Question } from "../policy/decide.ts";
import type { World } from "./world.ts";

export function verdictOn(question: Question, { rules, observes }: World): Permit | Denial {
  return observes ? observe(question, rules) : decide(question, rules);
}
