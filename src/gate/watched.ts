/** What the models are shown: each call that was let through, and each message of its answer before it leaves. */
import { findingsInText } from "../detect/gates/findings.ts";
import { textsOfMessage } from "./answer-texts.ts";
import { type Answer, type AnswerEvent, inspectBytes, type Journaled } from "./call.ts";
import { seenCall, stackOf } from "./observe.ts";
import type { Ports } from "./ports.ts";
import { targetOf } from "./target.ts";
import type { World } from "./world.ts";

type Watching = Pick<Ports, "clock" | "log">;

export function noted<T extends Journaled>(call: T, world: World, { clock, log }: Watching): T {
  if (!isWatched(call, world)) return call;
  const seen = seenCall(call, world);
  try {
    if (seen !== undefined) call.watch?.called(seen(), clock.nowUnixMs());
  } catch (error) {
    log.error("detect.fault", { server: call.server, stack: stackOf(error) });
  }
  return call;
}

/**
 * The answer as it was; what was found in it stands in its outcome's entry, and that not all of it was looked at.
 * INVARIANT: a fault in the models costs no answer.
 */
export function watched(call: Journaled, answer: Answer, world: World, { clock, log }: Watching): Answer {
  if (!isWatched(call, world)) return answer;
  const found = new Set<string>(answer.kind === "long" ? ["unread"] : []);
  const show = (message: Uint8Array): void => {
    if (message.length === 0) return;
    try {
      for (const each of findingsInMessage(call, message, clock.nowUnixMs()))
        if (found.size < maxFindings) found.add(each);
    } catch (error) {
      found.add("unread");
      log.error("detect.fault", { server: call.server, stack: stackOf(error) });
    }
  };
  const facts = (): Readonly<Record<string, string>> => ({
    ...answer.facts?.(),
    ...(found.size > 0 && { answer_findings: [...found].join(" ") }),
  });
  if (answer.kind === "stream") return { ...answer, facts, events: watchedEvents(answer.events, show) };
  if (answer.kind === "whole") show(answer.message ?? answer.body);
  return { ...answer, facts };
}

const maxFindings = 16;

/** The gateway's own questions are nobody's calls; those to all members of a virtual server are watched at each. */
function isWatched({ watch, isOwn, server }: Journaled, { watchesCalls, virtualServers }: World): boolean {
  return watchesCalls && watch !== undefined && isOwn !== true && !virtualServers.has(server);
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

/** As the entry has them: `kind=place`. */
function findingsInMessage(
  { watch, frame, server }: Journaled,
  message: Uint8Array,
  nowUnixMs: number,
): readonly string[] {
  if (message.length > inspectBytes) return ["unread"];
  const { texts, isAll } = textsOfMessage(message);
  const target = targetOf(frame);
  const method = frame === undefined || frame.kind === "response" ? "" : frame.method;
  const tool = target?.kind === "tools" ? target.name : method;
  const orders = texts.length === 0 ? [] : (watch?.read({ server, tool, texts }, nowUnixMs) ?? []);
  const found = [...findingsInText(texts), ...orders];
  return [
    ...(isAll ? [] : ["unread"]),
    ...found.map(({ kind, at }) => (at === undefined ? kind : `${kind}=${at}`)),
  ];
}
