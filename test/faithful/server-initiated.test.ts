/** Class 12: what a server says unasked reaches the client whole, in order and where it belongs; the client's answers reach the server. */
import assert from "node:assert/strict";
import type http from "node:http";
import { after, test } from "node:test";

import { eventually } from "../support/gateway.ts";
import { heardIn, messagesIn, scriptedServer, stdioClient, valueIn } from "../support/pipes.ts";
import { json, legacyCall, listening, modernCall, modernMeta, ways } from "../support/ways.ts";

const all = await ways({ after });

const questions = [
  ["elicitation/create", '"params":{"message":"m","requestedSchema":{"type":"object","new":1.0}}'],
  ["sampling/createMessage", '"params":{"messages":[],"maxTokens":1e2,"_meta":{"x/y":1}}'],
  ["roots/list", '"params":{}'],
  ["com.example/next", '"params":{"a":[1.0]}'],
] as const;
const reply = '{"jsonrpc":"2.0","id":"q","result":{"action":"accept","content":{"n":1.50}}}';
const refusal = '{"jsonrpc":"2.0","id":"q","error":{"code":-1,"message":"no","data":[1.0]}}';

for (const [method, params] of questions) {
  const question = `{"jsonrpc":"2.0","id":"q","method":"${method}",${params}}`;
  test(`${method} reaches the client in a call and on the GET stream as it was, and the client's answer the server, with 202`, async () => {
    let open: http.ServerResponse | undefined;
    all.answering((request, response, body) => {
      if (body.includes('"id":"q"')) {
        response.writeHead(202).end();
        open?.end(request.url === undefined ? "" : 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
        return;
      }
      open = response.writeHead(200, { "content-type": "text/event-stream" });
      open.write(`data: ${question}\n\n`);
    });
    for (const way of all.ours) {
      for (const asked of [{ body: legacyCall() }, { method: "GET", headers: listening }]) {
        for (const answer of [reply, refusal]) {
          const opened = await way.open(asked);
          await eventually("the question arrives", () => opened.sofar() === `data: ${question}\n\n`);
          const { status, bytes } = await way.ask({ body: answer });
          assert.deepEqual([status, bytes.length], [202, 0], way.name);
          assert.equal(all.stub.seen.at(-1)?.body, answer, way.name);
          await eventually("the stream ends", () => opened.answer.complete);
        }
      }
    }
  });

  test(`${method} of a stdio server reaches the client in its call as it was, and the client's answer the server`, async (t) => {
    const { session, way, client } = await scriptedServer(t);
    const { headers, call, tell } = await session();
    const body = legacyBody("say", { text: `${question}\n` }, 5);
    const opened = await way.open({ headers: { ...json, ...headers }, body });
    await eventually("the question arrives", () => messagesIn(opened.sofar()).includes(question));
    assert.deepEqual(messagesIn(opened.sofar()), [question]);
    const told = await client.request("pipe", { headers: { ...json, ...headers }, body: reply });
    assert.equal(told.status, 202);
    assert.equal(heardIn((await call("heard", {}, 6)).text).at(-2), reply);
    await call(
      "say",
      { text: '{"jsonrpc":"2.0","id":7,"result":{}}\n{"jsonrpc":"2.0","id":5,"result":{"z":1.0}}\n' },
      7,
    );
    await eventually("the call ends", () => opened.answer.complete);
    assert.match(opened.sofar(), /data: \{"jsonrpc":"2\.0","id":5,"result":\{"z":1\.0\}\}\n\n$/);
    assert.equal((await tell({ method: "notifications/x" })).status, 202);
  });
}

function legacyBody(tool: string, args: object, id: number | string, meta?: object): string {
  const params = { name: tool, arguments: args, ...(meta && { _meta: meta }) };
  return JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params });
}

test("over the stdio front, a question is a line and the client's line its answer", async (t) => {
  const { house } = await scriptedServer(t);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  const question = '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"n":1.0}}';
  assert.equal(await client.ask(legacyBody("say", { text: `${question}\n` }, 5)), question);
  client.write(`${reply}\n`);
  await eventually("the server hears it", async () => (await client.lastHeard()) === reply);
  const answer = '{"jsonrpc":"2.0","id":5,"result":{}}';
  assert.equal(await client.ask(legacyBody("say", { text: `${answer}\n` }, 5.5 + "")), answer);
  client.write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"5.5"}}\n');
});

