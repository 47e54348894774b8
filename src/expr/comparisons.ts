/** What a comparison of two types is a mistake, and what its author probably meant. */
import type { Code } from "./code.ts";
import { Wrong } from "./mistake.ts";
import { nearest } from "../kernel/nearest.ts";
import { canEqual, canOrder, type Arithmetic, type Order } from "./operators.ts";
import type { Scope } from "./scope.ts";
import { type Node, sourceOf } from "./syntax.ts";
import { elementOf, kindOf, type TypeSpec, typeInWords } from "./type-spec.ts";

export interface Compared {
  readonly op: "==" | "!=" | "in" | Order | Arithmetic;
  readonly left: Code;
  readonly right: Code;
  readonly nodes: readonly [Node, Node];
  readonly node: Node;
}

/** @throws Wrong */
export function checkOrder(compared: Compared, scope: Scope): void {
  const { op, left, right } = compared;
  if (!canOrder(left.type, right.type)) throw differingTypes(compared, `"${op}" can't compare`, scope);
}

/** @throws Wrong */
export function checkEqual(compared: Compared, scope: Scope): void {
  const { op, left, right, nodes } = compared;
  if (!canEqual(left.type, right.type)) throw differingTypes(compared, `"${op}" can't compare`, scope);
  checkAllowed(left.type, right, nodes[1]);
  checkAllowed(right.type, left, nodes[0]);
}

/** @throws Wrong */
export function checkMember(compared: Compared): void {
  const { left, right, nodes } = compared;
  const [one, other] = nodes.map(sourceOf);
  switch (kindOf(right.type)) {
    case "dyn":
      return;
    case "string":
      throw new Wrong(
        `"in" looks into a list, not into a string`,
        nodes[1].start,
        `${other}.contains(${one})`,
      );
    case "map":
      checkName(left, right.type, compared);
      if (kindOf(left.type) === "string" || kindOf(left.type) === "dyn") return;
      throw new Wrong(
        `an object's names are strings, but ${one} is ${typeInWords(left.type)}`,
        nodes[0].start,
      );
    case "list": {
      const of = elementOf(right.type);
      if (!canEqual(left.type, of)) {
        throw new Wrong(
          `${one} is ${typeInWords(left.type)}, but an element of ${other} is ${typeInWords(of)}`,
          nodes[0].start,
          unquoted({ ...compared, right: { ...right, type: of } }),
        );
      }
      if (nodes[1].op !== "list") return;
      for (const element of nodes[1].args) {
        if (element.op === "value" && typeof element.args === "string") {
          checkAllowed(left.type, { ...right, literal: element.args }, element);
        }
      }
      return;
    }
    default:
      throw new Wrong(
        `"in" looks into a list or an object, but ${other} is ${typeInWords(right.type)}`,
        nodes[1].start,
      );
  }
}

/** A name that an object can't have would never be in it. */
function checkName({ literal }: Code, type: TypeSpec, { nodes }: Compared): void {
  if (typeof literal !== "string" || typeof type !== "object" || type.kind !== "object") return;
  if (type.others !== "none" || Object.hasOwn(type.members, literal)) return;
  const names = Object.keys(type.members);
  const meant = nearest(literal, names);
  throw new Wrong(
    `${sourceOf(nodes[1])} has no member "${literal}"; there are ${names.join(", ")}`,
    nodes[0].start,
    meant === undefined ? undefined : `"${meant}"`,
  );
}

/** A string that isn't among those its type allows would never be equal. */
function checkAllowed(type: TypeSpec, { literal }: Code, node: Node): void {
  if (typeof type === "object" && type.kind === "nullable")
    return checkAllowed(type.of, { literal } as Code, node);
  if (typeof literal !== "string" || typeof type !== "object" || type.kind !== "enum") return;
  if (type.values.includes(literal)) return;
  const shown = type.values.slice(0, 12).map((value) => `"${value}"`);
  const meant = nearest(literal, type.values);
  throw new Wrong(
    `it is never "${literal}": it is ${shown.length < type.values.length ? `one of ${shown.join(", ")} and others` : shown.join(" or ")}`,
    node.start,
    meant === undefined ? undefined : `"${meant}"`,
  );
}

