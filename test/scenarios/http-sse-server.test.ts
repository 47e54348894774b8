/** Servers that speak HTTP+SSE behind the gateway, byte by byte: their streams, their endpoints, what they refuse, how they end. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test, type TestContext } from "node:test";

import {
  type Client,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  type StubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

/** Writes an event to the session's stream. */
type Say = (event: string, data: string) => void;

interface Script {
  /** Answers the GET that opens session `n`; by default with a stream that names its endpoint. */
  readonly onStream?: (response: http.ServerResponse, say: Say, n: number) => void;
  /** Answers a POST; by default with 202 and, on the stream, an empty result. */
  readonly onPost?: (message: Message, response: http.ServerResponse, say: Say) => void;
}

interface OldServer extends StubServer {
  /** The streams that were opened, in order. */
  readonly streams: readonly http.ServerResponse[];
}

async function oldServer(
  t: TestContext,
  { onStream = welcome, onPost = oblige }: Script,
): Promise<OldServer> {
  const streams: http.ServerResponse[] = [];
  const sayTo =
    (stream: http.ServerResponse | undefined): Say =>
    (event, data) =>
      void stream?.write(`event: ${event}\ndata: ${data}\n\n`);
  const stub = await stubServer(t, (request, response, body) => {
    if (request.method === "GET") onStream(response, sayTo(response), streams.push(response));
    else {
      const session = Number(/session=(\d+)/.exec(request.url ?? "")?.[1] ?? streams.length);
      onPost(JSON.parse(body) as Message, response, sayTo(streams[session - 1]));
    }
  });
  return { ...stub, url: stub.url.replace(/mcp$/, "sse"), streams };
}

function begin(response: http.ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
}

function welcome(response: http.ServerResponse, say: Say, n: number): void {
  begin(response);
  say("endpoint", `/messages?session=${n}`);
}

function oblige(message: Message, response: http.ServerResponse, say: Say): void {
  response.writeHead(202).end("Accepted");
  answer(message, say);
}

function answer({ id }: Message, say: Say, result: object = {}): void {
  if (id !== undefined) say("message", JSON.stringify({ jsonrpc: "2.0", id, result }));
}

interface SetUp {
  readonly gateway: TestGateway;
  readonly client: Client;
}

async function setUp(
  t: TestContext,
  server: StubServer,
  { extra = "", options = "" }: { readonly extra?: string; readonly options?: string } = {},
): Promise<SetUp> {
  const servers = `servers: { old: { url: "${server.url}", transport: "http+sse", ${options} } }`;
  const gateway = await testGateway(t, `${servers}\n${extra}\n${openPolicy}`);
  return { gateway, client: clientOf(t, gateway, await enrol(gateway)) };
}

const initialize = { jsonrpc: "2.0", id: 0, method: "initialize", params: {} };

