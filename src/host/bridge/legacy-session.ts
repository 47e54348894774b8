/** One session with a legacy server, over its own adapter: requests with all that comes back for them, and what it says unasked. */
import { setTimeout as pause } from "node:timers/promises";

import { type Greeting, greetingIn, initializeParams } from "../../bridge/discovered.ts";
import { type ClientSelf, request } from "../../bridge/requests.ts";
import type { Answer, Journaled } from "../../gate/call.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import {
  type Frame,
  readFrame,
  type RequestFrame,
  type ResponseFrame,
  tryReadFrame,
} from "../../wire/frame.ts";
import { valueOf } from "../net/headers.ts";
import type { BehindOptions } from "./behind.ts";
import { ignored, innerCall, messagesIn, postHeaders } from "./inner-call.ts";

export interface Asked {
  readonly frame: RequestFrame;
  /** On whose behalf. */
  readonly call: Journaled;
  /** Aborting leaves the answer unread; the server isn't told by that. */
  readonly gone: AbortSignal;
  /** Gets each message that comes back, the answer last; what comes next waits for it. */
  readonly take: (frame: Frame) => Promise<void>;
}

/** How long a session may take to be opened, and its end to be told. */
const openTimeoutMs = 30_000;
const endTimeoutMs = 2000;
/** MCP 2025-11-25, streamable HTTP: what a client waits before it comes back, if the server doesn't say. */
const defaultRetryMs = 500;
const maxRetryMs = 30_000;
/** Connections in a row on which nothing new came of an answer. */
const maxEmptyResumes = 10;

/** @throws Refusal `upstream_failed`, `upstream_timeout` if the server opens none */
export async function openLegacySession(
  self: ClientSelf,
  call: Journaled,
  options: BehindOptions,
): Promise<LegacySession> {
  const frame = request(1, "initialize", initializeParams(self));
  const gone = AbortSignal.timeout(openTimeoutMs);
  const answer = await options.upstream.forward(
    innerCall({ ...call, isOwn: true }, { verb: "POST", frame, headers: [...postHeaders], gone }),
  );
  let greeting: Greeting | undefined;
  for await (const each of messagesIn(answer, options.maxMessageBytes)) {
    if (each.kind === "response") greeting = greetingIn(resultOf(each));
    if (each.kind === "response") break;
  }
  await ignored(answer);
  if (greeting === undefined)
    throw new Refusal("upstream_failed", `"${options.name}" opened no session (status ${answer.status}).`, {
      facts: { status: answer.status },
    });
  const session = new LegacySession(greeting, valueOf(answer.headers, "mcp-session-id"), { options, call });
  await session.tell({ jsonrpc: "2.0", method: "notifications/initialized" }, call);
  return session;
}

interface SessionParts {
  readonly options: BehindOptions;
  /** On whose behalf it was opened. */
  readonly call: Journaled;
}

/** A place in a stream that a later connection can go on from. */
interface Position {
  lastEventId?: string | undefined;
  retryMs: number;
}

export class LegacySession {
  readonly greeting: Greeting;
  readonly #id: string | undefined;
  readonly #parts: SessionParts;
  readonly #over = new AbortController();
  #ids = 1;
  #isListening = false;

  constructor(greeting: Greeting, id: string | undefined, parts: SessionParts) {
    this.greeting = greeting;
    this.#id = id;
    this.#parts = parts;
  }

  /** For a request of its own: an id, and a progress token, that no other has. */
  freshId(): number {
    return ++this.#ids;
  }

