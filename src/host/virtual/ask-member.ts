/** What a virtual server asks its members by itself: each request goes down the path of a call, on its caller's behalf. */
import { randomUUIDv7 } from "node:crypto";

import type { HeaderList, Received, Reply } from "../../gate/call.ts";
import { concat } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { tryReadFrame, type ResponseFrame } from "../../wire/frame.ts";
import { identityHeaders } from "../../wire/identity-headers.ts";
import { sseReader } from "../../wire/sse.ts";
import { filtered, isEventStream, valueOf } from "../net/headers.ts";

/** For whom it is asked, and how. */
export interface Asking {
  /** The call that is answered by asking. */
  readonly call: Received;
  /** The path of a call, from its beginning. */
  readonly handle: (received: Received) => Promise<void>;
  readonly clock: Clock;
  /** Longest answer, or event of a stream, that a member may give. */
  readonly answerBytes: number;
  /** Ends what is asked; when the caller goes away, if it isn't there. */
  readonly gone?: AbortSignal;
}

export interface MemberRequest {
  readonly member: string;
  readonly verb: Received["verb"];
  readonly headers: HeaderList;
  readonly body?: Uint8Array;
}

export interface MemberAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  /** The message in the body, if it answers a request. */
  readonly response?: ResponseFrame;
}

/** Rejects with Refusal `upstream_failed` if the answer breaks off. */
export async function askMember(asking: Asking, request: MemberRequest): Promise<MemberAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<MemberAnswer>();
  const reply = collectingReply(asking, resolve);
  await asking.handle(memberCall(asking, request, reply));
  reject(new Refusal("upstream_failed", `The server "${request.member}" broke off.`));
  return await promise;
}

/** The call as its member gets it. */
export function memberCall(asking: Asking, request: MemberRequest, reply: Reply): Received {
  const { call, clock } = asking;
  const { member, verb, body = new Uint8Array(0) } = request;
  // Asked on the caller's behalf: in its session, and for whom it acts.
  const headers = [
    ...filtered(request.headers, (name) => !isOfCaller(name)),
    ...filtered(call.headers, isOfCaller),
  ];
  return {
    id: randomUUIDv7(),
    atUnixMs: clock.nowUnixMs(),
    channel: call.channel,
    ...(call.presented && { presented: call.presented }),
    server: member,
    via: call.via ?? call.server,
    verb,
    header: (name) => valueOf(headers, name),
    headers,
    body,
    reply,
  };
}

function isOfCaller(lowerCaseName: string): boolean {
  return identityHeaders.includes(lowerCaseName);
}

/** Takes a whole answer, or waits for the answer in a stream. */
function collectingReply(
  { call, gone = call.reply.gone, answerBytes }: Asking,
  resolve: (answer: MemberAnswer) => void,
): Reply {
  const reader = sseReader(answerBytes);
  let head: Pick<MemberAnswer, "status" | "headers"> = { status: 0, headers: [] };
  /** Of a long answer. */
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const take = (bytes: Uint8Array): void => {
    for (const { data } of reader.push(bytes)) {
      const frame = data === null ? undefined : tryReadFrame(data);
      if (frame?.kind === "response") resolve({ ...head, body: frame.bytes, response: frame });
    }
  };
  const whole = (of: typeof head, body: Uint8Array): void => {
    const frame = tryReadFrame(body);
    resolve({ ...of, body, ...(frame?.kind === "response" && { response: frame }) });
  };
  return {
    whole: (status, headers, body) => {
      head = { status, headers };
      // An answer at once may be a stream of one event.
      if (isEventStream(headers)) take(body);
      else whole(head, body);
    },
    open: (status, headers) => void (head = { status, headers }),
    write: async (piece) => {
      if (isEventStream(head.headers)) take(piece);
      else if ((bytes += piece.length) > answerBytes) throw tooLarge(answerBytes);
      else pieces.push(piece);
    },
    close: (last = new Uint8Array(0)) => {
      if (!isEventStream(head.headers)) whole(head, concat([...pieces, last]));
    },
    cut: () => {},
    gone,
  };
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal("answer_too_large", `A list or handshake is longer than ${maxBytes} bytes.`);
}
