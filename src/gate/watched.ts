/** What the models are shown: each call that was let through, and each message of its answer before it leaves. */
import { findingsInText } from "../detect/gates/findings.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import type { Finding } from "../model/finding.ts";
import { answerTexts, type SaidText } from "./answer-texts.ts";
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

/**
 * The answer as it was; what was found in it stands in its outcome's entry. What is too long to be looked through is no
 * text that the models know.
 */
export function watched(call: Journaled, answer: Answer, world: World, { clock }: Watching): Answer {
  if (!isWatched(call, world) || answer.kind === "long") return answer;
  const found = new Map<string, string>();
  const show = (message: Uint8Array): void => {
    const texts = textsOf(message);
    if (texts.length === 0) return;
    for (const { kind, at = "" } of [
      ...findingsInText(texts),
      ...shownToModels(call, texts, clock.nowUnixMs()),
    ])
      if (found.size < maxFindings) found.set(`${kind} ${at}`, at === "" ? kind : `${kind}=${at}`);
  };
  const facts = (): Readonly<Record<string, string>> => ({
    ...answer.facts?.(),
    ...(found.size > 0 && { answer_findings: [...found.values()].join(" ") }),
  });
  if (answer.kind === "stream") return { ...answer, facts, events: watchedEvents(answer.events, show) };
  const { body, message = body } = answer;
  show(message);
  return { ...answer, facts };
}

const maxFindings = 16;

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

function shownToModels(
  { watch, frame, server }: Journaled,
  texts: readonly SaidText[],
  nowUnixMs: number,
): readonly Finding[] {
  const target = targetOf(frame);
  const method = frame === undefined || frame.kind === "response" ? "" : frame.method;
  const tool = target?.kind === "tools" ? target.name : method;
  return watch?.read({ server, tool, texts }, nowUnixMs) ?? [];
}

function textsOf(message: Uint8Array): readonly SaidText[] {
  if (message.length === 0 || message.length > inspectBytes) return [];
  const text = fromUtf8(message);
  try {
    return text === undefined ? [] : answerTexts(JSON.parse(text));
  } catch {
    return [];
  }
}
