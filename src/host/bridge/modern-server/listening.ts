/**
 * The one `subscriptions/listen` stream of a legacy session: changes of lists, and of the resources its client
 * subscribed to. It is opened anew when those change, the old one staying until the new one is acknowledged, and
 * when it breaks.
 */
import {
  acknowledged,
  listChanges,
  listenParams,
  unsubscribed,
} from "../../../bridge/modern-server/listen-filter.ts";
import { request } from "../../../bridge/requests.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import type { Frame, NotificationFrame, RequestFrame, ResponseFrame } from "../../../wire/frame.ts";

type Json = Readonly<Record<string, unknown>>;

/** Asks the server, and resolves with the answer, which ends the stream. */
type OpenStream = (
  listen: RequestFrame,
  gone: AbortSignal,
  onNotice: (frame: NotificationFrame) => void,
) => Promise<ResponseFrame>;

export interface ListeningOptions {
  readonly capabilities: Json;
  readonly envelope: () => Json;
  readonly newId: () => string;
  readonly open: OpenStream;
  readonly say: (frame: Frame) => void;
  /** The stream broke, or was refused; it is opened again after `inMs`, or not at all. */
  readonly onBroken: (refusal: Refusal, inMs?: number) => void;
  readonly clock: Clock;
}

/** A stream that the server has acknowledged. */
interface Stream {
  readonly end: AbortController;
  readonly addresses: ReadonlySet<string>;
  readonly sinceUnixMs: number;
}

/** Addresses one session may be subscribed to. */
const maxAddresses = 256;
const acknowledgeTimeoutMs = 10_000;
const firstWaitMs = 500;
const longestWaitMs = 60_000;

export class Listening {
  readonly #options: ListeningOptions;
  readonly #changes: Json;
  #addresses: ReadonlySet<string> = new Set();
  #stream: Stream | undefined;
  /** One change at a time. */
  #turn: Promise<void> = Promise.resolve();
  #waitMs = firstWaitMs;
  #again: NodeJS.Timeout | undefined;
  /** What ends each stream, acknowledged or not. */
  readonly #ends = new Set<AbortController>();
  #isStopped = false;

  constructor(options: ListeningOptions) {
    this.#options = options;
    this.#changes = listChanges(options.capabilities);
  }

  /** Begins to listen to changes of lists, if the server tells them. */
  start(): void {
    const listen = async (): Promise<void> => {
      if (this.#stream === undefined) await this.#keepUp();
    };
    // It rejects only when the session has ended before its turn came.
    this.#inTurn(listen).catch(() => undefined);
  }

  /**
   * Resolves when the server has acknowledged it.
   * @throws Refusal `busy`, `unknown_name` if the server doesn't tell of that resource, or as the server's adapter does
   */
  async subscribe(address: string): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#addresses.has(address)) return;
      if (this.#addresses.size >= maxAddresses)
        throw new Refusal("busy", `A session can be subscribed to ${maxAddresses} resources at most.`);
      const wanted = new Set([...this.#addresses, address]);
      const stream = await this.#opened(wanted);
      if (!stream.addresses.has(address)) {
        stream.end.abort();
        throw new Refusal("unknown_name", "The server doesn't tell of changes of that resource.");
      }
      this.#addresses = wanted;
      this.#take(stream);
    });
  }

  async unsubscribe(address: string): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#addresses.has(address)) return;
      this.#addresses = new Set([...this.#addresses].filter((each) => each !== address));
      const old = this.#stream;
      await this.#keepUp();
      // What it was told before doesn't concern it any more, whether or not there is a new stream.
      if (this.#stream === old) this.#take(undefined);
    });
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#again);
    this.#stream = undefined;
    for (const end of this.#ends) end.abort();
  }

  async #inTurn(act: () => Promise<void>): Promise<void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    try {
      await before;
      if (this.#isStopped) throw new Refusal("upstream_failed", "The session was ended.");
      await act();
    } finally {
      resolve();
    }
  }

  /** Opens the stream for what is wanted now. Never rejects: what can't be opened is tried again. */
  async #keepUp(): Promise<void> {
    if (this.#isStopped || listenParams(this.#changes, this.#addresses, {}) === undefined) return;
    try {
      this.#take(await this.#opened(this.#addresses));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#broken(error);
    }
  }

  /** A stream for these, once it is acknowledged. */
  #opened(addresses: ReadonlySet<string>): Promise<Stream> {
    const { open, envelope, newId, clock } = this.#options;
    const listen = request(
      newId(),
      "subscriptions/listen",
      listenParams(this.#changes, addresses, envelope()),
    );
    const end = new AbortController();
    this.#ends.add(end);
    const { promise, resolve, reject } = Promise.withResolvers<Stream>();
    const late = setTimeout(() => {
      reject(new Refusal("upstream_timeout", "The server didn't acknowledge the subscription in time."));
      end.abort();
    }, acknowledgeTimeoutMs).unref();
    let stream: Stream | undefined;
    const hear = (frame: NotificationFrame): void => {
      if (end.signal.aborted || (frame.params?.meta?.subscriptionId ?? listen.id) !== listen.id) return;
      const told = acknowledged(frame);
      if (told === undefined) this.#hear(frame, stream);
      else if (stream === undefined) {
        stream = { end, addresses: told, sinceUnixMs: clock.nowUnixMs() };
        clearTimeout(late);
        resolve(stream);
      }
    };
    const ended = (why: Refusal): void => {
      this.#ends.delete(end);
      clearTimeout(late);
      reject(why);
      if (stream !== undefined && stream === this.#stream) this.#lost(stream, why);
    };
    open(listen, end.signal, hear).then((answer) => ended(whyEnded(answer)), ended);
    return promise;
  }

  #hear(frame: NotificationFrame, stream: Stream | undefined): void {
    // MCP 2026-07-28: the acknowledgement comes first.
    if (stream !== undefined) this.#options.say(unsubscribed(frame));
  }

  #take(stream: Stream | undefined): void {
    const old = this.#stream;
    this.#stream = stream;
    old?.end.abort();
    if (stream !== undefined) clearTimeout(this.#again);
  }

  #lost(stream: Stream, why: Refusal): void {
    this.#stream = undefined;
    // One that lasted was no failure.
    if (this.#options.clock.nowUnixMs() - stream.sinceUnixMs >= longestWaitMs) this.#waitMs = firstWaitMs;
    this.#broken(why);
  }

  #broken(why: Refusal): void {
    if (this.#isStopped) return;
    if (isFinal(why)) {
      this.#options.onBroken(why);
      return;
    }
    this.#options.onBroken(why, this.#waitMs);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.start(), this.#waitMs).unref();
    this.#waitMs = Math.min(this.#waitMs * 2, longestWaitMs);
  }
}

function whyEnded({ error }: ResponseFrame): Refusal {
  if (error === undefined) return new Refusal("upstream_failed", "The server ended its subscription.");
  return new Refusal("unknown_name", `The server refused the subscription (${error.code}).`);
}

/** The server said no, and would again. */
function isFinal({ code }: Refusal): boolean {
  return code === "unknown_name";
}
