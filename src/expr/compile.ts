/** From the syntax tree to code: every name is resolved and every type checked here, once. */
import { compileCall, compileMethod } from "./calls.ts";
import { type Code, type Run, strictly } from "./code.ts";
import { kindOf, type TypeSpec, typeInWords } from "./type-spec.ts";
import { compileBool, compileLogic, compileNot, compileTernary } from "./logic.ts";
import { Wrong } from "./mistake.ts";
import { nearest } from "../kernel/nearest.ts";
import { checkEqual, checkMember, checkOrder, differingTypes } from "./comparisons.ts";
import {
  type Arithmetic,
  calculate,
  commonType,
  contains,
  isNullable,
  negate,
  type Order,
  order,
  typeOfArithmetic,
} from "./operators.ts";
import { equals } from "./equality.ts";
import { halfAsked, type Recollection } from "./recall.ts";
import { noted, type Scope } from "./scope.ts";
import { compileIndex, compileSelect } from "./select.ts";
import { type Node, sourceOf } from "./syntax.ts";
import { Dictionary, Halt, inInt64, List, read, type Result, type Value } from "./values.ts";

/** The code of an expression that is to be true or false, and what it reads. @throws Wrong */
export function compile(node: Node, variables: Readonly<Record<string, TypeSpec>>): Compiled {
  const reads = new Map<string, Code | undefined>();
  const recalls: Recollection[] = [];
  const scope: Scope = {
    compile: (part, inner) => noted(compilePart(part, inner), inner),
    compilePart,
    variables,
    loops: [],
    reads,
    recalls,
  };
  return { code: compileBool(node, scope, "a condition"), reads, recalls };
}

export interface Compiled {
  readonly code: Code;
  /** By path; undefined where it means nothing outside of its loop. */
  readonly reads: ReadonlyMap<string, Code | undefined>;
  readonly recalls: readonly Recollection[];
}

function compilePart(node: Node, scope: Scope): Code {
  switch (node.op) {
    case "value":
      return compileLiteral(node.args, node);
    case "id":
      return compileName(node.args, node, scope);
    case ".":
      return compileSelect(node.args[0], node.args[1], node, scope);
    case "[]":
      return compileIndex(node.args[0], node.args[1], node, scope);
    case "list":
      return compileList(node.args, scope);
    case "map":
      return compileMap(node.args, scope);
    case "call":
      return compileCall(node.args[0], node.args[1], node, scope);
    case "rcall":
      return compileMethod({ name: node.args[0], receiver: node.args[1], given: node.args[2] }, node, scope);
    default:
      return compileOperator(node, scope);
  }
}

type OperatorNode = Exclude<Node, { op: "value" | "id" | "." | "[]" | "list" | "map" | "call" | "rcall" }>;

function compileOperator(node: OperatorNode, scope: Scope): Code {
  switch (node.op) {
    case "&&":
    case "||":
      return compileLogic(node.op, node.args, scope);
    case "!_":
      return compileNot(node.args, scope);
    case "?:":
      return compileTernary(node.args, node, scope);
    case "==":
    case "!=":
      return compileEquality(node.op, node.args, node, scope);
    case "in":
      return compileIn(node.args, node, scope);
    case "-_":
      return compileNegation(node.args, node, scope);
    default:
      if (isOrder(node)) return compileOrder(node.op, node.args, node, scope);
      if (isArithmetic(node)) return compileArithmetic(node.op, node.args, node, scope);
      throw new Wrong("conditions don't have this operator", node.start);
  }
}

function isOrder(node: OperatorNode): node is Extract<OperatorNode, { op: Order }> {
  return ["<", "<=", ">", ">="].includes(node.op);
}

function isArithmetic(node: OperatorNode): node is Extract<OperatorNode, { op: Arithmetic }> {
  return ["+", "-", "*", "/", "%"].includes(node.op);
}

type Pair = readonly [Node, Node];

