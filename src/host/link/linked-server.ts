/** A server at the other end of a link, with its open requests: who gets which message it sends. */
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Frame, NotificationFrame, RequestFrame, RequestId } from "../../wire/frame.ts";
import {
  type Conversation,
  conversation,
  type Outlet,
  passingOutlet,
  resumableOutlet,
  streamAnswer,
} from "./conversation.ts";
import type { Answer, Journaled } from "../../gate/call.ts";
import type { Link, LinkSpec } from "./link.ts";
import { type Knowledge, learnt, nothingKnown } from "./knowledge.ts";
import type { Connection, Flow, SessionStream } from "./session-stream.ts";
import { keepLimits, SessionStreams } from "./session-streams.ts";

export interface ServerOptions {
  readonly log: Log;
  /** How long what nobody reads is kept, and goes on. */
  readonly unreadMs: number;
}

/** A request and the connection that its answer goes out on. */
export interface Asking {
  readonly request: RequestFrame;
  readonly call: Journaled;
  /** Further headers of the answer, names and values in turn. */
  readonly headers: readonly string[];
  readonly connection: Omit<Connection, "flow">;
  readonly takesEvents: boolean;
  /** What the client is told, on a stream that has begun, when there will be no answer. */
  readonly farewell: (refusal: Refusal) => Uint8Array;
}

/** One link and the requests under way on it. */
export class LinkedServer {
  readonly #open = new Map<string, Conversation>();
  readonly #link: Link;
  readonly #log: Log;
  readonly #name: string;
  readonly #streams: SessionStreams;
  /** What the server says unasked, heard or not yet. */
  readonly #unasked: SessionStream;
  #ended: Refusal | undefined;
  lastUsedUnixMs: number;
  knowledge: Knowledge = nothingKnown;

