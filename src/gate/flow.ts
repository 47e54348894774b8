/**
 * What a session reads and says, as rules that read `flow` are told of it. INVARIANT: the labels of an answer are noted
 * before anything of it leaves; what `redact` rules took out of it, nobody read.
 */
import { isTwofold } from "../wire/plain-text.ts";
import type { Reading } from "../inspect/session-memory.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import { tryReadFrame } from "../wire/frame.ts";
import { type Answer, type AnswerEvent, inspectBytes, type Journaled } from "./call.ts";
import { frameMembers, saidIn } from "./facts.ts";
import type { Ports } from "./ports.ts";
import { targetOf } from "./target.ts";
import { newsOfTask } from "./tasks.ts";
import type { World } from "./world.ts";

/** The call, with its own words noted: what it says before it is read isn't from there. */
export function said<T extends Journaled>(call: T, world: World): T {
  if (world.flow.carried.size > 0) call.flow?.said(saidIn(call.frame));
  return call;
}

/** The answer as it was, with what is read of it noted. */
export function heard(call: Journaled, answer: Answer, world: World, ports: Ports): Answer {
  const { clock } = ports;
  if (call.flow === undefined || world.flow.labels.size === 0) return answer;
  const read = (labels: readonly string[], reading: Reading): void => {
    if (labels.length === 0) return;
    const isFound = labels.some((label) => world.flow.carried.has(label));
    call.flow?.read(labels, reading, isFound, clock.nowUnixMs());
  };
  const own = labelsOf(call, world);
  const labels = own && [...new Set([...own, ...carriedOn(call, world)])];
  if (answer.kind === "long") {
    read(labels ?? world.surroundings.anyLabels(call.server), { kind: "unreadable" });
    return answer;
  }
  if (answer.kind === "stream") {
    const labelled = (data: Uint8Array): readonly string[] =>
      labels ?? labelsOfEvent(call, data, world, ports);
    return labels?.length === 0 ? answer : { ...answer, events: heardEvents(answer.events, labelled, read) };
  }
  const { body, message = body } = answer;
  if (message.length > 0) read(labels ?? world.surroundings.anyLabels(call.server), readingOf(message));
  return answer;
}

async function* heardEvents(
  events: AsyncIterable<AnswerEvent>,
  labelled: (data: Uint8Array) => readonly string[],
  read: (labels: readonly string[], reading: Reading) => void,
): AsyncGenerator<AnswerEvent, void> {
  for await (const event of events) {
    const { data } = event;
    if (data !== null && data.length > 0) {
      const labels = labelled(data);
      if (labels.length > 0) read(labels, readingOf(data));
    }
    yield event;
  }
}

/** What a call was given of what was read is in its answer, in whatever words; unless the operator says otherwise. */
function carriedOn({ flow, frame, server }: Journaled, world: World): readonly string[] {
  const target = targetOf(frame);
  if (flow === undefined || target === undefined || world.flow.carried.size === 0) return [];
  if (target.kind === "tools" && world.surroundings.declassifies(server, target.name)) return [];
  const given = saidIn(frame);
  return [...world.flow.carried].filter((label) => flow.carries(label, given, () => undefined) !== false);
}

/** Of all that answers this call; undefined on streams on which each message says itself what it is of. */
function labelsOf(
  { verb, frame, server, task }: Journaled,
  { surroundings }: World,
): readonly string[] | undefined {
  if (verb === "GET") return undefined;
  if (frame?.kind !== "request") return [];
  if (frame.method === "subscriptions/listen") return undefined;
  if (frame.method.startsWith("tasks/"))
    return task === undefined
      ? surroundings.anyLabels(server)
      : surroundings.answerLabels("tools", server, task.tool);
  const target = targetOf(frame);
  return target === undefined ? [] : surroundings.answerLabels(target.kind, server, target.name);
}

/** INVARIANT: what nobody knows the call of may be of any. */
function labelsOfEvent(call: Journaled, data: Uint8Array, world: World, { tasks }: Ports): readonly string[] {
  const { server } = call;
  const { surroundings } = world;
  const frame = data.length > inspectBytes ? undefined : tryReadFrame(data);
  if (frame === undefined || frame.kind === "response") return surroundings.anyLabels(server);
  if (frame.kind === "request") return wordless.has(frame.method) ? [] : surroundings.anyLabels(server);
  const id = newsOfTask(data);
  if (id === undefined) return wordless.has(frame.method) ? [] : surroundings.anyLabels(server);
  const task = tasks?.find(call, id);
  return typeof task === "object"
    ? surroundings.answerLabels("tools", server, task.tool)
    : surroundings.anyLabels(server);
}

/** What servers say that has no words of their own in it. */
const wordless: ReadonlySet<string> = new Set([
  "ping",
  "roots/list",
  "notifications/tools/list_changed",
  "notifications/resources/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/updated",
  "notifications/subscriptions/acknowledged",
  "notifications/cancelled",
]);

/** What a message says; of a response what its result or error has, without what is about the message itself. */
function readingOf(message: Uint8Array): Reading {
  const text = message.length > inspectBytes ? undefined : fromUtf8(message);
  if (text === undefined) return { kind: "unreadable" };
  try {
    const parsed = JSON.parse(text) as unknown;
    const { result, error, params } = membersOf(parsed);
    return {
      kind: "value",
      value: [...[result, error, params].map(withoutFrame), isTwofold(text, parsed) ? text.slice(1) : ""],
    };
  } catch {
    return { kind: "value", value: text };
  }
}

function withoutFrame(part: unknown): unknown {
  return Object.entries(membersOf(part))
    .filter(([name]) => !frameMembers.has(name))
    .map(([, value]) => value);
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
