/** From the upstream's answer to what leaves: everything but the end is sent, the end waits for the log. */
import type { RunningDigest } from "../crypto/subject-keys.ts";
import { Refusal } from "../kernel/refusal.ts";
import { sessionHeader } from "../wire/identity-headers.ts";
import type { RequestId, ResponseFrame } from "../wire/frame.ts";
import { withData, writeSseEvent } from "../wire/sse.ts";
import {
  type Answer,
  type AnswerEvent,
  type HeaderList,
  type Journaled,
  principalOf,
  type ResumedCall,
  whyGone,
} from "./call.ts";
import type { Ending } from "./entries.ts";
import type { Ports } from "./ports.ts";
import { finalAnswer, readAnswer, type ReadAnswer } from "./read-answer.ts";
import { isResultOf, type Mark, marked, unforged } from "./receipts.ts";
import { refusedAnswer } from "./refuse.ts";
import { longSeal, seal, type Sealed } from "./seal.ts";
import { shutter } from "./shut.ts";
import { faultIn } from "./signature-refusals.ts";
import { ownerOf, sealSessionId } from "./session-id.ts";
import type { World } from "./world.ts";

/** How a call ended, and the act that lets the caller know. */
export interface Departure {
  readonly ending: Ending;
  /** With what the gateway itself has to say in the answer. */
  readonly leave: (mark?: Mark) => void;
  /** The answer is a result, in which something can be said. */
  readonly isResult?: boolean;
  /** Instead of `leave`, where an answer has begun and can't turn into a refusal any more. */
  readonly withhold?: () => void;
}

/** @throws Refusal `answer_refused`, `route_cut`, `denied`, `cut_off`, while nothing has been sent */
export async function relay(call: Journaled, answer: Answer, world: World, ports: Ports): Promise<Departure> {
  const digest = ports.digests.begin({ callId: call.id, principal: principalOf(call) }, "answer");
  const { ending, ...act } = await relayed(call, answer, {
    ...ports,
    digest,
    world,
    mayGoOn: shutter(call, ports.responses?.now),
  });
  const { link, facts } = answer;
  const known = {
    ...(facts && { facts: facts() }),
    ...(ending.answerBytes > 0 && { answerHmac: digest.end() }),
    ...(link !== undefined && { link }),
  };
  return { ...act, ending: { ...ending, ...known } };
}

/** `digest` takes in what the server said, as it comes. */
type Relaying = Pick<Ports, "log" | "sessionKey" | "receipts" | "signatures"> & {
  readonly digest: RunningDigest;
  readonly world: World;
  /** Asked before anything more is delivered. @throws Refusal */
  readonly mayGoOn: () => void;
};

async function relayed(call: Journaled, answer: Answer, ports: Relaying): Promise<Departure> {
  if (answer.kind === "whole") ports.mayGoOn();
  const headers = outgoing(call, answer.headers, ports.sessionKey);
  if (answer.kind === "stream") return await relayStream(call, { ...answer, headers }, ports);
  if (answer.kind === "long") return await relayLong(call, { ...answer, headers }, ports);
  const { status, body, message = body, asItCame } = answer;
  ports.digest.update(asItCame?.bytes ?? body);
  const read = readAnswer(message, requestOf(call));
  const { response } = read;
  const sealed = read.uninspected
    ? { message, ...sealedLong(call, message, ports) }
    : await seal(
        call,
        { message: unclaimed(call, message, ports), response, before: asItCame?.message },
        ports.world,
        ports,
      );
  const leaving = (mark?: Mark): Uint8Array => {
    const changed = markedIn(sealed, call, response, mark);
    if (changed === message) return body;
    return body === message ? changed : writeSseEvent({ event: "message", data: changed });
  };
  return {
    ending: { ...ending({ status, bytes: body.length, ...read }), ...signedBy(sealed) },
    isResult: isResultOf(call, response),
    leave: (mark) => call.reply.whole(status, headers, leaving(mark)),
  };
}

/** What is signed here says nothing in the gateway's name that the gateway takes out again. */
function unclaimed(
  { signature }: Journaled,
  message: Uint8Array,
  { receipts }: Pick<Ports, "receipts">,
): Uint8Array {
  return receipts === undefined || signature?.end !== "serving" ? message : unforged(message);
}

/** With what the gateway has to say in it, if anything can be said. */
function markedIn(
  { message, isFixed }: Sealed,
  call: Journaled,
  response: ResponseFrame | undefined,
  mark: Mark | undefined,
): Uint8Array {
  return isFixed === true ? message : marked(call, { message, response }, mark);
}

function signedBy({ signed }: Pick<Sealed, "signed">): Pick<Ending, "answerSigned"> {
  return signed === undefined ? {} : { answerSigned: signed };
}

/** What is said here of an answer that came whole, and is longer than what is read. */
function sealedLong(call: Journaled, bytes: Uint8Array, ports: Relaying): Pick<Sealed, "signed"> {
  const { update, end } = longSeal(call, ports);
  update(bytes);
  return end();
}

