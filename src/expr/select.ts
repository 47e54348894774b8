/** Members and elements: `args.amount`, `args["x-y"]`, `args.items[0]`. */
import { type Code, strictly } from "./code.ts";
import { Wrong } from "./mistake.ts";
import { nearest } from "../kernel/nearest.ts";
import type { Scope } from "./scope.ts";
import { type Node, sourceOf } from "./syntax.ts";
import { elementOf, kindOf, type ObjectSpec, type TypeSpec, typeInWords } from "./type-spec.ts";
import { Dictionary, Halt, List, type Result, type Value, valueInWords } from "./values.ts";

/** A member, and what to ask whether it is there. */
export interface Selected extends Code {
  readonly isThere: (of: Value) => boolean | Halt;
  readonly owner: Code;
}

export function compileSelect(owner: Node, name: string, node: Node, scope: Scope): Selected {
  return select(scope.compilePart(owner, scope), { name, quoted: false, owner, node }, scope);
}

export function compileIndex(owner: Node, index: Node, node: Node, scope: Scope): Code {
  if (index.op === "value" && typeof index.args === "string") {
    return select(scope.compilePart(owner, scope), { name: index.args, quoted: true, owner, node }, scope);
  }
  const whole = scope.compilePart(owner, scope);
  const at = scope.compile(index, scope);
  const type = elementType(whole, at, { owner, index });
  const source = sourceOf(node);
  const where = (): string => source;
  const path = whole.path && elementPath(whole.path, index);
  return {
    type,
    parts: whole.parts + at.parts + 1,
    ...(path !== undefined && { path }),
    run: (run) => {
      const [holder, key] = [whole.run(run), at.run(run)];
      if (holder instanceof Halt || key instanceof Halt) return strictly(holder, key) ?? null;
      if (holder instanceof List && (typeof key === "bigint" || typeof key === "number")) {
        return holder.at(Number(key), where);
      }
      if (holder instanceof Dictionary && typeof key === "string") return holder.get(key, where);
      return new Halt(`${source}: ${valueInWords(holder)} has no element under ${valueInWords(key)}.`);
    },
  };
}

/** Where it isn't written out which element it is, only a run tells: then all of them are read. */
function elementPath(whole: NonNullable<Code["path"]>, index: Node): NonNullable<Code["path"]> {
  return index.op === "value" && typeof index.args === "bigint"
    ? { text: `${whole.text}[${index.args}]`, inLoop: whole.inLoop }
    : { text: `${whole.text}.*`, inLoop: true };
}

interface Step {
  readonly name: string;
  /** Written as `owner["name"]`. */
  readonly quoted: boolean;
  readonly owner: Node;
  readonly node: Node;
}

function select(owner: Code, step: Step, scope: Scope): Selected {
  const type = memberType(owner.type, step, scope);
  const { name } = step;
  const plain = /^[A-Za-z_]\w*$/.test(name);
  const text = owner.path && `${owner.path.text}${plain ? `.${name}` : `[${JSON.stringify(name)}]`}`;
  const source = text ?? sourceOf(step.node);
  const where = (): string => source;
  const notAnObject = (value: Value): Halt =>
    new Halt(`${source} isn't there: it would be in ${valueInWords(value)}.`);
  return {
    type,
    owner,
    parts: owner.parts + 1,
    ...(owner.path !== undefined && { path: { text: source, inLoop: owner.path.inLoop } }),
    run: (at): Result => {
      const value = owner.run(at);
      if (value instanceof Dictionary) return value.get(name, where);
      return value instanceof Halt ? value : notAnObject(value);
    },
    isThere: (value) => (value instanceof Dictionary ? value.has(name) : notAnObject(value)),
  };
}

function memberType(type: TypeSpec, step: Step, scope: Scope): TypeSpec {
  if (type === "dyn") return "dyn";
  if (typeof type === "object") {
    if (type.kind === "nullable") return memberType(type.of, step, scope);
    if (type.kind === "map") return type.of;
    if (type.kind === "object") {
      const member = Object.hasOwn(type.members, step.name) ? type.members[step.name] : undefined;
      return member ?? otherMember(type, step, scope);
    }
  }
  throw new Wrong(
    `${sourceOf(step.owner)} is ${typeInWords(type)} and has no member "${step.name}"`,
    step.node.start,
    kindOf(type) === "list" && !step.quoted
      ? `${sourceOf(step.owner)}.exists(x, x.${step.name} == …)`
      : undefined,
  );
}

function otherMember(type: ObjectSpec, { name, quoted, owner, node }: Step, scope: Scope): TypeSpec {
  if (typeof type.others === "object") return type.others.of;
  if (type.others === "unsaid" && quoted) return "dyn";
  const names = Object.keys(type.members);
  const whole = sourceOf(owner);
  const meant = nearest(name, names);
  const shown =
    names.length === 0
      ? "it has none"
      : `there are ${names.slice(0, 20).join(", ")}${names.length > 20 ? " and others" : ""}`;
  const elsewhere = Object.entries(scope.variables).find(
    ([, other]) => typeof other === "object" && other.kind === "object" && Object.hasOwn(other.members, name),
  );
  const undeclared =
    type.others === "unsaid" ? `; one that isn't declared is written ${whole}["${name}"]` : "";
  throw new Wrong(
    `${whole} has no member "${name}"; ${shown}${undeclared}`,
    node.op === "." ? node.pos : node.start,
    meant !== undefined ? `${whole}.${meant}` : elsewhere && `${elsewhere[0]}.${name}`,
  );
}

function elementType(whole: Code, at: Code, nodes: { owner: Node; index: Node }): TypeSpec {
  const [kind, key] = [kindOf(whole.type), kindOf(at.type)];
  if (kind === "dyn") return "dyn";
  const wanted: readonly string[] = kind === "list" ? ["int", "double", "dyn"] : ["string", "dyn"];
  if ((kind === "list" || kind === "map") && wanted.includes(key)) return elementOf(whole.type);
  const why =
    kind === "list"
      ? `an element is named by its number, from 0, but ${sourceOf(nodes.index)} is ${typeInWords(at.type)}`
      : `${sourceOf(nodes.owner)} is ${typeInWords(whole.type)} and has no element under ${typeInWords(at.type)}`;
  throw new Wrong(why, nodes.index.start);
}
