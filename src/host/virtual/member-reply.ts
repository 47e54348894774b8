/** The reply of a call that one member answers: what the client sees is of the virtual server. */
import type { HeaderList, Reply } from "../../gate/call.ts";
import { concat } from "../../kernel/bytes.ts";
import { sseReader } from "../../wire/sse.ts";
import { isEventStream } from "../net/headers.ts";
import { fromMember, noteTask } from "./member-events.ts";
import type { Member } from "./member.ts";
import type { View } from "./view.ts";

export interface MemberReplyOptions {
  readonly reply: Reply;
  readonly view: View;
  readonly member: Member;
  /** The virtual session's id as the client has it; absent in the modern era. */
  readonly session: string | undefined;
  /** Longest event a member may say. */
  readonly answerBytes: number;
  /** The member doesn't know the session any more, so nothing came of the call. */
  readonly onLost?: (passOn: () => void) => void;
}

export function memberReply(options: MemberReplyOptions): Reply {
  const { reply, view, member, session, onLost } = options;
  const reader = sseReader(options.answerBytes);
  let isStream = false;
  return {
    whole: (status, headers, body) => {
      // An answer at once may be a stream of one event.
      const shown = isEventStream(headers)
        ? concat(reader.push(body).map((event) => fromMember(event, view, member).raw))
        : body;
      if (status < 300 && shown === body) noteTask(body, view, member.name);
      const passOn = (): void => reply.whole(status, ofVirtual(headers, session), shown);
      if (status === 404 && onLost !== undefined) onLost(passOn);
      else passOn();
    },
    open: (status, headers, bodyBytes) => {
      isStream = isEventStream(headers);
      reply.open(status, ofVirtual(headers, session), bodyBytes);
    },
    write: async (bytes) => {
      if (!isStream) await reply.write(bytes);
      else for (const event of reader.push(bytes)) await reply.write(fromMember(event, view, member).raw);
    },
    close: reply.close,
    cut: reply.cut,
    gone: reply.gone,
  };
}

/** The member's session is the gateway's own affair; the client has one with the virtual server. */
function ofVirtual(headers: HeaderList, session: string | undefined): HeaderList {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== "mcp-session-id") kept.push(headers[i] ?? "", headers[i + 1] ?? "");
  }
  return session === undefined ? kept : [...kept, "mcp-session-id", session];
}
