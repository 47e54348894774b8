/**
 * A client's configuration as plain values: JSON with whatever clients put up with in it, or TOML. Lenient and bounded:
 * what can't be read is told and doesn't hide the rest. Tables are maps, so that no name of a key means anything.
 */
import { createScanner, printParseErrorCode, visit } from "jsonc-parser";
import { type AST, parseTOML } from "toml-eslint-parser";

export type Value = string | number | boolean | null | readonly Value[] | Table;
export type Table = ReadonlyMap<string, Value>;

export interface ConfigDocument {
  readonly root: Table;
  /** One sentence each. */
  readonly faults: readonly string[];
}

/**
 * Histories of chats stand in some of these files; more is no configuration. The tree of a TOML file takes a thousand
 * times its size.
 */
const maxChars = { json: 32 * 1024 * 1024, toml: 256 * 1024 };
/** Both parsers recurse. */
const maxDepth = 100;
const maxValues = 500_000;
const maxFaults = 5;

type Writable = string | number | boolean | null | Writable[] | Map<string, Writable>;

export function configDocument(text: string, format: "json" | "jsonc" | "toml"): ConfigDocument {
  const limit = format === "toml" ? maxChars.toml : maxChars.json;
  if (text.length > limit) return unread(`it is longer than ${limit} characters, and was left alone`);
  const plain = text.startsWith("\uFEFF") ? text.slice(1) : text;
  return format === "toml" ? fromToml(plain) : fromJson(plain);
}

export function isTable(value: Value | undefined): value is Table {
  return value instanceof Map;
}

function unread(fault: string): ConfigDocument {
  return { root: new Map(), faults: [fault] };
}

function fromJson(text: string): ConfigDocument {
  if (isTooDeep(text)) return unread(`it is nested deeper than ${maxDepth} levels, and was left alone`);
  const builder = new JsonBuilder();
  visit(
    text,
    {
      onObjectBegin: () => builder.open(new Map()),
      onObjectProperty: (name) => builder.named(name),
      onObjectEnd: () => builder.close(),
      onArrayBegin: () => builder.open([]),
      onArrayEnd: () => builder.close(),
      onLiteralValue: (value: unknown) => builder.put(value as string | number | boolean | null),
      onError: (error, _offset, _length, line) => builder.broken(line + 1, printParseErrorCode(error)),
    },
    { allowTrailingComma: true, disallowComments: false, allowEmptyContent: true },
  );
  return builder.done();
}

function isTooDeep(text: string): boolean {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let token: number = scanner.scan(); token !== endOfFile; token = scanner.scan()) {
    if (token === openBrace || token === openBracket) depth += 1;
    if (token === closeBrace || token === closeBracket) depth -= 1;
    if (depth > maxDepth) return true;
  }
  return false;
}

/** SyntaxKind of jsonc-parser, whose enum is gone at run time. */
const [openBrace, closeBrace, openBracket, closeBracket, endOfFile] = [1, 2, 3, 4, 17];

/** Takes a visitor's events; a live resource of one reading. */
class JsonBuilder {
  readonly #open: (Writable[] | Map<string, Writable>)[] = [];
  readonly #names: string[] = [];
  readonly #faults: string[] = [];
  #root: Writable | undefined;
  #left = maxValues;
  #isBroken = false;

  open(value: Writable[] | Map<string, Writable>): boolean {
    const isTaken = this.put(value);
    this.#open.push(value);
    this.#names.push("");
    return isTaken;
  }

  named(name: string): void {
    this.#names[this.#names.length - 1] = name;
  }

  close(): void {
    this.#open.pop();
    this.#names.pop();
  }

