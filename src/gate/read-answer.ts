/** What an answer says, as far as it is read: longer ones are passed on as they are. */
import { type RequestId, type ResponseFrame, tryReadFrame } from "../wire/frame.ts";
import { type AnswerEvent, inspectBytes } from "./call.ts";

/** What is known of an answer's message. */
export interface ReadAnswer {
  /** It is too long to be read. */
  readonly uninspected: boolean;
  readonly response?: ResponseFrame | undefined;
}

const headBytes = 1024;

export function readAnswer(body: Uint8Array, answers: RequestId | undefined): ReadAnswer {
  const uninspected = body.length > inspectBytes;
  return { uninspected, response: uninspected || answers === undefined ? undefined : responseIn(body) };
}

/** What an event says that answers this very request. */
export function finalAnswer(answers: RequestId | undefined, event: AnswerEvent): ReadAnswer | undefined {
  if (answers === undefined || event.data === null || event.data.length === 0) return undefined;
  // A long event that names a method early is read all the same: it may be no answer.
  const isLong = event.data.length > inspectBytes;
  if (isLong && !mentionsMethod(event.data)) return { uninspected: true };
  const response = responseIn(event.data);
  if (response?.id !== answers) return undefined;
  return isLong ? { uninspected: true } : { uninspected: false, response };
}

function mentionsMethod(data: Uint8Array): boolean {
  return new TextDecoder().decode(data.subarray(0, headBytes)).includes('"method"');
}

/** An answer that can't be read isn't ours to refuse: the client judges it, as it would without us. */
function responseIn(data: Uint8Array): ResponseFrame | undefined {
  const frame = tryReadFrame(data);
  return frame?.kind === "response" ? frame : undefined;
}
