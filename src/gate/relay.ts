/** From the upstream's answer to what leaves: everything but the end is sent, the end waits for the log. */
import type { RunningDigest } from "../crypto/subject-keys.ts";
import { Refusal } from "../kernel/refusal.ts";
import { sessionHeader } from "../wire/identity-headers.ts";
import { type ResponseFrame, tryReadFrame } from "../wire/frame.ts";
import type { RequestId } from "../wire/frame.ts";
import type { SseEvent } from "../wire/sse.ts";
import {
  type Answer,
  type AnswerEvent,
  type HeaderList,
  inspectBytes,
  type Journaled,
  principalOf,
  type ResumedCall,
  whyGone,
} from "./call.ts";
import type { Ending } from "./entries.ts";
import type { Ports } from "./ports.ts";
import { ownerOf, sealSessionId } from "./session-id.ts";

/** How a call ended, and the act that lets the caller know. */
export interface Departure {
  readonly ending: Ending;
  readonly leave: () => void;
  /** Instead of `leave`, where an answer has begun and can't turn into a refusal any more. */
  readonly withhold?: () => void;
}

const headBytes = 1024;

export async function relay(call: Journaled, answer: Answer, ports: Ports): Promise<Departure> {
  const digest = ports.digests.begin({ callId: call.id, principal: principalOf(call) }, "answer");
  const { ending, ...act } = await relayed(call, answer, { ...ports, digest });
  const { link } = answer;
  const known = {
    ...(ending.answerBytes > 0 && { answerHmac: digest.end() }),
    ...(link !== undefined && { link }),
  };
  return { ...act, ending: { ...ending, ...known } };
}

/** `digest` takes in what the server said, as it comes. */
type Relaying = Pick<Ports, "log" | "sessionKey"> & { readonly digest: RunningDigest };

async function relayed(call: Journaled, answer: Answer, ports: Relaying): Promise<Departure> {
  const headers = outgoing(call, answer.headers, ports.sessionKey);
  if (answer.kind === "stream") return await relayStream(call, { ...answer, headers }, ports);
  if (answer.kind === "long") return await relayLong(call, { ...answer, headers }, ports);
  const { status, body, message = body } = answer;
  ports.digest.update(body);
  return {
    ending: ending({ status, body: message, bytes: body.length, answers: requestOf(call) }),
    leave: () => call.reply.whole(status, headers, body),
  };
}

/** Pieces go out as they come, but for the last one, which leaves after the outcome is recorded. */
async function relayLong(
  call: Journaled,
  answer: Answer & { readonly kind: "long" },
  ports: Relaying,
): Promise<Departure> {
  const { reply } = call;
  const { status } = answer;
  let bytes = 0;
  let held: Uint8Array | undefined;
  reply.open(status, answer.headers, answer.bodyBytes);
  try {
    for await (const chunk of answer.chunks) {
      if (held !== undefined) await reply.write(held);
      held = chunk;
      bytes += chunk.length;
      ports.digest.update(chunk);
    }
  } catch (error) {
    const ending = broken(call, status, bytes, error);
    ports.log.info("answer.cut", { callId: call.id, server: call.server, reason: ending.reason });
    return { ending, leave: reply.cut };
  }
  return {
    ending: {
      outcome: status >= 500 ? "error" : "allowed",
      status,
      answerBytes: bytes,
      answerFailed: status >= 400,
      uninspected: true,
    },
    leave: () => reply.close(held),
    withhold: reply.cut,
  };
}

/**
 * Events go out as they come, up to the one that holds the call's answer: that one leaves after the
 * outcome is recorded, and what follows it runs on until the upstream ends.
 */
async function relayStream(
  call: Journaled,
  answer: Answer & { readonly kind: "stream" },
  ports: Relaying,
): Promise<Departure> {
  const { reply } = call;
  const { status, resumes } = answer;
  const answers = requestOf(call, resumes);
  const resumed = resumes && { resumes: resumes.callId };
  const events = answer.events[Symbol.asyncIterator]();
  let bytes = 0;
  reply.open(status, answer.headers);
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) break;
      bytes += next.value.raw.length;
      ports.digest.update(next.value.raw);
      const final = finalAnswer(answers, next.value);
      if (final !== undefined) {
        return {
          ending: { ...endingWith(next.value, { status, body: final, bytes, answers }), ...resumed },
          leave: () => void finish(call, next.value, events, ports),
          withhold: reply.cut,
        };
      }
      await reply.write(next.value.raw);
    }
  } catch (error) {
    void events.return?.();
    return { ending: { ...broken(call, status, bytes, error), ...resumed }, leave: reply.cut };
  }
  // Who was sent away reads no further, however well the stream ends.
  const isSentAway = (whyGone(reply) ?? "caller_gone") !== "caller_gone";
  const end = isSentAway ? broken(call, status, bytes, undefined) : ended(answers, status, bytes);
  return { ending: { ...end, ...resumed }, leave: () => reply.close() };
}

