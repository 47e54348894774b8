/** One session with a legacy server, over its own adapter: requests with all that comes back for them, and what it says unasked. */
import { setTimeout as pause } from "node:timers/promises";

import { type Greeting, greetingIn, initializeParams } from "../../../bridge/legacy-server/discovered.ts";
import { type ClientSelf, request } from "../../../bridge/requests.ts";
import type { Answer, Journaled } from "../../../gate/call.ts";
import { utf8 } from "../../../kernel/bytes.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { type Frame, readFrame, type RequestFrame, tryReadFrame } from "../../../wire/frame.ts";
import { tolerantScanLimits } from "../../../wire/json-scan.ts";
import { valueAt } from "../../../wire/values.ts";
import { valueOf } from "../../net/headers.ts";
import type { BehindOptions } from "../behind.ts";
import { ignored, innerCall, messagesIn, postHeaders } from "../inner-call.ts";

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
const minRetryMs = 100;
const maxRetryMs = 30_000;
/** How long a stream may stay open behind its answer, so that its connection can be used again. */
const lingerMs = 1000;
/** What the server is told at a time; one that doesn't listen and asks on is told no more. */
const maxTelling = 64;
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
    if (each.kind === "response") greeting = greetingIn(each.result && valueAt(each.bytes, each.result.span));
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
  #telling = 0;
  #isListening = false;
  /** The server has answered in it. */
  #isKnown = false;

  constructor(greeting: Greeting, id: string | undefined, parts: SessionParts) {
    this.greeting = greeting;
    this.#id = id;
    this.#parts = parts;
  }

  /** For a request of its own: an id, and a progress token, that no other has. */
  freshId(): number {
    return ++this.#ids;
  }

  /**
   * Rejects with Refusal `no_such_session` if the server knows the session no more and nothing came of the request, and
   * as `forward` does.
   */
  async ask({ frame, call, gone, take }: Asked): Promise<void> {
    const leave = new AbortController();
    const came = { answer: false };
    let lingering: NodeJS.Timeout | undefined;
    const heard = async (each: Frame): Promise<void> => {
      await take(each);
      if (each.kind !== "response") return;
      came.answer = true;
      lingering ??= setTimeout(() => leave.abort(), lingerMs);
    };
    const signal = AbortSignal.any([gone, this.#over.signal, leave.signal]);
    try {
      await this.#asking({ frame, call, gone: signal, take: heard }, came);
    } catch (error) {
      if (!came.answer) throw error;
    } finally {
      clearTimeout(lingering);
    }
  }

  async #asking({ frame, call, gone, take }: Asked, came: { readonly answer: boolean }): Promise<void> {
    const answer = await this.#forward(call, { verb: "POST", frame, gone });
    if (answer.kind !== "stream") {
      for await (const each of messagesIn(answer, this.#parts.options.maxMessageBytes)) {
        if (this.#isLost(answer, each)) throw lost();
        // An error of the transport's own may have no id, or another.
        await take(each);
      }
      if (!came.answer) throw unanswered(answer.status);
      this.#isKnown ||= answer.status === 200;
      return;
    }
    this.#isKnown = true;
    const at: Position = { retryMs: defaultRetryMs };
    const own = async (each: Frame): Promise<void> => {
      if (each.kind !== "response" || each.id === null || each.id === frame.id) await take(each);
    };
    await this.#read(answer, at, own);
    for (let empty = 0; !came.answer; empty++) {
      const before = at.lastEventId;
      if (before === undefined || empty === maxEmptyResumes) throw unanswered(answer.status);
      await paused(at.retryMs, gone);
      await this.#read(await this.#rest(call, before, gone), at, own);
      if (at.lastEventId !== before) empty = 0;
    }
  }

  /** What is left of a stream. That the server has lost it says nothing of what came of the request. */
  async #rest(
    call: Journaled,
    lastEventId: string,
    gone: AbortSignal,
  ): Promise<Extract<Answer, { kind: "stream" }>> {
    const rest = await this.#forward(call, { verb: "GET", lastEventId, gone }).catch((error: unknown) => {
      if (!(error instanceof Refusal) || error.code !== "no_such_session") throw error;
      throw unanswered(404);
    });
    if (rest.kind === "stream") return rest;
    await ignored(rest);
    throw unanswered(rest.status);
  }

  /** A notification, or an answer to what the server asked. Never rejects: who doesn't take it is told nothing more. */
  async tell(message: object, call: Journaled): Promise<void> {
    const { log, name } = this.#parts.options;
    if (this.#telling >= maxTelling) {
      log.debug("server.not_told", { server: name, code: "busy" });
      return;
    }
    this.#telling++;
    const gone = AbortSignal.any([AbortSignal.timeout(openTimeoutMs), this.#over.signal]);
    try {
      const frame = readFrame(utf8(JSON.stringify(message)), tolerantScanLimits);
      await ignored(await this.#forward(call, { verb: "POST", frame, gone }));
    } catch (error) {
      log.debug("server.not_told", { server: name, code: error instanceof Refusal ? error.code : "fault" });
    } finally {
      this.#telling--;
    }
  }

  /**
   * Hears what the server says unasked, from the first call on, for as long as the session lasts.
   * @param onLost the server knows the session no more
   */
  listen(take: (frame: Frame) => Promise<void>, onLost: () => void): void {
    if (this.#isListening) return;
    this.#isListening = true;
    void this.#listening(take, onLost);
  }

  async end(): Promise<void> {
    this.#over.abort(new Refusal("upstream_failed", "The session has ended."));
    if (this.#id === undefined) return;
    const gone = AbortSignal.timeout(endTimeoutMs);
    await this.#forward(this.#parts.call, { verb: "DELETE", gone }).then(ignored, () => undefined);
  }

  async #listening(take: (frame: Frame) => Promise<void>, onLost: () => void): Promise<void> {
    const { call, options } = this.#parts;
    const gone = this.#over.signal;
    const at: Position = { retryMs: defaultRetryMs };
    for (let waitMs = at.retryMs; !gone.aborted;) {
      try {
        const answer = await this.#forward(call, { verb: "GET", lastEventId: at.lastEventId, gone });
        if (answer.kind !== "stream") {
          await ignored(answer);
          if (answer.status !== 429 && answer.status < 500) return; // It says nothing unasked.
          throw new Refusal("upstream_failed", "The server has no stream just now.");
        }
        waitMs = at.retryMs;
        await this.#read(answer, at, take);
      } catch (error) {
        if (error instanceof Refusal && error.code === "no_such_session") onLost();
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
        if (retryMs !== undefined) at.retryMs = Math.min(Math.max(retryMs, minRetryMs), maxRetryMs);
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
    throw lost();
  }

  /** Many servers say 400, and no id, of a session that they don't know (any more). */
  #isLost({ status }: Answer, frame: Frame): boolean {
    const isRefused = status === 400 && frame.kind === "response" && frame.id === null;
    return isRefused && this.#isKnown && this.#id !== undefined;
  }
}

function lost(): Refusal {
  return new Refusal("no_such_session", "The server has ended the session.");
}

/** @throws Refusal `upstream_failed` if nobody waits any more */
async function paused(ms: number, gone: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal: gone });
  } catch (cause) {
    throw new Refusal("upstream_failed", "Nobody waits for the answer any more.", { cause });
  }
}

function unanswered(status: number): Refusal {
  return new Refusal("upstream_failed", `The server ended its answer without one (status ${status}).`, {
    facts: { status, sent: true },
  });
}
