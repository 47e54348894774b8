/**
 * The loops: `all`, `exists`, `exists_one`, `filter` and `map` over a list or an object's names. Each element costs
 * the steps of what is done with it, and at most one loop stands inside another.
 */
import { spend } from "./budget.ts";
import { type Code, either, type Run } from "./code.ts";
import { limits } from "./limits.ts";
import { compileBool } from "./logic.ts";
import { namesOf } from "./names-of.ts";
import { Wrong } from "./mistake.ts";
import type { Scope } from "./scope.ts";
import { type Node, sourceOf } from "./syntax.ts";
import { elementOf, kindOf, type TypeSpec, typeInWords } from "./type-spec.ts";
import { Dictionary, Halt, List, type Result, type Value, valueInWords } from "./values.ts";

export const loopNames = ["all", "exists", "exists_one", "filter", "map"] as const;
type LoopName = (typeof loopNames)[number];

export function isLoop(name: string): name is LoopName {
  return loopNames.some((each) => each === name);
}

interface LoopCall {
  readonly name: LoopName;
  readonly range: Node;
  /** The element's name, then what is done with it. */
  readonly given: readonly Node[];
}

export function compileLoop(call: LoopCall, node: Node, scope: Scope): Code {
  const { name, given } = call;
  const [variable, ...bodies] = given;
  const bodyCounts = name === "map" ? [1, 2] : [1];
  if (variable?.op !== "id" || !bodyCounts.includes(bodies.length)) {
    throw new Wrong(
      `${name}() is written list.${name}(x, …)`,
      node.start,
      `${sourceOf(call.range)}.${name}(x, …)`,
    );
  }
  if (scope.loops.length >= limits.nestedLoops) {
    throw new Wrong("at most one loop stands inside another", node.start);
  }
  const taken = [...Object.keys(scope.variables), ...scope.loops.map((loop) => loop.name)];
  if (taken.includes(variable.args)) {
    throw new Wrong(`"${variable.args}" is already the name of something else`, variable.start, "x");
  }
  const range = scope.compile(call.range, scope);
  const type = elementType(range.type, call.range);
  const path = range.path && `${range.path.text}.*`;
  const inner: Scope = { ...scope, loops: [...scope.loops, { name: variable.args, type, path }] };
  return loopCode({ name, range, inner, bodies, slot: scope.loops.length, source: sourceOf(call.range) });
}

function elementType(type: TypeSpec, node: Node): TypeSpec {
  switch (kindOf(type)) {
    case "dyn":
      return "dyn";
    case "map":
      return "string";
    case "list":
      return elementOf(type);
    default:
      throw new Wrong(`a loop runs over a list, but ${sourceOf(node)} is ${typeInWords(type)}`, node.start);
  }
}

interface LoopParts {
  readonly name: LoopName;
  readonly range: Code;
  readonly inner: Scope;
  readonly bodies: readonly Node[];
  readonly slot: number;
  readonly source: string;
}

function loopCode(parts: LoopParts): Code {
  const { name, range, bodies, inner } = parts;
  const [first, second] = bodies;
  if (first === undefined) throw new Wrong(`${name}() has nothing to do`, 0);
  if (name === "map" && second === undefined) return mapCode(parts, undefined, inner.compile(first, inner));
  const test = compileBool(first, inner, `${name}()`);
  if (name === "map" && second !== undefined) return mapCode(parts, test, inner.compile(second, inner));
  if (name === "filter") return filterCode(parts, test);
  const steps = (at: Run): Steps => stepsOf(parts, test.parts, at);
  const code = { type: "bool", parts: range.parts + test.parts + 1 } as const;
  if (name === "exists_one") return { ...code, run: (at) => exactlyOne(test, steps(at)) };
  const decides = name === "exists";
  return { ...code, run: (at) => anyDecides(test, steps(at), decides) };
}

/** The elements of one run of a loop, or why there are none. */
type Steps = Halt | { readonly list: List; readonly at: Run; readonly step: (index: number) => void };

function stepsOf({ range, slot, source }: LoopParts, bodyParts: number, at: Run): Steps {
  const value = range.run(at);
  if (value instanceof Halt) return value;
  const list = elementsOf(value, source, at);
  if (list instanceof Halt) return list;
  const where = (): string => `an element of ${source}`;
  const step = (index: number): void => {
    spend(at.budget, bodyParts + 1);
    at.locals[slot] = list.at(index, where);
  };
  return { list, at, step };
}

function elementsOf(value: Value, source: string, at: Run): List | Halt {
  if (value instanceof List) return value;
  if (!(value instanceof Dictionary)) {
    return new Halt(`${source} should be a list, but is ${valueInWords(value)}.`);
  }
  const names = namesOf(value, at.budget);
  return names instanceof Halt ? names : new List(names, "string");
}

/** `exists` and `all`: an `||` or `&&` of all elements. */
function anyDecides(test: Code, steps: Steps, decides: boolean): Result {
  if (steps instanceof Halt) return steps;
  let halt: Halt | undefined;
  for (let index = 0; index < steps.list.items.length; index++) {
    steps.step(index);
    const value = test.run(steps.at);
    if (value === decides) return decides;
    if (value instanceof Halt) halt = halt === undefined ? value : either(halt, value);
  }
  return halt ?? !decides;
}

function exactlyOne(test: Code, steps: Steps): Result {
  const found = kept(test, steps);
  return found instanceof Halt ? found : found.length === 1;
}

function filterCode(parts: LoopParts, test: Code): Code {
  const { type } = parts.range;
  return {
    type: { kind: "list", of: kindOf(type) === "map" ? "string" : elementOf(type) },
    parts: parts.range.parts + test.parts + 1,
    run: (at) => {
      const steps = stepsOf(parts, test.parts, at);
      const found = kept(test, steps);
      if (found instanceof Halt || steps instanceof Halt) return found instanceof Halt ? found : null;
      const { list } = steps;
      return new List(
        found.map((index) => list.items[index]),
        list.of,
      );
    },
  };
}

/** The indexes of the elements it is true of. */
function kept(test: Code, steps: Steps): readonly number[] | Halt {
  if (steps instanceof Halt) return steps;
  const found: number[] = [];
  for (let index = 0; index < steps.list.items.length; index++) {
    steps.step(index);
    const value = test.run(steps.at);
    if (value instanceof Halt) return value;
    if (value === true) found.push(index);
  }
  return found;
}

function mapCode(parts: LoopParts, test: Code | undefined, made: Code): Code {
  const bodyParts = made.parts + (test?.parts ?? 0);
  return {
    type: { kind: "list", of: made.type },
    parts: parts.range.parts + bodyParts + 1,
    run: (at) => {
      const steps = stepsOf(parts, bodyParts, at);
      if (steps instanceof Halt) return steps;
      const values: Value[] = [];
      for (let index = 0; index < steps.list.items.length; index++) {
        steps.step(index);
        const wanted = test?.run(at) ?? true;
        if (wanted instanceof Halt) return wanted;
        if (wanted !== true) continue;
        const value = made.run(at);
        if (value instanceof Halt) return value;
        values.push(value);
      }
      return new List(values, "computed");
    },
  };
}
