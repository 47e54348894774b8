/**
 * What a condition asks of calls that came before: `history.sum("args.amount", "24h")`. All of it but a value that is
 * compared is written out, so that what has to be remembered is known when the condition is compiled.
 */
import { type Budget, spend } from "./budget.ts";
import type { Code } from "./code.ts";
import { Wrong } from "./mistake.ts";
import { nearest } from "../kernel/nearest.ts";
import { noted, type Scope } from "./scope.ts";
import { type Node, parse, sourceOf } from "./syntax.ts";
import { parseDuration } from "./time.ts";
import { kindInWords, kindOf, type TypeSpec, typeInWords } from "./type-spec.ts";
import { Halt, type Result, type Value, valueInWords } from "./values.ts";

/** Whose calls: the caller's, of whom it acts for in the end, of this client session, of the same issuer, anybody's. */
const whoseNames = ["caller", "user", "session", "issuer", "everybody"] as const;
export type Whose = (typeof whoseNames)[number];

/** What is asked of them. */
type What = keyof typeof asks;

export interface Recollection {
  readonly whose: Whose;
  /** `server/tool`, with `*` for any run of characters; absent for what this call names. */
  readonly of?: string;
  readonly what: What;
  /** `args.amount`. */
  readonly path?: string;
  /** Of `before`: what came after it. */
  readonly followedBy?: string;
  /** 0 of `running`, which looks at no time. */
  readonly windowMs: number;
}

/** What is remembered, as the facts have it under `history`. */
export interface Recalling {
  /** @param given of `seen`: the value @param spend takes steps from the budget @throws Exhausted */
  readonly recall: (
    asked: Recollection,
    given: string | number | boolean | undefined,
    spend: (steps: number) => void,
  ) => number | boolean | { readonly why: string };
}

/** @property takes `value` is any expression, the others are written out */
const asks = {
  count: { takes: ["window"], gives: "int" },
  running: { takes: [], gives: "int" },
  distinct: { takes: ["path", "window"], gives: "int" },
  sum: { takes: ["path", "window"], gives: "double" },
  average: { takes: ["path", "window"], gives: "double" },
  deviation: { takes: ["path", "window"], gives: "double" },
  min: { takes: ["path", "window"], gives: "double" },
  max: { takes: ["path", "window"], gives: "double" },
  last: { takes: ["path", "window"], gives: "double" },
  seen: { takes: ["path", "value", "window"], gives: "bool" },
  before: { takes: ["target", "target", "window"], gives: "bool" },
} as const satisfies Readonly<
  Record<string, { takes: readonly ("path" | "target" | "value" | "window")[]; gives: TypeSpec }>
>;

const example = 'history.count("24h")';

export function isAboutHistory(node: Node, { variables }: Scope): boolean {
  return rootOf(node) === "history" && variables["history"] === "history";
}

function rootOf(node: Node): string | undefined {
  if (node.op === "id") return node.args;
  if (node.op === ".") return rootOf(node.args[0]);
  return node.op === "rcall" ? rootOf(node.args[1]) : undefined;
}

/** `history` by itself, or half of a question. */
export function halfAsked(node: Node): Wrong {
  const known = Object.keys(asks).join(", ");
  return new Wrong(`history is asked something: ${known}`, node.start, example);
}

interface Asking {
  readonly name: string;
  readonly receiver: Node;
  readonly given: readonly Node[];
}

export function compileRecall({ name, receiver, given }: Asking, node: Node, scope: Scope): Code {
  if (!Object.hasOwn(asks, name)) throw unknownQuestion(name, node);
  const what = name as What;
  const { takes, gives } = asks[what];
  if (given.length !== takes.length) {
    const shown = takes.map((each) => shapes[each]).join(", ");
    throw new Wrong(`history.${name}(${shown}) is written so`, node.start);
  }
  const written: Partial<Record<"path" | "target" | "followedBy" | "window", string>> = {};
  let value: Code | undefined;
  for (const [at, kind] of takes.entries()) {
    const part = given[at] ?? node;
    if (kind === "value") value = comparable(scope.compile(part, scope), part);
    else written[kind === "target" && at === 1 ? "followedBy" : kind] = checks[kind](textIn(part), part);
  }
  const asked = askedOf({ what, ...narrowed(receiver, node) }, written, node);
  scope.recalls.push(asked);
  if (asked.path !== undefined && asked.of === undefined) checkPath(asked, node, scope);
  const source = sourceOf(node);
  return noted(
    {
      type: gives,
      parts: 4 + (value?.parts ?? 0),
      path: { text: source, inLoop: scope.loops.length > 0 },
      run: (at) => {
        if (at.missing.has("history")) return new Halt("", new Set(["history"]));
        const given = value?.run(at);
        if (given instanceof Halt) return given;
        return resultOf(asked, at.facts["history"], given, at.budget);
      },
    },
    scope,
  );
}

