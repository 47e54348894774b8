/**
 * The streams of one legacy session. What they say is kept for a while, so that a client whose connection
 * broke, or was closed, comes back with the last id it has seen and gets the rest
 * (MCP 2025-11-25 transports: resumability).
 */
import { randomBytes } from "node:crypto";

import { type Numbered, SessionStream, type StreamOptions } from "./session-stream.ts";

export interface KeepLimits {
  /** What one session keeps in all, over its streams; the newest event may be longer. */
  readonly bytes: number;
  readonly events: number;
  /** How long a stream may go unread, and a finished one be fetched. */
  readonly unreadMs: number;
}

/** A minute of lively progress, and as many bytes as may wait for a slow reader. */
export const keepLimits = { events: 1024, bytes: 4 * 1024 * 1024 } as const;

interface Kept extends Numbered {
  readonly stream: SessionStream;
}

export class SessionStreams {
  readonly #limits: KeepLimits;
  readonly #onLost: () => void;
  /** Event ids of another session, or of one before, name nothing here. */
  readonly #tag = randomBytes(6).toString("base64url");
  readonly #streams = new Map<string, SessionStream>();
  #kept: Kept[] = [];
  #bytes = 0;
  #opened = 0;

  /** @param onLost something had to be dropped that no client has seen; told once */
  constructor(limits: KeepLimits, onLost: () => void) {
    this.#limits = limits;
    this.#onLost = onLost;
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  open(options: Pick<StreamOptions, "answers" | "onAbandoned">): SessionStream {
    const name = `${this.#tag}.${this.#opened++}`;
    const stream: SessionStream = new SessionStream({
      ...options,
      name,
      keep: (event) => this.#keep({ ...event, stream }),
      onSeen: () => this.#trim(),
      kept: () => this.#kept.filter((each) => each.stream === stream),
      unreadMs: this.#limits.unreadMs,
      onForgotten: () => this.#forget(stream),
    });
    this.#streams.set(name, stream);
    return stream;
  }

  /** The stream that an event id is of, and the event's number in it; undefined if it isn't known, or not any more. */
  find(eventId: string): { readonly stream: SessionStream; readonly seq: number } | undefined {
    const [, name, number] = /^([\w-]{8}\.\d{1,9})\.(\d{1,9})$/.exec(eventId) ?? [];
    const stream = name === undefined ? undefined : this.#streams.get(name);
    const seq = Number(number);
    return stream === undefined || seq > stream.lastSeq ? undefined : { stream, seq };
  }

  /** The session is over: who is reading gets what there is, and nothing is kept. */
  close(): void {
    for (const stream of this.#streams.values()) stream.close();
  }

  #keep(kept: Kept): void {
    if (!this.#streams.has(kept.stream.name)) return;
    this.#kept.push(kept);
    this.#bytes += kept.raw.length;
    this.#trim();
  }

  /** The newest stays until it was seen, whatever its length: it may be the answer that its client will come for. */
  #trim(): void {
    while (this.#isFull()) {
      const seen = this.#kept.findIndex(({ stream, seq }) => seq <= stream.seenSeq);
      if (seen === -1 && this.#kept.length === 1) return;
      this.#drop(seen);
    }
  }

  #isFull(): boolean {
    return this.#kept.length > this.#limits.events || this.#bytes > this.#limits.bytes;
  }

  /** What was written to its client goes before what nobody has seen. */
  #drop(seen: number): void {
    const [dropped] = this.#kept.splice(Math.max(seen, 0), 1);
    if (dropped === undefined) return;
    this.#bytes -= dropped.raw.length;
    if (seen === -1) this.#onLost();
    const { stream } = dropped;
    if (stream.isFinished && !this.#kept.some((each) => each.stream === stream)) this.#forget(stream);
  }

  #forget(stream: SessionStream): void {
    if (!this.#streams.delete(stream.name)) return;
    stream.close();
    this.#kept = this.#kept.filter((each) => each.stream !== stream);
    this.#bytes = this.#kept.reduce((sum, { raw }) => sum + raw.length, 0);
  }
}
