/**
 * Measures what passes on live links, by size, direction and time, at the bounds of messages. Of what a client sends it
 * sees the bytes of the connection; of servers, of whatever transport, the length of messages with what TLS adds to them.
 */
import type { Duplex } from "node:stream";
import { Socket } from "node:net";

import type { Answer, AnswerEvent, Journaled } from "../../gate/call.ts";
import type { Upstreams } from "../../gate/ports.ts";

export interface SeenExchange {
  readonly direction: "incoming" | "outgoing";
  readonly peer: string;
  /** Of a clock that only goes forward. */
  readonly startMs: number;
  readonly up: number;
  readonly down: number;
  /** Until the answer began. */
  readonly answerMs?: number;
  /** What is asked, where its name is known. */
  readonly kind?: string;
}

/** Never throws: calls don't depend on it. */
export type OnExchange = (seen: SeenExchange) => void;

/** A record's header, its inner type and its tag (RFC 8446 §5.2), for each 2^14 bytes. */
const recordOverhead = 22;
const recordBytes = 16_384;
/** What heads of requests and answers are, about: their headers are ours, and much the same. */
const headBytes = 300;

/** Of names that are remembered: a caller may ask for any. */
const longestName = 64;

/** About what a message with that body comes to on a link. */
export function onWire(bodyBytes: number): number {
  const plain = bodyBytes + headBytes;
  return plain + recordOverhead * Math.ceil(plain / recordBytes);
}

interface Counted {
  read: number;
  written: number;
}

/** Bytes from a client and to it. */
export type Carried = Pick<SeenExchange, "up" | "down">;

/** What each link had carried when its newest exchange was over. */
const carried = new WeakMap<Duplex, Counted>();

/** From here on what a link carries is counted: its handshake isn't. */
export function beginMetering(link: Duplex): void {
  if (link instanceof Socket) carried.set(link, { read: link.bytesRead, written: link.bytesWritten });
}

/** What a link carried since its last exchange; undefined for what isn't metered. */
export function carriedSince(link: Duplex): Carried | undefined {
  const before = carried.get(link);
  if (before === undefined || !(link instanceof Socket)) return undefined;
  const [up, down] = [link.bytesRead - before.read, link.bytesWritten - before.written];
  before.read = link.bytesRead;
  before.written = link.bytesWritten;
  return { up: Math.max(0, up), down: Math.max(0, down) };
}

/** The same servers; each answered call is told when the last of its answer is there. */
export function meteredUpstreams(upstreams: Upstreams, onExchange: OnExchange | undefined): Upstreams {
  if (onExchange === undefined) return upstreams;
  return {
    ...upstreams,
    forward: async (call) => {
      const startMs = performance.now();
      const answer = await upstreams.forward(call);
      const { target } = call.question;
      return metered(answer, ({ bytes, beganMs }) =>
        onExchange({
          direction: "outgoing",
          peer: peerOf(call),
          startMs,
          up: onWire(call.body.length),
          down: onWire(bytes),
          // A stream that is listened to says something when there is something to say.
          ...(call.verb === "POST" && beganMs !== undefined && { answerMs: beganMs - startMs }),
          ...(target !== undefined &&
            target.name.length <= longestName && { kind: `${target.kind} ${target.name}` }),
        }),
      );
    },
  };
}

interface Got {
  readonly bytes: number;
  /** When the first of it was there. */
  readonly beganMs?: number;
}

function metered(answer: Answer, told: (got: Got) => void): Answer {
  if (answer.kind === "long") return { ...answer, chunks: counted(answer.chunks, bytesOfChunk, told) };
  if (answer.kind === "stream") return { ...answer, events: counted(answer.events, bytesOfEvent, told) };
  told({ bytes: answer.body.length, beganMs: performance.now() });
  return answer;
}

function bytesOfChunk(chunk: Uint8Array): number {
  return chunk.length;
}

function bytesOfEvent({ raw }: AnswerEvent): number {
  return raw.length;
}

/** The same pieces; their sum is told once, however it ends. */
function counted<T>(
  pieces: AsyncIterable<T>,
  bytesOf: (piece: T) => number,
  told: (got: Got) => void,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = pieces[Symbol.asyncIterator]();
      let [bytes, isTold] = [0, false];
      let beganMs: number | undefined;
      const end = (): void => {
        if (isTold) return;
        isTold = true;
        told({ bytes, ...(beganMs !== undefined && { beganMs }) });
      };
      return {
        next: async () => {
          try {
            const result = await inner.next();
            if (result.done === true) end();
            else bytes += bytesOf(result.value);
            beganMs ??= performance.now();
            return result;
          } catch (error) {
            end();
            throw error;
          }
        },
        return: async (value?: unknown) => {
          end();
          return (await inner.return?.(value)) ?? { done: true, value: undefined };
        },
      };
    },
  };
}

/** A forward server is as many peers as it has addresses. */
function peerOf({ server, targetUrl }: Journaled): string {
  return targetUrl === undefined ? server : `${server} ${targetUrl.origin}`;
}
