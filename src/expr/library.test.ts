/**
 * Against CEL's library: where our language is CEL's, both evaluators say the same. The smallest int stays out of reach: the
 * library negates it without noticing that it overflows.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Environment } from "@marcbachmann/cel-js";
import * as fc from "fast-check";

import { compileCondition } from "./condition.ts";

const library = new Environment()
  .registerVariable("i", "int")
  .registerVariable("d", "double")
  .registerVariable("s", "string")
  .registerVariable("b", "bool")
  .registerVariable("l", "list<string>")
  .registerVariable("m", "map<string, string>");
const variables = {
  i: "int",
  d: "double",
  s: "string",
  b: "bool",
  l: { kind: "list", of: "string" },
  m: { kind: "map", of: "string" },
} as const;

const { bool } = fc.letrec<Record<"bool" | "int" | "double" | "string" | "list", string>>((tie) => {
  const infix = (operand: string, ...ops: readonly string[]): fc.Arbitrary<string> =>
    fc
      .tuple(tie(operand as "int"), fc.constantFrom(...ops), tie(operand as "int"))
      .map((parts) => `(${parts.join(" ")})`);
  return {
    int: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("i", "0", "1", "-7", "size(s)", "l.size()", "3037000500"),
      infix("int", "+", "-", "*", "/", "%"),
      tie("int").map((inner) => `(-${inner})`),
    ),
    double: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom("d", "0.5", "-2.0", "1e3"),
      infix("double", "+", "-", "*"),
    ),
    string: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom("s", "''", "'ab'", "l[0]", "m.k", "m['x']", "l[i]"),
      infix("string", "+"),
      fc.tuple(tie("bool"), tie("string"), tie("string")).map(([c, t, e]) => `(${c} ? ${t} : ${e})`),
    ),
    list: fc.oneof(
      { maxDepth: 1 },
      fc.constantFrom("l", "['a', s]"),
      tie("bool").map((test) => `l.filter(f, f != s || ${test})`),
      fc.constant("l.map(e, e + 'x')"),
    ),
    bool: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(
        "b",
        "true",
        "false",
        "has(m.k)",
        "has(m.x)",
        "('k' in m)",
        "s.contains('a')",
        "s.startsWith('ab')",
        "s.matches('^a+b?$')",
      ),
      infix("bool", "&&", "||", "==", "!="),
      tie("bool").map((inner) => `(!${inner})`),
      infix("int", "==", "!=", "<", "<=", ">", ">="),
      infix("double", "==", "!=", "<", "<=", ">", ">="),
      infix("string", "==", "!=", "<", ">"),
      infix("list", "==", "!="),
      fc.tuple(tie("int"), tie("double")).map(([l, r]) => `(${l} < ${r})`),
      fc.tuple(tie("string"), tie("list")).map(([l, r]) => `(${l} in ${r})`),
      fc
        .tuple(tie("list"), fc.constantFrom("all", "exists", "exists_one"), tie("bool"))
        .map(([l, loop, test]) => `${l}.${loop}(y, y < s || ${test})`),
      fc.tuple(tie("bool"), tie("bool"), tie("bool")).map(([c, t, e]) => `(${c} ? ${t} : ${e})`),
    ),
  };
});

const facts = fc.record({
  i: fc.integer({ min: -3, max: 3 }),
  d: fc.constantFrom(-1.5, 0, 0.5, 2),
  s: fc.constantFrom("", "a", "ab", "ba"),
  b: fc.boolean(),
  l: fc.array(fc.constantFrom("a", "ab", "c"), { maxLength: 3 }),
  m: fc.constantFrom<Record<string, string>>({}, { k: "ab" }, { k: "a", x: "" }),
});

test("both evaluators agree, also on what is an error", () => {
  const seen = { true: 0, false: 0, error: 0 };
  fc.assert(
    fc.property(bool, facts, (text, given) => {
      const compiled = compileCondition(text, variables);
      // What is too large or too deep for us, or reuses a name, is no question for the library.
      if (compiled.kind === "mistake" && /too large|nested|loop|already the name/.test(compiled.message))
        return;
      assert.ok(compiled.kind === "condition", `${text}: ${JSON.stringify(compiled)}`);
      const outcome = compiled.evaluate(given).kind;
      assert.equal(outcome, libraryOutcome(text, given), text);
      if (outcome !== "unknown") seen[outcome] += 1;
    }),
    { numRuns: 3000 },
  );
  assert.ok(Math.min(seen.true, seen.false, seen.error) > 100, JSON.stringify(seen));
});

function libraryOutcome(text: string, given: { readonly i: number }): string {
  try {
    return String(library.evaluate(text, { ...given, i: BigInt(given.i) }));
  } catch {
    return "error";
  }
}
