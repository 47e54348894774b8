/**
 * The bounds of a condition. Those of its text hold when it is compiled; those of its work hold for each evaluation,
 * and reaching one is an error of the condition, never a slow answer.
 */
export const limits = {
  /** Of the condition itself: what a person can still read. */
  textChars: 4096,
  nodes: 500,
  depth: 32,
  literalElements: 200,
  callArguments: 3,
  /** `all`, `exists`, `map` and the like: at most one inside another. */
  nestedLoops: 2,
  patternChars: 512,
  /** Instructions of a compiled pattern: `(a{100}){9}` is short and has nine hundred. */
  patternProgram: 500,

  /** Of what it reads: a longer string, list or object is an error as soon as it is looked into. */
  stringChars: 65_536,
  elements: 10_000,
  /** How deep `==` follows lists and objects. */
  comparedDepth: 32,

  /** Of one evaluation: about a tenth of a microsecond each. */
  steps: 100_000,
  /** Of one value in an explanation. */
  explainedChars: 120,
} as const;
