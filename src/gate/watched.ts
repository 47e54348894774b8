/** What the models are shown: each call that was let through, and each message of its answer before it leaves. */
import { fromUtf8 } from "../kernel/bytes.ts";
import { answerTexts } from "./answer-texts.ts";
import { type Answer, type AnswerEvent, inspectBytes, type Journaled } from "./call.ts";
import { seenCall } from "./observe.ts";
import type { Ports } from "./ports.ts";
import { targetOf } from "./target.ts";
import type { World } from "./world.ts";

type Watching = Pick<Ports, "clock">;

export function noted<T extends Journaled>(call: T, world: World, { clock }: Watching): T {
  if (!isWatched(call, world)) return call;
  const seen = seenCall(call, world);
  if (seen !== undefined) call.watch?.called(seen(), clock.nowUnixMs());
  return call;
}

/** The answer as it was. What is too long to be looked through is no text that the models know. */
export function watched(call: Journaled, answer: Answer, world: World, { clock }: Watching): Answer {
  if (!isWatched(call, world) || answer.kind === "long") return answer;
  const show = (message: Uint8Array): void => shownToModels(call, message, clock.nowUnixMs());
  if (answer.kind === "stream") return { ...answer, events: watchedEvents(answer.events, show) };
  const { body, message = body } = answer;
  show(message);
  return answer;
}

/** The gateway's own questions are nobody's calls. */
function isWatched({ watch, isOwn }: Journaled, { watchesCalls }: World): boolean {
  return watchesCalls && watch !== undefined && isOwn !== true;
}

async function* watchedEvents(
  events: AsyncIterable<AnswerEvent>,
  show: (message: Uint8Array) => void,
): AsyncGenerator<AnswerEvent, void> {
  for await (const event of events) {
    if (event.data !== null) show(event.data);
    yield event;
  }
}

function shownToModels({ watch, frame, server }: Journaled, message: Uint8Array, nowUnixMs: number): void {
  if (message.length === 0 || message.length > inspectBytes) return;
  const texts = answerTexts(parsed(message));
  if (texts.length === 0) return;
  const target = targetOf(frame);
  const method = frame === undefined || frame.kind === "response" ? "" : frame.method;
  watch?.read({ server, tool: target?.kind === "tools" ? target.name : method, texts }, nowUnixMs);
}

function parsed(message: Uint8Array): unknown {
  const text = fromUtf8(message);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
