/** Class 2: `_meta` crosses in both directions, at each place it may stand, over every kind of hop, and gains nothing. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { asLine } from "../../src/wire/lines.ts";
import { eventually } from "../support/gateway.ts";
import { heardIn, messagesIn, scriptedServer, stdioClient } from "../support/pipes.ts";
import { bytesAnswer, json, modernCall, modernHeaders, same, ways } from "../support/ways.ts";

const vendor =
  '"com.example/trace":{"n":1.0,"deep":[{"x":null}]},"dev.mcp.x/y":"z","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"';
const params = `"params":{"_meta":{"progressToken":"tok-1",${vendor}},"name":"say","arguments":{"_meta":{"mine":1}}}`;
const result = `"result":{"_meta":{${vendor},"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}},"content":[{"type":"text","text":"t","_meta":{${vendor}}}],"tools":[{"name":"a","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://x"},${vendor}}}]}`;
const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"tok-1","progress":1,"_meta":{${vendor}}}}`;
const request = `{"jsonrpc":"2.0","id":1,"method":"tools/call",${params}}`;
const answer = `{"jsonrpc":"2.0","id":1,${result}}`;

const all = await ways({ after });

test("_meta of a request reaches the server as it was: progress token, vendor keys, trace", async () => {
  all.answering(bytesAnswer(answer));
  for (const way of all.ours) {
    await way.ask({ body: request });
    assert.equal(all.stub.seen.at(-1)?.body, request, way.name);
  }
});

test("_meta of a modern request reaches the server as it was: version, capabilities, client, log level", async () => {
  all.answering(bytesAnswer(answer.replace('"id":1', '"id":"m"')));
  const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"extensions":{"com.example/x":{"v":1.0}}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/logLevel":"debug","progressToken":7,${vendor}}`;
  const body = `{"jsonrpc":"2.0","id":"m","method":"tools/call","params":{${meta},"name":"a"}}`;
  for (const way of all.ours) {
    assert.equal((await way.ask({ headers: modernHeaders("tools/call", "a"), body })).status, 200);
    assert.equal(all.stub.seen.at(-1)?.body, body, way.name);
  }
});

test("_meta of a result, of its tools and of its content arrives as it was", async () => {
  all.answering(bytesAnswer(answer));
  assert.equal((await same(all, { body: request })).bytes.toString(), answer);
});

test("an answer without _meta gets none, and an empty result stays empty", async () => {
  const bare = '{"jsonrpc":"2.0","id":1,"result":{}}';
  all.answering(bytesAnswer(bare));
  for (const asked of [{ body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }, modernCall("a")]) {
    assert.equal((await same(all, asked)).bytes.toString(), bare);
  }
});

test("_meta and the progress token of a notification arrive as they were", async () => {
  const stream = `event: message\ndata: ${progress}\n\ndata: ${answer}\n\n`;
  all.answering(bytesAnswer(stream, { "content-type": "text/event-stream" }));
  assert.equal((await same(all, { body: request })).bytes.toString(), stream);
});

test("_meta of a client's notification and of its answer reaches the server as it was", async () => {
  all.answering(bytesAnswer("", {}, 202));
  for (const body of [
    `{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":{"_meta":{${vendor}}}}`,
    `{"jsonrpc":"2.0","id":"q","result":{"action":"accept","_meta":{${vendor}}}}`,
  ]) {
    for (const way of all.ours) {
      assert.equal((await way.ask({ body })).status, 202);
      assert.equal(all.stub.seen.at(-1)?.body, body, way.name);
    }
  }
});

test("over a stdio server, _meta crosses both ways as it was", async (t) => {
  const { session, client } = await scriptedServer(t);
  const { headers, call } = await session();
  const text = `${progress}\n${answer}\n`;
  const body = request.replace('{"_meta":{"mine":1}}', JSON.stringify({ text, _meta: { mine: 1 } }));
  const answered = await client.request("pipe", { headers: { ...json, ...headers }, body });
  assert.deepEqual(messagesIn(answered.text), [progress, answer], "what the server wrote");
  assert.equal(heardIn((await call("heard", {}, 2)).text).at(-2), body);
});

test("over the stdio front of a sidecar, _meta crosses both ways as it was", async (t) => {
  const { house } = await scriptedServer(t);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  const text = `${progress}\n${answer}\n`;
  const body = request.replace('{"_meta":{"mine":1}}', JSON.stringify({ text, _meta: { mine: 1 } }));
  const before = client.lines.length;
  client.write(asLine(Buffer.from(body)));
  await eventually("both came", () => client.lines.length === before + 2);
  assert.deepEqual(client.lines.slice(before), [progress, answer]);
  assert.equal(await client.lastHeard(), body);
});