export function differingTypes(compared: Compared, what: string, scope?: Scope): Wrong {
  const { left, right, nodes, node } = compared;
  const side = (code: Code, of: Node): string => `${sourceOf(of)} (${typeInWords(code.type)})`;
  return new Wrong(
    `${what} ${side(left, nodes[0])} and ${side(right, nodes[1])}`,
    node.start,
    unquoted(compared) ?? (scope && member(compared, scope)) ?? ofList(compared),
  );
}

/** `args.amount > "500"`: the number without its quotes, or the quotes it lacks. */
function unquoted({ op, left, right, nodes }: Compared): string | undefined {
  const [one, other] = nodes.map(sourceOf);
  const numeric = (code: Code): boolean => ["int", "double"].includes(kindOf(code.type));
  const number = (code: Code): boolean => /^-?\d{1,15}(?:\.\d{1,15})?$/.test(code.literal ?? "");
  if (numeric(left) && number(right)) return `${one} ${op} ${right.literal}`;
  if (numeric(right) && number(left)) return `${left.literal} ${op} ${other}`;
  const timed = (code: Code): boolean => kindOf(code.type) === "duration";
  if (timed(left) && typeof right.literal === "string") return `${one} ${op} duration(${other})`;
  if (kindOf(left.type) === "timestamp" && typeof right.literal === "string")
    return `${one} ${op} timestamp(${other})`;
  const written = (node: Node): boolean => node.op === "value" && typeof node.args === "bigint";
  if (kindOf(left.type) === "string" && written(nodes[1])) return `${one} ${op} "${other}"`;
  if (
    kindOf(left.type) === "bool" &&
    typeof right.literal === "string" &&
    /^(?:true|false)$/i.test(right.literal)
  ) {
    return `${one} ${op} ${right.literal.toLowerCase()}`;
  }
  return undefined;
}

/** `tool == "x"`: a group of facts was named for one of its kind, `call.tool` or `tool.name`. */
function member({ op, left, right, nodes }: Compared, scope: Scope): string | undefined {
  const name = nodes[0].op === "id" ? nodes[0].args : undefined;
  if (name === undefined || kindOf(left.type) !== "map") return undefined;
  const fits = (type: TypeSpec | undefined): boolean =>
    type !== undefined && kindOf(type) === kindOf(right.type);
  const elsewhere = Object.entries(scope.variables).find(
    ([, type]) =>
      typeof type === "object" &&
      type.kind === "object" &&
      Object.hasOwn(type.members, name) &&
      fits(type.members[name]),
  );
  if (elsewhere !== undefined) return `${elsewhere[0]}.${name} ${op} ${sourceOf(nodes[1])}`;
  if (typeof left.type !== "object" || left.type.kind !== "object") return undefined;
  const { members } = left.type;
  const own = ["id", "name", "value"].find((each) => Object.hasOwn(members, each) && fits(members[each]));
  return own === undefined ? undefined : `${name}.${own} ${op} ${sourceOf(nodes[1])}`;
}

/** `args.items > 5`: the number of them. `caller.groups == "x"`: one of them. */
function ofList({ op, left, right, nodes }: Compared): string | undefined {
  if (op === "==" && kindOf(left.type) === "list" && kindOf(right.type) === kindOf(elementOf(left.type))) {
    return `${sourceOf(nodes[1])} in ${sourceOf(nodes[0])}`;
  }
  const countable = ["list", "string", "map"].includes(kindOf(left.type));
  return countable && ["int", "double"].includes(kindOf(right.type))
    ? `size(${sourceOf(nodes[0])}) ${op} ${sourceOf(nodes[1])}`
    : undefined;
}
