/**
 * One legacy session with a modern server. What its client says is answered here where it is about the session
 * (handshake, log level, subscriptions), and asked of the server otherwise, each request for itself
 * (MCP 2025-11-25 to 2026-07-28; the matrix stands in docs/guide/bridge.md).
 */
import { randomUUID } from "node:crypto";

import { resultAnswer } from "../../../bridge/modern-server/legacy-answer.ts";
import {
  clientSelf,
  type Discovered,
  discovered,
  initializeResult,
  sessionVersion,
} from "../../../bridge/modern-server/legacy-handshake.ts";
import { modernRequest } from "../../../bridge/modern-server/modern-request.ts";
import { type ClientSelf, envelopeOf, request } from "../../../bridge/requests.ts";
import type { Journaled } from "../../../gate/call.ts";
import { refusedAnswer } from "../../../gate/refuse.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import {
  type NotificationFrame,
  readFrame,
  type RequestFrame,
  type RequestId,
  type ResponseFrame,
  tryReadFrame,
} from "../../../wire/frame.ts";
import { flowGate } from "../../link/flow-gate.ts";
import type { Link, LinkEvents } from "../../link/link.ts";
import type { BehindOptions } from "../behind.ts";
import { ClientQuestions } from "./client-questions.ts";
import { Listening } from "./listening.ts";
import { modernServer } from "./modern-server.ts";
import { asRefusal } from "../as-refusal.ts";
import { type Asked, answerInRounds } from "./rounds.ts";
import { ownAnswer } from "./session-methods.ts";
import { ToolHeaders } from "./tool-headers.ts";

/** Until its client asks for another. */
const firstLevel = "info";
/** A person may have to answer. */
const questionTimeoutMs = 600_000;
/** What the bridge asks for itself. */
const ownTimeoutMs = 30_000;
/** Requests of one session under way. */
const maxOpen = 256;
/** What is held for them, so that they can be asked again. */
const maxHeldBytes = 32 * 1024 * 1024;

/** A request of the client's that isn't answered yet. */
interface Open {
  readonly request: RequestFrame;
  /** As it was sent here. */
  readonly message: Uint8Array;
  readonly call: Journaled;
  readonly gone: AbortController;
  heldBytes: number;
  /** The server has said something of it. */
  isHeard: boolean;
  /** Its client knows what came of it, or doesn't want to. */
  isOver: boolean;
}

/** What was agreed on when the session was opened. */
interface Agreed {
  readonly client: ClientSelf;
  readonly server: Discovered;
  readonly listening: Listening;
}

export class ClientSession implements Link {
  readonly #options: BehindOptions;
  readonly #events: LinkEvents;
  readonly #flow = flowGate();
  readonly #server;
  readonly #questions: ClientQuestions;
  readonly #tools: ToolHeaders;
  readonly #open = new Map<RequestId, Open>();
  readonly #running = new Set<Promise<void>>();
  readonly #over = new AbortController();
  /** Ids of the bridge's own can't be guessed, so no other message is taken for theirs. */
  readonly #prefix = randomUUID();
  #ids = 0;
  #heldBytes = 0;
  #client: ClientSelf = { capabilities: {} };
  #agreed: Agreed | undefined;
  #logLevel = firstLevel;
  /** The newest call of the client's: what is asked in the background is asked on its behalf. */
  #call: Journaled | undefined;

