/** Servers put into the text of a gateway's config, and taken out again; everything else in it stays as it is. */
import { isDeepStrictEqual } from "node:util";

import { type Document, isMap, isScalar, type Pair, parseDocument, stringify, type YAMLMap } from "yaml";

type Servers = Readonly<Record<string, unknown>>;

/** The text with further servers at the end of its `servers`. */
export function withServers(text: string, servers: Servers): string {
  if (Object.keys(servers).length === 0) return text;
  const wanted = parseDocument(text);
  const there: unknown = wanted.get("servers", true);
  // `servers: {}` would hold them all on one line.
  if (isMap(there) && there.items.length === 0) there.flow = false;
  for (const [name, server] of Object.entries(servers))
    wanted.setIn(["servers", name], wanted.createNode(server));
  return asWanted(inserted(text, servers), wanted);
}

/** The text without these of its servers. */
export function withoutServers(text: string, names: readonly string[]): string {
  const wanted = parseDocument(text);
  const there = names.filter((name) => wanted.hasIn(["servers", name]));
  if (there.length === 0) return text;
  for (const name of there) wanted.deleteIn(["servers", name]);
  return asWanted(cut(text, there), wanted);
}

/** An edit of the text, if it means what is wanted; otherwise the document as the library writes it. */
function asWanted(edited: string | undefined, wanted: Document): string {
  const next = edited === undefined ? undefined : parseDocument(edited);
  const isRight = next?.errors.length === 0 && isDeepStrictEqual(next.toJS(), wanted.toJS());
  return isRight && edited !== undefined ? edited : wanted.toString({ lineWidth: 0 });
}

function inserted(text: string, servers: Servers): string | undefined {
  const document = parseDocument(text);
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const map = serversOf(document);
  if (map === undefined) {
    if (document.has("servers")) return undefined;
    const lead = text === "" || text.endsWith("\n") ? "" : eol;
    return `${text}${lead}servers:${eol}${block(servers, "  ", eol)}`;
  }
  const [first, last] = [map.items[0], map.items.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const [start] = rangeOf(first);
  const indent = text.slice(lineStart(text, start), start);
  if (indent.trim() !== "") return undefined;
  const at = lineEnd(text, rangeOf(last)[1]);
  const lead = text[at - 1] === "\n" ? "" : eol;
  return `${text.slice(0, at)}${lead}${block(servers, indent, eol)}${text.slice(at)}`;
}

function cut(text: string, names: readonly string[]): string | undefined {
  const map = serversOf(parseDocument(text));
  if (map === undefined || map.items.length <= names.length) return undefined;
  let left = text;
  for (const pair of map.items.toReversed()) {
    if (!isScalar(pair.key) || !names.includes(String(pair.key.value))) continue;
    const [start, end] = rangeOf(pair);
    left = left.slice(0, lineStart(left, start)) + left.slice(lineEnd(left, end));
  }
  return left;
}

function serversOf(document: Document): YAMLMap | undefined {
  const node: unknown = document.get("servers", true);
  return isMap(node) && node.flow !== true ? node : undefined;
}

function rangeOf({ key, value }: Pair): readonly [number, number] {
  const of = (node: unknown): readonly number[] =>
    typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range)
      ? node.range
      : [];
  const [start = 0, keyEnd = 0] = of(key);
  return [start, of(value)[1] ?? keyEnd];
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}

/** Behind the line on which the content that ends at `at` ends. */
function lineEnd(text: string, at: number): number {
  const content = text.slice(0, at).trimEnd().length;
  const end = text.indexOf("\n", content);
  return end === -1 ? text.length : end + 1;
}

function block(servers: Servers, indent: string, eol: string): string {
  const lines = stringify(servers, { lineWidth: 0 }).trimEnd().split("\n");
  return lines.map((line) => `${line === "" ? "" : indent}${line}${eol}`).join("");
}