function progressLine(token: string | number, progress: number): string {
  return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${JSON.stringify(token)},"progress":${progress}.0}}`;
}

test("progress arrives in order and before the result, over every hop", async (t) => {
  const result = '{"jsonrpc":"2.0","id":5,"result":{"done":1.0}}';
  const lines = [...Array.from({ length: 50 }, (_, n) => progressLine("t", n)), result];
  const { session, way, house } = await scriptedServer(t);
  const { headers } = await session();
  const text = lines.map((line) => `${line}\n`).join("");
  const body = legacyBody("say", { text }, 5, { progressToken: "t" });
  const answered = await way.ask({ headers: { ...json, ...headers }, body });
  assert.deepEqual(messagesIn(answered.bytes.toString()), lines);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  const before = client.lines.length;
  client.write(`${body}\n`);
  await eventually("all came", () => client.lines.length >= before + lines.length);
  assert.deepEqual(client.lines.slice(before), lines);
  const stream = lines.map((line) => `data: ${line}\n\n`).join("");
  all.answering((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of stream.split(/(?<=\n\n)/)) response.write(event);
    response.end();
  });
  for (const way of all.ours) {
    assert.equal((await way.ask({ body })).bytes.toString(), stream, way.name);
  }
});

test("after a call's result nothing of it comes any more, in its own answer or in another's", async (t) => {
  const { way, pipe } = await scriptedServer(t);
  const other = way.open(
    modernCall("say", { text: `${progressLine("other", 1)}\n` }, "o", { progressToken: "other" }),
  );
  const result = '{"jsonrpc":"2.0","id":"a","result":{}}';
  const late = [result, progressLine("a", 7), progressLine("nobody's", 8), progressLine("other", 2)];
  const opened = await other;
  const answered = await way.ask(
    modernCall("say", { text: late.map((line) => `${line}\n`).join("") }, "a", { progressToken: "a" }),
  );
  assert.equal(answered.bytes.toString(), result, "alone, so as JSON");
  await eventually("the other's own comes", () => opened.sofar().includes('"progress":2.0'));
  assert.doesNotMatch(opened.sofar(), /"progress":[78]/);
  assert.equal((await pipe("echo", { x: 1 })).status, 200);
  opened.leave();
});

test("list_changed and other news reach who listens: on a GET stream, over a pipe, over the stdio front", async (t) => {
  const news = [
    "tools/list_changed",
    "resources/list_changed",
    "prompts/list_changed",
    "resources/updated",
    "message",
  ].map((what) => `{"jsonrpc":"2.0","method":"notifications/${what}","params":{"_meta":{"n":1.0}}}`);
  const stream = news.map((line) => `event: message\ndata: ${line}\n\n`).join("");
  all.answering((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(stream);
  });
  for (const way of all.ours) {
    const { sofar, leave } = await way.open({ method: "GET", headers: listening });
    await eventually(`${way.name}: the news arrive`, () => sofar() === stream);
    leave();
  }
  const { session, way, house } = await scriptedServer(t);
  const { headers, call } = await session();
  const listener = await way.open({ method: "GET", headers: { ...listening, ...headers } });
  const result = '{"jsonrpc":"2.0","id":1,"result":{}}';
  const text = [result, ...news].map((line) => `${line}\n`).join("");
  assert.deepEqual(messagesIn((await call("say", { text })).text), [result]);
  await eventually("the news arrive", () => messagesIn(listener.sofar()).length >= news.length);
  assert.deepEqual(messagesIn(listener.sofar()), news);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  const before = client.lines.length;
  client.write(`${legacyBody("say", { text }, 1)}\n`);
  await eventually("the news arrive", () => client.lines.length >= before + 1 + news.length);
  const came = client.lines.slice(before);
  assert.deepEqual(
    came.filter((line) => line !== result),
    news,
  );
});

test("what a modern subscription on a stdio server is told goes to its stream, and to no other call", async (t) => {
  const { way, pipe } = await scriptedServer(t);
  const tagged = (what: string): string =>
    `{"jsonrpc":"2.0","method":"notifications/${what}","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}}}`;
  const acknowledged = tagged("subscriptions/acknowledged");
  const params = { _meta: modernMeta, name: "say" };
  const listen = way.open({
    headers: { ...json, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" },
    body: JSON.stringify({ jsonrpc: "2.0", id: "sub", method: "subscriptions/listen", params }),
  });
  await eventually("it is asked", async () =>
    heardIn((await pipe("heard", {}, "h")).text).some((line) => line.includes("subscriptions/listen")),
  );
  const say = (line: string) =>
    pipe("say", { text: `${line}\n{"jsonrpc":"2.0","id":1,"result":{"content":[{"text":"0"}]}}\n` });
  for (const line of [acknowledged, tagged("tools/list_changed")]) {
    assert.equal(valueIn((await say(line)).text), 0, "the call that ran meanwhile has its answer alone");
  }
  const opened = await listen;
  const expected = [acknowledged, tagged("tools/list_changed")].map(
    (line) => `event: message\ndata: ${line}\n\n`,
  );
  await eventually("both arrive", () => opened.sofar() === expected.join(""));
  opened.leave();
});
