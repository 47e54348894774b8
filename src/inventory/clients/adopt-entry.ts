/**
 * One entry of a client's configuration rewritten in its text: what else stands there, comments, order, indentation and
 * line ends, stays as it is. An entry has one range of the text; put back, that range is the entry as it was.
 */
import { createScanner, findNodeAtLocation, type Node, parseTree } from "jsonc-parser";
import { type AST, parseTOML } from "toml-eslint-parser";

import type { ClientKind } from "./client-kinds.ts";

export interface TextRange {
  readonly start: number;
  readonly end: number;
}

export interface Started {
  readonly command: string;
  readonly args: readonly string[];
}

/** Keys that say how a server is reached; the ones of HTTP come from the client's table. */
const replaced = ["args", "env", "headers", "http_headers", "cwd"];
/** Values that name a transport. */
const transportKeys = ["type", "transport"];

/** Where an entry stands in a text that has no faults; undefined if it isn't in one piece. */
export function entryRange(
  text: string,
  kind: Pick<ClientKind, "format">,
  path: readonly string[],
): TextRange | undefined {
  if (kind.format === "toml") {
    const entry = tomlEntry(text, path);
    return entry && { start: entry.start, end: entry.end };
  }
  const node = jsonEntry(text, path);
  return node && { start: node.offset, end: node.offset + node.length };
}

/** The text of an entry's range as it starts `started`; undefined if it isn't written so that it can be rewritten. */
export function adoptedEntry(
  text: string,
  kind: ClientKind,
  path: readonly string[],
  started: Started,
): string | undefined {
  if (kind.format !== "toml") {
    const node = jsonEntry(text, path);
    return node && adoptedJson(text, node, kind, started);
  }
  const entry = tomlEntry(text, path);
  if (entry === undefined) return undefined;
  return entry.kind === "inline"
    ? adoptedInline(text, entry.table, kind, started)
    : adoptedTables(text, entry, kind, started);
}