/** The answer's event, then whatever the upstream still says on that stream. */
async function finish(
  call: Journaled,
  last: SseEvent,
  rest: AsyncIterator<SseEvent>,
  ports: Pick<Ports, "log">,
): Promise<void> {
  try {
    await call.reply.write(last.raw);
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      await call.reply.write(next.value.raw);
    }
    call.reply.close();
  } catch (error) {
    void rest.return?.();
    ports.log.debug("stream.broken", { callId: call.id, reason: reasonOf(error) });
    call.reply.cut();
  }
}

/** The request that is answered here: the call's own, or the one whose stream it resumes. */
function requestOf(call: Journaled, resumes?: ResumedCall): RequestId | undefined {
  return call.frame?.kind === "request" ? call.frame.id : resumes?.requestId;
}

/** The data of an event that answers this very request. */
function finalAnswer(answers: RequestId | undefined, event: SseEvent): Uint8Array | undefined {
  if (answers === undefined || event.data === null || event.data.length === 0) return undefined;
  // A long event that names a method early is read all the same: it may be no answer.
  const isLong = event.data.length > inspectBytes;
  if (isLong && !mentionsMethod(event.data)) return event.data;
  const response = responseIn(event.data);
  return response?.id === answers ? event.data : undefined;
}

function mentionsMethod(data: Uint8Array): boolean {
  return new TextDecoder().decode(data.subarray(0, headBytes)).includes('"method"');
}

interface Answered {
  readonly status: number;
  readonly body: Uint8Array;
  readonly bytes: number;
  readonly answers: RequestId | undefined;
}

/** What the gateway had to say itself on a stream that had begun is its own failure, and no answer. */
function endingWith({ refusal }: AnswerEvent, answer: Answered): Ending {
  const ended = ending(answer);
  return refusal === undefined ? ended : { ...ended, outcome: "error", reason: refusal.code };
}

function ending({ status, body, bytes, answers }: Answered): Ending {
  const uninspected = body.length > inspectBytes;
  const response = uninspected || answers === undefined ? undefined : responseIn(body);
  const failed = status >= 400 || response?.error !== undefined || response?.result?.isError === true;
  return {
    outcome: status >= 500 ? "error" : "allowed",
    status,
    answerBytes: bytes,
    answerFailed: failed,
    ...(uninspected && { uninspected }),
  };
}

/** A stream that ended of itself. One that was to answer a request and didn't may be resumed elsewhere. */
function ended(answers: RequestId | undefined, status: number, bytes: number): Ending {
  return {
    outcome: "allowed",
    status,
    answerBytes: bytes,
    answerFailed: status >= 400,
    ...(answers !== undefined && { reason: "stream_ended_unanswered" }),
  };
}

function broken(call: Journaled, status: number, bytes: number, error: unknown): Ending {
  const reason = whyGone(call.reply) ?? reasonOf(error);
  return { outcome: "error", reason, status, answerBytes: bytes, answerFailed: true };
}

function reasonOf(error: unknown): string {
  return error instanceof Refusal ? error.code : "stream_broken";
}

/** An answer that can't be read isn't ours to refuse: the client judges it, as it would without us. */
function responseIn(data: Uint8Array): ResponseFrame | undefined {
  const frame = tryReadFrame(data);
  return frame?.kind === "response" ? frame : undefined;
}

/**
 * The upstream's headers, with its session id bound to the caller, however often it says one.
 * INVARIANT: what sidecars take for the gateway's word of their session is never an upstream's.
 */
function outgoing(call: Journaled, headers: HeaderList, key: Uint8Array): HeaderList {
  const owner = ownerOf(call);
  const nameAt = (at: number): string | undefined => headers[at - (at % 2)]?.toLowerCase();
  return headers.flatMap((text, at) => {
    const name = nameAt(at);
    if (name === sessionHeader) return [];
    return at % 2 === 1 && name === "mcp-session-id" ? sealSessionId(key, owner, text) : text;
  });
}
