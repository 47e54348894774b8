/** Event streams in any pieces: the same events, the same bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type SseEvent, sseReader, withData, writeSseEvent } from "./sse.ts";

const decoder = new TextDecoder();
const said = ({ data, event, id }: SseEvent): object => ({ data: data && decoder.decode(data), event, id });

function eventsOf(stream: Uint8Array, cuts: readonly number[] = []): readonly SseEvent[] {
  const reader = sseReader(1_000_000);
  const places = [
    0,
    ...cuts.map((cut) => cut % (stream.length + 1)).toSorted((a, b) => a - b),
    stream.length,
  ];
  return places.slice(1).flatMap((end, i) => reader.push(stream.subarray(places[i], end)));
}

const streams: readonly (readonly [string, string, readonly object[]])[] = [
  ["one line of data", "data: a\n\n", [{ data: "a" }]],
  ["no space behind the colon", "data:a\n\n", [{ data: "a" }]],
  ["two spaces, of which one counts", "data:  a\n\n", [{ data: " a" }]],
  ["several lines of data", "data: a\ndata: b\n\n", [{ data: "a\nb" }]],
  ["a name and an id", "event: message\nid: 7\ndata: a\n\n", [{ data: "a", event: "message", id: "7" }]],
  ["an id with a NUL, which doesn't count", "id: 7\0\ndata: a\n\n", [{ data: "a" }]],
  ["an empty id, which resets", "id\ndata: a\n\n", [{ data: "a", id: "" }]],
  ["a comment", ": still here\n\n", [{ data: null }]],
  ["data without a value", "data\n\n", [{ data: "" }]],
  ["CRLF", "data: a\r\ndata: b\r\n\r\n", [{ data: "a\nb" }]],
  ["CR", "data: a\rdata: b\r\r", [{ data: "a\nb" }]],
  ["mixed line ends", "data: a\r\n\ndata: b\n\r\n", [{ data: "a" }, { data: "b" }]],
  ["a byte order mark", "\uFEFFdata: a\n\n", [{ data: "a" }]],
  ["an event that was cut off", "data: a\n\ndata: b\n", [{ data: "a" }]],
];

for (const [what, text, expected] of streams) {
  test(`an event stream with ${what} is read as the standard says`, () => {
    const found = eventsOf(utf8(text)).map(said);
    const whole = expected.map((event) => ({ data: null, event: undefined, id: undefined, ...event }));
    assert.deepEqual(found, whole);
  });
}

const streamBytes = fc
  .array(fc.constantFrom("data: x", "data: ", "id: 1", ":", "event: e", "\n", "\r", "\r\n", "\n\n", "é"), {
    maxLength: 40,
  })
  .map((parts) => utf8(parts.join("")));

test("the pieces a stream comes in change neither its events nor its bytes", () => {
  fc.assert(
    fc.property(streamBytes, fc.array(fc.nat(200), { maxLength: 12 }), (stream, cuts) => {
      const reader = sseReader(1_000_000);
      const places = [
        0,
        ...cuts.map((cut) => cut % (stream.length + 1)).toSorted((a, b) => a - b),
        stream.length,
      ];
      const events = places.slice(1).flatMap((end, i) => reader.push(stream.subarray(places[i], end)));
      const spoken = (all: readonly SseEvent[]) =>
        all.map(said).filter((event) => JSON.stringify(event) !== '{"data":null}');
      assert.deepEqual(spoken(events), spoken(eventsOf(stream)));
      assert.deepEqual(Buffer.concat([...events.map(({ raw }) => raw), reader.rest()]), Buffer.from(stream));
    }),
  );
});

test("an event leaves as soon as it is whole, whatever its line ends and wherever it was cut", () => {
  for (const end of ["\n\n", "\r\r", "\r\n\r", "\r\n\r\n"]) {
    assert.equal(sseReader(100).push(utf8(`data: a${end}`)).length, 1, JSON.stringify(end));
  }
  const reader = sseReader(100);
  reader.push(utf8("data: a\r\n\r"));
  const late = reader.push(utf8("\n"));
  assert.deepEqual(
    late.map(({ raw, data }) => [decoder.decode(raw), data]),
    [["\n", null]],
  );
});

test("an event beyond the limit is refused, however it comes", () => {
  const reader = sseReader(16);
  const push = (): void => void Array.from({ length: 20 }, () => reader.push(utf8("data")));
  assert.throws(push, (error: unknown) => error instanceof Refusal && error.code === "answer_too_large");
});

test("what is written is read back, line breaks in the data included", () => {
  fc.assert(
    fc.property(fc.string(), fc.option(fc.nat()), (text, id) => {
      const data = text.replaceAll(/\r\n?/g, "\n");
      const bytes = writeSseEvent({ data: utf8(data), ...(id !== null && { id: String(id) }) });
      const [event] = eventsOf(bytes);
      assert.equal(event && decoder.decode(event.data ?? utf8("absent")), data.toWellFormed());
      assert.equal(event?.id, id === null ? undefined : String(id));
    }),
  );
});

test("the limit is one event's, not the stream's, and what meets it passes", () => {
  const reader = sseReader(10);
  for (let i = 0; i < 5; i++) {
    assert.equal(reader.push(utf8("data: xx")).length, 0);
    assert.equal(reader.push(utf8("\n\n")).length, 1);
  }
  assert.throws(
    () => reader.push(utf8("data: xxxxxx")),
    (error: unknown) => error instanceof Refusal && error.code === "answer_too_large",
  );
});

test("a long event is refused whether it comes in one piece or in many", () => {
  const long = utf8(`data: ${"x".repeat(1000)}\n\n`);
  assert.throws(() => sseReader(16).push(long), Refusal);
  const reader = sseReader(16);
  reader.push(long.subarray(0, 10));
  assert.throws(() => reader.push(long.subarray(10)), Refusal);
});

test("a byte order mark counts at the beginning of the stream only", () => {
  const found = eventsOf(utf8("data: a\n\uFEFFdata: b\n\n\uFEFFdata: c\n\nid: \uFEFFx\ndata: d\n\n")).map(
    said,
  );
  assert.deepEqual(found, [
    { data: "a", event: undefined, id: undefined },
    { data: null, event: undefined, id: undefined },
    { data: "d", event: undefined, id: "\uFEFFx" },
  ]);
});

test("an event is written field by field", () => {
  const bytes = writeSseEvent({ data: utf8("a\r\nb\rc\nd"), event: "message", id: "7", retryMs: 1500 });
  assert.equal(
    decoder.decode(bytes),
    "event: message\nid: 7\nretry: 1500\ndata: a\ndata: b\ndata: c\ndata: d\n\n",
  );
  assert.deepEqual(eventsOf(bytes).map(said), [{ data: "a\nb\nc\nd", event: "message", id: "7" }]);
});

test("what follows the last whole event is kept as the rest", () => {
  const reader = sseReader(100);
  reader.push(utf8("data: a\n\nda"));
  reader.push(utf8("ta: b"));
  assert.equal(decoder.decode(reader.rest()), "data: b");
});

test("an event with other data keeps all else: spliced where its data is one line, written anew where it isn't", () => {
  const line = "\uFEFF: hello\r\nid: 7\r\nretry: 20\r\ndata: {old}\r\nx: y\r\n\r\n";
  const [event] = sseReader(1000).push(utf8(line));
  assert.ok(event);
  assert.equal(text(withData(event, utf8("{new one}"))), line.replace("{old}", "{new one}"));
  assert.equal(withData(event, event.data ?? utf8("")), event.raw);
  const [lines] = sseReader(1000).push(utf8("id: 7\nevent: message\ndata: {\ndata: }\n\n"));
  assert.ok(lines);
  assert.equal(text(withData(lines, utf8('{"a":\n1}'))), 'event: message\nid: 7\ndata: {"a":\ndata: 1}\n\n');
});

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
