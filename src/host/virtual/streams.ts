/** What members say unasked, as one stream: the GET of a legacy session, and `subscriptions/listen` of the modern era. */
import { sseHeaders } from "../answers.ts";
import { setTimeout as pause } from "node:timers/promises";

import type { Answer, Journaled, Reply } from "../../gate/call.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { type Frame, type RequestFrame, tryReadFrame } from "../../wire/frame.ts";
import { type SseEvent, sseReader, writeSseEvent } from "../../wire/sse.ts";
import { type EventQueue, eventQueue } from "../event-queue.ts";
import { onAbort } from "../on-abort.ts";
import { memberCall, type MemberRequest } from "./ask-member.ts";
import { fromMember } from "./member-events.ts";
import type { Member } from "./member.ts";
import { splitSubscription, type Subscription } from "./subscription.ts";
import type { Listener } from "./view.ts";
import type { Turn } from "./virtual-server.ts";

const firstRetryMs = 250;
/** A member that is down for long is asked once in so long; each time is an entry in the log. */
const maxRetryMs = 30_000;

/** The stream of a legacy session; undefined if it has one already. */
export function listenToMembers(call: Journaled, turn: Turn): Answer | undefined {
  const { view, open } = turn;
  if (view.listeners.size > 0) return undefined;
  const stream = joinedStream(call, turn, {
    requestTo: (member) =>
      member.greeting === undefined
        ? undefined
        : { verb: "GET", headers: ["accept", "text/event-stream", ...member.sessionHeaders()] },
    take: (_member, event) => event,
    changed: (method) => notification(method, {}),
  });
  for (const name of open) stream.listener.opened(view.member(name));
  const session = call.header("mcp-session-id");
  const headers = [...sseHeaders, ...(session === undefined ? [] : ["mcp-session-id", view.id])];
  return { kind: "stream", status: 200, headers, events: stream.queue };
}

/** The stream of one subscription: acknowledged once, when the members have acknowledged or the patience ends. */
export async function subscribeToMembers(
  call: Journaled,
  frame: RequestFrame,
  turn: Turn,
  patienceMs: number,
): Promise<Answer> {
  const parts = await splitSubscription(frame, turn);
  const acknowledged = new Map<string, Subscription["filter"]>();
  const all = Promise.withResolvers<void>();
  const waitingFor = new Set(parts.keys());
  const settled = (name: string): void => {
    waitingFor.delete(name);
    if (waitingFor.size === 0) all.resolve();
  };
  const stream = joinedStream(call, turn, {
    requestTo: (member) => {
      const part = parts.get(member.name);
      return part && { verb: "POST", headers: member.headers(frame), body: part.body };
    },
    take: (member, event, message) => {
      const isAck =
        message?.kind === "notification" && message.method === "notifications/subscriptions/acknowledged";
      if (isAck) acknowledged.set(member.name, parts.get(member.name)?.honoured(message.bytes) ?? {});
      if (isAck || message?.kind === "response") settled(member.name);
      return isAck || message?.kind === "response" ? undefined : event;
    },
    changed: (method) => notification(method, { _meta: { [subscriptionKey]: frame.id } }),
    ended: (member) => settled(member.name),
  });
  stream.hold();
  for (const name of parts.keys()) stream.listener.opened(turn.view.member(name));
  const late = pause(patienceMs, undefined, { ref: false });
  if (parts.size > 0) await Promise.race([all.promise, late]);
  const notifications = unionOf([...acknowledged.values()]);
  stream.release(
    notification("notifications/subscriptions/acknowledged", {
      _meta: { [subscriptionKey]: frame.id },
      notifications,
    }),
  );
  return { kind: "stream", status: 200, headers: sseHeaders, events: stream.queue };
}

const subscriptionKey = "io.modelcontextprotocol/subscriptionId";

interface StreamParts {
  /** What opens the member's own stream; undefined while it has none. */
  readonly requestTo: (member: Member) => Omit<MemberRequest, "member"> | undefined;
  /** What of an event goes on. */
  readonly take: (member: Member, event: SseEvent, message: Frame | undefined) => SseEvent | undefined;
  readonly changed: (method: string) => SseEvent;
  readonly ended?: (member: Member) => void;
}

interface JoinedStream {
  readonly queue: EventQueue<SseEvent>;
  readonly listener: Listener;
  /** Keeps what comes until `release`, which puts an event before it. */
  readonly hold: () => void;
  readonly release: (first: SseEvent) => void;
}

