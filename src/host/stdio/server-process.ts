/** A running stdio server with its open requests: who gets which message it writes. */
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Frame, NotificationFrame, RequestFrame, RequestId } from "../../wire/frame.ts";
import { type Conversation, conversation, messageEvent, unaskedStream } from "./conversation.ts";
import type { Answer, HeaderList } from "../../gate/call.ts";
import type { Link, LinkSpec } from "../link.ts";
import { onAbort } from "../on-abort.ts";
import { type Knowledge, learnt, nothingKnown } from "./knowledge.ts";

/** What a server may say while nobody listens; older messages are dropped first. */
const maxUnheard = 256;
const maxUnheardBytes = 4 * 1024 * 1024;

/** One server process and the requests under way on it. */
export class ServerProcess {
  readonly #open = new Map<string, Conversation>();
  readonly #link: Link;
  readonly #log: Log;
  readonly #name: string;
  #unheard: Uint8Array[] = [];
  #unheardBytes = 0;
  #listener: ReturnType<typeof unaskedStream> | undefined;
  #ended: Refusal | undefined;
  lastUsedUnixMs: number;
  knowledge: Knowledge = nothingKnown;

  constructor(spec: LinkSpec, log: Log, nowUnixMs: number, onEnd: () => void) {
    this.#log = log;
    this.#name = spec.name;
    this.lastUsedUnixMs = nowUnixMs;
    this.#link = spec.open({
      onMessage: (frame) => this.#deliver(frame),
      onUndelivered: (message, refusal) => this.#fail(message, refusal),
      onEnd: (refusal) => {
        this.#ended = refusal;
        for (const waiting of this.#open.values()) waiting.fail(refusal);
        this.#open.clear();
        this.#listener?.queue.end();
        onEnd();
      },
    });
  }

  get idle(): boolean {
    return this.#open.size === 0 && this.#listener === undefined;
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
  ask(request: RequestFrame, headers: HeaderList, sentHeaders: HeaderList): Conversation {
    if (this.#ended !== undefined) throw this.#ended;
    const key = keyOf(request.id);
    if (this.#open.has(key)) {
      throw new Refusal("bad_message", "A request with this id is still being answered in this session.");
    }
    const talk = conversation(request, headers, this.#link);
    this.#link.send(request.bytes, sentHeaders);
    this.#open.set(key, talk);
    return talk;
  }

  tell(message: Uint8Array, sentHeaders: HeaderList): void {
    if (this.#ended !== undefined) throw this.#ended;
    this.#link.send(message, sentHeaders);
  }

  /** The request is of no interest any more; the server is told (MCP cancellation). */
  cancel(request: RequestFrame): void {
    if (!this.#open.delete(keyOf(request.id)) || this.#ended !== undefined) return;
    const params = { requestId: request.id, reason: "The client went away." };
    try {
      const notification = { jsonrpc: "2.0", method: "notifications/cancelled", params };
      this.#link.send(utf8(JSON.stringify(notification)), []);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#log.debug("server.not_told", { server: this.#name }); // It doesn't read; it learns nothing new.
    }
  }

  /** Opens the one stream for what the server says unasked; undefined if it is open already. */
  listen(headers: readonly string[], gone: AbortSignal): Answer | undefined {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#listener !== undefined) return undefined;
    const listener = unaskedStream(headers);
    this.#listener = listener;
    for (const message of this.#unheard) listener.queue.push(messageEvent(message));
    this.#unheard = [];
    this.#unheardBytes = 0;
    onAbort(gone, () => {
      if (this.#listener === listener) this.#listener = undefined;
      listener.queue.end();
    });
    return listener.answer;
  }

  async stop(): Promise<void> {
    this.#listener?.queue.end();
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

  #deliver(frame: Frame): void {
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
    const names = frame.kind === "notification" && namesRequest(frame);
    const talk = names ? this.#concerned(frame) : this.#latest();
    if (talk !== undefined) talk.add(frame.bytes);
    else if (this.#listener !== undefined) this.#listener.queue.push(messageEvent(frame.bytes));
    else this.#keep(frame.bytes);
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

  /** A pipe doesn't say which request a message belongs to; the newest one is whom it most likely is for. */
  #latest(): Conversation | undefined {
    let latest: Conversation | undefined;
    for (const talk of this.#open.values()) if (talk.request.method !== "subscriptions/listen") latest = talk;
    return latest;
  }

  #keep(message: Uint8Array): void {
    this.#unheard.push(message);
    this.#unheardBytes += message.length;
    if (this.#unheard.length <= maxUnheard && this.#unheardBytes <= maxUnheardBytes) return;
    while (this.#unheard.length > maxUnheard || this.#unheardBytes > maxUnheardBytes) {
      this.#unheardBytes -= this.#unheard.shift()?.length ?? 0;
    }
    this.#log.warn("server.unheard", { server: this.#name, kept: this.#unheard.length });
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
