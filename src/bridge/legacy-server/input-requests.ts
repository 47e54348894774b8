/** What a server asks its client for while a call is under way: elicitation, sampling, roots (MCP 2026-07-28, multi round-trip requests). */
import { utf8 } from "../../kernel/bytes.ts";
import type { RequestId } from "../../wire/frame.ts";
import { isObject, type Json } from "../../wire/values.ts";
import { needsOf, undeclared } from "../questions.ts";

export interface InputRequest {
  readonly method: string;
  readonly params?: Json;
}

/** As the client gets it: of its progress nobody could tell the server any more. */
export function inputRequest(method: string, params: Json | undefined): InputRequest {
  const { _meta: meta, ...rest } = params ?? {};
  if (!isObject(meta)) return { method, ...(params && { params }) };
  const { progressToken: _, ...others } = meta;
  return { method, params: Object.keys(others).length === 0 ? rest : { ...rest, _meta: others } };
}

/** Whether a client with these capabilities can be asked that. */
export function canAnswer(capabilities: Json, { method, params = {} }: InputRequest): boolean {
  const needs = needsOf(method, {
    isPage: params["mode"] === "url",
    usesTools: params["tools"] !== undefined || params["toolChoice"] !== undefined,
  });
  return needs !== undefined && undeclared(needs, capabilities) === undefined;
}

/** The answer to a call that asks for more. */
export function inputRequired(
  id: RequestId,
  inputRequests: ReadonlyMap<string, InputRequest>,
  requestState: string,
): Uint8Array {
  const result = {
    resultType: "input_required",
    inputRequests: Object.fromEntries(inputRequests),
    requestState,
  };
  return utf8(JSON.stringify({ jsonrpc: "2.0", id, result }));
}

/** Whether that can be what a client answers to it: a server would choke on anything else. */
export function isAnswerTo({ method }: InputRequest, value: unknown): value is Json {
  if (!isObject(value)) return false;
  switch (method) {
    case "elicitation/create":
      return ["accept", "decline", "cancel"].includes(String(value["action"]));
    case "sampling/createMessage":
      return typeof value["role"] === "string" && value["content"] !== undefined;
    default:
      return Array.isArray(value["roots"]);
  }
}

/** Code of an error by which a legacy server asks for consent at an address (MCP 2025-11-25, elicitation). */
export const urlElicitationRequired = -32042;

/** The addresses that such an error names, by keys of their own; none if it names none in the form it should. */
export function elicitedUrls(data: unknown): ReadonlyMap<string, InputRequest> {
  const elicitations = isObject(data) ? data["elicitations"] : undefined;
  const found = new Map<string, InputRequest>();
  for (const each of Array.isArray(elicitations) ? elicitations.slice(0, maxUrls) : []) {
    if (!isObject(each) || typeof each["url"] !== "string") continue;
    found.set(`url-${found.size + 1}`, { method: "elicitation/create", params: { ...each, mode: "url" } });
  }
  return found;
}

const maxUrls = 16;