  /** Rejects with Refusal `no_such_session` if the server knows the session no more, and as `forward` does. */
  async ask({ frame, call, gone, take }: Asked): Promise<void> {
    const came = { answer: false };
    const heard = async (each: Frame): Promise<void> => {
      came.answer ||= each.kind === "response" && each.id === frame.id;
      await take(each);
    };
    const signal = AbortSignal.any([gone, this.#over.signal]);
    const answer = await this.#forward(call, { verb: "POST", frame, gone: signal });
    if (answer.kind !== "stream") {
      for await (const each of messagesIn(answer, this.#parts.options.maxMessageBytes)) {
        // An error of the transport's own may have no id.
        if (each.kind === "response") came.answer = true;
        await take(each);
      }
      if (!came.answer) throw unanswered(answer.status);
      return;
    }
    const at: Position = { retryMs: defaultRetryMs };
    await this.#read(answer, at, heard);
    for (let empty = 0; !came.answer; empty++) {
      const before = at.lastEventId;
      if (before === undefined || empty === maxEmptyResumes) throw unanswered(answer.status);
      await pause(at.retryMs, undefined, { signal });
      const rest = await this.#forward(call, { verb: "GET", lastEventId: before, gone: signal });
      if (rest.kind !== "stream") throw unanswered(rest.status);
      await this.#read(rest, at, heard);
      if (at.lastEventId !== before) empty = 0;
    }
  }

  /** A notification, or an answer to what the server asked. Never rejects: who doesn't take it is told nothing more. */
  async tell(message: object, call: Journaled): Promise<void> {
    const frame = readFrame(utf8(JSON.stringify(message)));
    const gone = AbortSignal.any([AbortSignal.timeout(openTimeoutMs), this.#over.signal]);
    try {
      await ignored(await this.#forward(call, { verb: "POST", frame, gone }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { log, name } = this.#parts.options;
      log.debug("server.not_told", { server: name, code: error.code });
    }
  }

  /** Hears what the server says unasked, from the first call on, for as long as the session lasts. */
  listen(take: (frame: Frame) => Promise<void>): void {
    if (this.#isListening) return;
    this.#isListening = true;
    void this.#listening(take);
  }

  async end(): Promise<void> {
    this.#over.abort(new Refusal("upstream_failed", "The session has ended."));
    if (this.#id === undefined) return;
    const gone = AbortSignal.timeout(endTimeoutMs);
    await this.#forward(this.#parts.call, { verb: "DELETE", gone }).then(ignored, () => undefined);
  }

  async #listening(take: (frame: Frame) => Promise<void>): Promise<void> {
    const { call, options } = this.#parts;
    const gone = this.#over.signal;
    const at: Position = { retryMs: defaultRetryMs };
    for (let waitMs = at.retryMs; !gone.aborted;) {
      try {
        const answer = await this.#forward(call, { verb: "GET", lastEventId: at.lastEventId, gone });
        if (answer.kind !== "stream") return; // It says nothing unasked.
        waitMs = at.retryMs;
        await this.#read(answer, at, take);
      } catch (error) {
        if (!(error instanceof Refusal) || error.code === "no_such_session") return;
        options.log.debug("server.unheard", { server: options.name, code: error.code });
        waitMs = Math.min(waitMs * 2, maxRetryMs);
      }
      await pause(waitMs, undefined, { signal: gone }).catch(() => undefined);
    }
  }

  async #read(
    answer: Extract<Answer, { kind: "stream" }>,
    at: Position,
    take: (frame: Frame) => Promise<void>,
  ): Promise<void> {
    try {
      for await (const { data, id, retryMs } of answer.events) {
        if (id !== undefined && id !== "") at.lastEventId = id;
        if (retryMs !== undefined) at.retryMs = Math.min(retryMs, maxRetryMs);
        const frame = data === null ? undefined : tryReadFrame(data);
        if (frame !== undefined) await take(frame);
      }
    } catch (error) {
      // What broke off is come back to, if there is a place to go on from.
      if (!(error instanceof Refusal) || at.lastEventId === undefined) throw error;
    }
  }

  async #forward(
    call: Journaled,
    said: {
      readonly verb: Journaled["verb"];
      readonly frame?: Frame;
      readonly lastEventId?: string | undefined;
      readonly gone: AbortSignal;
    },
  ): Promise<Answer> {
    const { verb, frame, lastEventId, gone } = said;
    const answer = await this.#parts.options.upstream.forward(
      innerCall(call, {
        verb,
        ...(frame && { frame }),
        session: this.#id,
        gone,
        headers: [
          ...(verb === "POST" ? postHeaders : ["accept", "text/event-stream"]),
          "mcp-protocol-version",
          this.greeting.protocolVersion,
          ...(lastEventId === undefined ? [] : ["last-event-id", lastEventId]),
        ],
      }),
    );
    if (answer.status !== 404 || this.#id === undefined || verb === "DELETE") return answer;
    await ignored(answer);
    throw new Refusal("no_such_session", "The server has ended the session.");
  }
}

function unanswered(status: number): Refusal {
  return new Refusal("upstream_failed", `The server ended its answer without one (status ${status}).`, {
    facts: { status, sent: true },
  });
}

function resultOf({ bytes, result }: ResponseFrame): unknown {
  if (result === undefined) return undefined;
  return JSON.parse(new TextDecoder().decode(bytes.subarray(result.span.start, result.span.end)));
}
