/** The answer to one HTTP request, as the gate writes it. */
import type { HeaderList, Reply } from "../../gate/call.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import { endWith, writeTo } from "./body.ts";
import { withLength } from "./headers.ts";
import type { ServedResponse } from "./served.ts";

export interface EndableReply extends Reply {
  /** Ends a stream from our side: its client may open another, elsewhere. */
  readonly over: () => void;
  /** Nobody is to read it any more. */
  readonly sendAway: (why: Refusal) => void;
}

export interface ReplyOptions {
  /** What the peer of the link is told with each answer. */
  readonly notice: HeaderList;
  /** What of an answer's headers leaves. */
  readonly ours: (headers: HeaderList) => HeaderList;
  readonly hangUp: () => void;
}

export function replyTo(response: ServedResponse, { notice, ours, hangUp }: ReplyOptions): EndableReply {
  const head = (status: number, headers: HeaderList, bodyBytes: number | undefined): string[] => [
    ...withLength(status, ours(headers), bodyBytes),
    ...notice,
  ];
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return {
    over: () => {
      if (response.headersSent) response.end();
      gone.abort();
    },
    sendAway: (why) => gone.abort(why),
    whole: (status, headers, body) => {
      if (response.headersSent || response.destroyed) return;
      response.writeHead(status, head(status, headers, body.length));
      endWith(response, body);
    },
    open: (status, headers, bodyBytes) => {
      if (response.headersSent || response.destroyed) return;
      response.writeHead(status, head(status, headers, bodyBytes));
      response.flushHeaders();
    },
    write: (bytes) => writeTo(response, bytes),
    close: (last) => endWith(response, last),
    cut: () => {
      if (!response.writableEnded) response.destroy();
    },
    hangUp,
    gone: gone.signal,
  };
}