function askedOf(
  narrowing: Pick<Recollection, "what" | "whose" | "of">,
  { path, target, followedBy, window }: Partial<Record<"path" | "target" | "followedBy" | "window", string>>,
  node: Node,
): Recollection {
  const { of, ...rest } = narrowing;
  if (target !== undefined && of !== undefined) {
    throw new Wrong("history.before() names what it is about itself, and takes no of()", node.start);
  }
  const about = target ?? of;
  return {
    ...rest,
    ...(about !== undefined && { of: about }),
    ...(path !== undefined && { path }),
    ...(followedBy !== undefined && { followedBy }),
    windowMs: window === undefined ? 0 : (parseDuration(window) ?? 0),
  };
}

/** Of the call at hand, arguments have to be what its tool takes. */
function checkPath({ what, path = "" }: Recollection, node: Node, scope: Scope): void {
  let kind;
  try {
    kind = kindOf(scope.compile(parse(path), scope).type);
  } catch (cause) {
    throw cause instanceof Wrong ? new Wrong(cause.message, node.start, cause.suggestion) : cause;
  }
  if (what === "seen" || what === "distinct" || ["int", "double", "dyn"].includes(kind)) return;
  throw new Wrong(`history.${what}() takes numbers, but ${path} is ${kindInWords(kind)}`, node.start);
}

/** `history`, `history.session`, `history.of("payments/*")`, in either order. */
function narrowed(receiver: Node, node: Node): Pick<Recollection, "whose" | "of"> {
  if (receiver.op === "id") return { whose: "caller" };
  if (receiver.op === ".") {
    const name = receiver.args[1];
    const whose = whoseNames.find((each) => each === name);
    if (whose !== undefined) return { ...narrowed(receiver.args[0], node), whose };
    const meant = nearest(name, whoseNames);
    throw new Wrong(
      `history knows whose calls: ${whoseNames.join(", ")}`,
      receiver.start,
      meant && `history.${meant}`,
    );
  }
  if (receiver.op === "rcall" && receiver.args[0] === "of" && receiver.args[2].length === 1) {
    const [part = receiver] = receiver.args[2];
    return { ...narrowed(receiver.args[1], node), of: checks.target(textIn(part), part) };
  }
  throw halfAsked(node);
}

function unknownQuestion(name: string, node: Node): Wrong {
  const meant = nearest(name, Object.keys(asks));
  const list = Object.keys(asks).join(", ");
  return new Wrong(`history has no "${name}"; there are ${list}`, node.start, meant && `history.${meant}`);
}

function textIn(part: Node): string | undefined {
  return part.op === "value" && typeof part.args === "string" ? part.args : undefined;
}

const shapes = {
  path: '"args.amount"',
  target: '"server/tool"',
  value: "args.amount",
  window: '"24h"',
} as const;

/** Longer ago nothing is remembered. */
const longestMs = 31 * 24 * 3_600_000;

const checks = {
  path: (text: string | undefined, part: Node): string => {
    if (text !== undefined && /^args(?:\.[A-Za-z_]\w{0,63}){1,4}$/.test(text)) return text;
    throw new Wrong('the path of an argument is written out here, such as "args.amount"', part.start);
  },
  target: (text: string | undefined, part: Node): string => {
    if (text !== undefined && /^[^/]{1,128}\/.{1,256}$|^\*$/.test(text)) return text;
    throw new Wrong('what was called is written out here, such as "mail/send" or "mail/*"', part.start);
  },
  window: (text: string | undefined, part: Node): string => {
    const ms = text === undefined ? undefined : parseDuration(text);
    if (text !== undefined && ms !== undefined && ms > 0 && ms <= longestMs) return text;
    throw new Wrong('how far it looks back is written out here, up to "31d", such as "24h"', part.start);
  },
} as const;

function comparable(code: Code, part: Node): Code {
  const kind = kindOf(code.type);
  if (["string", "bool", "int", "double", "dyn"].includes(kind)) return code;
  throw new Wrong(
    `history.seen() takes text, a number, true or false, but ${sourceOf(part)} is ${typeInWords(code.type)}`,
    part.start,
  );
}

function resultOf(asked: Recollection, memory: unknown, given: Value | undefined, budget: Budget): Result {
  if (!isRecalling(memory)) return new Halt("nothing is remembered of calls here.");
  if (typeof given === "object") return new Halt(`history.seen() doesn't take ${valueInWords(given)}.`);
  const value = typeof given === "bigint" ? Number(given) : given;
  spend(budget, 10);
  const found = memory.recall(asked, value, (steps) => spend(budget, steps));
  if (typeof found === "object") return new Halt(`history.${asked.what}(): ${found.why}`);
  return typeof found === "number" && asks[asked.what].gives === "int" ? BigInt(found) : found;
}

function isRecalling(memory: unknown): memory is Recalling {
  return typeof memory === "object" && memory !== null && "recall" in memory;
}
