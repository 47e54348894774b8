/** Requests of the extension `dev.latticegate/message-signature` itself: the calling end asks, the serving end answers. */
import { inspectBytes } from "../../gate/call.ts";
import type { attestMethod, messageKeysMethod } from "../../integrity/extension-methods.ts";
import { type Fields, parsedObject } from "../../integrity/fields.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { readFrame, type RequestFrame, type ResponseFrame, tryReadFrame } from "../../wire/frame.ts";
import { identityHeaders } from "../../wire/identity-headers.ts";
import { standardHeaders } from "../../wire/mcp-headers.ts";
import { filtered } from "../net/headers.ts";
import { collected, type HttpAnswer, type HttpRequest } from "../net/http-exchange.ts";
import type { Send } from "../net/patient-send.ts";

export type ExtensionMethod = typeof messageKeysMethod | typeof attestMethod;

/** How the client that is spoken for speaks: its era, and in which session of its own. */
export interface Manner {
  readonly path: string;
  /** Of a modern client, what its requests say of it. */
  readonly protocolVersion?: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

/** As the client's own request was made. */
export function mannerOf({ path, headers }: HttpRequest, frame?: RequestFrame): Manner {
  const protocolVersion = frame?.params?.meta?.protocolVersion;
  const isOurs = (name: string): boolean => identityHeaders.includes(name);
  const isKept = (name: string): boolean =>
    isOurs(name) || (protocolVersion === undefined && name === "mcp-protocol-version");
  return {
    path,
    headers: filtered(headers, isKept),
    ...(protocolVersion !== undefined && { protocolVersion }),
  };
}

/** The request without a signature, as `manner` has it. */
export function extensionFrame(
  method: ExtensionMethod,
  params: Fields,
  { protocolVersion }: Manner,
): RequestFrame {
  const meta = protocolVersion !== undefined && {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": protocolVersion,
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  };
  const message = { jsonrpc: "2.0", id: `latticegate:${method}`, method, params: { ...params, ...meta } };
  const frame = readFrame(utf8(JSON.stringify(message)));
  if (frame.kind === "request") return frame;
  throw new Error("a message with a method and an id is a request");
}

/** What became of it. */
export interface Asked {
  readonly answer: HttpAnswer;
  /** Its message, if it is the answer to this request and can be read. */
  readonly response?: ResponseFrame;
}

/** How long one may take: no call waits for longer than that. */
const askMs = 30_000;

/** @param body the request, signed if it is to be */
export async function askExtension(
  send: Send,
  frame: RequestFrame,
  body: Uint8Array,
  { path, headers }: Manner,
): Promise<Asked> {
  const request: HttpRequest = {
    method: "POST",
    path,
    headers: [
      "content-type",
      "application/json",
      "accept",
      "application/json, text/event-stream",
      ...standardHeaders(frame).flat(),
      ...headers,
    ],
    body,
    gone: AbortSignal.timeout(askMs),
  };
  const answer = await collected(await send(request));
  if (answer.kind !== "whole") {
    await answer.chunks[Symbol.asyncIterator]().return?.();
    return { answer };
  }
  const response = answer.body.length > maxAnswerBytes ? undefined : tryReadFrame(answer.body);
  return response?.kind === "response" && response.id === frame.id ? { answer, response } : { answer };
}

/** A thousand leaves, and what else may be said. */
const maxAnswerBytes = inspectBytes;

/** What an answer's result says. */
export function resultOf({ bytes, result }: ResponseFrame): Fields | undefined {
  const text = result && fromUtf8(bytes.subarray(result.span.start, result.span.end));
  return text === undefined ? undefined : parsedObject(text);
}
