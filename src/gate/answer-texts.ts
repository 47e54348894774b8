/** What an answer says to its reader: texts of a tool's result, of resources, of a prompt's messages, of questions. */
import { memberOf } from "../wire/values.ts";

export interface SaidText {
  /** Where it stands in the message, such as `result.content.0.text`. */
  readonly at: string;
  readonly text: string;
}

/** Of one answer; the rest isn't looked at. */
const maxTexts = 256;
const maxChars = 128 * 1024;

/** @param message as parsed from JSON @returns as they stand, all of them together no longer than 128 KiB */
export function answerTexts(message: unknown): readonly SaidText[] {
  const found = [
    ...ofResult(memberOf(message, "result")),
    ...ofQuestion(memberOf(message, "params"), "params"),
    ...textIn(memberOf(message, "error"), "message", "error"),
  ];
  let room = maxChars;
  return found.slice(0, maxTexts).flatMap(({ at, text }) => {
    const taken = text.slice(0, room);
    room -= taken.length;
    return taken === "" ? [] : [{ at, text: taken }];
  });
}

/** Structured content says what the texts say, or there are none (MCP, tools). */
function ofResult(result: unknown): readonly SaidText[] {
  const texts = [
    ...ofBlocks(result, "content", "result"),
    ...ofBlocks(result, "contents", "result"),
    ...ofMessages(result, "result"),
  ];
  const requests = Object.entries(memberOf(result, "inputRequests") ?? {}).slice(0, maxTexts);
  const asked = requests.flatMap(([key, request]) =>
    ofQuestion(memberOf(request, "params"), `result.inputRequests.${key}.params`),
  );
  const structured = memberOf(result, "structuredContent");
  if (texts.length > 0 || structured === undefined) return [...texts, ...asked];
  return [{ at: "result.structuredContent", text: JSON.stringify(structured) }, ...asked];
}

/** Elicitation and sampling. */
function ofQuestion(params: unknown, at: string): readonly SaidText[] {
  return [...textIn(params, "message", at), ...textIn(params, "systemPrompt", at), ...ofMessages(params, at)];
}

function ofBlocks(holder: unknown, name: string, at: string): readonly SaidText[] {
  return listIn(holder, name).flatMap((block, i) => ofBlock(block, `${at}.${name}.${i}`));
}

function ofMessages(holder: unknown, at: string): readonly SaidText[] {
  return listIn(holder, "messages").flatMap((message, i) => {
    const content = memberOf(message, "content");
    const place = `${at}.messages.${i}.content`;
    return Array.isArray(content)
      ? ofBlocks(message, "content", `${at}.messages.${i}`)
      : ofBlock(content, place);
  });
}

function ofBlock(block: unknown, at: string): readonly SaidText[] {
  return [
    ...textIn(block, "text", at),
    ...textIn(memberOf(block, "resource"), "text", `${at}.resource`),
    ...textIn(block, "description", at),
  ];
}

function textIn(holder: unknown, name: string, at: string): readonly SaidText[] {
  const text = memberOf(holder, name);
  return typeof text === "string" && text !== "" ? [{ at: `${at}.${name}`, text }] : [];
}

function listIn(holder: unknown, name: string): readonly unknown[] {
  const list = memberOf(holder, name);
  return Array.isArray(list) ? list.slice(0, maxTexts) : [];
}
