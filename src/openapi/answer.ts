/** What an API answered, as the result of a tool or the contents of a resource; what went wrong, as an error an agent can act on. */
import { fromUtf8, toBase64 } from "../kernel/bytes.ts";
import type { ApiTool } from "./tools-from-openapi.ts";
import { isObject, type JsonObject, textOf } from "./values.ts";

export interface ApiAnswer {
  readonly status: number;
  /** As the header says it; empty if it doesn't. */
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Of an answer that says what went wrong: more is nothing to act on. */
const longestTitle = 300;
const longestDetail = 1000;

/** @param uri of an answer that can only be given as a file */
export function toolResult(tool: ApiTool, answer: ApiAnswer, uri: string): JsonObject {
  if (answer.status >= 400) return errorResult(problemText(answer));
  if (answer.status >= 300)
    return errorResult(
      `The API answered with status ${answer.status}, which leads elsewhere; it wasn't followed.`,
    );
  const isDeclared = tool.declaration["outputSchema"] !== undefined;
  const json = jsonOf(answer);
  if (json === undefined) {
    if (isDeclared) return errorResult(withoutJson(answer));
    return { content: contentOf(answer, uri) };
  }
  const structured = tool.wrapsAnswer ? { answer: json.value } : json.value;
  const isShaped = isObject(structured);
  if (isDeclared && !isShaped)
    return errorResult(
      "The API carried it out, and answered with JSON that isn't an object as its document says.",
    );
  return { content: [textContent(json.text)], ...(isShaped && { structuredContent: structured }) };
}

export function errorResult(text: string): JsonObject {
  return { content: [textContent(text)], isError: true };
}

/** One element of `contents` (MCP, resources/read). */
export function resourceContents(uri: string, answer: ApiAnswer): JsonObject {
  const mimeType = mediaType(answer) || "application/octet-stream";
  const text = isText(mimeType) ? fromUtf8(answer.body) : undefined;
  return { uri, mimeType, ...(text === undefined ? { blob: toBase64(answer.body) } : { text }) };
}

/** One sentence, with what a problem document (RFC 9457) or an error's usual members say. */
export function problemText(answer: ApiAnswer): string {
  const { status } = answer;
  const what = `The API answered with status ${status}${names[status] === undefined ? "" : ` (${names[status]})`}`;
  const json = isText(mediaType(answer)) ? jsonOf(answer)?.value : undefined;
  const inner = isObject(json) && isObject(json["error"]) ? json["error"] : json;
  const said = [
    firstText(inner, ["title", "error", "code"], longestTitle),
    firstText(inner, ["detail", "message", "error_description", "errorMessage", "msg"], longestDetail),
  ].filter((text, at, all) => text !== undefined && all.indexOf(text) === at);
  return said.length === 0 ? `${what}.` : `${what}: ${said.join(": ")}`;
}

const names: Readonly<Record<number, string>> = {
  400: "bad request",
  401: "it wants credentials; the gateway's config names those",
  403: "forbidden",
  404: "not found",
  405: "method not allowed",
  409: "conflict",
  410: "gone",
  413: "too large",
  415: "unsupported media type",
  422: "invalid arguments",
  429: "too many requests; try again later",
  500: "an error of the API's own",
  502: "bad gateway",
  503: "unavailable; try again later",
  504: "gateway timeout",
};

function firstText(value: unknown, members: readonly string[], longest: number): string | undefined {
  for (const name of members) {
    const text = textOf(value, name)?.trim();
    if (text !== undefined && text !== "") return text.slice(0, longest);
  }
  return undefined;
}

function withoutJson({ status, body }: ApiAnswer): string {
  const what = body.length === 0 ? "nothing" : "something else";
  return `The API carried it out (status ${status}), and answered with ${what} where its document says JSON.`;
}

function jsonOf(answer: ApiAnswer): { readonly text: string; readonly value: unknown } | undefined {
  if (answer.body.length === 0) return undefined;
  const type = mediaType(answer);
  if (type !== "" && !/^(?:application|text)\/(?:[\w.+-]{1,80}\+)?json$/.test(type)) return undefined;
  const text = fromUtf8(answer.body);
  if (text === undefined) return undefined;
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function contentOf(answer: ApiAnswer, uri: string): readonly JsonObject[] {
  const type = mediaType(answer);
  if (answer.body.length === 0) return [textContent(`Done (status ${answer.status}).`)];
  const text = isText(type) ? fromUtf8(answer.body) : undefined;
  if (text !== undefined) return [textContent(text)];
  const media = /^(image|audio)\//.exec(type)?.[1];
  if (media !== undefined) return [{ type: media, data: toBase64(answer.body), mimeType: type }];
  return [{ type: "resource", resource: resourceContents(uri, answer) }];
}

function textContent(text: string): JsonObject {
  return { type: "text", text };
}

function mediaType({ contentType }: ApiAnswer): string {
  return (contentType.split(";", 1)[0] ?? "").trim().toLowerCase();
}

function isText(type: string): boolean {
  return (
    /^text\/|^application\/(?:[\w.+-]{1,80}\+)?(?:json|xml|yaml)$|^application\/(?:javascript|x-www-form-urlencoded|x-ndjson)$/.test(
      type,
    ) || type === ""
  );
}