function compileLiteral(value: unknown, node: Node): Code {
  switch (typeof value) {
    case "string":
      return { ...constant(value, "string"), literal: value };
    case "boolean":
      return constant(value, "bool");
    case "number":
      return constant(value, "double");
    case "bigint":
      if (!inInt64(value)) throw new Wrong("the number is too large", node.start);
      return constant(value, "int");
    default:
      if (value === null) return { ...constant(null, "null"), literal: null };
      throw new Wrong(
        value instanceof Uint8Array
          ? "conditions don't have bytes"
          : 'conditions don\'t have unsigned numbers: leave the "u" out',
        node.start,
      );
  }
}

function constant(value: Value, type: TypeSpec): Code {
  return { type, parts: 1, run: () => value };
}

function compileName(name: string, node: Node, scope: Scope): Code {
  const slot = scope.loops.findIndex((loop) => loop.name === name);
  const loop = scope.loops[slot];
  if (loop !== undefined) {
    return {
      type: loop.type,
      parts: 1,
      ...(loop.path !== undefined && { path: { text: loop.path, inLoop: true } }),
      run: ({ locals }) => locals[slot] ?? null,
    };
  }
  const type = Object.hasOwn(scope.variables, name) ? scope.variables[name] : undefined;
  if (type === undefined) throw unknownName(name, node, scope);
  if (type === "history") throw halfAsked(node);
  const missing = new Halt("", new Set([name]));
  const where = (): string => name;
  return {
    type,
    parts: 1,
    path: { text: name, inLoop: false },
    run: (at) => {
      if (at.missing.has(name)) return missing;
      return read(Object.hasOwn(at.facts, name) ? at.facts[name] : undefined, type, where);
    },
  };
}

function unknownName(name: string, node: Node, scope: Scope): Wrong {
  const known = [...Object.keys(scope.variables), ...scope.loops.map((loop) => loop.name)];
  const meant = nearest(name, [...known, "true", "false", "null"]);
  // `amount > 500` for `args.amount > 500`: a member of just one variable.
  const owner = known.filter((variable) => {
    const type = scope.variables[variable];
    return typeof type === "object" && type.kind === "object" && Object.hasOwn(type.members, name);
  });
  const suggestion = owner.length === 1 ? `${owner[0]}.${name}` : meant;
  return new Wrong(`there is no variable "${name}"; there are ${known.join(", ")}`, node.start, suggestion);
}

function compileList(nodes: readonly Node[], scope: Scope): Code {
  const codes = nodes.map((node) => scope.compile(node, scope));
  const of = codes.reduce<TypeSpec | undefined>((sum, { type }, at) => {
    if (sum === undefined) return type;
    const both = commonType(sum, type);
    if (both !== undefined) return both;
    const [first, other] = [nodes[0], nodes[at]];
    if (first === undefined || other === undefined) return "dyn";
    throw new Wrong(
      `the elements of a list are of one type, but ${sourceOf(first)} is ${typeInWords(sum)} and ${sourceOf(other)} is ${typeInWords(type)}`,
      other.start,
    );
  }, undefined);
  const type: TypeSpec = { kind: "list", of: of ?? "dyn" };
  // What is written out is made once.
  if (nodes.every((node) => node.op === "value")) {
    const list = new List(
      nodes.map((node) => node.args),
      "computed",
    );
    return { type, parts: 1, run: () => list };
  }
  return {
    type,
    parts: sumOfParts(codes),
    run: (at) => {
      const items = runAll(codes, at);
      return items instanceof Halt ? items : new List(items, "computed");
    },
  };
}

function compileMap(entries: readonly (readonly [Node, Node])[], scope: Scope): Code {
  const names = entries.map(([name]) => scope.compile(name, scope));
  for (const [at, { type }] of names.entries()) {
    if (kindOf(type) !== "string" && kindOf(type) !== "dyn") {
      throw new Wrong("the names in an object are strings", entries[at]?.[0].start ?? 0);
    }
  }
  const values = entries.map(([, value]) => scope.compile(value, scope));
  const of = values
    .map(({ type }) => type)
    .reduce<TypeSpec>((sum, type) => commonType(sum, type) ?? "dyn", values[0]?.type ?? "dyn");
  return {
    type: { kind: "map", of },
    parts: sumOfParts([...names, ...values]),
    run: (at) => {
      const [keys, made] = [runAll(names, at), runAll(values, at)];
      const halt = strictly(keys instanceof Halt ? keys : null, made instanceof Halt ? made : null);
      if (halt !== undefined || keys instanceof Halt || made instanceof Halt) return halt ?? null;
      const members: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
      for (const [index, key] of keys.entries()) {
        if (typeof key !== "string") return new Halt("the names in an object are strings.");
        members[key] = made[index];
      }
      return new Dictionary(members, "computed");
    },
  };
}

