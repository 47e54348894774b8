/**
 * What an answer says to its reader: every text in it, wherever clients may show it. INVARIANT: what isn't looked at is
 * said to be (`isAll`).
 */
import { isTwofold } from "../wire/plain-text.ts";
import { isObject, type Json, memberOf } from "../wire/values.ts";

interface SaidText {
  /** Where it stands in the message, such as `result.content.0.text`; names that may be values are `*`. */
  readonly at: string;
  readonly text: string;
}

export interface SaidTexts {
  readonly texts: readonly SaidText[];
  /** Nothing was left out. */
  readonly isAll: boolean;
}

/** Of one message, of all texts together. */
const maxChars = 128 * 1024;
const maxTexts = 4096;
const maxDepth = 32;

/** @param bytes a JSON-RPC message, or several; read as the most tolerant client would */
export function textsOfMessage(bytes: Uint8Array): SaidTexts {
  const text = tolerant.decode(bytes);
  try {
    const parsed = JSON.parse(text) as unknown;
    const said = answerTexts(parsed);
    // Readers differ in which of two they take.
    return isTwofold(text, parsed) ? within([{ at: "message", text }, ...said.texts]) : said;
  } catch {
    return within([{ at: "message", text }]);
  }
}

/** Replaces what is no UTF-8, and takes a byte order mark off. */
const tolerant = new TextDecoder();

/** @param message as parsed from JSON */
export function answerTexts(message: unknown): SaidTexts {
  if (Array.isArray(message)) {
    const each = message.slice(0, maxTexts).map(answerTexts);
    return within(
      each.flatMap(({ texts }) => texts),
      each.every(({ isAll }) => isAll) && message.length <= maxTexts,
    );
  }
  const found: SaidText[] = [];
  const walk: Walk = { found, isAll: true };
  const result = memberOf(message, "result");
  // What models read comes first: there may be more than is looked at.
  for (const name of ["content", "contents", "messages"])
    visit(memberOf(result, name), `result.${name}`, walk);
  if (isObject(result)) visitMembers(structuredOnce(result, found), "result", walk);
  visit(memberOf(message, "error"), "error", walk);
  visit(memberOf(message, "params"), "params", walk);
  return within(found, walk.isAll);
}

interface Walk {
  readonly found: SaidText[];
  isAll: boolean;
}

/** The other members; structured content only where no text says the same (MCP, tools). */
function structuredOnce(result: Json, found: readonly SaidText[]): Json {
  const { content: _, contents: __, messages: ___, structuredContent, ...rest } = result;
  if (structuredContent === undefined) return rest;
  const written = JSON.stringify(structuredContent);
  const isSaid = found.some(({ text }) => text.startsWith("{") && sameJson(text, written));
  return isSaid ? rest : { structuredContent, ...rest };
}

function sameJson(text: string, written: string): boolean {
  if (text.length > 2 * written.length + 4096) return false;
  try {
    return JSON.stringify(JSON.parse(text)) === written;
  } catch {
    return false;
  }
}

/** About the message itself, or nothing that is read as text. */
const wordless: ReadonlySet<string> = new Set(["_meta", "type", "mimeType", "role", "resultType"]);

function visit(value: unknown, at: string, walk: Walk, depth = 0): void {
  if (typeof value === "string") {
    if (value !== "") walk.found.push({ at, text: value });
  } else if (depth >= maxDepth || walk.found.length > maxTexts) {
    walk.isAll &&= typeof value !== "object" || value === null;
  } else if (Array.isArray(value)) {
    for (const [i, each] of value.slice(0, maxTexts).entries()) visit(each, `${at}.${i}`, walk, depth + 1);
    walk.isAll &&= value.length <= maxTexts;
  } else if (isObject(value)) {
    visitMembers(value, at, walk, depth);
  }
}

function visitMembers(value: Json, at: string, walk: Walk, depth = 0): void {
  const isMedia = value["type"] === "image" || value["type"] === "audio";
  for (const [name, member] of Object.entries(value)) {
    if (wordless.has(name) || (isMedia && name === "data")) continue;
    // Names are read, too.
    if (!plainName.test(name)) walk.found.push({ at: `${at}.*`, text: name });
    visit(member, `${at}.${plainName.test(name) ? name : "*"}`, walk, depth + 1);
  }
}

/** As schemas name members: nothing of that is a value that somebody wrote. */
const plainName = /^[A-Za-z_][A-Za-z0-9_]{0,31}$/;

function within(found: readonly SaidText[], isWhole = true): SaidTexts {
  let room = maxChars;
  const texts = found.slice(0, maxTexts).flatMap(({ at, text }) => {
    const taken = text.slice(0, Math.max(0, room));
    room -= text.length;
    return taken === "" ? [] : [{ at, text: taken }];
  });
  return { texts, isAll: isWhole && room >= 0 && found.length <= maxTexts };
}
