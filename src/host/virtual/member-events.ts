/**
 * What a member says in a stream, as the client of the virtual server is to hear it: requests and event ids bear
 * the member's name, addresses that clash too; all else passes as the bytes it was.
 */
import { memberEventId, withMemberId } from "../../virtual/ids.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { type NotificationFrame, tryReadFrame } from "../../wire/frame.ts";
import { scanJson, spliced, tolerantScanLimits } from "../../wire/json-scan.ts";
import { type SseEvent, writeSseEvent } from "../../wire/sse.ts";
import type { Member } from "./member.ts";
import type { View } from "./view.ts";

export function fromMember(event: SseEvent, view: View, { name }: Member): SseEvent {
  const data = event.data === null ? null : messageFrom(event.data, view, name);
  if (data === event.data && event.id === undefined) return event;
  const { event: type, retryMs } = event;
  const id = event.id === undefined ? undefined : memberEventId(name, event.id);
  // Without data nothing is dispatched; the id counts all the same.
  if (data === null)
    return { ...event, raw: utf8(`id: ${id}\n${retryMs === undefined ? "" : `retry: ${retryMs}\n`}\n`) };
  const named = { ...(type !== undefined && { event: type }), ...(id !== undefined && { id }) };
  return {
    ...event,
    data,
    raw: writeSseEvent({ data, ...named, ...(retryMs !== undefined && { retryMs }) }),
  };
}

function messageFrom(message: Uint8Array, view: View, member: string): Uint8Array {
  const frame = tryReadFrame(message);
  if (frame?.kind === "notification") return notificationFrom(frame, view, member);
  if (frame?.kind === "response") noteTask(message, view, member);
  if (frame?.kind !== "request") return message;
  const token = frame.params?.meta?.progressToken;
  if (token !== undefined) view.tokens.set(token, member);
  return withMemberId(message, member, frame.id);
}

/** A resource that changed goes by the address the client knows it by. */
function notificationFrom(
  { bytes: message, params }: NotificationFrame,
  view: View,
  member: string,
): Uint8Array {
  const uri = params?.uri;
  if (uri === undefined) return message;
  const shown = view.names("resources").shown({ member, key: uri });
  const place = scanJson(message, { params: { uri: true } }, tolerantScanLimits)
    .members?.get("params")
    ?.members?.get("uri");
  return shown === uri || place === undefined
    ? message
    : spliced(message, place, utf8(JSON.stringify(shown)));
}

const taskId = Buffer.from('"taskId"');
/** A task's first answer is short. */
const maxTaskBytes = 64 * 1024;

/** Remembers whose task an answer speaks of, so that it can be asked for later. */
export function noteTask(answer: Uint8Array, view: View, member: string): void {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.length);
  if (bytes.length > maxTaskBytes || !bytes.includes(taskId)) return;
  const frame = tryReadFrame(answer);
  const span = frame?.kind === "response" ? frame.result?.span : undefined;
  if (span === undefined) return;
  const result = JSON.parse(bytes.toString("utf8", span.start, span.end)) as TaskResult;
  const id = result.taskId ?? result.task?.taskId;
  if (typeof id === "string") view.tasks.set(id, member);
}

/** MCP 2025-11-25 has the task in a member, the extension of 2026 in the result itself. */
interface TaskResult {
  readonly taskId?: unknown;
  readonly task?: { readonly taskId?: unknown };
}