function runAll(codes: readonly Code[], at: Run): readonly Value[] | Halt {
  const values: Value[] = [];
  let halt: Halt | undefined;
  for (const code of codes) {
    const value = code.run(at);
    if (value instanceof Halt) halt = halt === undefined ? value : strictly(halt, value);
    else values.push(value);
  }
  return halt ?? values;
}

function compileEquality(op: "==" | "!=", nodes: Pair, node: Node, scope: Scope): Code {
  const [left, right] = [scope.compile(nodes[0], scope), scope.compile(nodes[1], scope)];
  checkEqual({ op, left, right, nodes, node }, scope);
  const nullable = [left, right].some(({ type }) => isNullable(type));
  const wanted = op === "==";
  return binary(left, right, "bool", (one, other, at) => {
    const same = equals(one, other, { budget: at.budget, nullable });
    return same instanceof Halt ? explained(same, nodes) : same === wanted;
  });
}

function compileOrder(op: Order, nodes: Pair, node: Node, scope: Scope): Code {
  const [left, right] = [scope.compile(nodes[0], scope), scope.compile(nodes[1], scope)];
  checkOrder({ op, left, right, nodes, node }, scope);
  return binary(left, right, "bool", (one, other, at) => {
    const holds = order(op, one, other, at.budget);
    return holds instanceof Halt ? explained(holds, nodes) : holds;
  });
}

function compileIn(nodes: Pair, node: Node, scope: Scope): Code {
  const [left, right] = [scope.compile(nodes[0], scope), scope.compile(nodes[1], scope)];
  checkMember({ op: "in", left, right, nodes, node });
  const nullable = isNullable(left.type);
  return binary(left, right, "bool", (one, other, at) => {
    const within = contains(one, other, { budget: at.budget, nullable });
    return within instanceof Halt ? explained(within, nodes) : within;
  });
}

/** Which values it was about, as they are written. */
function explained(halt: Halt, nodes: Pair): Halt {
  return new Halt(`of ${sourceOf(nodes[0])} and ${sourceOf(nodes[1])}: ${halt.why}`);
}

function compileArithmetic(op: Arithmetic, nodes: Pair, node: Node, scope: Scope): Code {
  const [left, right] = [scope.compile(nodes[0], scope), scope.compile(nodes[1], scope)];
  const type = typeOfArithmetic(op, left.type, right.type);
  if (type === undefined) throw differingTypes({ op, left, right, nodes, node }, `"${op}" doesn't take`);
  return binary(left, right, type, (one, other, at) => {
    const result = calculate(op, one, other, at.budget);
    return result instanceof Halt ? explained(result, nodes) : result;
  });
}

function compileNegation(inner: Node, node: Node, scope: Scope): Code {
  const code = scope.compile(inner, scope);
  const kind = kindOf(code.type);
  if (kind !== "int" && kind !== "double" && kind !== "dyn") {
    throw new Wrong(`"-" doesn't take ${typeInWords(code.type)}`, node.start);
  }
  return {
    type: kind,
    parts: code.parts + 1,
    run: (at) => {
      const value = code.run(at);
      return value instanceof Halt ? value : negate(value);
    },
  };
}

function binary(
  left: Code,
  right: Code,
  type: TypeSpec,
  apply: (left: Value, right: Value, at: Run) => Result,
): Code {
  return {
    type,
    parts: left.parts + right.parts + 1,
    run: (at) => {
      const [one, other] = [left.run(at), right.run(at)];
      if (one instanceof Halt || other instanceof Halt) return strictly(one, other) ?? null;
      return apply(one, other, at);
    },
  };
}

function sumOfParts(codes: readonly Code[]): number {
  return codes.reduce((sum, { parts }) => sum + parts, 1);
}
