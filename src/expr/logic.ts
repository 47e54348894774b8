/**
 * `&&`, `||`, `!` and `? :` in three values and errors: what is decided whatever one side turns out to be is decided
 * even where that side is missing or went wrong (CEL's commutative logic).
 */
import { type Code, either } from "./code.ts";
import { commonType } from "./operators.ts";
import { Wrong } from "./mistake.ts";
import type { Scope } from "./scope.ts";
import { type Node, sourceOf } from "./syntax.ts";
import { kindOf, typeInWords } from "./type-spec.ts";
import { Halt, type Result, valueInWords } from "./values.ts";

export function compileLogic(op: "&&" | "||", nodes: readonly [Node, Node], scope: Scope): Code {
  const left = compileBool(nodes[0], scope, `"${op}"`);
  const right = compileBool(nodes[1], scope, `"${op}"`);
  const decides = op === "||";
  return {
    type: "bool",
    parts: left.parts + right.parts + 1,
    run: (at) => {
      const one = left.run(at);
      if (one === decides) return one;
      const other = right.run(at);
      if (other === decides || !(one instanceof Halt)) return other;
      return other instanceof Halt ? either(one, other) : one;
    },
  };
}

export function compileNot(node: Node, scope: Scope): Code {
  const code = compileBool(node, scope, '"!"');
  return {
    type: "bool",
    parts: code.parts + 1,
    run: (at) => {
      const value = code.run(at);
      return typeof value === "boolean" ? !value : value;
    },
  };
}

export function compileTernary(nodes: readonly [Node, Node, Node], node: Node, scope: Scope): Code {
  const condition = compileBool(nodes[0], scope, '"?"');
  const [then, otherwise] = [scope.compile(nodes[1], scope), scope.compile(nodes[2], scope)];
  const type = commonType(then.type, otherwise.type);
  if (type === undefined) {
    throw new Wrong(
      `"?:" gives ${typeInWords(then.type)} or ${typeInWords(otherwise.type)}; both sides are of one type`,
      node.start,
    );
  }
  return {
    type,
    parts: condition.parts + then.parts + otherwise.parts + 1,
    run: (at) => {
      const value = condition.run(at);
      if (value instanceof Halt) return value;
      return value === true ? then.run(at) : otherwise.run(at);
    },
  };
}

/** Code whose value is true, false or a halt. @throws Wrong where it can't be */
export function compileBool(node: Node, scope: Scope, wanting: string): Code {
  const code = scope.compile(node, scope);
  const kind = kindOf(code.type);
  if (kind !== "bool" && kind !== "dyn") {
    throw new Wrong(
      `${wanting} takes what is true or false, but ${sourceOf(node)} is ${typeInWords(code.type)}`,
      node.start,
    );
  }
  if (code.type === "bool") return code;
  const source = sourceOf(node);
  return { type: "bool", parts: code.parts, run: (at) => boolOf(code.run(at), source) };
}

function boolOf(value: Result, source: string): Result {
  if (value instanceof Halt || typeof value === "boolean") return value;
  return new Halt(`${source} should be true or false, but is ${valueInWords(value)}.`);
}
