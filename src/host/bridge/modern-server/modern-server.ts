/** A modern server as a bridge asks it: each request with its own answer, and what is said before that. */
import type { Answer, Journaled } from "../../../gate/call.ts";
import { Refusal, type RefusalCode } from "../../../kernel/refusal.ts";
import type { NotificationFrame, RequestFrame, ResponseFrame } from "../../../wire/frame.ts";
import { type ParameterHeader, standardHeaders } from "../../../wire/mcp-headers.ts";
import type { FlowGate } from "../../link/flow-gate.ts";
import { onAbort } from "../../on-abort.ts";
import type { BehindOptions } from "../behind.ts";
import { ignored, innerCall, messagesIn, postHeaders } from "../inner-call.ts";

interface Question {
  /** On whose behalf. */
  readonly call: Journaled;
  readonly request: RequestFrame;
  /** The arguments that travel as headers too. */
  readonly parameters?: readonly ParameterHeader[];
  /** Aborting drops the connection, which cancels the request. */
  readonly gone: AbortSignal;
  /** Nobody asked for it but the bridge. */
  readonly isOwn?: true;
  /** What it says before it answers. */
  readonly onNotice?: (frame: NotificationFrame) => void;
}

export interface ModernServer {
  /** @throws Refusal as the server's adapter does, and if it gives no answer */
  readonly answer: (question: Question) => Promise<ResponseFrame>;
}

export function modernServer(
  { name, upstream, maxMessageBytes, log }: BehindOptions,
  flow: FlowGate,
): ModernServer {
  return {
    answer: async (question) => {
      if (question.gone.aborted) throw new Refusal("upstream_failed", "The request was given up.");
      const answer = await upstream.forward(posted(question));
      try {
        for await (const frame of messagesIn(answer, maxMessageBytes)) {
          await goOn(flow, question.gone);
          if (question.gone.aborted) break;
          if (frame.kind === "response" && isTo(question.request, frame, answer)) return frame;
          if (frame.kind === "notification") question.onNotice?.(frame);
          // MCP 2026-07-28: servers ask in their answers only.
          else log.warn("bridge.stray_message", { server: name, kind: frame.kind });
        }
      } finally {
        await ignored(answer);
      }
      throw noAnswer(answer.status);
    },
  };
}

function posted({ call, request, parameters, gone, isOwn }: Question): Journaled {
  const headers = [...postHeaders, ...standardHeaders(request, parameters).flat()];
  const inner = innerCall(call, { verb: "POST", frame: request, headers, gone });
  return isOwn === true ? { ...inner, isOwn } : inner;
}

/** Whoever doesn't hear any more isn't waited for. */
async function goOn(flow: FlowGate, gone: AbortSignal): Promise<void> {
  if (!flow.isPaused()) return;
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const stop = onAbort(gone, resolve);
  await Promise.race([flow.open(), left]);
  stop();
}

/** What is refused before it is read as a request is refused without its id. */
function isTo({ id }: RequestFrame, frame: ResponseFrame, { kind }: Answer): boolean {
  return frame.id === id || (frame.id === null && frame.error !== undefined && kind !== "stream");
}

/** What a status says that comes without a message; any other is the server's failure. */
const codes: ReadonlyMap<number, RefusalCode> = new Map([
  [413, "too_large"],
  [429, "busy"],
  [503, "busy"],
  [504, "upstream_timeout"],
]);

function noAnswer(status: number): Refusal {
  // A client would begin an authorization, or a new session.
  const isOurs = status === 401 || status === 403;
  const what = isOurs ? "refuses the gateway's credentials" : "gave no answer";
  const text = `The server ${what} (status ${status}).`;
  return new Refusal(codes.get(status) ?? "upstream_failed", text, { facts: { sent: true, status } });
}
