/** The names of an object's members: what a loop over it and its size are about. */
import { type Budget, spend } from "./budget.ts";
import { limits } from "./limits.ts";
import { type Dictionary, Halt } from "./values.ts";

/** @throws Exhausted */
export function namesOf({ members }: Dictionary, budget: Budget): readonly string[] | Halt {
  const names = Object.keys(members);
  spend(budget, 2 * Math.min(names.length, limits.elements));
  return names.length <= limits.elements
    ? names
    : new Halt(`an object is too large: it has ${names.length} members.`);
}
