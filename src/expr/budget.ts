/** How much may still be done. Running out ends the whole evaluation: no `||` can save it. */
import { limits } from "./limits.ts";

export class Exhausted extends Error {
  constructor() {
    super(`the condition is too costly: it needs more than ${limits.steps} steps.`);
  }
}

export interface Budget {
  steps: number;
}

export function freshBudget(): Budget {
  return { steps: limits.steps };
}

/** Whether some evaluation ran out of it. */
export function isSpent({ steps }: Budget): boolean {
  return steps < 0;
}

/** @throws Exhausted when nothing is left */
export function spend(budget: Budget, steps: number): void {
  budget.steps -= steps;
  if (budget.steps < 0) throw new Exhausted();
}