/** Pieces go out as they come, but for the last one, which leaves after the outcome is recorded. */
async function relayLong(
  call: Journaled,
  answer: Answer & { readonly kind: "long" },
  ports: Relaying,
): Promise<Departure> {
  const { reply } = call;
  const { status } = answer;
  const sealing = longSeal(call, ports);
  let bytes = 0;
  let held: Uint8Array | undefined;
  reply.open(status, answer.headers, answer.bodyBytes);
  try {
    for await (const chunk of answer.chunks) {
      ports.mayGoOn();
      if (held !== undefined) await reply.write(held);
      held = chunk;
      bytes += chunk.length;
      ports.digest.update(chunk);
      sealing.update(chunk);
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
      ...signedBy(sealing.end()),
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
      ports.mayGoOn();
      bytes += next.value.raw.length;
      ports.digest.update(next.value.asItCame?.bytes ?? next.value.raw);
      const final = finalAnswer(answers, next.value);
      if (final !== undefined) {
        const { value: event } = next;
        const { response } = final;
        const { refusal, ...sealed } = await sealedEvent(call, event, final, ports);
        const ending = endingWith({ ...event, ...(refusal && { refusal }) }, { status, bytes, ...final });
        return {
          ending: { ...ending, ...resumed, ...signedBy(sealed) },
          isResult: isResultOf(call, response),
          leave: (mark) => {
            const { message } = sealed;
            const last =
              message === null
                ? event.raw
                : withData(event, markedIn({ ...sealed, message }, call, response, mark));
            void finish(call, last, events, ports);
          },
          withhold: reply.cut,
        };
      }
      await reply.write(await passedOn(call, next.value, ports));
    }
  } catch (error) {
    void events.return?.();
    ports.signatures?.unanswered.note(call);
    return { ending: { ...broken(call, status, bytes, error), ...resumed }, leave: reply.cut };
  }
  ports.signatures?.unanswered.note(call);
  // Who was sent away reads no further, however well the stream ends.
  const isSentAway = (whyGone(reply) ?? "caller_gone") !== "caller_gone";
  const end = isSentAway ? broken(call, status, bytes, undefined) : ended(answers, status, bytes);
  return { ending: { ...end, ...resumed }, leave: () => reply.close() };
}

/** The event that answers the call; what is wrong with its signature is said in its stead, since the stream has begun. */
async function sealedEvent(
  call: Journaled,
  { data, asItCame }: AnswerEvent,
  { uninspected, response }: ReadAnswer,
  ports: Relaying,
): Promise<Omit<Sealed, "message"> & { readonly message: Uint8Array | null; readonly refusal?: Refusal }> {
  if (data === null) return { message: data };
  const answered = answeredBy(call, response, ports);
  if (uninspected) return { message: data, ...sealedLong(answered, data, ports) };
  try {
    const own = unclaimed(answered, data, ports);
    return await seal(answered, { message: own, response, before: asItCame?.message }, ports.world, ports);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { message: refusedAnswer(call, error).body, refusal: error };
  }
}

/** The call whose answer that is: the stream's own, or one whose stream it resumes. */
function answeredBy(
  call: Journaled,
  response: ResponseFrame | undefined,
  { signatures }: Pick<Ports, "signatures">,
): Journaled {
  if (call.verb !== "GET" || response === undefined) return call;
  return signatures?.unanswered.take(call, response.id) ?? call;
}

/** An event that isn't the call's answer, but may be another's: on a stream that resumes others, nothing else says so. */
async function passedOn(call: Journaled, event: AnswerEvent, ports: Relaying): Promise<Uint8Array> {
  const { data } = event;
  const isResumed = call.verb === "GET" && ports.signatures !== undefined;
  if (!isResumed || data === null || data.length === 0) return passed(event, ports);
  const read = readAnswer(data, "");
  if (read.response === undefined) return passed(event, ports);
  const { message } = await sealedEvent(call, event, read, ports);
  return message === null || message === data ? passed(event, ports) : withData(event, unforged(message));
}

/** An event that isn't the call's answer; what a server claims in it of receipts goes, where the gateway gives some. */
function passed(event: AnswerEvent, { receipts }: Pick<Ports, "receipts">): Uint8Array {
  const { raw, data } = event;
  return receipts === undefined || data === null || data.length === 0 ? raw : withData(event, unforged(data));
}

/** The answer's event, then whatever the upstream still says on that stream. */
async function finish(
  call: Journaled,
  last: Uint8Array,
  rest: AsyncIterator<AnswerEvent>,
  ports: Pick<Relaying, "log" | "receipts" | "mayGoOn">,
): Promise<void> {
  try {
    await call.reply.write(last);
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      ports.mayGoOn();
      await call.reply.write(passed(next.value, ports));
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

interface Answered extends ReadAnswer {
  readonly status: number;
  readonly bytes: number;
}

/** What the gateway had to say itself on a stream that had begun is its own failure, and no answer. */
function endingWith({ refusal }: AnswerEvent, answer: Answered): Ending {
  const ended = ending(answer);
  if (refusal === undefined) return ended;
  const signatureFault = faultIn(refusal);
  const fault = signatureFault !== undefined && { signatureFault };
  return { ...ended, outcome: "error", reason: refusal.code, answerFailed: true, ...fault };
}

function ending({ status, bytes, uninspected, response }: Answered): Ending {
  const failed = status >= 400 || response?.error !== undefined || response?.result?.isError === true;
  return {
    outcome: status >= 500 ? "error" : "allowed",
    status,
    answerBytes: bytes,
    answerFailed: failed,
    ...(response?.result?.resultType === "input_required" && { asksFirst: true as const }),
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