  constructor(options: BehindOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#server = modernServer(options, this.#flow);
    this.#questions = new ClientQuestions({
      timeoutMs: questionTimeoutMs,
      say: (frame, about) => this.#say(() => events.onMessage(frame, about)),
    });
    this.#tools = new ToolHeaders({
      clock: options.clock,
      newId: this.#newId,
      envelope: this.#envelope,
      ask: (frame, call) =>
        this.#server.answer({
          call,
          request: frame,
          isOwn: true,
          gone: AbortSignal.any([this.#over.signal, AbortSignal.timeout(ownTimeoutMs)]),
        }),
    });
  }

  readonly pause = this.#flow.pause;
  readonly resume = this.#flow.resume;
  readonly isHeldUp = this.#flow.isPaused;

  readonly send = (message: Uint8Array, call: Journaled | undefined): void => {
    if (this.#over.signal.aborted) return;
    this.#call = call ?? this.#call;
    const frame = call?.frame?.bytes === message ? call.frame : tryReadFrame(message);
    if (frame?.kind === "request" && call !== undefined) this.#begin(frame, message, call);
    else if (frame?.kind === "notification") this.#heed(frame, call);
    else if (frame?.kind === "response" && !this.#questions.take(frame))
      this.#options.log.debug("bridge.answer_unasked", { server: this.#options.name });
  };

  readonly stop = async (): Promise<void> => {
    if (!this.#over.signal.aborted) {
      this.#over.abort();
      this.#agreed?.listening.stop();
      for (const open of this.#open.values()) open.gone.abort();
      this.#events.onEnd(new Refusal("upstream_failed", "The session was ended."));
    }
    await Promise.all(this.#running);
  };

  /** @throws Refusal `busy` */
  #begin(frame: RequestFrame, message: Uint8Array, call: Journaled): void {
    if (this.#open.size >= maxOpen || this.#heldBytes + message.length > maxHeldBytes)
      throw new Refusal("busy", "Too many requests of this session wait for their answers.");
    const gone = new AbortController();
    const open = { request: frame, message, call, gone, heldBytes: 0, isHeard: false, isOver: false };
    this.#open.set(frame.id, open);
    this.#hold(open, message.length);
    this.#run(() => this.#carry(open));
  }

  /** Whoever sends goes on first: it isn't ready for an answer before. */
  #run(act: () => Promise<void>): void {
    const done = Promise.resolve()
      .then(act)
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #carry(open: Open): Promise<void> {
    try {
      const answer = await this.#answerTo(open);
      this.#close(open, () => this.#events.onMessage(answer, open.request.id));
    } catch (error) {
      const refusal = asRefusal(error, this.#options);
      this.#close(open, () => this.#fail(open, refusal));
    }
  }

  /** What the server has said something of has an answer, if only ours. */
  #fail(open: Open, refusal: Refusal): void {
    const { request: frame, message, call } = open;
    if (!open.isHeard) this.#events.onUndelivered(message, refusal);
    else this.#events.onMessage(readFrame(refusedAnswer({ id: call.id, frame }, refusal).body), frame.id);
  }

  #close(open: Open, say: () => void): void {
    if (open.isOver) return;
    open.isOver = true;
    if (this.#open.get(open.request.id) === open) this.#open.delete(open.request.id);
    this.#heldBytes -= open.heldBytes;
    this.#say(say);
  }

  /** Nothing follows the end. */
  #say(say: () => void): void {
    if (!this.#over.signal.aborted) say();
  }

  #hold(open: Open, bytes: number): void {
    if (open.isOver) return;
    if (this.#heldBytes + bytes > maxHeldBytes)
      throw new Refusal("busy", "What is to be remembered for this session's requests is too much.");
    this.#heldBytes += bytes;
    open.heldBytes += bytes;
  }

  /** Notifications of a client's are about its session, and a modern server has none. */
  #heed({ method, params }: NotificationFrame, call: Journaled | undefined): void {
    if (method === "notifications/initialized") this.#agreed?.listening.start();
    if (method !== "notifications/cancelled" || params?.requestId === undefined) return;
    const open = this.#open.get(params.requestId);
    if (open === undefined || open.request.method === "initialize") return;
    // Its questions to the client are taken back on its stream, so before that ends.
    open.isHeard = true;
    open.gone.abort();
    const isWaitedFor = call !== undefined;
    const refusal = new Refusal("upstream_failed", "The request was cancelled.");
    this.#close(open, () => isWaitedFor && this.#fail(open, refusal));
  }

  async #answerTo(open: Open): Promise<ResponseFrame> {
    const { request: frame } = open;
    if (frame.method === "initialize") return await this.#initialize(open);
    if (this.#agreed === undefined) throw new Refusal("bad_message", "Expected initialize first.");
    const { server, listening } = this.#agreed;
    const own = ownAnswer(frame, { capabilities: server.capabilities, listening, setLevel: this.#setLevel });
    return await (own ?? this.#asked(open));
  }

  async #initialize(open: Open): Promise<ResponseFrame> {
    const { request: frame, call, gone } = open;
    this.#client = clientSelf(frame);
    const discover = request(this.#newId(), "server/discover", { _meta: envelopeOf(this.#client) });
    const answer = await this.#server.answer({ call, request: discover, gone: gone.signal, isOwn: true });
    const server = discovered(answer);
    this.#agreed = { client: this.#client, server, listening: this.#listening(server) };
    const version = sessionVersion(frame.params?.protocolVersion);
    return resultAnswer(frame.id, initializeResult(server, version, this.#options.name));
  }

  async #asked(open: Open): Promise<ResponseFrame> {
    const { request: frame, call, gone } = open;
    const tool = frame.method === "tools/call" ? frame.params?.name : undefined;
    return await answerInRounds({
      first: modernRequest(frame, this.#envelope()),
      capabilities: this.#client.capabilities,
      newId: this.#newId,
      answer: (asked) => this.#serverAnswer(open, asked),
      parameters: async (isStale) => {
        if (tool === undefined) return [];
        if (isStale) await this.#tools.refresh(call);
        return await this.#tools.of(tool, call);
      },
      askClient: (questions, over) => this.#questions.ask(questions, frame.id, over),
      hold: (bytes) => this.#hold(open, bytes),
      gone: gone.signal,
    });
  }

  async #serverAnswer(open: Open, asked: Asked): Promise<ResponseFrame> {
    const { request: frame, call, gone } = open;
    const response = await this.#server.answer({
      call,
      ...asked,
      gone: gone.signal,
      onNotice: (notice) => {
        open.isHeard = true;
        if (!unheard.has(notice.method))
          this.#say(() => !open.isOver && this.#events.onMessage(notice, frame.id));
      },
    });
    open.isHeard = true;
    if (frame.method === "tools/list") this.#tools.learn(response);
    return response;
  }

  #listening({ capabilities }: Discovered): Listening {
    const { clock, log, name } = this.#options;
    return new Listening({
      capabilities,
      clock,
      newId: this.#newId,
      envelope: this.#envelope,
      open: async (listen, gone, onNotice) => {
        const call = this.#call;
        if (call === undefined) throw new Error("a client has called before it listens");
        const answer = this.#server.answer({ call, request: listen, gone, isOwn: true, onNotice });
        this.#run(() => answer.then(ignore, ignore));
        return await answer.catch((error: unknown) => Promise.reject(asRefusal(error, this.#options)));
      },
      say: (notice) => {
        if (notice.kind === "notification" && notice.method === toolsChanged) this.#tools.forget();
        this.#say(() => this.#events.onMessage(notice, null));
      },
      onBroken: ({ code }, inMs) => log.info("bridge.deaf", { server: name, code, againInMs: inMs }),
    });
  }

  readonly #setLevel = (level: string): void => {
    this.#logLevel = level;
  };

  readonly #newId = (): string => `${this.#prefix}.${this.#ids++}`;

  readonly #envelope = (): Readonly<Record<string, unknown>> => {
    const logs = this.#agreed?.server.capabilities["logging"] !== undefined;
    return envelopeOf(this.#client, logs ? this.#logLevel : undefined);
  };
}

const toolsChanged = "notifications/tools/list_changed";

/** What only ends requests of the bridge's own. */
const unheard: ReadonlySet<string> = new Set([
  "notifications/cancelled",
  "notifications/subscriptions/acknowledged",
]);

function ignore(): void {
  // Whoever asked knows.
}
