/** Comparisons of something with a constant, read from a condition's syntax tree; and what it can be at all. */
import type { Node } from "../../expr/syntax.ts";
import { parseDuration, parseTimestamp } from "../../expr/time.ts";
import type { Comparison, Constant, Range } from "./claims.ts";

const flips = { "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=" } as const;
const opposites = {
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
  "==": "!=",
  "!=": "==",
  in: "not in",
  "not in": "in",
} as const;

/** The comparison a node is, the constant on its right; undefined where it is none. */
export function comparisonOf(node: Node): Comparison | undefined {
  if (node.op === "in") return membershipOf(node);
  if (!isComparing(node.op)) return undefined;
  const [left, right] = node.args as readonly [Node, Node];
  const [one, other] = [constantOf(left), constantOf(right)];
  if (one === undefined && other !== undefined) return comparison(left, node.op, [other]);
  if (one !== undefined && other === undefined) return comparison(right, flips[node.op], [one]);
  return undefined;
}

/** What is true where it evaluated to false. */
export function flipped(comparison: Comparison): Comparison {
  return { ...comparison, op: opposites[comparison.op] };
}

/** The same for nodes that mean the same; INVARIANT: never the same for others. */
export function keyOf(node: Node): string {
  return `${node.op}(${keyOfArgs(node.args)})`;
}

function keyOfArgs(args: unknown): string {
  if (Array.isArray(args)) return `[${args.map(keyOfArgs).join(",")}]`;
  if (typeof args === "object" && args !== null && "op" in args) return keyOf(args as Node);
  return `${typeof args}:${typeof args === "string" ? JSON.stringify(args) : String(args)}`;
}

function isComparing(op: Node["op"]): op is keyof typeof flips {
  return Object.hasOwn(flips, op);
}

function comparison(node: Node, op: Comparison["op"], values: readonly Constant[]): Comparison {
  const range = rangeOf(node);
  return { kind: "comparison", key: keyOf(node), op, values, ...(range && { range }) };
}

/** `x in ["a", "b"]`, all of it written out and of one kind. */
function membershipOf(node: Extract<Node, { op: "in" }>): Comparison | undefined {
  const [left, right] = node.args;
  if (right.op !== "list" || constantOf(left) !== undefined) return undefined;
  const values = right.args.map(constantOf);
  const known = values.filter((value) => value !== undefined);
  const [first] = known;
  if (first === undefined || known.length < values.length) return undefined;
  return known.every(({ kind }) => kind === first.kind) ? comparison(left, "in", known) : undefined;
}

function constantOf(node: Node): Constant | undefined {
  switch (node.op) {
    case "value":
      return constantOfLiteral(node.args);
    case "-_": {
      const inner = constantOf(node.args);
      return inner?.kind === "number" ? { kind: "number", value: -inner.value } : undefined;
    }
    case "call": {
      const [name, [given, ...more]] = node.args;
      if (given?.op !== "value" || typeof given.args !== "string" || more.length > 0) return undefined;
      return name === "duration"
        ? timed("duration", parseDuration(given.args))
        : name === "timestamp"
          ? timed("timestamp", parseTimestamp(given.args))
          : undefined;
    }
    default:
      return undefined;
  }
}

function constantOfLiteral(value: unknown): Constant | undefined {
  switch (typeof value) {
    case "string":
      return { kind: "string", value };
    case "boolean":
      return { kind: "bool", value };
    case "number":
      return { kind: "number", value };
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? { kind: "number", value: Number(value) } : undefined;
    default:
      return undefined;
  }
}

function timed(kind: "duration" | "timestamp", value: number | undefined): Constant | undefined {
  return value === undefined ? undefined : { kind, value };
}

const clock = {
  hour: { isWhole: true, min: 0, max: 23, says: "an hour is 0 to 23" },
  minute: { isWhole: true, min: 0, max: 59, says: "a minute is 0 to 59" },
  weekday: { isWhole: true, min: 0, max: 6, says: "a weekday is 0 (Sunday) to 6 (Saturday)" },
} as const satisfies Readonly<Record<string, Range>>;

const count: Range = { isWhole: true, min: 0, max: Number.MAX_SAFE_INTEGER };

/** By variable and member, what is known of facts that are numbers. */
const ranges: Readonly<Record<string, Range>> = {
  "time.hour": clock.hour,
  "time.minute": clock.minute,
  "time.weekday": clock.weekday,
  "link.level": { isWhole: true, min: 0, max: 5, says: "a link's level is 0, 1, 3 or 5" },
  "call.size": count,
};

/** By method of `now`, in whatever zone. */
const fields: Readonly<Record<string, Range>> = {
  getHours: clock.hour,
  getMinutes: clock.minute,
  getSeconds: { isWhole: true, min: 0, max: 59, says: "a second is 0 to 59" },
  getDayOfWeek: clock.weekday,
  getMonth: { isWhole: true, min: 0, max: 11, says: "a month is 0 (January) to 11 (December)" },
  getDate: { isWhole: true, min: 1, max: 31, says: "a day of the month is 1 to 31" },
};

function rangeOf(node: Node): Range | undefined {
  if (node.op === "." && node.args[0].op === "id") return ranges[`${node.args[0].args}.${node.args[1]}`];
  if (node.op === "rcall") {
    const [name, receiver] = node.args;
    return receiver.op === "id" && receiver.args === "now" ? fields[name] : undefined;
  }
  return node.op === "call" && node.args[0] === "size" ? count : undefined;
}
