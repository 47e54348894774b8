/** Sessions of legacy clients at a modern server: what they listen to, what they cancel, how they end. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test } from "node:test";

import { type Client, eventually } from "../support/gateway.ts";
import {
  acknowledge,
  discovery,
  events,
  json,
  legacySession,
  modernServer,
  setUp,
} from "../support/modern-scene.ts";

const form = {
  method: "elicitation/create",
  params: { message: "Name?", requestedSchema: { type: "object" } },
};
const needsInput = { resultType: "input_required", inputRequests: { a: form, b: form }, requestState: "s" };
const call = { jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "ask" } };

type Headers = Record<string, string>;

interface Said {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly requestId?: string; readonly uri?: string };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** What a stream says, as it comes. */
interface Hearing {
  readonly messages: readonly Said[];
  /** Of the last event. */
  readonly lastId: () => string | undefined;
  readonly isOver: () => boolean;
  readonly cut: () => void;
}

async function hear(client: Client, options: Parameters<Client["stream"]>[1]): Promise<Hearing> {
  const { events: said, cut } = await client.stream("new", options);
  const messages: Said[] = [];
  let isOver = false;
  let lastId: string | undefined;
  const read = async (): Promise<void> => {
    for await (const { data, id } of said) {
      lastId = id ?? lastId;
      if (data?.length) messages.push(JSON.parse(data.toString()) as Said);
    }
  };
  void read()
    .catch(() => undefined)
    .finally(() => (isOver = true));
  return { messages, cut, lastId: () => lastId, isOver: () => isOver };
}

function ask(client: Client, headers: Headers, message: object = call): Promise<Hearing> {
  return hear(client, { headers, body: JSON.stringify(message) });
}

function listen(client: Client, headers: Headers): Promise<Hearing> {
  return hear(client, { method: "GET", headers: { ...headers, accept: "text/event-stream" } });
}

const answerTo = ({ id }: Said, rest: object = { result: { action: "decline" } }): object => ({
  jsonrpc: "2.0",
  id,
  ...rest,
});

function askedOf(messages: readonly Said[]): readonly Said[] {
  return messages.filter(({ method }) => method === "elicitation/create");
}

test("an answer counts once: given twice, under an id nobody has, or in another session it changes nothing", async (t) => {
  const server = await modernServer(t, {
    "tools/call": (response, { id, params }) =>
      json(response, {
        id,
        result: params["inputResponses"] === undefined ? needsInput : { done: params["inputResponses"] },
      }),
  });
  const { client } = await setUp(t, server);
  const [headers, others] = [await legacySession(client), await legacySession(client)];
  const heard = await ask(client, headers);
  await eventually("both questions arrive", () => askedOf(heard.messages).length === 2);
  const [first, second] = askedOf(heard.messages);
  assert.ok(first && second);
  for (const [message, of] of [
    [answerTo({ id: "nobody's" }), headers],
    [answerTo({ id: 0 }), headers],
    [answerTo(second, { result: { from: "elsewhere" } }), others],
    [answerTo(first, { result: { n: 1 } }), headers],
    [answerTo(first, { result: { n: 2 } }), headers],
    [answerTo(second, { result: { n: 3 } }), headers],
  ] as const)
    assert.equal((await client.post("new", message, of)).status, 202);
  await eventually("the call is answered", heard.isOver);
  assert.deepEqual(heard.messages.at(-1)?.result, { done: { a: { n: 1 }, b: { n: 3 } } });
});

