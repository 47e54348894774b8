/** Calls to a target whose serving end signs nothing, or couldn't be asked whether it does. */
import { concat } from "../../kernel/bytes.ts";
import { refusedAnswer } from "../../gate/refuse.ts";
import { faulty } from "../../gate/signature-refusals.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { jsonHeadBytes, startsLikeJson } from "../../wire/lenient-json.ts";
import type { HttpAnswer, HttpRequest } from "../net/http-exchange.ts";
import type { Send } from "../net/patient-send.ts";
import type { CallingOptions } from "./calling-options.ts";
import { gathered } from "./checked-length.ts";
import { checkedStream } from "./checked-stream.ts";
import { grants } from "./incoming-answer.ts";
import type { Known } from "./known-end.ts";

interface Unsigned {
  readonly request: HttpRequest;
  /** Absent on a stream that a client opens. */
  readonly frame?: RequestFrame;
  readonly options: CallingOptions & { readonly send: Send; readonly maxEventBytes: number };
}

/**
 * Sends the request as it is. What comes back counts if the end has never signed; else only what says no.
 * @throws Refusal `answer_refused`
 */
export async function withoutEnd(
  known: Exclude<Known, { readonly kind: "signs" }>,
  { request, frame, options }: Unsigned,
): Promise<HttpAnswer> {
  if (known.kind === "elsewhere") return known.answer;
  const answer = await options.send(request);
  if (known.kind === "silent" || !known.hasSigned) return answer;
  const refuse = (): Refusal => {
    const method = frame?.method ?? "unknown";
    options.log.error("answer.refused", { fault: "stripped", method, server: options.name });
    options.faults.report({ fault: "stripped", method });
    return faulty("stripped", { code: "answer_refused" });
  };
  if (answer.kind === "stream") {
    const check = (data: Uint8Array): Uint8Array | undefined => {
      if (!grants(data)) return data;
      const refusal = refuse();
      return frame && refusedAnswer({ id: "", frame }, refusal).body;
    };
    return { ...answer, chunks: checkedStream(answer.chunks, options.maxEventBytes, check) };
  }
  if (answer.kind === "whole") {
    if (grants(answer.body)) throw refuse();
    return answer;
  }
  const read = await gathered(answer.chunks, jsonHeadBytes);
  const begun = read.kind === "whole" ? [read.bytes] : read.begun;
  const mayGrant = read.kind === "whole" ? grants(read.bytes) : startsLikeJson(concat(begun));
  const rest = read.kind === "whole" ? undefined : read.rest;
  if (!mayGrant) return { ...answer, chunks: resumed(begun, rest) };
  await rest?.return?.();
  throw refuse();
}

async function* resumed(
  begun: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array> | undefined,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* begun;
    if (rest === undefined) return;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest?.return?.();
  }
}
