/**
 * Nothing breaks behind us: what a server answers arrives as it was, and what a client sends too. Each answer
 * is asked for three times, straight, through the gateway, and through a sidecar before it, and compared byte by byte.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Answering,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  type StubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

interface Answered {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: Buffer;
}

interface Ways {
  readonly stub: StubServer;
  readonly gateway: TestGateway;
  /** By name: straight, through the gateway, through sidecar and gateway. */
  readonly ask: Readonly<Record<"straight" | "gateway" | "sidecar", (asked: Asked) => Promise<Answered>>>;
  readonly sidecarUrl: string;
}

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };

async function ways(t: TestContext, answer: Answering): Promise<Ways> {
  const stub = await stubServer(t, answer);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const token = await makeJoinToken(
    gateway.config,
    { path: "agent/s", address: gateway.address },
    systemClock,
  );
  const connection = await connectHttp(
    {
      target: "stub",
      state: path.join(await temporaryFolder(t), "sidecar"),
      joinToken: token,
      clock: systemClock,
      log: systemLog({ level: "error", form: "json", write: () => undefined }),
    },
    0,
  );
  atEnd(t, connection.close);
  return {
    stub,
    gateway,
    sidecarUrl: connection.url,
    ask: {
      straight: (asked) => plain(stub.url, asked),
      gateway: async ({ method = "POST", headers = json, body }) => {
        const answered = await client.request("stub", {
          method,
          headers,
          ...(body !== undefined && { body }),
        });
        return {
          status: answered.status,
          headers: answered.headers as http.IncomingHttpHeaders,
          bytes: answered.bytes,
        };
      },
      sidecar: (asked) => plain(connection.url, asked),
    },
  };
}

async function plain(url: string, { method = "POST", headers = json, body }: Asked): Promise<Answered> {
  const request = http.request(url, { method, headers, agent: false });
  request.end(body);
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  const bytes = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
  return { status: answer.statusCode ?? 0, headers: answer.headers, bytes };
}

/** Asks all three ways and compares; the headers named are compared too. */
async function same(all: Ways, asked: Asked, names: readonly string[] = ["content-type"]): Promise<Answered> {
  const straight = await all.ask.straight(asked);
  for (const way of ["gateway", "sidecar"] as const) {
    const through = await all.ask[way](asked);
    assert.equal(through.status, straight.status, `${way}: the status`);
    assert.deepEqual(through.bytes.toString(), straight.bytes.toString(), `${way}: the bytes`);
    for (const name of names)
      assert.deepEqual(through.headers[name], straight.headers[name], `${way}: ${name}`);
  }
  return straight;
}

const call = (args: unknown = {}): string => JSON.stringify(toolCall("a", 1, args));

const answers: readonly (readonly [string, string])[] = [
  [
    "unknown members at every level, structured content, annotations",
    '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x","annotations":{"a":1},"new":[]}],"structuredContent":{"n":1.0},"_meta":{"v/x":{}},"later":null},"top":"level"}',
  ],
  [
    "numbers as they were spelled",
    '{"jsonrpc":"2.0","id":1,"result":{"a":[1.0,-0,1e2,12345678901234567890,0.10]}}',
  ],
  [
    "escapes and separators as they were",
    '{"jsonrpc":"2.0","id":1,"result":{"t":"\\u00e9\\/\u2028\u2029é"}}',
  ],
  ["white space as it was", '\n{ "jsonrpc" : "2.0",\r\n\t"id":1, "result" : { } }\n\n'],
  [
    "an error with data",
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"deep":[{"a":null}]}}}',
  ],
  ["what isn't JSON at all", "not json"],
  [
    "duplicate members, which are the client's to judge",
    '{"jsonrpc":"2.0","id":1,"result":{},"result":{"a":1}}',
  ],
];
for (const [what, body] of answers) {
  test(`an answer with ${what} arrives byte for byte`, async (t) => {
    const all = await ways(t, (_request, response) => {
      response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end(body);
    });
    const { bytes } = await same(all, { body: call() });
    assert.equal(bytes.toString(), body);
  });
}

const streams: readonly (readonly [string, string])[] = [
  [
    "ids, retry, names and comments",
    'id: 1\nretry: 500\ndata:\n\n: still here\n\nevent: message\nid: 2\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
  ],
  ["CRLF", 'id: a\r\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\r\n\r\n'],
  ["CR", 'data: {"jsonrpc":"2.0","id":1,"result":{}}\r\r'],
  ["data over several lines", 'data: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n'],
  ["a byte order mark", '\uFEFFdata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'],
  ["fields nobody knows", 'other: x\ndata:{"jsonrpc":"2.0","id":1,"result":{}}\n\n'],
  [
    "more after the answer",
    'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n',
  ],
];
for (const [what, body] of streams) {
  for (const size of [1, 7, 10_000]) {
    test(`a stream with ${what}, in pieces of ${size}, arrives byte for byte`, async (t) => {
      const bytes = Buffer.from(body);
      const all = await ways(t, (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
        for (let at = 0; at < bytes.length; at += size) response.write(bytes.subarray(at, at + size));
        response.end();
      });
      const answered = await same(all, { body: call() }, ["content-type", "cache-control"]);
      assert.equal(answered.bytes.toString(), body);
    });
  }
}