  constructor(spec: LinkSpec, options: ServerOptions, nowUnixMs: number, onEnd: () => void) {
    this.#log = options.log;
    this.#name = spec.name;
    this.lastUsedUnixMs = nowUnixMs;
    let lost = false;
    this.#streams = new SessionStreams({ ...keepLimits, unreadMs: options.unreadMs }, () => {
      if (!lost) this.#log.warn("server.unheard", { server: this.#name });
      lost = true;
    });
    this.#unasked = this.#streams.open({});
    this.#link = spec.open({
      onMessage: (frame, about) => this.#deliver(frame, about),
      onUndelivered: (message, refusal) => this.#fail(message, refusal),
      onEnd: (refusal) => {
        this.#ended = refusal;
        for (const waiting of this.#open.values()) waiting.fail(refusal);
        this.#open.clear();
        this.#streams.close();
        onEnd();
      },
    });
  }

  get idle(): boolean {
    return this.#open.size === 0 && !this.#unasked.isRead;
  }

  /** What it says now is heard when its slowest reader has caught up, or was cut. */
  get heldUp(): boolean {
    return this.#link.isHeldUp();
  }

  /** Whether what the server says of `request` could be taken for another's. */
  isTaken({ id, params }: RequestFrame): boolean {
    const token = params?.meta?.progressToken;
    return this.#open.has(keyOf(id)) || (token !== undefined && this.#withToken(token) !== undefined);
  }

  /** @throws Refusal `bad_message` if a request with that id is still open, `busy` if the server doesn't read */
  ask(asking: Asking): Conversation {
    if (this.#ended !== undefined) throw this.#ended;
    const { request, connection, headers } = asking;
    const key = keyOf(request.id);
    if (this.#open.has(key)) {
      throw new Refusal("bad_message", "A request with this id is still being answered in this session.");
    }
    this.#link.send(request.bytes, asking.call);
    const isLegacy = request.era === "legacy";
    const talk = conversation(request, {
      headers,
      takesEvents: isLegacy && asking.takesEvents,
      opensEarly: isLegacy && asking.takesEvents && connection.takesPriming,
      open: () => (isLegacy ? this.#resumable(asking) : passingOutlet(this.#link)),
    });
    this.#open.set(key, talk);
    return talk;
  }

  #resumable({ request, call, connection, farewell }: Asking): Outlet {
    const stream = this.#streams.open({
      answers: { callId: call.id, requestId: request.id },
      onAbandoned: () => this.giveUp(request, new Refusal("upstream_failed", "The caller went away.")),
    });
    return resumableOutlet(stream, { ...connection, flow: this.#link }, farewell);
  }

  tell(message: Uint8Array, call: Journaled): void {
    if (this.#ended !== undefined) throw this.#ended;
    this.#link.send(message, call);
  }

  /** Nobody waits for the answer any more, or it is too late: the server is told (MCP cancellation). */
  giveUp(request: RequestFrame, refusal: Refusal): void {
    const key = keyOf(request.id);
    const talk = this.#open.get(key);
    if (talk?.request !== request || this.#ended !== undefined) return;
    this.#open.delete(key);
    talk.fail(refusal);
    const params = { requestId: request.id, reason: "The client went away." };
    try {
      const notification = { jsonrpc: "2.0", method: "notifications/cancelled", params };
      this.#link.send(utf8(JSON.stringify(notification)), undefined);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#log.debug("server.not_told", { server: this.#name }); // It doesn't read; it learns nothing new.
    }
  }

  /** Opens the one stream for what the server says unasked; undefined if it is open already. */
  listen(headers: readonly string[], connection: Omit<Connection, "flow">): Answer | undefined {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#unasked.isRead) return undefined;
    return this.#read(this.#unasked, this.#unasked.seenSeq, headers, connection);
  }

  /**
   * The rest of a stream after an event, on a connection that takes the place of the one it had. Undefined if
   * nothing comes after it any more.
   * @throws Refusal `bad_message` if the event isn't known here
   */
  resume(
    eventId: string,
    headers: readonly string[],
    connection: Omit<Connection, "flow">,
  ): Answer | undefined {
    if (this.#ended !== undefined) throw this.#ended;
    const found = this.#streams.find(eventId);
    if (found === undefined) {
      throw new Refusal("bad_message", "Nothing is kept after the event that Last-Event-ID names.");
    }
    const { stream, seq } = found;
    if (stream.isFinished && seq === stream.lastSeq) return undefined;
    return this.#read(stream, seq, headers, connection);
  }

  #read(
    stream: SessionStream,
    after: number,
    headers: readonly string[],
    connection: Omit<Connection, "flow">,
  ): Answer {
    // Nothing waits for who hears what is said unasked: one that is too slow is cut off, and may come back.
    const tooSlow = new Refusal("upstream_failed", "The reader of this stream is too slow.");
    const unasked: Flow = { pause: () => stream.cut(tooSlow), resume: () => {} };
    const on: Connection =
      stream === this.#unasked
        ? { ...connection, flow: unasked, closeAfterMs: undefined }
        : { ...connection, flow: this.#link };
    return streamAnswer(stream.read(on, after), headers, stream.answers);
  }

  async stop(): Promise<void> {
    this.#unasked.close();
    await this.#link.stop();
  }

  #fail(message: Uint8Array, refusal: Refusal): void {
    for (const [key, talk] of this.#open) {
      if (talk.request.bytes !== message) continue;
      this.#open.delete(key);
      talk.fail(refusal);
      return;
    }
    this.#log.warn("server.not_told", { server: this.#name, code: refusal.code, ...refusal.facts });
  }

  #deliver(frame: Frame, about?: RequestId | null): void {
    if (frame.kind === "response") {
      const key = frame.id === null ? undefined : keyOf(frame.id);
      const talk = key === undefined ? undefined : this.#open.get(key);
      if (key !== undefined) this.#open.delete(key);
      if (talk === undefined) this.#log.debug("server.answer_unasked", { server: this.#name });
      else {
        this.knowledge = learnt(this.knowledge, talk.request.method, frame);
        talk.finish(frame);
      }
      return;
    }
    if (typeof about === "string" || typeof about === "number") {
      this.#open.get(keyOf(about))?.add(frame.bytes);
      return;
    }
    const talk = about === null ? undefined : this.#addressee(frame);
    if (talk !== undefined) talk.add(frame.bytes);
    else this.#unasked.add(frame.bytes);
  }

  #addressee(frame: RequestFrame | NotificationFrame): Conversation | undefined {
    return frame.kind === "notification" && namesRequest(frame) ? this.#concerned(frame) : this.#latest();
  }

  /** The request a notification names: by progress token, or by the subscription it was tagged with. */
  #concerned({ params }: NotificationFrame): Conversation | undefined {
    const subscription = params?.meta?.subscriptionId;
    if (subscription !== undefined) return this.#open.get(keyOf(subscription));
    const token = params?.progressToken;
    return token === undefined ? undefined : this.#withToken(token);
  }

  #withToken(token: RequestId): Conversation | undefined {
    for (const talk of this.#open.values())
      if (talk.request.params?.meta?.progressToken === token) return talk;
    return undefined;
  }

  /** A link doesn't say which request a message belongs to; the newest one is whom it most likely is for. */
  #latest(): Conversation | undefined {
    let latest: Conversation | undefined;
    for (const talk of this.#open.values()) if (talk.request.method !== "subscriptions/listen") latest = talk;
    return latest;
  }
}

/** What it says is that request's alone, and when that is over, nobody's. */
function namesRequest({ params }: NotificationFrame): boolean {
  return params?.meta?.subscriptionId !== undefined || params?.progressToken !== undefined;
}

/** Ids keep their JSON type: 1 and "1" are two requests. */
function keyOf(id: RequestId): string {
  return typeof id === "number" ? `n${id}` : `s${id}`;
}
