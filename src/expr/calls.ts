/** Calls: the functions of the table, `has`, and the loops. */
import { type Code, type Run, strictly } from "./code.ts";
import { type Prepared, type Row, rows } from "./functions.ts";
import { compileLoop, isLoop, loopNames } from "./loops.ts";
import { Wrong } from "./mistake.ts";
import { nearest } from "../kernel/nearest.ts";
import { compileRecall, isAboutHistory } from "./recall.ts";
import { noted, type Scope } from "./scope.ts";
import { compileIndex, compileSelect, type Selected } from "./select.ts";
import { type Node, sourceOf } from "./syntax.ts";
import { kindInWords, kindOf, typeInWords } from "./type-spec.ts";
import { Halt, kindOfValue, type Value, valueInWords } from "./values.ts";

export function compileCall(name: string, given: readonly Node[], node: Node, scope: Scope): Code {
  if (name === "has") return compileHas(given, node, scope);
  return compileRow({ name, style: "function", given }, node, scope);
}

export interface Method {
  readonly name: string;
  readonly receiver: Node;
  readonly given: readonly Node[];
}

export function compileMethod({ name, receiver, given }: Method, node: Node, scope: Scope): Code {
  if (isAboutHistory(receiver, scope)) return compileRecall({ name, receiver, given }, node, scope);
  if (isLoop(name)) return compileLoop({ name, range: receiver, given }, node, scope);
  return compileRow({ name, style: "method", given: [receiver, ...given] }, node, scope);
}

interface Call {
  readonly name: string;
  readonly style: "function" | "method";
  /** The receiver first. */
  readonly given: readonly Node[];
}

function compileRow(call: Call, node: Node, scope: Scope): Code {
  const row = rowOf(call, node);
  const codes = call.given.map((each) => scope.compile(each, scope));
  for (const [at, code] of codes.entries()) checkKind(row, at, code, call.given[at] ?? node);
  const prepared = prepare(row, codes, call.given);
  const source = sourceOf(node);
  return {
    type: row.gives,
    parts: codes.reduce((sum, { parts }) => sum + parts, 1),
    run: (at) => {
      const values = valuesOf(codes, row, at);
      if (values instanceof Halt) return values;
      const result = row.run(values, at.budget, prepared);
      return result instanceof Halt ? new Halt(`${source}: ${result.why}`) : result;
    },
  };
}

function rowOf({ name, style, given }: Call, node: Node): Row {
  const called = rows.filter((row) => row.name === name);
  const fitting = called.filter((row) => row.style === style || row.style === "both");
  const row = fitting.find(({ takes }) => takes.length === given.length);
  if (row !== undefined) return row;
  if (fitting[0] !== undefined) {
    const counts = fitting.map(({ takes }) => takes.length - (style === "method" ? 1 : 0)).join(" or ");
    throw new Wrong(
      `${name}() takes ${counts === "0" ? "nothing" : counts} between its brackets`,
      node.start,
    );
  }
  const [first, ...others] = given.map(sourceOf);
  if (called.length > 0 && first !== undefined) {
    throw new Wrong(
      `${name}() is written otherwise`,
      node.start,
      style === "function"
        ? `${first}.${name}(${others.join(", ")})`
        : `${name}(${given.map(sourceOf).join(", ")})`,
    );
  }
  if (isLoop(name) || name === "has") {
    const written = name === "has" ? "has(args.name)" : `list.${name}(x, …)`;
    throw new Wrong(`${name}() is written ${written}`, node.start, written);
  }
  const known = [...new Set(rows.map((each) => each.name)), ...loopNames, "has"];
  const meant = nearest(name, known) ?? usual[name];
  const list = meant === undefined ? `; there are ${known.join(", ")}` : "";
  throw new Wrong(`there is no function "${name}"${list}`, nameOffset(node), meant);
}

function nameOffset(node: Node): number {
  return node.op === "rcall" ? node.input.indexOf(node.args[0], node.args[1].end) : node.start;
}

/** What other languages call it. */
const usual: Readonly<Record<string, string>> = {
  length: "size",
  len: "size",
  count: "size",
  includes: "contains",
  lower: "lowerAscii",
  toLowerCase: "lowerAscii",
  upper: "upperAscii",
  toUpperCase: "upperAscii",
  any: "exists",
  some: "exists",
  every: "all",
  test: "matches",
  match: "matches",
  regex: "matches",
  cidr: "inNetwork",
  exist: "has",
  defined: "has",
};

function checkKind(row: Row, at: number, code: Code, node: Node): void {
  const kind = kindOf(code.type);
  const kinds = row.takes[at] ?? [];
  if (kind === "dyn" || kinds.includes(kind)) return;
  const wanted = kinds.map(kindInWords).join(" or ");
  throw new Wrong(
    `${row.name}() takes ${wanted}, but ${sourceOf(node)} is ${typeInWords(code.type)}`,
    node.start,
  );
}

function prepare(row: Row, codes: readonly Code[], nodes: readonly Node[]): Prepared | undefined {
  if (row.literal === undefined) return undefined;
  const [code, node] = [codes[row.literal.at], nodes[row.literal.at]];
  if (node === undefined) return undefined;
  if (typeof code?.literal !== "string") {
    if (!row.literal.required) return undefined;
    throw new Wrong(
      `what ${row.name}() is given here must be written out, so that it can be checked when the condition is loaded`,
      node.start,
    );
  }
  const prepared = row.literal.prepare(code.literal);
  if ("wrong" in prepared) throw new Wrong(prepared.wrong, node.start);
  return prepared.made;
}

function valuesOf(codes: readonly Code[], row: Row, at: Run): readonly Value[] | Halt {
  const values: Value[] = [];
  let halt: Halt | undefined;
  for (const [index, code] of codes.entries()) {
    const value = code.run(at);
    if (value instanceof Halt) halt = halt === undefined ? value : strictly(halt, value);
    else if (row.takes[index]?.includes(kindOfValue(value)) === true) values.push(value);
    else halt = strictly(halt ?? null, new Halt(`${row.name}() doesn't take ${valueInWords(value)}.`));
  }
  return halt ?? values;
}

/** `has(args.note)`: whether it is there; an owner that isn't is an error, as in CEL. */
function compileHas(given: readonly Node[], node: Node, scope: Scope): Code {
  const selected = given.length === 1 && given[0] !== undefined ? selectedOf(given[0], scope) : undefined;
  if (selected === undefined) {
    throw new Wrong("has() takes a member, such as has(args.note)", node.start);
  }
  noted(selected, scope);
  const { owner, isThere } = selected;
  return {
    type: "bool",
    parts: owner.parts + 1,
    run: (at) => {
      const value = owner.run(at);
      return value instanceof Halt ? value : isThere(value);
    },
  };
}

function selectedOf(node: Node, scope: Scope): Selected | undefined {
  if (node.op === ".") return compileSelect(node.args[0], node.args[1], node, scope);
  if (node.op !== "[]") return undefined;
  const code = compileIndex(node.args[0], node.args[1], node, scope);
  return "isThere" in code ? (code as Selected) : undefined;
}
