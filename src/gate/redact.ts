/**
 * What `redact` rules take out of a call and of its answer. INVARIANT: what can't be read can't be redacted, so it goes
 * no further; and what another end has signed isn't changed behind its back.
 */
import { Refusal } from "../kernel/refusal.ts";
import { type Permit, redactionsOf } from "../policy/decide.ts";
import { edited, editsIn, type Taking } from "../policy/redaction.ts";
import { readFrame } from "../wire/frame.ts";
import { withData, writeSseEvent } from "../wire/sse.ts";
import { type Answer, type AnswerEvent, type Journaled, type Judged, parameterPrefix } from "./call.ts";
import { type Redacting, redactedMessage, unreadable } from "./redacted-answer.ts";
import { collected } from "./tools.ts";
import type { World } from "./world.ts";

/**
 * The call without what isn't for its server.
 * @throws Refusal `denied` if it is signed for another end than this one, or says the same elsewhere
 */
export function withoutArguments<T extends Judged & { readonly verdict: Permit }>(call: T): T {
  const { frame, verdict, signature } = call;
  const taking = verdict.redactions.filter((each) => each.arguments.length > 0);
  if (taking.length === 0 || frame?.kind !== "request") return call;
  // What is typed so far, and the arguments before it, aren't where the pointers lead.
  if (frame.method === "completion/complete")
    throw saidElsewhere("completions are asked for with what is typed");
  const span = frame.params?.arguments;
  if (span === undefined) return call;
  const takings = taking.map(({ arguments: pointers, replaceBy }) => ({ pointers, replaceBy }));
  const edits = editsIn(frame.bytes, span, takings);
  if (edits.length === 0) return call;
  if (signature?.end === "between") {
    throw new Refusal(
      "denied",
      "Something has to be taken out of this call, and it is signed for its server: only where the gateway serves itself can it be changed.",
    );
  }
  if (call.headers.some((name, i) => i % 2 === 0 && name.toLowerCase().startsWith(parameterPrefix)))
    throw saidElsewhere("its headers repeat arguments (Mcp-Param-…)");
  const body = edited(frame.bytes, edits);
  const changed = readFrame(body);
  return changed.kind === "request" ? { ...call, body, frame: changed } : call;
}

function saidElsewhere(why: string): Refusal {
  return new Refusal("denied", `Something has to be taken out of what is asked here, and ${why}.`);
}

/** The answer without what isn't for the caller. @throws Refusal `answer_refused` for one that can't be read */
export async function withoutAnswers(call: Journaled, answer: Answer, world: World): Promise<Answer> {
  const taking = takenOf(call, world);
  if (taking.takings.length === 0) return answer;
  if (answer.kind === "stream") return { ...answer, events: redactedEvents(answer.events, taking) };
  const whole = answer.kind === "long" ? await collected(answer) : answer;
  const { body, message = body } = whole;
  const changed = inMessage(message, taking);
  if (changed === message) return whole;
  const asItCame = whole.asItCame ?? { bytes: body, message };
  if (message === body) return { ...whole, body: changed, asItCame };
  return { ...whole, body: writeSseEvent({ event: "message", data: changed }), message: changed, asItCame };
}

function takenOf(call: Journaled, { rules }: World): Redacting {
  const { frame, verb, task, verdict } = call;
  const isTask = frame?.kind === "request" && /^tasks\/(?:get|result)$/.test(frame.method);
  // INVARIANT: where nobody knows which call is answered, all goes that could: streams are come back to, gateways restart.
  const isUnknown = verb === "GET" || (isTask && task === undefined);
  const unknown = isUnknown ? redactionsOf(call, rules) : [];
  const all = [...verdict.redactions, ...(task?.redactions ?? []), ...unknown];
  return { isTask, takings: takingsOf(all) };
}

/** What rules take out of answers. */
export function takingsOf(redactions: Permit["redactions"]): readonly Taking[] {
  return redactions
    .filter((each) => each.answer.length > 0)
    .map(({ answer: pointers, replaceBy }) => ({ pointers, replaceBy }));
}

async function* redactedEvents(
  events: AsyncIterable<AnswerEvent>,
  taking: Redacting,
): AsyncGenerator<AnswerEvent, void> {
  for await (const event of events) {
    const { data: message } = event;
    const changed = message === null || message.length === 0 ? message : inMessage(message, taking);
    if (message === null || changed === null || changed === message) yield event;
    else {
      const asItCame = event.asItCame ?? { bytes: event.raw, message };
      yield { ...event, raw: withData(event, changed), data: changed, asItCame };
    }
  }
}

/** Longest answer that is read for what must not be in it. */
const maxBytes = 8 * 1024 * 1024;

function inMessage(message: Uint8Array, taking: Redacting): Uint8Array {
  if (message.length === 0) return message;
  if (message.length > maxBytes) throw unreadable("it is too long to be read");
  return redactedMessage(message, taking);
}
