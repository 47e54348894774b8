/**
 * One call of a modern client's at a legacy server: under way while its client waits, parked while the client looks for
 * what the server has asked, ended by its answer. The server sees one call; the client makes as many as there are rounds.
 */
import { randomUUID } from "node:crypto";

import {
  canAnswer,
  elicitedUrls,
  inputRequired,
  inputRequest,
  type InputRequest,
  isAnswerTo,
  urlElicitationRequired,
} from "../../../bridge/legacy-server/input-requests.ts";
import { isAtLeast } from "../../../bridge/log-levels.ts";
import { sealState, stateRefused, type StateOwner } from "../../../bridge/legacy-server/request-state.ts";
import { legacyRequest, modernAnswer, progressFor } from "../../../bridge/legacy-server/to-legacy.ts";
import type { Journaled } from "../../../gate/call.ts";
import { utf8 } from "../../../kernel/bytes.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import {
  type Frame,
  type NotificationFrame,
  readFrame,
  type RequestFrame,
  type RequestId,
  type ResponseFrame,
} from "../../../wire/frame.ts";
import { tolerantScanLimits } from "../../../wire/json-scan.ts";
import { objectOf, valueAt } from "../../../wire/values.ts";
import type { LinkEvents } from "../../link/link.ts";
import type { FlowGate } from "../../link/flow-gate.ts";
import { within } from "../../within.ts";
import type { LegacyBehindOptions } from "./legacy-behind.ts";
import { type ParkedCalls, parkedMs } from "./parked-calls.ts";
import type { PooledSession } from "./session-pool.ts";

/** Who waits for what comes of it, in one round. */
export interface Waiting {
  readonly frame: RequestFrame;
  readonly call: Journaled;
  readonly events: LinkEvents;
  readonly flow: FlowGate;
  /** Below it, log messages aren't wanted; none are if it is absent. */
  readonly logLevel?: string | undefined;
  /** It waits no more. */
  readonly onDone: () => void;
}

export interface CallParts {
  readonly options: LegacyBehindOptions;
  readonly parked: ParkedCalls;
  readonly owner: StateOwner;
  /** What the client said it can be asked. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** How long a server may take to hear that a call was given up. */
const cancelTimeoutMs = 2000;
/** What a server asks at once goes out in one answer. */
const gatherMs = 20;
/** What came while nobody waited, for the next round. */
const maxBacklog = 64;
const maxBacklogBytes = 64 * 1024;
/** What a server may ask in one call while it waits for answers. */
const maxQuestions = 32;
const maxQuestionBytes = 1024 * 1024;
/** Others can't be answered with a question (MCP 2026-07-28, multi round-trip requests). */
const askableMethods: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);

interface Question {
  readonly id: RequestId;
  readonly request: InputRequest;
  readonly bytes: number;
}

export class AskedCall {
  readonly owner: StateOwner;
  readonly #parts: CallParts;
  readonly #gone = new AbortController();
  /** By the keys under which the client is asked, what the server waits for. */
  readonly #pending = new Map<string, Question>();
  readonly #method: string;
  readonly #requestBytes: number;
  #session: PooledSession | undefined;
  /** Its id and its progress token at the server. */
  #id = 0;
  #waiting: Waiting | undefined;
  #keys = 0;
  #gathering: NodeJS.Timeout | undefined;
  #backlog: Uint8Array[] = [];
  #backlogBytes = 0;
  #end: ResponseFrame | Refusal | undefined;

  constructor(waiting: Waiting, parts: CallParts) {
    this.#waiting = waiting;
    this.#parts = parts;
    this.#method = waiting.frame.method;
    this.#requestBytes = waiting.frame.bytes.length;
    this.owner = parts.owner;
  }