async function session(client: Client): Promise<Record<string, string>> {
  const opened = await client.post("old", initialize);
  assert.equal(opened.status, 200, opened.text);
  return { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
}

const other = "http://127.0.0.1:PORT/steal"; // PORT: where the thief listens.
const elsewhere = [
  other,
  "//127.0.0.1:PORT/steal",
  "http://SAME@127.0.0.1:PORT/steal",
  "https://SAME/messages",
  "file:///etc/passwd",
  "javascript:alert(1)",
  "http://[/",
  `/${"x".repeat(9000)}`,
];
test("a server that names an endpoint of another origin is sent nothing", async (t) => {
  const thief = await stubServer(t);
  let named = "";
  const server: OldServer = await oldServer(t, {
    onStream: (response, say) => {
      begin(response);
      const same = new URL(server.url).host;
      say("endpoint", named.replace("PORT", new URL(thief.url).port).replace("SAME", same));
    },
  });
  const { client } = await setUp(t, server);
  for (named of elsewhere) {
    const refused = await client.post("old", initialize);
    assert.equal(refused.status, 502, named);
    assert.match(refused.text, /endpoint/);
  }
  assert.deepEqual(new Set(server.seen.map(({ method }) => method)), new Set(["GET"]));
  assert.equal(thief.seen.length, 0);
});

test("an endpoint may be relative to the stream or absolute, and its path and query stay as they are", async (t) => {
  for (const named of [
    "messages?session=a%20b",
    "/messages?session=a%20b",
    "ORIGIN/messages?session=a%20b",
  ]) {
    const paths: string[] = [];
    const server: OldServer = await oldServer(t, {
      onStream: (response, say) => {
        begin(response);
        say("endpoint", named.replace("ORIGIN", new URL(server.url).origin));
      },
    });
    server.server.prependListener("request", (request: http.IncomingMessage) =>
      paths.push(request.url ?? ""),
    );
    const { client } = await setUp(t, server);
    await session(client);
    assert.deepEqual(paths, ["/sse", "/messages?session=a%20b"], named);
  }
});

test("a redirect isn't followed, neither the stream's nor a message's", async (t) => {
  const thief = await stubServer(t);
  for (const onStream of [true, false]) {
    const redirect = (response: http.ServerResponse): void =>
      void response.writeHead(307, { location: thief.url }).end();
    const server = await oldServer(
      t,
      onStream ? { onStream: redirect } : { onPost: (_message, response) => redirect(response) },
    );
    const { client } = await setUp(t, server);
    const refused = await client.post("old", initialize);
    assert.equal(refused.status, 502);
    assert.match(refused.text, /redirect/);
  }
  assert.equal(thief.seen.length, 0);
});

test("our credentials go with the stream and each message, the caller's trace with its messages, its credentials with none", async (t) => {
  process.env["OLD_SERVER_TOKEN"] = "Bearer ours";
  const server = await oldServer(t, {});
  const options = 'headers: { authorization: { env: "OLD_SERVER_TOKEN" } }';
  const { client } = await setUp(t, server, { options });
  const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const headers = {
    ...(await session(client)),
    authorization: "Bearer theirs",
    cookie: "theirs",
    traceparent: trace,
    "mcp-protocol-version": "2025-11-25",
  };
  assert.equal((await client.post("old", toolCall("echo"), headers)).status, 200);
  assert.deepEqual(
    server.seen.map(({ method, headers: { authorization } }) => [method, authorization]),
    [
      ["GET", "Bearer ours"],
      ["POST", "Bearer ours"],
      ["POST", "Bearer ours"],
    ],
  );
  const call = server.seen[2]?.headers ?? {};
  assert.equal(call["traceparent"], trace);
  for (const name of ["cookie", "mcp-session-id", "mcp-protocol-version"])
    assert.equal(call[name], undefined);
  assert.match(String(server.seen[0]?.headers.accept), /text\/event-stream/);
});

test("a message arrives as the bytes it was, and what the server says leaves as the bytes it was", async (t) => {
  const said =
    '{"result":{"n":1.0,"big":123456789012345678901234567890,"z":"\\u00e9"} , "id":1,"jsonrpc":"2.0"}';
  const server = await oldServer(t, {
    onPost: (message, response, say) => {
      response.writeHead(202).end();
      if (message.method === "tools/call") say("message", said);
      else answer(message, say);
    },
  });
  const { client } = await setUp(t, server);
  const headers = { ...(await session(client)), "content-type": "application/json" };
  const body =
    '{"params": {"name":"x","arguments":{"n":1.0}},\n"method":"tools/call","id":1,"jsonrpc":"2.0"}';
  const answered = await client.request("old", { headers, body });
  assert.equal(server.seen.at(-1)?.body, body);
  assert.equal(answered.text, said);
});

test("a server that accepts a message only when its answer is ready holds up no other", async (t) => {
  let accept: (() => void) | undefined;
  const server = await oldServer(t, {
    onPost: (message, response, say) => {
      if (message.params?.name === "slow") accept = () => oblige(message, response, say);
      else {
        oblige(message, response, say);
        if (message.params?.name === "release") accept?.();
      }
    },
  });
  const { client } = await setUp(t, server);
  const headers = await session(client);
  const slow = client.post("old", toolCall("slow", 1), headers);
  await eventually("it arrives", () => accept !== undefined);
  assert.equal((await client.post("old", toolCall("release", 2), headers)).status, 200);
  assert.equal((await slow).status, 200);
});

test("a stream that ends or breaks in a call fails that call; its session is gone, a new one works", async (t) => {
  for (const end of [
    (stream: http.ServerResponse) => void stream.end(),
    (stream: http.ServerResponse) => void stream.destroy(),
  ]) {
    const server: OldServer = await oldServer(t, {
      onPost: (message, response, say) => {
        if (message.params?.name !== "die") oblige(message, response, say);
        else {
          response.writeHead(202).end();
          for (const stream of server.streams) end(stream);
        }
      },
    });
    const { client } = await setUp(t, server);
    const headers = await session(client);
    assert.equal((await client.post("old", toolCall("die"), headers)).status, 502);
    assert.equal((await client.post("old", toolCall("echo"), headers)).status, 404);
    assert.equal((await client.post("old", toolCall("echo"), await session(client))).status, 200);
  }
});

/** What the server says to a POST, and what the client hears. */
const refusing = [
  [400, 400],
  [401, 502],
  [403, 502],
  [404, 404],
  [410, 404],
  [413, 413],
  [429, 503],
  [500, 502],
  [503, 503],
] as const;
test("a message that the server refuses fails its own call, with a status that says so", async (t) => {
  const server = await oldServer(t, {
    onPost: (message, response, say) => {
      const status = Number(message.params?.name);
      if (status >= 400) response.writeHead(status).end("secret words");
      else oblige(message, response, say);
    },
  });
  const { client } = await setUp(t, server);
  for (const [status, expected] of refusing) {
    const headers = await session(client);
    const refused = await client.post("old", toolCall(String(status), 7), headers);
    assert.equal(refused.status, expected, String(status));
    assert.equal((JSON.parse(refused.text) as { id: unknown }).id, 7);
    assert.doesNotMatch(refused.text, /secret words/);
    const next = await client.post("old", toolCall("echo", 8), headers);
    assert.equal(
      next.status,
      expected === 404 ? 404 : 200,
      "only a session that isn't known any more is over",
    );
  }
});

test("an initialize that isn't found isn't a session that has ended", async (t) => {
  const server = await oldServer(t, { onPost: (_message, response) => void response.writeHead(404).end() });
  const { client } = await setUp(t, server);
  assert.equal((await client.post("old", initialize)).status, 502);
});

test("a server that names no endpoint, or opens no stream, is given up in time", async (t) => {
  const rows: readonly (readonly [Script["onStream"] & object, number])[] = [
    [begin, 504],
    [() => {}, 504],
    [(response) => void response.writeHead(405).end(), 502],
    [(response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>"), 502],
    [
      (response, say) => {
        response.writeHead(503, { "content-type": "text/event-stream" });
        say("endpoint", "/messages");
      },
      502,
    ],
    [(response) => void response.destroy(), 502],
  ];
  for (const [i, [onStream, expected]] of rows.entries()) {
    const server = await oldServer(t, { onStream });
    const { client, gateway } = await setUp(t, server, { extra: "limits: { answer_timeout: 300ms }" });
    assert.equal((await client.post("old", initialize)).status, expected, `row ${i}`);
    await eventually("the stream is let go", () => gateway.log.some((line) => line.includes("server.ended")));
    assert.equal(server.seen.length, 1, "nothing was posted");
  }
});

test("an event beyond the limit ends the session and fails what waits; so does a POST's endless answer, but for its call alone", async (t) => {
  const server = await oldServer(t, {
    onPost: (message, response, say) => {
      if (message.params?.name === "endless") {
        response.writeHead(200, { "content-type": "text/plain" });
        for (let i = 0; i < 4; i++) response.write("x".repeat(64 * 1024));
        return;
      }
      response.writeHead(202).end();
      if (message.params?.name === "long") say("message", `"${"x".repeat(200_000)}"`);
      else answer(message, say);
    },
  });
  const { client } = await setUp(t, server, { extra: "limits: { answer: 64KiB }" });
  const headers = await session(client);
  assert.equal((await client.post("old", toolCall("endless"), headers)).status, 502);
  assert.equal((await client.post("old", toolCall("echo"), headers)).status, 200);
  assert.equal((await client.post("old", toolCall("long"), headers)).status, 502);
  assert.equal((await client.post("old", toolCall("echo"), headers)).status, 404);
});

test("events of other names, comments and noise on the stream are skipped, and said without their content", async (t) => {
  const server: OldServer = await oldServer(t, {
    onPost: (message, response, say) => {
      response.writeHead(202).end();
      server.streams[0]?.write(": ping\n\nid: 5\nretry: 10\n\n");
      say("ping", '{"jsonrpc":"2.0","id":1,"result":{"wrong":true}}');
      say("message", "private noise");
      say("endpoint", "/messages?session=2");
      answer(message, say);
    },
  });
  const { client, gateway } = await setUp(t, server);
  const answered = await client.post("old", toolCall("echo"), await session(client));
  assert.equal(answered.text, 'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
  assert.ok(gateway.log.some((line) => line.includes("server.noise")));
  assert.doesNotMatch(gateway.log.join(""), /private noise/);
});

test("a server that knows no server/discover looks legacy to a modern client, whatever it does", async (t) => {
  const discover = {
    jsonrpc: "2.0",
    id: 1,
    method: "server/discover",
    params: {
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover" };
  const scripts: readonly Script[] = [
    { onPost: (_message, response) => void response.writeHead(202).end() }, // Silence.
    { onPost: (_message, response) => void response.writeHead(400).end() },
    { onPost: (_message, response) => void response.destroy() },
  ];
  for (const script of scripts) {
    const server = await oldServer(t, script);
    const { client } = await setUp(t, server, { extra: "limits: { answer_timeout: 300ms }" });
    const probed = await client.post("old", discover, headers);
    assert.equal(probed.status, 400);
    assert.equal((JSON.parse(probed.text) as { error: { code: number } }).error.code, -32601);
  }
});

test("two callers and two sessions never share a stream; a deleted session's stream is closed", async (t) => {
  const server = await oldServer(t, {});
  const { client, gateway } = await setUp(t, server);
  const second = clientOf(t, gateway, await enrol(gateway, "agent/b"));
  const [one, two] = [await session(client), await session(client)];
  await session(second);
  assert.equal(server.seen.filter(({ method }) => method === "GET").length, 3);
  assert.equal((await second.post("old", toolCall("echo"), one)).status, 404, "it isn't theirs");
  const closed: number[] = [];
  for (const [n, stream] of server.streams.entries()) stream.on("close", () => closed.push(n));
  assert.equal((await client.request("old", { method: "DELETE", headers: two })).status, 200);
  await eventually("its stream is closed", () => closed.length === 1);
  assert.equal((await client.post("old", toolCall("echo"), two)).status, 404);
  assert.equal((await client.post("old", toolCall("echo"), one)).status, 200);
  assert.deepEqual(closed, [1], "and no other");
  await gateway.stop();
  await eventually("the gateway's end closes the others", () => closed.length === 3);
});

test("a client that reaches the gateway itself has Streamable HTTP only", async (t) => {
  const { client } = await setUp(t, await oldServer(t, {}));
  const asked = await client.request("old", { method: "GET", headers: { accept: "text/event-stream" } });
  assert.equal(asked.status, 405);
});
