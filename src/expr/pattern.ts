/** Regular expressions in RE2's syntax, matched in time linear in the text: no pattern makes the gateway hang. */
import { RE2JS } from "re2js";

import { type Budget, spend } from "./budget.ts";
import { limits } from "./limits.ts";

export interface Pattern {
  /** Whether it is found anywhere in `text`. @throws Exhausted */
  readonly isFoundIn: (text: string, budget: Budget) => boolean;
}

/** @returns the pattern, or what is wrong with it */
export function compilePattern(text: string): Pattern | string {
  if (text.length > limits.patternChars) {
    return `the pattern is longer than ${limits.patternChars} characters`;
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^error parsing regexp: /, "") : "unreadable";
    return `RE2 can't read the pattern: ${why}`;
  }
  const instructions = compiled.programSize();
  if (instructions > limits.patternProgram) {
    return `the pattern needs ${instructions} instructions, more than ${limits.patternProgram}: its repetitions multiply`;
  }
  return {
    isFoundIn: (searched, budget) => {
      // RE2's slow path visits each instruction once a character, at about 45 ns.
      spend(budget, 1 + ((searched.length * instructions) >> 3));
      return compiled.test(searched);
    },
  };
}