  put(value: Writable): boolean {
    this.#left -= 1;
    if (this.#left < 0) {
      if (this.#left === -1) this.fault(`it holds more than ${maxValues} values; the first were read`);
      return false;
    }
    const within = this.#open.at(-1);
    if (within === undefined) this.#root ??= value;
    else if (Array.isArray(within)) within.push(value);
    else this.#name(within, value);
    return true;
  }

  #name(within: Map<string, Writable>, value: Writable): void {
    const name = this.#names.at(-1) ?? "";
    if (within.has(name)) this.fault("a key stands twice in one object; the last one counts");
    within.set(name, value);
  }

  /** The first tells where to look; those that follow it follow from it. */
  broken(line: number, what: string): void {
    if (!this.#isBroken) this.fault(`line ${line} isn't JSON (${what}); the rest was read as far as it goes`);
    this.#isBroken = true;
  }

  fault(text: string): void {
    if (this.#faults.length < maxFaults && !this.#faults.includes(text)) this.#faults.push(text);
  }

  done(): ConfigDocument {
    const root = this.#root;
    if (root instanceof Map) return { root, faults: this.#faults };
    if (root === undefined) return { root: new Map(), faults: this.#faults };
    return unread("it isn't an object");
  }
}

function fromToml(text: string): ConfigDocument {
  const whole = tomlTree(text);
  if (typeof whole !== "string") return { root: whole, faults: [] };
  // One broken table must not hide the others: each is read for itself.
  const root = new Map<string, Writable>();
  const faults = [`${whole}; the other tables were read as far as they go`];
  for (const part of text.split(/^(?=[ \t]*\[)/m)) {
    const tree = tomlTree(part);
    if (typeof tree !== "string") merge(root, tree);
  }
  return { root, faults };
}

function merge(into: Map<string, Writable>, from: Map<string, Writable>): void {
  for (const [name, value] of from) {
    const there = into.get(name);
    if (there instanceof Map && value instanceof Map) merge(there, value);
    else into.set(name, value);
  }
}

/** @returns what is wrong with it, if it can't be read */
function tomlTree(text: string): Map<string, Writable> | string {
  if (isTomlTooDeep(text)) return `it is nested deeper than ${maxDepth} levels`;
  try {
    const root = new Map<string, Writable>();
    for (const node of parseTOML(text, { tomlVersion: "1.1" }).body[0].body) {
      if (node.type === "TOMLKeyValue") putKey(root, node);
      else {
        const table = tableAt(root, node.resolvedKey.map(String));
        for (const pair of node.body) putKey(table, pair);
      }
    }
    return root;
  } catch (error) {
    const line = error instanceof Error && "lineNumber" in error ? Number(error.lineNumber) : undefined;
    return line === undefined ? "it isn't TOML" : `line ${line} isn't TOML`;
  }
}

/** An upper bound: brackets in strings count too, and those that close are counted as they stand. */
function isTomlTooDeep(text: string): boolean {
  let depth = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    if (depth < 0) depth = 0;
    if (depth > maxDepth) return true;
  }
  return longestKey.test(text);
}
const longestKey = /(?:[\w"'-]{1,200}[ \t]{0,8}\.[ \t]{0,8}){100}/;

function putKey(table: Map<string, Writable>, { key, value }: AST.TOMLKeyValue): void {
  const names = key.keys.map((part) => (part.type === "TOMLBare" ? part.name : part.value));
  tableAt(table, names.slice(0, -1)).set(names.at(-1) ?? "", tomlValue(value));
}

function tableAt(root: Map<string, Writable>, names: readonly string[]): Map<string, Writable> {
  let table = root;
  for (const name of names) {
    const there = table.get(name);
    const next = there instanceof Map ? there : new Map<string, Writable>();
    table.set(name, next);
    table = next;
  }
  return table;
}

function tomlValue(node: AST.TOMLContentNode): Writable {
  if (node.type === "TOMLArray") return node.elements.map((element) => tomlValue(element));
  if (node.type === "TOMLInlineTable") {
    const table = new Map<string, Writable>();
    for (const pair of node.body) putKey(table, pair);
    return table;
  }
  return node.value instanceof Date ? node.value.toISOString() : node.value;
}