export function withRange(text: string, { start, end }: TextRange, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

interface Edit extends TextRange {
  readonly text: string;
}

/** @returns what stands in `range` after the edits, which don't overlap */
function edited(text: string, range: TextRange, edits: readonly Edit[]): string {
  let done = "";
  let from = range.start;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    done += text.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return done + text.slice(from, range.end);
}

function reachKeys(kind: ClientKind): readonly string[] {
  return ["command", ...kind.remote.map(({ key }) => key)];
}

/** A byte order mark is no part of either format; offsets count it all the same. */
function withoutMark(text: string): string {
  return text.startsWith("\uFEFF") ? ` ${text.slice(1)}` : text;
}

function jsonEntry(text: string, path: readonly string[]): Node | undefined {
  const root = parseTree(withoutMark(text), [], { allowTrailingComma: true, disallowComments: false });
  const node = root && findNodeAtLocation(root, [...path]);
  return node?.type === "object" ? node : undefined;
}

interface Property extends TextRange {
  readonly key: string;
  readonly value: TextRange;
  /** Behind the comma that follows it; undefined if none does. */
  readonly comma: number | undefined;
}

function adoptedJson(text: string, node: Node, kind: ClientKind, started: Started): string | undefined {
  const properties = jsonProperties(text, node);
  const reach = reachKeys(kind);
  const anchor = properties.find(({ key }) => reach.includes(key));
  if (anchor === undefined) return undefined;
  const goes = (one: Property): boolean =>
    one !== anchor && (replaced.includes(one.key) || reach.includes(one.key));
  const edits: Edit[] = [{ ...rangeOf(anchor), text: jsonPairs(text, anchor, started) }];
  for (const one of properties) {
    if (goes(one)) edits.push({ ...removal(text, one), text: "" });
    else if (transportKeys.includes(one.key)) edits.push({ ...one.value, text: '"stdio"' });
  }
  // A comma with nothing behind it isn't JSON: whoever is last now ends as the last one did.
  const last = properties.at(-1);
  const lastKept = properties.findLast((one) => !goes(one));
  if (last !== lastKept && last?.comma === undefined && lastKept?.comma !== undefined)
    edits.push({ start: lastKept.comma - 1, end: lastKept.comma, text: "" });
  return edited(text, { start: node.offset, end: node.offset + node.length }, edits);
}

function rangeOf({ start, end }: TextRange): TextRange {
  return { start, end };
}

function jsonProperties(text: string, node: Node): readonly Property[] {
  const nodes = node.children ?? [];
  return nodes.flatMap((property, index) => {
    const [key, value] = property.children ?? [];
    if (key === undefined || value === undefined) return [];
    const end = value.offset + value.length;
    const next = nodes[index + 1]?.offset ?? node.offset + node.length - 1;
    return [
      {
        key: String(key.value),
        start: property.offset,
        end,
        value: { start: value.offset, end },
        comma: commaWithin(text, end, next),
      },
    ];
  });
}

/** SyntaxKind of jsonc-parser, whose enum is gone at run time. */
const [commaToken, endOfFile] = [5, 17];

function commaWithin(text: string, from: number, to: number): number | undefined {
  const scanner = createScanner(text.slice(from, to), true);
  for (let token: number = scanner.scan(); token !== endOfFile; token = scanner.scan())
    if (token === commaToken) return from + scanner.getTokenOffset() + 1;
  return undefined;
}

/** With its line, if nothing else stands on it. */
function removal(text: string, { start, end, comma }: Property): TextRange {
  const before = indentBefore(text, start);
  // What stands between a value and its comma is a comment, and stays.
  const isTight = comma === undefined || text.slice(end, comma - 1).trim() === "";
  const behind = isTight ? spacesBehind(text, comma ?? end) : end;
  const line = lineEndBefore(text, before);
  if (isTight && line !== before && isLineEnd(text, behind)) return { start: line, end: behind };
  if (isTight) return { start: comma === undefined ? before : start, end: behind };
  return { start, end: comma };
}

function indentBefore(text: string, at: number): number {
  let from = at;
  while (text[from - 1] === " " || text[from - 1] === "\t") from -= 1;
  return from;
}

function spacesBehind(text: string, at: number): number {
  let to = at;
  while (text[to] === " " || text[to] === "\t") to += 1;
  return to;
}

function lineEndBefore(text: string, at: number): number {
  if (text[at - 1] !== "\n") return at;
  return text[at - 2] === "\r" ? at - 2 : at - 1;
}

function isLineEnd(text: string, at: number): boolean {
  return text[at] === "\n" || text[at] === "\r" || at >= text.length;
}

function jsonPairs(text: string, anchor: Property, { command, args }: Started): string {
  const indent = text.slice(indentBefore(text, anchor.start), anchor.start);
  const line = lineEndBefore(text, anchor.start - indent.length);
  const isOnItsOwn = line !== anchor.start - indent.length;
  const between = isOnItsOwn ? text.slice(line, anchor.start) : " ";
  const list = `[${args.map((arg) => JSON.stringify(arg)).join(", ")}]`;
  return `"command": ${JSON.stringify(command)},${between}"args": ${list}`;
}

interface TablesEntry extends TextRange {
  readonly kind: "tables";
  readonly tables: readonly [AST.TOMLTable, ...(readonly AST.TOMLTable[])];
  readonly depth: number;
}

interface InlineEntry extends TextRange {
  readonly kind: "inline";
  readonly table: AST.TOMLInlineTable;
}

function tomlEntry(text: string, path: readonly string[]): TablesEntry | InlineEntry | undefined {
  const { body } = parseTOML(withoutMark(text), { tomlVersion: "1.1" }).body[0];
  const isWithin = (node: AST.TOMLTable | AST.TOMLKeyValue): node is AST.TOMLTable =>
    node.type === "TOMLTable" && path.every((key, at) => String(node.resolvedKey[at]) === key);
  const first = body.findIndex((node) => isWithin(node));
  if (first === -1) return inlineEntry(body, path);
  const run = body.slice(first);
  const other = run.findIndex((node) => !isWithin(node));
  const tables = (other === -1 ? run : run.slice(0, other)).filter((node) => isWithin(node));
  const [main, ...more] = tables;
  const isSplit = body.filter((node) => isWithin(node)).length !== tables.length;
  if (main === undefined || isSplit || main.kind !== "standard" || main.resolvedKey.length !== path.length)
    return undefined;
  // With the rest of its last line: a comment there may be behind another pair once this is rewritten.
  const end = restOfLine(text, tables.at(-1)?.range[1] ?? main.range[1]);
  return { kind: "tables", tables: [main, ...more], depth: path.length, start: main.range[0], end };
}

function inlineEntry(
  body: readonly (AST.TOMLTable | AST.TOMLKeyValue)[],
  path: readonly string[],
): InlineEntry | undefined {
  for (const node of body) {
    const pairs = node.type === "TOMLTable" ? node.body : [node];
    const above = node.type === "TOMLTable" ? node.resolvedKey.map(String) : [];
    for (const { key, value } of pairs) {
      const names = [...above, ...key.keys.map(nameOf)];
      const isIt = names.length === path.length && path.every((name, at) => names[at] === name);
      if (isIt && value.type === "TOMLInlineTable")
        return { kind: "inline", table: value, start: value.range[0], end: value.range[1] };
    }
  }
  return undefined;
}

function restOfLine(text: string, at: number): number {
  let to = at;
  while (!isLineEnd(text, to)) to += 1;
  return to;
}

function nameOf(part: AST.TOMLBare | AST.TOMLQuoted): string {
  return part.type === "TOMLBare" ? part.name : part.value;
}

function firstName({ key }: AST.TOMLKeyValue): string {
  const [part] = key.keys;
  return part === undefined ? "" : nameOf(part);
}

function tomlText(value: string): string {
  return JSON.stringify(value).replaceAll("\u007F", "\\u007F");
}

function tomlPairs({ command, args }: Started): readonly string[] {
  return [`command = ${tomlText(command)}`, `args = [${args.map((arg) => tomlText(arg)).join(", ")}]`];
}

function adoptedInline(
  text: string,
  table: AST.TOMLInlineTable,
  kind: ClientKind,
  started: Started,
): string | undefined {
  const reach = reachKeys(kind);
  if (!table.body.some((pair) => reach.includes(firstName(pair)))) return undefined;
  const kept = table.body
    .filter((pair) => ![...replaced, ...reach, ...transportKeys].includes(firstName(pair)))
    .map(({ range }) => text.slice(...range));
  return `{ ${[...tomlPairs(started), ...kept].join(", ")} }`;
}

function adoptedTables(
  text: string,
  entry: TablesEntry,
  kind: ClientKind,
  started: Started,
): string | undefined {
  const [main, ...more] = entry.tables;
  const reach = reachKeys(kind);
  const anchor = main.body.find((pair) => reach.includes(firstName(pair)));
  if (anchor === undefined) return undefined;
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const indent = text.slice(indentBefore(text, anchor.range[0]), anchor.range[0]);
  const pairs = tomlPairs(started).join(`${eol}${indent}`);
  const edits: Edit[] = [{ start: anchor.range[0], end: anchor.range[1], text: pairs }];
  for (const pair of main.body) {
    const goes = pair !== anchor && [...replaced, ...reach, ...transportKeys].includes(firstName(pair));
    if (goes) edits.push({ ...pairRemoval(text, pair), text: "" });
  }
  // From the end of what stands before it, so that no empty lines pile up.
  let before = main.range[1];
  for (const table of more) {
    if (replaced.includes(String(table.resolvedKey[entry.depth])))
      edits.push({ start: before, end: table.range[1], text: "" });
    before = table.range[1];
  }
  return edited(text, entry, merged(edits));
}

/** The whole line: what stands behind a pair is a comment about it. */
function pairRemoval(text: string, { range: [start, end] }: AST.TOMLKeyValue): TextRange {
  return { start: lineEndBefore(text, indentBefore(text, start)), end: restOfLine(text, end) };
}

/** Removals that touch each other become one. */
function merged(edits: readonly Edit[]): readonly Edit[] {
  const done: Edit[] = [];
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    const last = done.at(-1);
    if (last !== undefined && edit.start < last.end)
      done[done.length - 1] = { start: last.start, end: Math.max(last.end, edit.end), text: last.text };
    else done.push(edit);
  }
  return done;
}
