/** Class 11: going away means cancel in the modern era and doesn't in the legacy one; over HTTP the server sees it go in both. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { eventually } from "../support/gateway.ts";
import { heardIn, scriptedServer, stdioClient } from "../support/pipes.ts";
import { legacyCall, modernCall, ways } from "../support/ways.ts";

const all = await ways({ after });

for (const [era, asked] of [
  ["modern", modernCall("a")],
  ["legacy", { body: legacyCall() }],
] as const) {
  test(`when a client of the ${era} era goes away, a server over HTTP sees it go, before and after its answer began`, async () => {
    let [came, gone] = [0, 0];
    let begins = false;
    all.answering((_request, response) => {
      came += 1;
      response.on("close", () => (gone += 1));
      if (begins) response.writeHead(200, { "content-type": "text/event-stream" }).write(": waiting\n\n");
    });
    for (const way of [all.straight, ...all.ours]) {
      begins = false;
      let expected = came + 1;
      const leave = way.begin(asked);
      await eventually("the server has the call", () => came === expected);
      leave();
      await eventually(`${way.name}: the server sees it before it answered`, () => gone === expected);
      begins = true;
      expected += 1;
      const opened = await way.open(asked);
      await eventually("the answer begins", () => opened.sofar() !== "");
      assert.equal(gone, expected - 1);
      opened.leave();
      await eventually(`${way.name}: the server sees it while it answers`, () => gone === expected);
    }
  });
}

/** A message that opens the answer's stream. */
function progress(token: string): string {
  const params = { progressToken: token, progress: 1 };
  return `${JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params })}\n`;
}

/** The cancellations among what a server heard. */
function cancelled(heard: readonly string[]): readonly unknown[] {
  return heard
    .map(
      (line) =>
        JSON.parse(line) as { readonly method?: string; readonly params?: { readonly requestId?: unknown } },
    )
    .flatMap(({ method, params }) => (method === "notifications/cancelled" ? [params?.requestId] : []));
}

test("a modern client that goes away cancels exactly its request on a stdio server, once, by its own id", async (t) => {
  const { way, pipe } = await scriptedServer(t);
  const heard = async (): Promise<readonly string[]> => heardIn((await pipe("heard", {}, "h")).text);
  const others = ["other", "1"].map((id) => way.begin(modernCall("hold", {}, id)));
  await eventually(
    "they are under way",
    async () => (await heard()).filter((line) => line.includes('"hold"')).length === 2,
  );
  const early = way.begin(modernCall("hold", {}, 1));
  await eventually("it is under way", async () => (await heard()).some((line) => line.includes('"id":1,')));
  early();
  await eventually("the server is told", async () => cancelled(await heard()).length > 0);
  assert.deepEqual(cancelled(await heard()), [1]);
  const late = await way.open(
    modernCall("say", { text: progress("t") }, "streaming", { progressToken: "t" }),
  );
  late.leave();
  await eventually("the server is told", async () => cancelled(await heard()).length > 1);
  for (let i = 0; i < 3; i++)
    assert.deepEqual(cancelled(await heard()), [1, "streaming"], "no other, and no more");
  for (const leave of others) leave();
});

test("a legacy client that goes away cancels nothing: the call is carried out to its end", async (t) => {
  const { way, session } = await scriptedServer(t);
  const { headers, call, tell } = await session();
  const asked = (tool: string, id: string, args: object = {}) => ({
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name: tool, arguments: args, _meta: { progressToken: id } },
    }),
  });
  const heard = async (id: string): Promise<readonly string[]> => heardIn((await call("heard", {}, id)).text);
  const early = way.begin(asked("finish", "f"));
  await eventually("it is under way", async () =>
    (await heard("h1")).some((line) => line.includes('"finish"')),
  );
  early();
  const late = await way.open(asked("say", "s", { text: progress("s") }));
  late.leave();
  await eventually("the gateway has seen it go", () => late.answer.destroyed);
  // Only a request that is still under way can't have its id taken.
  assert.equal((await call("echo", {}, "f")).status, 400);
  assert.equal((await tell({ method: "notifications/test/finish" })).status, 202);
  await eventually("it has ended", async () => (await call("echo", {}, "f")).status === 200);
  await call(
    "say",
    { text: '{"jsonrpc":"2.0","id":"s","result":{}}\n{"jsonrpc":"2.0","id":"e","result":{}}\n' },
    "e",
  );
  assert.deepEqual(cancelled(await heard("h2")), []);
});

test("a client's own cancellation reaches a legacy server as it was, over HTTP, a pipe and the stdio front", async (t) => {
  const body =
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x","reason":"r","new":1.0}}';
  all.answering((_request, response) => void response.writeHead(202).end());
  for (const way of all.ours) {
    assert.equal((await way.ask({ body })).status, 202);
    assert.equal(all.stub.seen.at(-1)?.body, body, way.name);
  }
  const { session, client, house } = await scriptedServer(t);
  const { headers, call } = await session();
  await client.request("pipe", { headers: { "content-type": "application/json", ...headers }, body });
  assert.equal(heardIn((await call("heard")).text).at(-2), body);
  const front = await stdioClient(t, house, "pipe");
  await front.initialize();
  front.write('{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"hold"}}\n');
  front.write(`${body}\n`);
  await eventually("the server hears it", async () => (await front.lastHeard()) === body);
});

test("a modern client behind the stdio front cancels by saying so: its stream is closed, and the server sees it", async (t) => {
  let gone = 0;
  const before = all.stub.seen.length;
  all.answering((_request, response) => {
    response.on("close", () => (gone += 1));
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": waiting\n\n");
  });
  const client = await stdioClient(t, all.house, "stub");
  const line = (id: string): string => `${String(modernCall("a", {}, id).body)}\n`;
  const cancel = (id: string): string =>
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"${id}"}}\n`;
  client.write(line("x") + line("y") + line("at once") + cancel("at once"));
  await eventually("both are under way", () => all.stub.seen.length === before + 2);
  client.write(cancel("x"));
  await eventually("the server sees one go", () => gone === 1);
  assert.equal(all.stub.seen.length, before + 2, "nothing was sent for it");
  client.write(cancel("y"));
  await eventually("the server sees the other go", () => gone === 2);
  assert.deepEqual(client.lines, [], "nobody answers what was cancelled");
});