const statuses: readonly (readonly [string, Asked, number, string])[] = [
  [
    "a notification is accepted with 202 and nothing",
    { body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' },
    202,
    "",
  ],
  ["a stream nobody offers is a 405", { method: "GET", headers: { accept: "text/event-stream" } }, 405, ""],
  [
    "a stream that is offered is opened",
    { method: "GET", headers: { accept: "text/event-stream" } },
    200,
    ": hello\n\n",
  ],
  [
    "a second stream in a session is a 409",
    { method: "GET", headers: { accept: "text/event-stream" } },
    409,
    "busy",
  ],
  ["the end of a session is passed on", { method: "DELETE", headers: {} }, 200, ""],
  ["the end of a session that can't be ended is a 405", { method: "DELETE", headers: {} }, 405, ""],
  [
    "a session that died is a 404, with the server's own words",
    { body: call() },
    404,
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Session not found"}}',
  ],
  [
    "a probe a legacy server doesn't know keeps its 400",
    { body: '{"jsonrpc":"2.0","id":1,"method":"server/discover"}' },
    400,
    '{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request"}}',
  ],
  ["a 401 keeps its challenge", { body: call() }, 401, ""],
  ["a server's own 408 is its own", { body: call() }, 408, "slow"],
  ["a server's failure is a failure", { body: call() }, 500, "oops"],
];
for (const [what, asked, status, body] of statuses) {
  test(what, async (t) => {
    const headers = {
      "www-authenticate": 'Bearer resource_metadata="https://a/b"',
      allow: "POST",
      "content-type": asked.method === "GET" && status === 200 ? "text/event-stream" : "application/json",
    };
    const all = await ways(t, (_request, response) => {
      response.writeHead(status, body === "" ? { ...headers, "content-length": "0" } : headers).end(body);
    });
    await same(all, asked, ["www-authenticate", "allow"]);
    assert.deepEqual(new Set(all.stub.seen.map(({ method }) => method)), new Set([asked.method ?? "POST"]));
  });
}

test("a server can't have its call sent again by speaking like a gateway that stops", async (t) => {
  const all = await ways(t, (_request, response) => {
    response.writeHead(408, { "latticegate-goodbye": "1", "content-length": "0" }).end();
  });
  for (const way of ["gateway", "sidecar"] as const) {
    const answered = await all.ask[way]({ body: call() });
    assert.deepEqual([answered.status, answered.headers["latticegate-goodbye"]], [408, undefined], way);
  }
  assert.equal(all.stub.seen.length, 2);
});

test("what MCP's headers say reaches the server, and nothing of this hop or of a credential does", async (t) => {
  const all = await ways(t, (_request, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end("{}"),
  );
  const said = {
    ...json,
    "last-event-id": "ev-7",
    "mcp-protocol-version": "2025-11-25",
    "mcp-param-region": "eu",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "user-agent": "faithful/1",
  };
  const kept = {
    authorization: "Bearer canary",
    cookie: "canary=1",
    "x-forwarded-for": "canary",
    "proxy-authorization": "canary",
    forwarded: "for=canary",
  };
  for (const way of ["gateway", "sidecar"] as const) {
    await all.ask[way]({ headers: { ...said, ...kept }, body: call() });
    const headers: http.IncomingHttpHeaders = all.stub.seen.at(-1)?.headers ?? {};
    for (const [name, value] of Object.entries(said)) assert.equal(headers[name], value, `${way}: ${name}`);
    assert.doesNotMatch(JSON.stringify(headers), /canary/, way);
  }
  assert.doesNotMatch(all.gateway.log.join(""), /canary/);
});

test("a request reaches the server byte for byte, whatever its spelling", async (t) => {
  const all = await ways(t, (_request, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end("{}"),
  );
  const bodies = [
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":[1.0,-0,1e2,12345678901234567890]},"_meta":{"progressToken":1,"v/x":{}},"new":1},"top":1}',
    '{ "params" : {"cursor":""},\n"method":"tools\\/list", "id":"1","jsonrpc":"2.0" }',
    '{"jsonrpc":"2.0","id":1,"method":"resources/list","params":{"cursor":"ünïcode \\ud83d\\ude00"}}',
  ];
  for (const body of bodies) {
    for (const way of ["gateway", "sidecar"] as const) {
      await all.ask[way]({ body });
      assert.equal(all.stub.seen.at(-1)?.body, body, way);
    }
  }
});

test('many callers that all use the ids 1 and "1" get their own answers', async (t) => {
  const all = await ways(t, (_request, response, body) => {
    const { id, params } = JSON.parse(body) as {
      readonly id: unknown;
      readonly params: { readonly arguments: { readonly n: number } };
    };
    const { n } = params.arguments;
    const answer = JSON.stringify({ jsonrpc: "2.0", id, result: { n } });
    // Not in the order they were asked.
    setTimeout(
      () => response.writeHead(200, { "content-type": "application/json" }).end(answer),
      (n * 7) % 20,
    );
  });
  const asked = Array.from({ length: 60 }, async (_, n) => {
    const id = n % 2 === 0 ? 1 : "1";
    const { bytes } = await all.ask.sidecar({ body: JSON.stringify(toolCall("a", id, { n })) });
    assert.deepEqual(JSON.parse(bytes.toString()), { jsonrpc: "2.0", id, result: { n } });
  });
  await Promise.all(asked);
});

test("when a client goes away, its server sees it go, through the gateway and through a sidecar", async (t) => {
  let gone = 0;
  const all = await ways(t, (_request, response) => {
    response.on("close", () => (gone += 1));
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": waiting\n\n");
  });
  for (const [i, url] of [all.stub.url, all.sidecarUrl].entries()) {
    const request = http
      .request(url, { method: "POST", headers: json, agent: false })
      .on("error", () => undefined);
    request.end(call());
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    await once(answer, "data");
    request.destroy();
    await eventually("the server sees it", () => gone === i + 1);
  }
});
