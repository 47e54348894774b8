/**
 * What `redact` rules take out of a call and of its answer. INVARIANT: what can't be read can't be redacted, so it goes
 * no further; and what another end has signed isn't changed behind its back.
 */
import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Permit, redactionsOf } from "../policy/decide.ts";
import { redacted } from "../policy/redaction.ts";
import { readFrame } from "../wire/frame.ts";
import { scanJson, spliced, tolerantScanLimits } from "../wire/json-scan.ts";
import { withData, writeSseEvent } from "../wire/sse.ts";
import { type Answer, type AnswerEvent, type Journaled, type Judged, parameterPrefix } from "./call.ts";
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
  let value: unknown = JSON.parse(new TextDecoder().decode(frame.bytes.subarray(span.start, span.end)));
  let isChanged = false;
  for (const { arguments: pointers, replaceBy } of taking) {
    const next = redacted(value, pointers, replaceBy);
    value = next.value;
    isChanged ||= next.isChanged;
  }
  if (!isChanged) return call;
  if (signature?.end === "between") {
    throw new Refusal(
      "denied",
      "Something has to be taken out of this call, and it is signed for its server: only where the gateway serves itself can it be changed.",
    );
  }
  if (call.headers.some((name, i) => i % 2 === 0 && name.toLowerCase().startsWith(parameterPrefix)))
    throw saidElsewhere("its headers repeat arguments (Mcp-Param-…)");
  const body = spliced(frame.bytes, span, utf8(JSON.stringify(value)));
  const changed = readFrame(body);
  return changed.kind === "request" ? { ...call, body, frame: changed } : call;
}

function saidElsewhere(why: string): Refusal {
  return new Refusal("denied", `Something has to be taken out of what is asked here, and ${why}.`);
}

/** The answer without what isn't for the caller. @throws Refusal `answer_refused` for one that can't be read */
export function withoutAnswers(call: Journaled, answer: Answer, world: World): Answer {
  const taking = takenOf(call, world);
  if (taking.rules.length === 0) return answer;
  if (answer.kind === "stream") return { ...answer, events: redactedEvents(answer.events, taking) };
  if (answer.kind === "long") {
    void answer.chunks[Symbol.asyncIterator]().return?.();
    throw unreadable("it is too long to be read");
  }
  const { body, message = body } = answer;
  const changed = inMessage(message, taking);
  if (changed === message) return answer;
  const asItCame = answer.asItCame ?? { bytes: body, message };
  if (message === body) return { ...answer, body: changed, asItCame };
  return { ...answer, body: writeSseEvent({ event: "message", data: changed }), message: changed, asItCame };
}

function takenOf(call: Journaled, { rules }: World): Taking {
  const { frame, verb, task, verdict } = call;
  const isTask = frame?.kind === "request" && /^tasks\/(?:get|result)$/.test(frame.method);
  // INVARIANT: where nobody knows which call is answered, all goes that could: streams are come back to, gateways restart.
  const isUnknown = verb === "GET" || (isTask && task === undefined);
  const unknown = isUnknown ? redactionsOf(call, rules) : [];
  const all = [...verdict.redactions, ...(task?.redactions ?? []), ...unknown];
  return { isTask, rules: all.filter((each) => each.answer.length > 0) };
}

/** What is taken out of what; a task holds its tool's answer in its own. */
interface Taking {
  readonly isTask: boolean;
  readonly rules: Permit["redactions"];
}

async function* redactedEvents(
  events: AsyncIterable<AnswerEvent>,
  taking: Taking,
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

function inMessage(message: Uint8Array, taking: Taking): Uint8Array {
  if (message.length === 0) return message;
  if (message.length > maxBytes) throw unreadable("it is too long to be read");
  const { members } = scanned(message);
  const place = members?.get("result");
  if (place === undefined) return message;
  if (place.earlier !== undefined) throw unreadable("it has two results");
  const result: unknown = JSON.parse(new TextDecoder().decode(message.subarray(place.start, place.end)));
  const next = taking.isTask ? withoutInTask(result, taking.rules) : withoutIn(result, taking.rules);
  return next === result ? message : spliced(message, place, utf8(JSON.stringify(next)));
}

function withoutIn(result: unknown, rules: Taking["rules"]): unknown {
  return rules.reduce((value, { answer, replaceBy }) => inResult(value, { answer, replaceBy }), result);
}

/** What is said of a task, or its tool's answer itself; the same value if nothing goes. */
export function withoutInTask(said: unknown, rules: Taking["rules"]): unknown {
  const own = withoutIn(said, rules);
  if (!isObject(own) || own["result"] === undefined) return own;
  const result = withoutIn(own["result"], rules);
  return result === own["result"] ? own : { ...own, result };
}

function scanned(message: Uint8Array): ReturnType<typeof scanJson> {
  try {
    return scanJson(message, { result: true }, tolerantScanLimits);
  } catch (cause) {
    throw unreadable("it is no JSON", cause);
  }
}

type One = Pick<Taking["rules"][number], "answer" | "replaceBy">;

/** In what the tool says for programs, and in text that says the same for models. */
function inResult(result: unknown, one: One): unknown {
  if (!isObject(result)) return result;
  let changed: Readonly<Record<string, unknown>> = result;
  const structured = redacted(result["structuredContent"], one.answer, one.replaceBy);
  if (structured.isChanged) changed = { ...changed, structuredContent: structured.value };
  for (const list of ["content", "contents"]) {
    const items = result[list];
    if (!Array.isArray(items)) continue;
    const next = items.map((item: unknown) => inItem(item, one));
    if (next.some((item, i) => item !== items[i])) changed = { ...changed, [list]: next };
  }
  return changed;
}

function inItem(item: unknown, { answer, replaceBy }: One): unknown {
  if (!isObject(item)) return item;
  const resource = isObject(item["resource"]) ? inItem(item["resource"], { answer, replaceBy }) : undefined;
  const own = resource !== undefined && resource !== item["resource"] ? { ...item, resource } : item;
  const { text } = item;
  if (typeof text !== "string") return own;
  const value = parsed(text);
  if (value === undefined) return own;
  const next = redacted(value, answer, replaceBy);
  return next.isChanged ? { ...own, text: JSON.stringify(next.value) } : own;
}

function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(why: string, cause?: unknown): Refusal {
  const text = `The answer is withheld: something has to be taken out of it, and ${why}.`;
  return new Refusal("answer_refused", text, { ...(cause !== undefined && { cause }) });
}
