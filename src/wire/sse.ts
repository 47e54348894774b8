/** Server-sent events (WHATWG HTML §9.2): split into whole events that keep their bytes, and written. */
import { concat, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";

export interface SseEvent {
  /** Exactly the bytes received, with the blank line that ends the event, or the late second half of its CRLF. */
  readonly raw: Uint8Array;
  /** The data lines joined by line feeds; null if there are none. */
  readonly data: Uint8Array | null;
  readonly event?: string;
  readonly id?: string;
  /** Below a thousand seconds; a stream that asks for more hasn't asked. */
  readonly retryMs?: number;
}

export interface SseReader {
  /** The events that are now whole. @throws Refusal `answer_too_large` */
  readonly push: (chunk: Uint8Array) => readonly SseEvent[];
  /** What is left of an event that isn't whole. */
  readonly rest: () => Uint8Array;
}

const lf = 0x0a;
const cr = 0x0d;

export function sseReader(maxEventBytes: number): SseReader {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let atLineStart = true;
  let isFirst = true;
  /** A CR was the last byte: `blank` if it ended an empty line, `line` otherwise. A LF may still belong to it. */
  let afterCr: "blank" | "line" | undefined;

  const cut = (end: Uint8Array): SseEvent => {
    const raw = parts.length === 0 ? end : concat([...parts, end]);
    parts = [];
    bytes = 0;
    checkLength(raw.length, maxEventBytes);
    const event = parseEvent(raw, isFirst);
    isFirst = false;
    return event;
  };
  return {
    rest: () => concat(parts),
    push: (chunk) => {
      const events: SseEvent[] = [];
      const nextEnd = lineEnds(chunk);
      let start = 0;
      let from = 0;
      for (let i = nextEnd(0); i < chunk.length; i = nextEnd(from)) {
        const byte = chunk[i];
        if (i > from) atLineStart = false;
        const before = i > from ? undefined : afterCr;
        from = i + 1;
        afterCr = undefined;
        let isWhole: boolean;
        if (byte === lf && before !== undefined) isWhole = before === "blank";
        else {
          const isBlank = atLineStart;
          atLineStart = true;
          if (byte === cr) afterCr = isBlank ? "blank" : "line";
          // A CR ends the event, and nobody waits for a LF: one that comes later goes on by itself.
          isWhole = isBlank && !(byte === cr && chunk[i + 1] === lf);
        }
        if (!isWhole) continue;
        events.push(cut(chunk.subarray(start, from)));
        start = from;
      }
      if (from < chunk.length) {
        atLineStart = false;
        afterCr = undefined;
      }
      if (start < chunk.length) parts.push(chunk.subarray(start));
      bytes += chunk.length - start;
      checkLength(bytes, maxEventBytes);
      return events;
    },
  };
}

export function writeSseEvent(event: {
  readonly data: Uint8Array;
  readonly event?: string;
  readonly id?: string;
  readonly retryMs?: number;
}): Uint8Array {
  const head =
    (event.event === undefined ? "" : `event: ${event.event}\n`) +
    (event.id === undefined ? "" : `id: ${event.id}\n`) +
    (event.retryMs === undefined ? "" : `retry: ${event.retryMs}\n`);
  const parts: Uint8Array[] = [utf8(head)];
  for (const line of splitLines(event.data)) parts.push(dataPrefix, line, lineEnd);
  const last = event.data.at(-1);
  if (last === undefined || last === lf || last === cr) parts.push(dataPrefix, lineEnd);
  parts.push(lineEnd);
  return concat(parts);
}

/** The bytes of an event with other data, spliced in where its data stands in one line; else it is written anew. */
export function withData({ raw, data, ...event }: SseEvent, changed: Uint8Array): Uint8Array {
  if (data === changed) return raw;
  const start = data?.buffer === raw.buffer ? data.byteOffset - raw.byteOffset : -1;
  const end = start + (data?.length ?? 0);
  if (start < 0 || end > raw.length || changed.includes(lf))
    return writeSseEvent({ ...event, data: changed });
  return concat([raw.subarray(0, start), changed, raw.subarray(end)]);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const dataPrefix = utf8("data: ");
const lineEnd = utf8("\n");
const byteOrderMark = [0xef, 0xbb, 0xbf];

function checkLength(bytes: number, maxEventBytes: number): void {
  if (bytes <= maxEventBytes) return;
  throw new Refusal(
    "answer_too_large",
    `An event of the server's stream is longer than ${maxEventBytes} bytes.`,
  );
}

/** Only what begins the stream may begin with a byte order mark; elsewhere it is content. */
function parseEvent(raw: Uint8Array, isFirst: boolean): SseEvent {
  const start = isFirst && byteOrderMark.every((byte, i) => raw[i] === byte) ? 3 : 0;
  const data: Uint8Array[] = [];
  const named: { event?: string; id?: string; retryMs?: number } = {};
  for (const line of splitLines(raw.subarray(start))) {
    const [name, value] = fieldOf(line);
    if (name === "data") data.push(value);
    else if (name === "event") named.event = text(value);
    else if (name === "id" && !value.includes(0)) named.id = text(value);
    else if (name === "retry" && /^\d{1,6}$/.test(text(value))) named.retryMs = Number(text(value));
  }
  return { raw, data: data.length === 0 ? null : joined(data), ...named };
}

/** A line's field name and value; a comment has the name "". */
function fieldOf(line: Uint8Array): readonly [name: string, value: Uint8Array] {
  const colon = line.indexOf(0x3a);
  if (colon === -1) return [text(line), new Uint8Array(0)];
  const from = line[colon + 1] === 0x20 ? colon + 2 : colon + 1;
  return [text(line.subarray(0, colon)), line.subarray(from)];
}

function joined(lines: readonly Uint8Array[]): Uint8Array {
  const [only, ...more] = lines;
  if (only !== undefined && more.length === 0) return only;
  return concat(lines.flatMap((line, i) => (i === 0 ? [line] : [lineEnd, line])));
}

/** By LF, CR or CRLF. */
function splitLines(bytes: Uint8Array): readonly Uint8Array[] {
  const lines: Uint8Array[] = [];
  const nextEnd = lineEnds(bytes);
  let start = 0;
  for (let i = nextEnd(0); i < bytes.length; i = nextEnd(start)) {
    lines.push(bytes.subarray(start, i));
    start = bytes[i] === cr && bytes[i + 1] === lf ? i + 2 : i + 1;
  }
  if (start < bytes.length) lines.push(bytes.subarray(start));
  return lines;
}

/** Where the next LF or CR is, from a place on that only grows; the length if there is none. Long lines cost next to nothing. */
function lineEnds(bytes: Uint8Array): (from: number) => number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const find = (byte: number, from: number): number => {
    const at = buffer.indexOf(byte, from);
    return at === -1 ? bytes.length : at;
  };
  let nextLf = -1;
  let nextCr = -1;
  return (from) => {
    if (nextLf < from) nextLf = find(lf, from);
    if (nextCr < from) nextCr = find(cr, from);
    return Math.min(nextLf, nextCr);
  };
}

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
