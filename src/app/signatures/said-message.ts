/** What one end says to another about signatures, read and written: requests and answers of the extension's own methods. */
import type { Answer, Journaled } from "../../gate/call.ts";
import { type Envelope, envelopeEdits } from "../../integrity/envelope.ts";
import { type Fields, parsedObject } from "../../integrity/fields.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { readFrame, type RequestFrame, type ResponseFrame, tryReadFrame } from "../../wire/frame.ts";
import { edited } from "../../wire/json-edit.ts";

/** The request, which `answered` has found to be one. */
export function requestOf({ frame }: Journaled): RequestFrame {
  if (frame?.kind === "request") return frame;
  throw new Error("only a request is answered here");
}

export function paramsOf({ bytes, params }: RequestFrame): Fields | undefined {
  return params && objectAt(bytes, params.span);
}

/** What the server's end said to this very request, if it is a whole result. */
export function resultIn(
  answer: Answer,
  { id }: RequestFrame,
): { readonly response: ResponseFrame; readonly result: Fields } | undefined {
  if (answer.kind !== "whole") return undefined;
  const response = tryReadFrame(answer.message ?? answer.body);
  if (response?.kind !== "response" || response.id !== id || response.result === undefined) return undefined;
  const result = objectAt(response.bytes, response.result.span);
  return result && { response, result };
}

function objectAt(bytes: Uint8Array, { start, end }: { readonly start: number; readonly end: number }) {
  const text = fromUtf8(bytes.subarray(start, end));
  return text === undefined ? undefined : parsedObject(text);
}

/** A result, before it is signed. */
export function resultFrame({ id, era }: RequestFrame, result: Fields): ResponseFrame {
  const said = { ...(era === "modern" && { resultType: "complete" }), ...result };
  const frame = readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id, result: said })));
  if (frame.kind === "response") return frame;
  throw new Error("a message with a result is an answer");
}

export function withEnvelope(frame: ResponseFrame, envelope: Envelope): Uint8Array {
  return edited(frame.bytes, envelopeEdits(frame, envelope) ?? []);
}

export function wholeAnswer(body: Uint8Array, facts?: Readonly<Record<string, string>>): Answer {
  const headers = ["content-type", "application/json", "cache-control", "no-store"];
  return { kind: "whole", status: 200, headers, body, ...(facts && { facts: () => facts }) };
}
