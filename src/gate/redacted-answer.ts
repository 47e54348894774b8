/**
 * Where an MCP message holds what a tool, a prompt or a resource says: in `structuredContent` for programs, and in text
 * and blobs that are JSON, alone, in a fence, or line by line. INVARIANT: what two readers could find in two places is
 * refused, so that what is taken out isn't found by the one who looks elsewhere.
 */
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Edit, edited, editsIn, redactedJson, type Taking } from "../policy/redaction.ts";
import { readFrame } from "../wire/frame.ts";
import {
  everyMember,
  folded,
  type Place,
  scanAt,
  scanElements,
  textAt,
  tolerantScanLimits,
} from "../wire/json-scan.ts";

export interface Redacting {
  readonly takings: readonly Taking[];
  /** It is about a task, which holds its tool's answer in its own. */
  readonly isTask: boolean;
}

/** The message without what the takings lead to; the very same bytes if that is nothing. @throws Refusal `answer_refused` */
export function redactedMessage(message: Uint8Array, redacting: Redacting): Uint8Array {
  const frame = read(message);
  if (frame.kind !== "response") return message;
  if (frame.result !== undefined) return redactedWithin(message, frame.result.span, redacting);
  const data = frame.error?.data;
  return data === undefined ? message : edited(message, editsIn(message, data, redacting.takings));
}

/** The same with what stands at `place` alone: a result, or what is said of a task. */
export function redactedWithin(message: Uint8Array, place: Place, redacting: Redacting): Uint8Array {
  return edited(message, editsInResult(message, place, redacting));
}

function read(message: Uint8Array): ReturnType<typeof readFrame> {
  try {
    return readFrame(message, { ...tolerantScanLimits, isTolerant: false });
  } catch (cause) {
    throw unreadable("it can't be read for sure", cause);
  }
}

const lists = ["content", "contents", "messages"] as const;
const known: ReadonlySet<string> = new Set(["structuredContent", "result", ...lists].map(folded));

function editsInResult(bytes: Uint8Array, place: Place, { takings, isTask }: Redacting): readonly Edit[] {
  const members = membersAt(bytes, place, known);
  const own = [
    ...at(members, "structuredContent", (found) => editsIn(bytes, found, takings)),
    ...lists.flatMap((list) => at(members, list, (found) => editsInItems(bytes, found, takings))),
  ];
  if (!isTask) return own;
  return [
    ...own,
    ...at(members, "result", (found) => editsInResult(bytes, found, { takings, isTask: false })),
  ];
}

function editsInItems(bytes: Uint8Array, place: Place, takings: readonly Taking[]): readonly Edit[] {
  return scanElements(bytes, place, undefined, tolerantScanLimits).flatMap((item) =>
    editsInItem(bytes, item, takings),
  );
}

const inItems: ReadonlySet<string> = new Set(["text", "blob", "resource", "content"].map(folded));

/** A block of content, a resource's contents, or a prompt's message. */
function editsInItem(bytes: Uint8Array, place: Place, takings: readonly Taking[]): readonly Edit[] {
  const members = membersAt(bytes, place, inItems);
  const said = (member: string, without: (text: string) => string): readonly Edit[] =>
    at(members, member, (found) => {
      if (bytes[found.start] !== quote) return [];
      const text = textAt(bytes, found);
      const changed = without(text);
      return changed === text ? [] : [{ place: found, text: utf8(JSON.stringify(changed)) }];
    });
  const inner = (found: Place): readonly Edit[] =>
    bytes[found.start] === openBracket
      ? editsInItems(bytes, found, takings)
      : editsInItem(bytes, found, takings);
  return [
    ...said("text", (text) => redactedText(text, takings)),
    ...said("blob", (blob) => redactedBlob(blob, takings)),
    ...at(members, "resource", inner),
    ...at(members, "content", inner),
  ];
}

function redactedText(text: string, takings: readonly Taking[]): string {
  const whole = redactedIfJson(text, takings);
  if (whole !== undefined) return whole;
  // Lines that are JSON, and what stands between a fence's lines, which is none.
  const fenced = text.replaceAll(
    /^(```[^\n]*\n)([\s\S]*?)(\n```)/gm,
    (all, open: string, inner: string, close: string) => {
      const changed = redactedIfJson(inner, takings);
      return changed === undefined ? all : open + changed + close;
    },
  );
  return fenced
    .split("\n")
    .map((line) => redactedIfJson(line, takings) ?? line)
    .join("\n");
}

function redactedBlob(blob: string, takings: readonly Taking[]): string {
  const text = fromUtf8(Buffer.from(blob, "base64"));
  const changed = text === undefined ? undefined : redactedText(text, takings);
  return changed === undefined || changed === text ? blob : Buffer.from(changed).toString("base64");
}

/** Undefined for what is no JSON object or list. A byte order mark says nothing. */
function redactedIfJson(text: string, takings: readonly Taking[]): string | undefined {
  const [mark = ""] = /^\uFEFF?/.exec(text) ?? [];
  const json = text.slice(mark.length);
  if (!/^\s*[[{]/.test(json)) return undefined;
  try {
    const bytes = utf8(json);
    const changed = redactedJson(bytes, takings);
    return changed === bytes ? text : mark + (fromUtf8(changed) ?? "");
  } catch {
    return undefined;
  }
}

/** @param names folded ones that are looked for @throws Refusal `answer_refused` for another spelling of one */
function membersAt(bytes: Uint8Array, place: Place, names: ReadonlySet<string>): ReadonlyMap<string, Place> {
  if (bytes[place.start] !== openBrace) return new Map();
  const { members = new Map<string, Place>() } = scanAt(
    bytes,
    place,
    { [everyMember]: true },
    tolerantScanLimits,
  );
  for (const name of members.keys())
    if (names.has(folded(name)) && !exact.has(name))
      throw unreadable(`it spells "${folded(name)}" in its own way`);
  return members;
}

const exact: ReadonlySet<string> = new Set([
  "structuredContent",
  "result",
  ...lists,
  "text",
  "blob",
  "resource",
]);

function at(
  members: ReadonlyMap<string, Place>,
  name: string,
  edits: (place: Place) => readonly Edit[],
): readonly Edit[] {
  const place = members.get(name);
  return place === undefined ? [] : edits(place);
}

/** Something has to be taken out of it, and can't be. */
export function unreadable(why: string, cause?: unknown): Refusal {
  const text = `The answer is withheld: something has to be taken out of it, and ${why}.`;
  return new Refusal("answer_refused", text, { ...(cause !== undefined && { cause }) });
}

const quote = 0x22;
const openBracket = 0x5b;
const openBrace = 0x7b;