test("a client that answers with an error ends its call, and hears that the other question doesn't matter", async (t) => {
  const server = await modernServer(t, {
    "tools/call": (response, { id }) => json(response, { id, result: needsInput }),
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const heard = await ask(client, headers);
  await eventually("both questions arrive", () => askedOf(heard.messages).length === 2);
  const [first, second] = askedOf(heard.messages);
  await client.post(
    "new",
    answerTo(first ?? {}, { error: { code: -1, message: "words of the user" } }),
    headers,
  );
  await eventually("the call ends", heard.isOver);
  const [cancelled, last] = heard.messages.slice(-2);
  assert.equal(cancelled?.method, "notifications/cancelled");
  assert.equal(cancelled.params?.requestId, second?.id);
  assert.equal(last?.id, 5);
  assert.match(last.error?.message ?? "", /elicitation\/create with an error \(-1\)/);
  assert.equal(server.requests.filter(({ method }) => method === "tools/call").length, 1);
});

test("a rule about what servers ask of clients counts for what a modern server needs", async (t) => {
  const server = await modernServer(t, {
    "tools/call": (response, { id }) => json(response, { id, result: needsInput }),
  });
  const { client, gateway } = await setUp(t, server, {
    policy: `
  - name: nobody-is-asked
    callers: ["*"]
    methods: ["*/elicitation/create"]
    effect: deny
    because: People aren't asked.`,
  });
  const heard = await ask(client, await legacySession(client));
  await eventually("the call ends", heard.isOver);
  assert.deepEqual(askedOf(heard.messages), []);
  assert.match(heard.messages.at(-1)?.error?.message ?? "", /elicitation\/create/);
  assert.ok(gateway.log.some((line) => line.includes("request.denied")));
});

test("a call that is cancelled is cancelled at the server, and over for its client", async (t) => {
  let isGone = false;
  const server = await modernServer(t, {
    "tools/call": (response, { params }) => {
      const token = params._meta["progressToken"];
      const progress = {
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: token, progress: 1 },
      };
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`data: ${JSON.stringify(progress)}\n\n`);
      response.on("close", () => (isGone = true));
    },
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const heard = await ask(client, headers, {
    ...call,
    params: { name: "wait", _meta: { progressToken: 9 } },
  });
  await eventually("it is under way", () => heard.messages[0]?.method === "notifications/progress");
  const cancel = (requestId: unknown): object => ({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId },
  });
  await client.post("new", cancel("5"), headers);
  await client.post("new", { jsonrpc: "2.0", id: 6, method: "ping" }, headers);
  assert.equal(isGone, false, "another's id");
  assert.equal((await client.post("new", cancel(5), headers)).status, 202);
  await eventually("the server's connection is dropped", () => isGone);
  await eventually("the client's stream ends", heard.isOver);
  assert.match(heard.messages.at(-1)?.error?.message ?? "", /cancelled/);
  await client.post("new", cancel(5), headers);
  const again = await client.post(
    "new",
    { ...call, method: "resources/read", params: { uri: "a:b" } },
    headers,
  );
  assert.equal(again.status, 200, "its id is free");
});

test("a round that is cancelled takes its questions back; answers come too late", async (t) => {
  const server = await modernServer(t, {
    "tools/call": (response, { id }) => json(response, { id, result: needsInput }),
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const heard = await ask(client, headers);
  await eventually("both questions arrive", () => askedOf(heard.messages).length === 2);
  await client.post(
    "new",
    { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } },
    headers,
  );
  await eventually("the call ends", heard.isOver);
  const taken = heard.messages.filter(({ method }) => method === "notifications/cancelled");
  assert.deepEqual(
    new Set(taken.map(({ params }) => params?.requestId)),
    new Set(askedOf(heard.messages).map(({ id }) => id)),
  );
  for (const question of askedOf(heard.messages))
    assert.equal((await client.post("new", answerTo(question), headers)).status, 202);
  assert.equal(
    server.requests.filter(({ method }) => method === "tools/call").length,
    1,
    "it isn't asked again",
  );
});

for (const [how, end] of [
  [
    "its client ends the session",
    (client: Client, headers: Headers) => client.request("new", { method: "DELETE", headers }),
  ],
  ["the gateway stops", (_client: Client, _headers: Headers, stop: () => Promise<void>) => stop()],
] as const) {
  test(`when ${how}, rounds, requests and subscriptions end with it`, async (t) => {
    const open = new Set<http.ServerResponse>();
    const opened = (response: http.ServerResponse): void => {
      open.add(response);
      response.on("close", () => open.delete(response));
    };
    const server = await modernServer(t, {
      "tools/call": (response, { id }) => json(response, { id, result: needsInput }),
      "resources/read": (response) => opened(response),
      "subscriptions/listen": (response, message) => {
        opened(response);
        acknowledge(response, message);
      },
    });
    const { client, gateway } = await setUp(t, server, { extra: "limits: { drain: 100ms }" });
    const headers = await legacySession(client);
    const round = await ask(client, headers);
    const read = await ask(client, headers, {
      jsonrpc: "2.0",
      id: 6,
      method: "resources/read",
      params: { uri: "a:b" },
    });
    const unasked = await listen(client, headers);
    await eventually("all is under way", () => askedOf(round.messages).length === 2 && open.size === 2);
    const asked = server.requests.length;
    await end(client, headers, gateway.stop);
    await eventually("nothing is left at the server", () => open.size === 0);
    await eventually("nothing is left at the client", () =>
      [round, read, unasked].every((each) => each.isOver()),
    );
    // A gateway that stops waits for calls under way, and then cuts who waits.
    for (const { messages } of how === "the gateway stops" ? [] : [round, read])
      assert.match(messages.at(-1)?.error?.message ?? "", /ended/);
    assert.equal(server.requests.length, asked, "nothing was asked again");
  });
}

test("a connection that breaks isn't a cancellation: the rest is fetched with the last event's id", async (t) => {
  let finish = (): void => {};
  let isGone = false;
  const server = await modernServer(t, {
    "resources/read": (response, { id }) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(
        'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}\n\n',
      );
      finish = () =>
        void response.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result: { z: 1 } })}\n\n`);
      response.on("close", () => (isGone = !response.writableFinished));
    },
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const heard = await ask(client, headers, { ...call, method: "resources/read", params: { uri: "a:b" } });
  await eventually("something is said", () => heard.messages.length === 1);
  const lastId = heard.lastId() ?? "";
  heard.cut();
  await eventually("the connection is gone", heard.isOver);
  finish();
  const rest = await hear(client, {
    method: "GET",
    headers: { ...headers, accept: "text/event-stream", "last-event-id": lastId },
  });
  await eventually("the answer is fetched", () => rest.messages.some(({ result }) => result !== undefined));
  assert.deepEqual(rest.messages, [{ jsonrpc: "2.0", id: 5, result: { z: 1 } }]);
  assert.equal(isGone, false);
});

test("a client that goes away and doesn't come back is waited for no longer than an answer, in a round too", async (t) => {
  let isGone = false;
  const server = await modernServer(t, {
    "tools/call": (response, { id }) => json(response, { id, result: needsInput }),
    "resources/read": (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(
        'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}\n\n',
      );
      response.on("close", () => (isGone = true));
    },
  });
  const { client } = await setUp(t, server, { extra: "limits: { answer_timeout: 500ms }" });
  const headers = await legacySession(client);
  const round = await ask(client, headers);
  await eventually("both questions arrive", () => askedOf(round.messages).length === 2);
  round.cut();
  const read = await ask(client, headers, {
    ...call,
    id: 6,
    method: "resources/read",
    params: { uri: "a:b" },
  });
  await eventually("something is said", () => read.messages.length === 1);
  assert.equal(isGone, false, "no sooner");
  read.cut();
  await eventually("the server's connection is dropped", () => isGone);
  for (const question of askedOf(round.messages)) await client.post("new", answerTo(question), headers);
  await client.post("new", { jsonrpc: "2.0", id: 7, method: "ping" }, headers);
  assert.equal(server.requests.filter(({ method }) => method === "tools/call").length, 1);
});

interface Listened {
  readonly notifications: {
    readonly resourceSubscriptions?: readonly string[];
    readonly toolsListChanged?: boolean;
  };
}

test("subscriptions are one stream to the server, acknowledged before the client hears so; what it tells comes unasked", async (t) => {
  const streams: {
    readonly tell: ReturnType<typeof acknowledge>;
    readonly asked: Listened;
    readonly response: http.ServerResponse;
  }[] = [];
  const server = await modernServer(t, {
    "subscriptions/listen": (response, message) => {
      const asked = message.params as unknown as Listened;
      streams.push({ tell: acknowledge(response, message), asked, response });
    },
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const unasked = await listen(client, headers);
  await eventually("it listens to lists", () => streams.length === 1);
  assert.deepEqual(streams[0]?.asked.notifications, { toolsListChanged: true });
  const change = async (method: string, uri: string): Promise<string> =>
    events((await client.post("new", { jsonrpc: "2.0", id: 1, method, params: { uri } }, headers)).text)[0] ??
    "";
  const empty = '{"jsonrpc":"2.0","id":1,"result":{}}';
  assert.equal(await change("resources/subscribe", "a:1"), empty);
  assert.equal(await change("resources/subscribe", "a:1"), empty);
  assert.equal(await change("resources/subscribe", "a:2"), empty);
  assert.equal(streams.length, 3, "the same address again changes nothing");
  assert.deepEqual(streams[2]?.asked.notifications, {
    toolsListChanged: true,
    resourceSubscriptions: ["a:1", "a:2"],
  });
  await eventually(
    "one stream is left",
    () => streams.filter(({ response }) => !response.closed).length === 1,
  );
  streams[2].tell("notifications/resources/updated", { uri: "a:2" });
  streams[2].tell("notifications/tools/list_changed");
  await eventually("both are heard", () => unasked.messages.length === 2);
  assert.deepEqual(unasked.messages, [
    { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "a:2", _meta: {} } },
    { jsonrpc: "2.0", method: "notifications/tools/list_changed", params: { _meta: {} } },
  ]);
  assert.equal(await change("resources/unsubscribe", "a:1"), empty);
  assert.deepEqual(streams[3]?.asked.notifications.resourceSubscriptions, ["a:2"]);
  streams[3].response.destroy();
  await eventually("a stream that breaks is opened again", () => streams.length === 5);
  assert.deepEqual(streams[4]?.asked.notifications, {
    toolsListChanged: true,
    resourceSubscriptions: ["a:2"],
  });
});

test("a subscription that the server refuses, leaves out or doesn't acknowledge isn't one, and the others stay", async (t) => {
  let how: "acknowledge" | "refuse" | "leave out" | "end" | "foreign" = "acknowledge";
  const live: http.ServerResponse[] = [];
  const server = await modernServer(t, {
    "subscriptions/listen": (response, message) => {
      if (how === "refuse") json(response, { id: message.id, error: { code: -32602, message: "m" } });
      else if (how === "end") response.writeHead(200, { "content-type": "text/event-stream" }).end();
      else if (how === "foreign") {
        acknowledge(response, { ...message, id: "another" }, {});
        response.end();
      } else {
        live.push(response);
        acknowledge(response, message, how === "leave out" ? {} : message.params["notifications"]);
      }
    },
  });
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const subscribe = (uri: string) =>
    client.post("new", { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } }, headers);
  assert.equal((await subscribe("a:1")).status, 200);
  const kept = live.at(-1);
  for (const [next, status, text] of [
    ["refuse", 200, /-32602/],
    ["leave out", 200, /-32602/],
    ["end", 502, /no answer/],
    ["foreign", 502, /no answer/],
  ] as const) {
    how = next;
    const answered = await subscribe("a:2");
    assert.equal(answered.status, status, `${next}: ${answered.text}`);
    assert.match(answered.text, text, next);
  }
  assert.equal(kept?.closed, false);
  how = "acknowledge";
  assert.match((await subscribe("a:2")).text, /"result":\{\}/);
});

test("a session is subscribed to 256 addresses at most", async (t) => {
  const server = await modernServer(t, {});
  const { client } = await setUp(t, server);
  const headers = await legacySession(client);
  const subscribe = (uri: string) =>
    client.post("new", { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } }, headers);
  for (let i = 0; i < 256; i++) assert.equal((await subscribe(`a:${i}`)).status, 200);
  const refused = await subscribe("a:256");
  assert.equal(refused.status, 503);
  assert.match(refused.text, /256/);
  assert.equal((await subscribe("a:7")).status, 200, "what it has it keeps");
});

test("a session goes on when its server can't say for a while which era it speaks", async (t) => {
  let nowUnixMs = Date.now();
  let isSilent = false;
  const server = await modernServer(t, {
    "server/discover": (response, { id }) => {
      if (isSilent) response.writeHead(503).end();
      else json(response, { id, result: discovery });
    },
    initialize: (response, { id }) => {
      if (isSilent) response.writeHead(503).end();
      else json(response, { id, error: { code: -32601, message: "none" } }, 404);
    },
  });
  const { client } = await setUp(t, server, { speaks: "auto", clock: { nowUnixMs: () => nowUnixMs } });
  const headers = await legacySession(client);
  isSilent = true;
  nowUnixMs += 11 * 60_000;
  const read = { jsonrpc: "2.0", id: 1, method: "resources/read", params: { uri: "a:b" } };
  const answered = await client.post("new", read, headers);
  assert.equal(answered.status, 200, answered.text);
  const arrived = server.seen.findLast(({ body }) => body.includes("resources/read"));
  assert.equal(arrived?.headers["mcp-protocol-version"], "2026-07-28");
  assert.equal(arrived.headers["mcp-session-id"], undefined);
});
