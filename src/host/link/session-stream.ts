/**
 * One stream of a legacy session: an answer with what comes before it, or what the server says unasked. It
 * outlives the connections it goes out on, of which there is one at a time; its events are numbered, so that
 * the next connection goes on where the last one ended.
 */
import type { AnswerEvent, ResumedCall } from "../../gate/call.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { sseReader, writeSseEvent } from "../../wire/sse.ts";
import { type EventQueue, eventQueue } from "../event-queue.ts";
import { onAbort } from "../on-abort.ts";

/** What a reader that is slower than the server does to the server. */
export interface Flow {
  readonly pause: () => void;
  readonly resume: () => void;
}

/** A connection that a stream goes out on. */
export interface Connection {
  readonly flow: Flow;
  /** Aborts when it breaks. */
  readonly gone: AbortSignal;
  /** Its client takes events without data (MCP 2025-11-25 and later), so it is told at once how to come back. */
  readonly takesPriming: boolean;
  /** It is closed after this time, with the stream going on; undefined for never. */
  readonly closeAfterMs?: number | undefined;
}

/** An event as it is kept: bytes of its own, and nothing of the larger buffer that its message came in. */
export interface Numbered {
  /** From 1 on; 0 is before the first. */
  readonly seq: number;
  readonly raw: Uint8Array;
  /** Why the gateway had to say it in the server's stead, if it had. */
  readonly refusal?: Refusal;
}

export interface StreamOptions {
  /** Unique in its session; the part of its events' ids before their number. */
  readonly name: string;
  /** Absent for what the server says unasked. */
  readonly answers?: ResumedCall;
  readonly keep: (event: Numbered) => void;
  /** `seenSeq` has moved. */
  readonly onSeen: () => void;
  /** What is still there, in order. */
  readonly kept: () => readonly Numbered[];
  readonly unreadMs: number;
  /** Nobody has come for it in `unreadMs`, and it isn't finished. Without it the stream waits for ever. */
  readonly onAbandoned?: () => void;
  /** It is finished, and nobody has come for it in `unreadMs`. */
  readonly onForgotten: () => void;
}

/** How long a client waits before it comes back: often enough to go unnoticed, seldom enough to cost little. */
const retryMs = 500;

interface Reading {
  readonly queue: EventQueue<{ readonly seq: number; readonly event: AnswerEvent }>;
  /** Lets the server go on, and ends what watches the connection. */
  readonly release: () => void;
}

export class SessionStream {
  readonly #options: StreamOptions;
  #lastSeq = 0;
  #seenSeq = 0;
  #isFinished = false;
  #isClosed = false;
  #reading: Reading | undefined;
  #unread: NodeJS.Timeout | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get answers(): ResumedCall | undefined {
    return this.#options.answers;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Up to here it was written to a client. */
  get seenSeq(): number {
    return this.#seenSeq;
  }

  /** Nothing is added any more. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  get isRead(): boolean {
    return this.#reading !== undefined;
  }

  /** @param refusal why the gateway had to say this in the server's stead */
  add(message: Uint8Array, refusal?: Refusal): void {
    if (this.#isFinished) return;
    const seq = ++this.#lastSeq;
    const raw = writeSseEvent({ event: "message", id: this.#idOf(seq), data: message });
    const said = refusal && { refusal };
    this.#options.keep({ seq, raw, ...said });
    this.#reading?.queue.push({ seq, event: { raw, data: message, ...said } });
  }

  finish(): void {
    this.#isFinished = true;
    this.#reading?.queue.end();
    this.#await();
  }

  /** What comes after the event `after`, on a connection that takes the place of the one before. */
  read(connection: Connection, after: number): AsyncIterable<AnswerEvent> {
    if (this.#reading !== undefined) this.#leave(this.#reading);
    const reading = this.#begin(connection);
    const { queue } = reading;
    if (connection.takesPriming) queue.push({ seq: after, event: this.#priming(after) });
    for (const kept of this.#options.kept()) {
      if (kept.seq > after) queue.push({ seq: kept.seq, event: again(kept) });
    }
    if (this.#isFinished || this.#isClosed) queue.end();
    this.#await();
    return this.#events(reading);
  }

  /** Cuts a reader that is too slow; it may come back. */
  cut(refusal: Refusal): void {
    if (this.#reading !== undefined) this.#leave(this.#reading, refusal);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#unread);
    this.#reading?.queue.end();
  }

  #begin({ flow, gone, closeAfterMs }: Connection): Reading {
    let isPaused = false;
    let isReleased = false;
    const resume = (): void => {
      if (isPaused) flow.resume();
      isPaused = false;
    };
    const queue: Reading["queue"] = eventQueue({
      bytesOf: ({ event: { raw, data } }) => raw.length + (data?.length ?? 0),
      pause: () => {
        if (isReleased) return;
        isPaused = true;
        flow.pause();
      },
      resume,
      cancel: () => this.#leave(reading),
    });
    const watching: (() => void)[] = [];
    const reading: Reading = {
      queue,
      release: () => {
        isReleased = true;
        for (const stop of watching) stop();
        resume();
      },
    };
    this.#reading = reading;
    watching.push(
      onAbort(gone, () => this.#leave(reading, new Refusal("upstream_failed", "The caller went away."))),
    );
    if (closeAfterMs !== undefined && this.isRead) {
      const closing = setTimeout(() => this.#leave(reading), closeAfterMs);
      watching.push(() => clearTimeout(closing));
    }
    return reading;
  }

  async *#events(reading: Reading): AsyncGenerator<AnswerEvent, void> {
    try {
      for await (const { seq, event } of reading.queue) {
        // Its client has come back on another connection, and gets it there.
        if (this.isRead && this.#reading !== reading) return;
        yield event;
        // Asked for the next, the reader has written this one.
        if (seq <= this.#seenSeq) continue;
        this.#seenSeq = seq;
        this.#options.onSeen();
      }
    } finally {
      this.#leave(reading);
    }
  }

  /** The connection is over, the stream isn't. */
  #leave(reading: Reading, refusal?: Refusal): void {
    reading.release();
    if (refusal === undefined) reading.queue.end();
    else reading.queue.fail(refusal);
    if (this.#reading !== reading) return;
    this.#reading = undefined;
    this.#await();
  }

  /** While nobody reads, and after the end, the time runs. */
  #await(): void {
    clearTimeout(this.#unread);
    const { onAbandoned, onForgotten, unreadMs } = this.#options;
    const act = this.#isFinished ? onForgotten : this.isRead ? undefined : onAbandoned;
    if (act !== undefined && !this.#isClosed) this.#unread = setTimeout(act, unreadMs).unref();
  }

  /** MCP 2025-11-25: an id without data, from which the client can come back before anything was said. */
  #priming(seq: number): AnswerEvent {
    const id = this.#idOf(seq);
    return { raw: writeSseEvent({ id, retryMs, data: new Uint8Array(0) }), data: null, id };
  }

  #idOf(seq: number): string {
    return `${this.#options.name}.${seq}`;
  }
}

function again({ raw, refusal }: Numbered): AnswerEvent {
  const [event] = sseReader(raw.length).push(raw);
  return { data: null, ...event, raw, ...(refusal && { refusal }) };
}
