/** What a modern server needs from a client before it answers (MCP 2026-07-28 multi round-trip requests), as requests to a legacy one. */
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readFrame, type RequestFrame, type ResponseFrame } from "../../wire/frame.ts";
import { withMember } from "../../wire/json-edit.ts";
import {
  everyMember,
  type Place,
  scanAt,
  scanJson,
  textAt,
  tolerantScanLimits,
} from "../../wire/json-scan.ts";
import { type Asks, type Needs, needsOf } from "../questions.ts";

/** One of a round's questions. */
export interface InputRequest {
  /** Under which its answer is brought back. */
  readonly key: string;
  readonly method: string;
  /** JSON text, as it came. */
  readonly params?: string;
  /** What a client must have declared to be asked this, by their paths in its capabilities. */
  readonly needs: Needs;
}

export interface Round {
  readonly questions: readonly InputRequest[];
  /** JSON text, as it came. */
  readonly requestState?: string;
}

/** What a server may ask at once; people and models answer these. */
const maxQuestions = 32;

/** @throws Refusal `upstream_failed` if it is none that the protocol has */
export function roundOf({ bytes }: ResponseFrame): Round {
  const shape = { result: { inputRequests: { [everyMember]: true }, requestState: true } } as const;
  const result = scanJson(bytes, shape, tolerantScanLimits).members?.get("result");
  const state = result?.members?.get("requestState");
  const asked = result?.members?.get("inputRequests")?.members ?? new Map<string, Place>();
  if (asked.size > maxQuestions) throw odd(`asks ${asked.size} things at once`);
  if (asked.size === 0 && state === undefined) throw odd("asks for input, but for none");
  if (state !== undefined && bytes[state.start] !== 0x22) throw odd("gave a state that is no text");
  return {
    questions: [...asked].map(([key, place]) => question(bytes, key, place)),
    ...(state && { requestState: jsonAt(bytes, state) }),
  };
}

const questionShape = {
  method: true,
  params: { mode: true, tools: true, toolChoice: true },
} as const;

function question(bytes: Uint8Array, key: string, place: Place): InputRequest {
  const members = scanAt(bytes, place, questionShape, tolerantScanLimits).members;
  const method = wordAt(bytes, members?.get("method"));
  const params = members?.get("params");
  const needs = method && needsOf(method, asksOf(bytes, params));
  if (!method || !needs) throw odd("asks what clients aren't asked");
  if (params?.members === undefined && method !== "roots/list") throw odd(`asks ${method} without params`);
  return {
    key,
    method,
    ...(params && { params: jsonAt(bytes, params) }),
    needs,
  };
}

function asksOf(bytes: Uint8Array, params: Place | undefined): Asks {
  const members = params?.members;
  return {
    isPage: wordAt(bytes, members?.get("mode")) === "url",
    usesTools: members?.has("tools") === true || members?.has("toolChoice") === true,
  };
}

/** The question as a request; a page to be opened has an id in the legacy era, and gets the request's. */
export function clientRequest(id: string, { method, params }: InputRequest): RequestFrame {
  const head = JSON.stringify({ jsonrpc: "2.0", id, method });
  const plain = utf8(params === undefined ? head : `${head.slice(0, -1)},"params":${params}}`);
  const isPage = method === "elicitation/create" && pageWithoutId(plain);
  const bytes = isPage ? withMember(plain, ["params", "elicitationId"], JSON.stringify(id)) : plain;
  const frame = readFrame(bytes, tolerantScanLimits);
  if (frame.kind !== "request") throw new Error("a request is one");
  return frame;
}

function pageWithoutId(bytes: Uint8Array): boolean {
  const shape = { params: { mode: true, elicitationId: true } } as const;
  const params = scanJson(bytes, shape, tolerantScanLimits).members?.get("params")?.members;
  return params !== undefined && wordAt(bytes, params.get("mode")) === "url" && !params.has("elicitationId");
}

/** The answers as a retry brings them, in the order of the questions: JSON text, as the client gave it. */
export function inputResponses(
  questions: readonly InputRequest[],
  answers: readonly ResponseFrame[],
): string | undefined {
  if (questions.length === 0) return undefined;
  const members = questions.map(({ key }, i) => {
    const answer = answers[i];
    if (answer?.result === undefined) throw new Error("each question has its answer");
    return `${JSON.stringify(key)}:${jsonAt(answer.bytes, answer.result.span)}`;
  });
  return `{${members.join(",")}}`;
}

const maxWordBytes = 256;

function wordAt(bytes: Uint8Array, place: Place | undefined): string | undefined {
  if (place === undefined || bytes[place.start] !== 0x22 || place.end - place.start > maxWordBytes)
    return undefined;
  return textAt(bytes, place);
}

function jsonAt(bytes: Uint8Array, { start, end }: Pick<Place, "start" | "end">): string {
  const text = fromUtf8(bytes.subarray(start, end));
  if (text === undefined) throw odd("says what isn't UTF-8");
  return text;
}

function odd(what: string): Refusal {
  return new Refusal("upstream_failed", `The server ${what}.`, { facts: { sent: true } });
}
