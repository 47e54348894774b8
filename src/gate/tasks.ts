/**
 * Tasks belong to the call that began them (MCP tasks): to its caller, and under the rules of its tool. Somebody else's
 * isn't fetched, listed or heard of; what is to be taken out of the tool's answers is taken out of what becomes of it.
 */
import { Refusal } from "../kernel/refusal.ts";
import { redactionsOf } from "../policy/decide.ts";
import { type Frame, tryReadFrame } from "../wire/frame.ts";
import { withData } from "../wire/sse.ts";
import { objectOf, valueAt } from "../wire/values.ts";
import { type Answer, type AnswerEvent, inspectBytes, type Journaled, type Located } from "./call.ts";
import { listenedTo } from "./listening.ts";
import type { Ports } from "./ports.ts";
import { redactedWithin } from "./redacted-answer.ts";
import { takingsOf } from "./redact.ts";
import type { World } from "./world.ts";
import type { TaskRegister } from "./task-register.ts";

/**
 * The call with the task it is about, if anybody knows it.
 * @throws Refusal `no_such_task` for one that another caller began
 */
export function ofTask(call: Located, { tasks }: Pick<Ports, "tasks">): Located {
  const { frame } = call;
  if (tasks === undefined || frame?.kind !== "request") return call;
  if (frame.method === "subscriptions/listen") {
    for (const id of listenedTo(frame, "taskIds"))
      if (tasks.find(call, id) === "another's") throw noSuchTask();
    return call;
  }
  const id = frame.params?.taskId;
  if (!frame.method.startsWith("tasks/") || id === undefined) return call;
  const task = tasks.find(call, id);
  if (task === "another's") throw noSuchTask();
  return task === undefined ? call : { ...call, task };
}

/** Whether a caller may hear of a task: nobody knows of any other caller who began it. */
export function mayHearOf(call: Located, taskId: string, { tasks }: Pick<Ports, "tasks">): boolean {
  return tasks?.find(call, taskId) !== "another's";
}

/** The answer, with the tasks that it begins noted, and without news of those of others. */
export function asOwned(
  call: Journaled,
  answer: Answer,
  world: World,
  { tasks }: Pick<Ports, "tasks">,
): Answer {
  if (tasks === undefined || answer.kind === "long") return answer;
  if (answer.kind === "stream") {
    return { ...answer, events: ownedEvents(call, answer.events, { tasks, world }) };
  }
  const { body, message = body } = answer;
  noteTask(call, message, tasks);
  return answer;
}

async function* ownedEvents(
  call: Journaled,
  events: AsyncIterable<AnswerEvent>,
  { tasks, world }: { readonly tasks: TaskRegister; readonly world: World },
): AsyncGenerator<AnswerEvent, void> {
  for await (const event of events) {
    const { data } = event;
    if (data === null || !mentionsTask(data)) {
      yield event;
      continue;
    }
    noteTask(call, data, tasks);
    const news = taskNews(data);
    const task = news === undefined ? undefined : tasks.find(call, news.taskId);
    if (task === "another's") continue;
    // Of one that nobody saw begin, all goes that could.
    const taken = task?.redactions ?? redactionsOf(call, world.rules);
    const takings = takingsOf(taken);
    if (news === undefined || takings.length === 0) {
      yield event;
      continue;
    }
    const { span } = news;
    const changed = redactedWithin(data, span, { takings, isTask: true });
    yield {
      ...event,
      raw: withData(event, changed),
      data: changed,
      asItCame: event.asItCame ?? { bytes: event.raw, message: data },
    };
  }
}

/** Remembered whoever it is for; what it isn't the answer to, begins nothing. */
function noteTask(call: Journaled, message: Uint8Array, tasks: TaskRegister): void {
  const { frame, verdict } = call;
  if (frame?.kind !== "request" || frame.method !== "tools/call" || !mentionsTask(message)) return;
  const read = message.length > inspectBytes ? undefined : tryReadFrame(message);
  if (read?.kind !== "response" || read.id !== frame.id || read.result === undefined) return;
  const { start, end } = read.result.span;
  const id = taskIn(valueAt(read.bytes, { start, end }));
  if (id === undefined) return;
  tasks.note(call, id, { tool: frame.params?.name ?? "", redactions: verdict.redactions });
}

/** MCP 2026-07-28 says it in the result itself, 2025-11-25 in its `task`. */
function taskIn(result: unknown): string | undefined {
  const { resultType, taskId, task } = objectOf(result);
  const id = resultType === "task" ? taskId : objectOf(task)["taskId"];
  return typeof id === "string" ? id : undefined;
}

interface News {
  readonly taskId: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly span: { readonly start: number; readonly end: number };
}

function taskNews(data: Uint8Array): News | undefined {
  const frame: Frame | undefined = tryReadFrame(data);
  if (frame?.kind !== "notification" || !frame.method.startsWith("notifications/tasks")) return undefined;
  const span = frame.params?.span;
  if (span === undefined) return undefined;
  const params = objectOf(valueAt(frame.bytes, span));
  const { taskId } = params;
  return typeof taskId === "string" ? { taskId, params, span } : undefined;
}

/** The task that a message is news of. */
export function newsOfTask(data: Uint8Array): string | undefined {
  return taskNews(data)?.taskId;
}

const named = Buffer.from("taskId");
const escape = Buffer.from("\\u");

/** However its name is spelled, it stands there, or an escape does. */
function mentionsTask(data: Uint8Array): boolean {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes.includes(named) || bytes.includes(escape);
}

function noSuchTask(): Refusal {
  return new Refusal("no_such_task", "There is no such task for this caller.");
}
