/**
 * What a server says its tools are: the answer to `tools/list`, read once within bounds, each declaration known by
 * the digest of its content and by its place in the bytes, so that a list is changed only where it has to be.
 */
import { concat, fromUtf8, toBase64url, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { sha256 } from "../../crypto/hash.ts";
import {
  everyMember,
  folded,
  type Place,
  scanElements,
  scanJson,
  textAt,
  tolerantScanLimits,
} from "../../wire/json-scan.ts";
import { contentHash, type ContentHash } from "./content-hash.ts";

/** One tool's declaration, as its server made it. */
export interface Declaration {
  readonly name: string;
  readonly contentHash: ContentHash;
  /** JSON text as it came, without the white space between its tokens: it stands in a line of any transport. */
  readonly text: string;
}

/** What stands in a list; `place` is where. */
export type ListedTool =
  | { readonly kind: "tool"; readonly place: Place; readonly declaration: Declaration }
  /** Two readers could read it in two ways, or not at all. */
  | { readonly kind: "unreadable"; readonly place: Place; readonly name?: string; readonly why: Unreadable };

type Unreadable =
  | "no_name"
  | "same_name_twice"
  | "no_canonical_form"
  | "too_large"
  /** The server says a `contentHash` that isn't the declaration's. */
  | "false_hash";

export type ToolListAnswer =
  | { readonly kind: "list"; readonly tools: readonly ListedTool[]; readonly nextCursor?: string }
  /** An error, or an answer of another kind: nothing to pin. */
  | { readonly kind: "no-list" }
  | { readonly kind: "unreadable"; readonly why: string };

/** More tools than any client can show its model; each is hashed. */
export const maxToolsInList = 10_000;
/** The largest declarations found in the wild have some 100 kB of schema. */
export const maxDeclarationBytes = 512 * 1024;
/** Real schemas stay below 20 levels; a diff has to be readable. */
const maxDeclarationDepth = 64;
const maxNameLength = 1024;

/**
 * @param answer the JSON-RPC message. Members two readers could take from different places (twice, or in another
 * case) make the whole list unreadable; within a declaration they make that tool unreadable.
 */
export function readToolList(answer: Uint8Array): ToolListAnswer {
  if (fromUtf8(answer) === undefined) return { kind: "unreadable", why: "it is no UTF-8" };
  try {
    return toolList(answer);
  } catch (error) {
    if (error instanceof Refusal) return { kind: "unreadable", why: error.message };
    throw error;
  }
}

/** The same list with other declarations at some places, and without some; no other byte changes. */
export function withTools(
  answer: Uint8Array,
  tools: readonly ListedTool[],
  shown: (tool: ListedTool) => "as-it-is" | "hidden" | { readonly text: string },
): Uint8Array {
  const first = tools[0];
  const last = tools.at(-1);
  const looks = tools.map((tool) => ({ tool, look: shown(tool) }));
  if (first === undefined || last === undefined || looks.every(({ look }) => look === "as-it-is"))
    return answer;
  const parts = looks.flatMap(({ tool: { place }, look }) => {
    if (look === "hidden") return [];
    return [look === "as-it-is" ? answer.subarray(place.start, place.end) : utf8(look.text)];
  });
  return concat([
    answer.subarray(0, first.place.start),
    ...parts.flatMap((part, i) => (i === 0 ? [part] : [comma, part])),
    answer.subarray(last.place.end),
  ]);
}

/** A declaration on its own, such as one from a file. */
export function readDeclaration(bytes: Uint8Array): Declaration | undefined {
  const read = readToolList(concat([utf8('{"result":{"tools":['), bytes, utf8("]}}")]));
  const tool = read.kind === "list" && read.tools.length === 1 ? read.tools[0] : undefined;
  if (tool?.kind !== "tool") return undefined;
  return contentHash(bytes) === tool.declaration.contentHash ? tool.declaration : undefined;
}

/** A cursor is a server's own text, of any length: it is known by its digest. */
export function cursorDigest(cursor: string): string {
  return toBase64url(sha256(utf8(cursor)));
}

const comma = utf8(",");
const quote = 0x22;
const openBracket = 0x5b;

function toolList(answer: Uint8Array): ToolListAnswer {
  const top = scanJson(answer, { [everyMember]: true, result: { [everyMember]: true } }, tolerantScanLimits);
  if (top.members === undefined) return { kind: "no-list" };
  const result = single(top.members, "result");
  if (result?.members === undefined) return { kind: "no-list" };
  const tools = single(result.members, "tools");
  if (tools === undefined || answer[tools.start] !== openBracket) return { kind: "no-list" };
  const cursor = stringAt(answer, single(result.members, "nextCursor"));
  const places = scanElements(answer, tools, { name: true, contentHash: true }, tolerantScanLimits);
  if (places.length > maxToolsInList) {
    return { kind: "unreadable", why: `it has more than ${maxToolsInList} tools` };
  }
  return {
    kind: "list",
    tools: unambiguous(places.map((place) => listedTool(answer, place))),
    ...(cursor !== undefined && { nextCursor: cursor }),
  };
}

/** @throws Refusal `bad_json` if another reader could find another member under that name */
function single(members: ReadonlyMap<string, Place>, name: string): Place | undefined {
  const found = members.get(name);
  const others = [...members.keys()].some((other) => other !== name && folded(other) === name.toLowerCase());
  if (others || found?.earlier !== undefined) {
    throw new Refusal("bad_json", `it has more than one member that reads as "${name}"`);
  }
  return found;
}

function listedTool(answer: Uint8Array, place: Place): ListedTool {
  const bytes = answer.subarray(place.start, place.end);
  const name = stringAt(answer, place.members?.get("name"));
  const unreadable = (why: Unreadable): ListedTool => ({
    kind: "unreadable",
    place,
    ...(name !== undefined && { name }),
    why,
  });
  if (name === undefined || name.length > maxNameLength) return unreadable("no_name");
  if (bytes.length > maxDeclarationBytes) return unreadable("too_large");
  const hash = isStrict(bytes) ? contentHash(bytes) : undefined;
  if (hash === undefined) return unreadable("no_canonical_form");
  const said = place.members?.get("contentHash");
  if (said !== undefined && stringAt(answer, said) !== hash) return unreadable("false_hash");
  return { kind: "tool", place, declaration: { name, contentHash: hash, text: compact(bytes) } };
}

/** Members that matter, in one spelling each: some readers find `Name` when they look for `name`. */
function isStrict(declaration: Uint8Array): boolean {
  try {
    scanJson(declaration, declarationShape, { depth: maxDeclarationDepth, members: Infinity });
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

const declarationShape = {
  name: true,
  title: true,
  description: true,
  inputSchema: true,
  outputSchema: true,
  annotations: true,
  icons: true,
  execution: true,
  _meta: true,
} as const;

/** A name that two tools of one list have is neither's: clients take the first or the last. */
function unambiguous(tools: readonly ListedTool[]): readonly ListedTool[] {
  const times = new Map<string, number>();
  for (const tool of tools) {
    const name = nameOf(tool);
    if (name !== undefined) times.set(name, (times.get(name) ?? 0) + 1);
  }
  return tools.map((tool) => {
    const name = nameOf(tool);
    const isTwice = name !== undefined && (times.get(name) ?? 0) > 1;
    return isTwice ? { kind: "unreadable", place: tool.place, name, why: "same_name_twice" } : tool;
  });
}

function nameOf(tool: ListedTool): string | undefined {
  return tool.kind === "tool" ? tool.declaration.name : tool.name;
}

function stringAt(bytes: Uint8Array, place: Place | undefined): string | undefined {
  return place === undefined || bytes[place.start] !== quote ? undefined : textAt(bytes, place);
}

/** The tokens of strict JSON text without white space between them: strings and whatever is no white space. */
function compact(json: Uint8Array): string {
  const text = fromUtf8(json) ?? "";
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|[ \t\r\n]+/g, (token) =>
    token.startsWith('"') ? token : "",
  );
}
