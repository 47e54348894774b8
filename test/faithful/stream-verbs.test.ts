/** Class 5: GET and DELETE mean what they mean to the server; streams are resumed where it says. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { eventually } from "../support/gateway.ts";
import { messagesIn, scriptedServer } from "../support/pipes.ts";
import { type Asked, bytesAnswer, listening, same, ways } from "../support/ways.ts";

const all = await ways({ after });
const get = { method: "GET", headers: listening };
const del = { method: "DELETE", headers: {} };

const verbs: readonly (readonly [string, Asked, number, string])[] = [
  ["a stream nobody offers is a 405", get, 405, ""],
  ["a stream that is offered is opened", get, 200, ": hello\n\n"],
  ["a second stream in a session is a 409, with the server's own words", get, 409, "busy"],
  ["a stream of a session that died is a 404", get, 404, ""],
  ["the end of a session is passed on", del, 200, ""],
  ["the end of a session that leaves nothing to say is a 204", del, 204, ""],
  ["the end of a session that can't be ended is a 405", del, 405, ""],
  [
    "a notification is accepted with 202 and nothing",
    { body: '{"jsonrpc":"2.0","method":"notifications/x"}' },
    202,
    "",
  ],
];
for (const [what, asked, status, body] of verbs) {
  test(what, async () => {
    const isStream = asked.method === "GET" && status === 200;
    const headers = {
      allow: "POST",
      "content-type": isStream ? "text/event-stream" : "application/json",
      ...(body === "" && status !== 204 && { "content-length": "0" }),
    };
    all.answering(bytesAnswer(body, headers, status));
    const before = all.stub.seen.length;
    const answered = await same(all, asked, ["content-type", "allow"]);
    assert.deepEqual([answered.status, answered.bytes.toString()], [status, body]);
    const methods = all.stub.seen.slice(before).map(({ method }) => method);
    assert.deepEqual(methods, Array(3).fill(asked.method ?? "POST"));
  });
}

test("what the server says unasked arrives on the stream at once, and a reader that leaves is seen to leave", async () => {
  let left = 0;
  all.answering((_request, response) => {
    response.on("close", () => (left += 1));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('id: e1\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
  });
  for (const [i, way] of all.ours.entries()) {
    const { sofar, leave } = await way.open(get);
    await eventually(
      "it arrives",
      () => sofar().endsWith('list_changed"}\n\n') && sofar().startsWith("id: e1\n"),
    );
    leave();
    await eventually("the server sees it leave", () => left === i + 1);
  }
});

test("Last-Event-ID reaches the server as it was, and what is replayed comes back byte for byte", async () => {
  const replayed =
    'id: st\u00e9-3/1\r\nretry: 10\r\ndata: {"jsonrpc":"2.0","id":1,"result":{"n":1.0}}\r\n\r\n: end\n\n';
  all.answering((request, response) => {
    const known = request.headers["last-event-id"] === "st-3/0=,x y";
    bytesAnswer(known ? replayed : "", { "content-type": "text/event-stream" })(request, response, "");
  });
  const resume = { method: "GET", headers: { ...listening, "last-event-id": "st-3/0=,x y" } };
  assert.equal((await same(all, resume)).bytes.toString(), replayed);
});

test("a stdio server's session has one stream; a second is a 409 and leaves the first as it is", async (t) => {
  const { client, session, way } = await scriptedServer(t);
  const { headers, call } = await session();
  const said = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';
  const listen = { method: "GET", headers: { ...listening, ...headers } };
  const first = await way.open(listen);
  assert.equal((await way.ask(listen)).status, 409);
  assert.equal((await call("say", { text: `{"jsonrpc":"2.0","id":1,"result":{}}\n${said}\n` })).status, 200);
  assert.equal((await client.request("pipe", { method: "DELETE", headers })).status, 200);
  await eventually("the first ends with it", () => first.answer.complete);
  assert.deepEqual(messagesIn(first.sofar()), [said]);
});

test("a stdio server without a session offers no stream and has nothing to end: 405, never a 404", async (t) => {
  const { client } = await scriptedServer(t);
  for (const asked of [get, del]) {
    const answered = await client.request("pipe", asked);
    assert.deepEqual([answered.status, answered.headers["allow"]], [405, "POST"], asked.method);
  }
});