function joinedStream(call: Journaled, turn: Turn, parts: StreamParts): JoinedStream {
  const { view } = turn;
  const over = new AbortController();
  let early: SseEvent[] | undefined;
  let released = Promise.withResolvers<void>();
  released.resolve();
  let flowing = Promise.withResolvers<void>();
  flowing.resolve();
  const queue = eventQueue<SseEvent>({
    bytesOf: (event) => event.raw.length,
    pause: () => (flowing = Promise.withResolvers<void>()),
    resume: () => flowing.resolve(),
    cancel: () => over.abort(),
  });
  const push = (event: SseEvent): void => void (early === undefined ? queue.push(event) : early.push(event));
  const followed = new Set<Member>();
  const listener: Listener = {
    changed: (method) => push(parts.changed(method)),
    opened: (member) => {
      if (followed.has(member) || !turn.open.includes(member.name)) return;
      followed.add(member);
      const write = async (event: SseEvent): Promise<void> => {
        await released.promise; // Held back: the member is read no further.
        push(fromMember(withoutId(event), view, member));
        await flowing.promise;
      };
      void follow(turn, member, { parts, write, gone: over.signal }).finally(() => followed.delete(member));
    },
  };
  view.listeners.add(listener);
  onAbort(call.reply.gone, () => over.abort(call.reply.gone.reason));
  onAbort(over.signal, () => {
    view.listeners.delete(listener);
    released.resolve();
    flowing.resolve();
    queue.end();
  });
  return {
    queue,
    listener,
    hold: () => {
      early = [];
      released = Promise.withResolvers<void>();
    },
    release: (first) => {
      queue.push(first);
      for (const event of early ?? []) queue.push(event);
      early = undefined;
      released.resolve();
    },
  };
}

interface Following {
  readonly parts: StreamParts;
  readonly write: (event: SseEvent) => Promise<void>;
  readonly gone: AbortSignal;
}

/** Listens to one member for as long as the client listens; again after its stream broke off. */
async function follow(turn: Turn, member: Member, { parts, write, gone }: Following): Promise<void> {
  for (let waitMs = firstRetryMs; !gone.aborted; waitMs = Math.min(waitMs * 2, maxRetryMs)) {
    const request = parts.requestTo(member);
    if (request === undefined) return; // It tells when it is there.
    const { session } = member;
    let status = 0;
    const reply = listeningReply({
      gone,
      answerBytes: turn.asking.answerBytes,
      onHead: (head) => void (status = head),
      onEvent: async (event) => {
        const message = event.data === null ? undefined : tryReadFrame(event.data);
        const taken = parts.take(member, event, message);
        if (taken !== undefined) await write(taken);
      },
    });
    await turn.asking.handle(memberCall(turn.asking, { member: member.name, ...request }, reply));
    parts.ended?.(member);
    if (status === 404) member.forget(session);
    if (status === 404 && !(await member.open({ ...turn.asking, gone }))) return;
    if (status >= 400 && status < 500 && status !== 404) return; // It has no such stream.
    if (status === 200) waitMs = firstRetryMs;
    await pause(waitMs, undefined, { ref: false, signal: gone }).catch(() => undefined);
  }
}

function listeningReply(options: {
  readonly gone: AbortSignal;
  readonly answerBytes: number;
  readonly onHead: (status: number) => void;
  readonly onEvent: (event: SseEvent) => Promise<void>;
}): Reply {
  const { gone, answerBytes, onHead, onEvent } = options;
  const reader = sseReader(answerBytes);
  return {
    whole: (status) => onHead(status),
    open: (status) => onHead(status),
    write: async (bytes) => {
      for (const event of reader.push(bytes))
        if (event.data !== null && event.data.length > 0) await onEvent(event);
    },
    close: () => {},
    cut: () => {},
    gone,
  };
}

function notification(method: string, params: object): SseEvent {
  const hasParams = Object.keys(params).length > 0;
  const data = utf8(JSON.stringify({ jsonrpc: "2.0", method, ...(hasParams && { params }) }));
  return { raw: writeSseEvent({ event: "message", data }), data, event: "message" };
}

/** An id would have the client resume one member's stream, and hear the others no more. */
function withoutId(event: SseEvent): SseEvent {
  const { id, data, event: type } = event;
  if (id === undefined || data === null) return event;
  const raw = writeSseEvent({ data, ...(type !== undefined && { event: type }) });
  return { raw, data, ...(type !== undefined && { event: type }) };
}

function unionOf(filters: readonly Subscription["filter"][]): Subscription["filter"] {
  const union: Record<string, unknown> = {};
  for (const [key, value] of filters.flatMap((filter) => Object.entries(filter))) {
    const before = union[key];
    union[key] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
  }
  return union;
}
