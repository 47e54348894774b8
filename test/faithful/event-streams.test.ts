/** Class 3: a stream is passed on event by event as it comes, in its own bytes, and never held back to its end. */
import assert from "node:assert/strict";
import type http from "node:http";
import { after, test } from "node:test";

import { eventually } from "../support/gateway.ts";
import { legacyCall, same, ways } from "../support/ways.ts";

const all = await ways({ after });
const sse = { "content-type": "text/event-stream", "cache-control": "no-cache" };
const answer = '{"jsonrpc":"2.0","id":1,"result":{}}';
const note = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}';

const streams: readonly (readonly [string, string])[] = [
  [
    "ids, retry, names and comments",
    `id: 1\nretry: 500\ndata:\n\n: still here\n\nevent: message\nid: 2\ndata: ${answer}\n\n`,
  ],
  ["CRLF", `id: a\r\ndata: ${note}\r\n\r\ndata: ${answer}\r\n\r\n`],
  ["CR", `data: ${note}\r\rdata: ${answer}\r\r`],
  ["line ends of all kinds", `data: ${note}\r\n\ndata: ${note}\n\r\ndata: ${note}\r\r\ndata: ${answer}\n\r`],
  ["data over several lines", 'data: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n'],
  ["a byte order mark", `\uFEFFdata: ${answer}\n\n`],
  ["fields nobody knows", `other: x\ndata:${answer}\n\n`],
  [
    "characters of several bytes",
    `: \u{1F600}\n\ndata: {"jsonrpc":"2.0","id":1,"result":{"t":"é\u2028\u{1F600}"}}\n\n`,
  ],
  ["nothing but comments before the answer", `:\n\n: a\n:b\n\ndata: ${answer}\n\n`],
  ["many events", `data: ${note}\n\n`.repeat(40) + `data: ${answer}\n\n`],
  ["more after the answer", `data: ${answer}\n\ndata: ${note}\n\n: bye\n\n`],
];
for (const [what, body] of streams) {
  test(`a stream with ${what} arrives byte for byte, in pieces of 1 byte, of 7 and whole`, async () => {
    const bytes = Buffer.from(body);
    for (const size of [1, 7, bytes.length]) {
      all.answering((_request, response) => {
        response.writeHead(200, sse);
        for (let at = 0; at < bytes.length; at += size) response.write(bytes.subarray(at, at + size));
        response.end();
      });
      const answered = await same(all, { body: legacyCall() }, ["content-type", "cache-control"]);
      assert.equal(answered.bytes.toString(), body, `pieces of ${size}`);
    }
  });
}

test("each event arrives while the server still works, wherever its bytes are cut, and the answer when it is there", async () => {
  let working: http.ServerResponse | undefined;
  all.answering((_request, response) => {
    working = response.writeHead(200, sse);
    response.flushHeaders();
  });
  for (const way of all.ours) {
    const { sofar, answer: head } = await way.open({ body: legacyCall() });
    assert.equal(head.statusCode, 200, "the head comes before any event");
    const event = `data: ${note}\r\n\r\n`;
    for (let n = 1; n <= 3; n++) {
      working?.write(event.slice(0, 5));
      working?.write(event.slice(5));
      await eventually(`event ${n} arrives`, () => sofar() === event.repeat(n));
    }
    working?.write(": alive\n\n");
    await eventually("a comment arrives", () => sofar().endsWith(": alive\n\n"));
    working?.write(`data: ${answer}\n\n`);
    await eventually("the answer arrives, though the stream goes on", () => sofar().includes(answer));
    working?.end();
    await eventually("the end arrives", () => head.complete);
  }
});

test("a stream that breaks off is broken off, never ended as if it were whole", async () => {
  all.answering((_request, response) => {
    response.writeHead(200, sse);
    response.write(`data: ${note}\n\ndata: {"jsonrpc"`, () => response.destroy());
  });
  for (const way of [all.straight, ...all.ours]) {
    const { answer: head } = await way.open({ body: legacyCall() });
    await eventually("it is over", () => head.destroyed);
    assert.equal(head.complete, false, way.name);
  }
});

test("what the server asks in the middle of a call is asked at once, and the call goes on with the client's answer", async () => {
  let asking: http.ServerResponse | undefined;
  all.answering((_request, response, body) => {
    const message = JSON.parse(body) as {
      readonly method?: string;
      readonly result?: { readonly n: number };
    };
    if (message.method !== undefined) {
      asking = response.writeHead(200, sse);
      response.write('data: {"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}\n\n');
      return;
    }
    response.writeHead(202).end();
    asking?.end(`data: {"jsonrpc":"2.0","id":1,"result":{"got":${String(message.result?.n)}}}\n\n`);
  });
  for (const way of all.ours) {
    const { sofar, answer: head } = await way.open({ body: legacyCall() });
    await eventually("the question arrives", () => sofar().includes("elicitation/create"));
    const told = await way.ask({ body: '{"jsonrpc":"2.0","id":"q","result":{"n":7}}' });
    assert.equal(told.status, 202);
    await eventually("the call ends", () => head.complete);
    assert.match(sofar(), /"got":7/);
  }
});