  /** Makes the call in that session; rejects with Refusal `no_such_session` if the server knows it no more. */
  async begin(session: PooledSession): Promise<void> {
    const { frame, call } = this.#waiting ?? {};
    if (frame === undefined || call === undefined) return;
    this.#session = session;
    this.#id = session.legacy.freshId();
    session.calls.add(this);
    const renamed = readFrame(legacyRequest(frame, { id: this.#id, progressToken: this.#id }));
    if (renamed.kind !== "request") throw new Error("a request stays one");
    try {
      await session.legacy.ask({
        frame: renamed,
        call,
        gone: this.#gone.signal,
        take: async (each) => {
          await this.#waiting?.flow.open();
          this.#heard(each);
        },
      });
    } finally {
      session.left(this);
    }
  }

  /** What it holds. */
  get bytes(): number {
    return this.#requestBytes + this.#questionBytes();
  }

  /** There will be no other answer than it has, or no answer. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** There will be no answer. */
  fail(refusal: Refusal): void {
    this.#settle(refusal);
  }

  /**
   * Its client is back, with what it was asked or with a part of it.
   * @throws Refusal `request_state` for what can't be an answer; the call waits on then
   */
  resume(waiting: Waiting, given: Readonly<Record<string, unknown>>): void {
    const answered = [...this.#pending].filter(([key]) => Object.hasOwn(given, key));
    for (const [key, { request }] of answered)
      if (!isAnswerTo(request, given[key]))
        throw stateRefused(`inputResponses["${key}"] can't be an answer to ${request.method}.`);
    this.#parts.parked.forget(this);
    this.#waiting = waiting;
    for (const [key, { id }] of answered) {
      this.#pending.delete(key);
      void this.#tell({ jsonrpc: "2.0", id, result: given[key] });
    }
    const backlog = this.#backlog;
    [this.#backlog, this.#backlogBytes] = [[], 0];
    for (const message of backlog) this.#say(message);
    if (this.#end !== undefined) this.#settle(this.#end);
    else if (this.#pending.size > 0) this.#gather();
  }

  /** Its session is ended, or its client can't be asked: who waits is told. */
  async end(refusal: Refusal): Promise<void> {
    this.#waiting?.events.onUndelivered(this.#waiting.frame.bytes, refusal);
    await this.giveUp(refusal.message);
  }

  /** Nobody wants its answer any more: the server is told (MCP cancellation). Resolves when it has been; never rejects. */
  async giveUp(reason: string): Promise<void> {
    this.#parts.parked.forget(this);
    this.#done();
    this.#leaveUnanswered();
    if (this.#end !== undefined) return;
    this.#end = new Refusal("upstream_failed", reason);
    const params = { requestId: this.#id, reason };
    await within(this.#tell({ jsonrpc: "2.0", method: "notifications/cancelled", params }), cancelTimeoutMs);
    this.#gone.abort(this.#end);
  }

  /** A request of the server's. */
  asked({ id, method, bytes, params }: RequestFrame): void {
    const request = inputRequest(method, params && objectOf(valueAt(bytes, params.span)));
    if (method === "ping") void this.#tell({ jsonrpc: "2.0", id, result: {} });
    else if (this.isOver || !this.#canAsk(request) || this.#asksTooMuch(bytes))
      void this.#tell({ jsonrpc: "2.0", id, error: notAsked });
    else {
      this.#pending.set(`request-${++this.#keys}`, { id, request, bytes: bytes.length });
      this.#gather();
    }
  }

  #canAsk(request: InputRequest): boolean {
    return askableMethods.has(this.#method) && canAnswer(this.#parts.capabilities, request);
  }

  #asksTooMuch({ length }: Uint8Array): boolean {
    return this.#pending.size >= maxQuestions || this.#questionBytes() + length > maxQuestionBytes;
  }

  #questionBytes(): number {
    return this.#pending.values().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** None waits in vain: what it asked here may have been for another call of the session. */
  #leaveUnanswered(): void {
    for (const { id } of this.#pending.values()) void this.#tell({ jsonrpc: "2.0", id, error: notAsked });
    this.#pending.clear();
  }

  #heard(frame: Frame): void {
    if (frame.kind === "request") this.asked(frame);
    else if (frame.kind === "notification") this.noticed(frame);
    else this.#settle(isOfItsEra(frame) ? frame : ofOtherEra());
  }

  /** A notification of the server's that may be of this call. */
  noticed(frame: NotificationFrame): void {
    const { method, params, bytes } = frame;
    if (method === "notifications/cancelled") this.#withdrawn(params?.requestId);
    else if (method === "notifications/progress") {
      const token = this.#waiting?.frame.params?.meta?.progressToken;
      if (params?.progressToken === this.#id && token !== undefined) this.#say(progressFor(bytes, token));
    } else if (method !== "notifications/message") {
      if (this.#session?.unasked(frame) !== true) this.#say(bytes);
    } else if (this.#wantsLog(frame)) this.#say(bytes);
  }

  #wantsLog({ bytes, params }: NotificationFrame): boolean {
    const { logLevel } = this.#waiting ?? {};
    const level = params && objectOf(valueAt(bytes, params.span))["level"];
    return logLevel !== undefined && isAtLeast(level, logLevel);
  }

  /** The server needs no answer to what it asked any more. */
  #withdrawn(id: RequestId | undefined): void {
    for (const [key, pending] of this.#pending) if (pending.id === id) this.#pending.delete(key);
  }

  #say(message: Uint8Array): void {
    if (this.#waiting !== undefined) {
      this.#waiting.events.onMessage(readFrame(message, tolerantScanLimits), this.#waiting.frame.id);
      return;
    }
    this.#backlogBytes += message.length;
    if (this.#backlog.length < maxBacklog && this.#backlogBytes <= maxBacklogBytes)
      this.#backlog.push(message);
  }

  /** What the server asks beside it within a moment is asked along. */
  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (this.#waiting === undefined || this.#pending.size === 0 || this.#end !== undefined) return;
      const name = randomUUID();
      try {
        this.#parts.parked.park(name, this);
        this.#askClient(new Map([...this.#pending].map(([key, { request }]) => [key, request])), name);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        void this.end(error);
      }
    }, gatherMs);
  }

  #askClient(requests: ReadonlyMap<string, InputRequest>, parked?: string): void {
    const { options, owner } = this.#parts;
    const expiresUnixMs = options.clock.nowUnixMs() + parkedMs;
    const state = sealState(options.stateKey, owner, {
      expiresUnixMs,
      ...(parked !== undefined && { parked }),
    });
    this.#answer((id) => inputRequired(id, requests, state));
  }

  #settle(end: ResponseFrame | Refusal): void {
    if (this.#waiting === undefined) {
      const isShort = end instanceof Refusal || end.bytes.length <= maxBacklogBytes;
      this.#end ??= isShort
        ? end
        : new Refusal("answer_too_large", "The answer came while nobody waited for it.");
      return;
    }
    this.#end = end;
    this.#leaveUnanswered();
    if (end instanceof Refusal) {
      this.#waiting.events.onUndelivered(this.#waiting.frame.bytes, end);
      this.#done();
      return;
    }
    const urls = end.error?.code === urlElicitationRequired ? elicitedUrls(dataOf(end)) : new Map();
    if (urls.size === 0) {
      const serverInfo = this.#session?.serverInfo;
      this.#answer((id, method) => modernAnswer(end, { method, id, serverInfo }));
    } else if (this.#canAskAll(urls)) this.#askClient(urls);
    else this.#answer((id) => missing(id));
  }

  #canAskAll(requests: ReadonlyMap<string, InputRequest>): boolean {
    return requests.values().every((each) => this.#canAsk(each));
  }

  #answer(write: (id: RequestId, method: string) => Uint8Array): void {
    const { events, frame } = this.#waiting ?? {};
    if (events === undefined || frame === undefined) return;
    const message = readFrame(write(frame.id, frame.method), tolerantScanLimits);
    this.#done();
    events.onMessage(message);
  }

  #done(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#waiting?.onDone();
    this.#waiting = undefined;
  }

  async #tell(message: object): Promise<void> {
    const { legacy, call } = this.#session ?? {};
    if (legacy !== undefined && call !== undefined) await legacy.tell(message, call);
  }
}

const notAsked = { code: -32601, message: "The client can't be asked that." };

/** MCP 2026-07-28: what the client would have to be able to do. */
function missing(id: RequestId): Uint8Array {
  const data = { requiredCapabilities: { elicitation: { url: {} } } };
  const error = { code: -32021, message: "The server asks for consent at an address.", data };
  return utf8(JSON.stringify({ jsonrpc: "2.0", id, error }));
}

/** A question in the modern form would reach the client whatever that offered, and its answer nobody. */
function isOfItsEra({ result }: ResponseFrame): boolean {
  return result?.resultType === undefined || result.resultType === "complete";
}

function ofOtherEra(): Refusal {
  return new Refusal("upstream_failed", "The server's answer is of a type that its era of MCP doesn't have.");
}

function dataOf({ bytes, error }: ResponseFrame): unknown {
  return error?.data && valueAt(bytes, error.data);
}
