/** The oldest version of the protocol that may be spoken, in what clients say and in what servers offer. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import {
  type Answering,
  type Client,
  clientOf,
  echoResult,
  enrol,
  eventually,
  openPolicy,
  type StubServer,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, logged } from "../support/records.ts";
import { stdioClient } from "../support/stdio-client.ts";

const stdioServer = fileURLToPath(new URL("../support/stdio-server.ts", import.meta.url));

interface SetUp {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
  readonly client: Client;
}

async function setUp(t: TestContext, minimum: string, answering?: Answering): Promise<SetUp> {
  const stub = await stubServer(t, answering);
  const servers = `servers: { stub: { url: "${stub.url}" } }`;
  const gateway = await testGateway(t, `${servers}\nprotocol: { minimum: ${minimum} }\n${openPolicy}`);
  return { gateway, stub, client: clientOf(t, gateway, await enrol(gateway)) };
}

function initialize(protocolVersion?: string): object {
  const params = { ...(protocolVersion !== undefined && { protocolVersion }), capabilities: {} };
  return { jsonrpc: "2.0", id: "i", method: "initialize", params };
}

function modernCall(version: string): readonly [message: object, headers: Record<string, string>] {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": version,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const params = { name: "a", arguments: {}, _meta: meta };
  return [
    { jsonrpc: "2.0", id: 7, method: "tools/call", params },
    { "mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": "a" },
  ];
}

/** One call was refused for its version, and is on record. */
async function assertRecorded(
  gateway: TestGateway,
  reason: "unsupported_version" | "unsupported_handshake",
  facts: object,
): Promise<void> {
  const outcomes = (await checkLog(gateway)).filter(({ event }) => event === "call.outcome");
  const refused = outcomes.filter(({ facts: { reason: found } }) => found === reason);
  assert.deepEqual(
    refused.map(({ outcome, facts: { status } }) => [outcome, status]),
    [["error", "400"]],
  );
  const [line] = logged(gateway, "call.refused");
  const { event: _, time: __, level: ___, callId: ____, caller, ...rest } = line ?? {};
  assert.equal(caller, "spiffe://latticegate.local/agent/test");
  assert.deepEqual(rest, { server: "stub", code: reason, ...facts });
}

test("a modern request below the minimum is told which versions there are, and reaches no server", async (t) => {
  const { gateway, stub, client } = await setUp(t, "2026-07-28");
  const answer = await client.post("stub", ...modernCall("2025-11-25"));
  assert.equal(answer.status, 400);
  assert.deepEqual(JSON.parse(answer.text), {
    jsonrpc: "2.0",
    id: 7,
    error: {
      code: -32022,
      message: "Unsupported protocol version: 2025-11-25",
      data: { supported: ["2026-07-28"], requested: "2025-11-25" },
    },
  });
  assert.equal(stub.seen.length, 0);
  const facts = { minimum: "2026-07-28", requested: "2025-11-25" };
  await assertRecorded(gateway, "unsupported_version", facts);
  assert.equal((await client.post("stub", ...modernCall("2026-07-28"))).status, 200);
  assert.equal((await client.post("stub", ...modernCall("2027-02-01"))).status, 200, "a later one, as dated");
});

test("a server that may be older than the rest is joined all the same, and holds nobody up", async (t) => {
  const old = await stubServer(t, (_request, response, body) => {
    const { id } = JSON.parse(body) as { readonly id: unknown };
    const result = {
      protocolVersion: "2024-11-05",
      capabilities: {},
      serverInfo: { name: "o", version: "1" },
    };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
  const gateway = await testGateway(
    t,
    `servers: { old: { url: "${old.url}", minimum_protocol: 2024-11-05 } }
virtual_servers: { all: { servers: [old] } }
protocol: { minimum: 2025-06-18 }\n${openPolicy}`,
  );
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const client = clientOf(t, gateway, await enrol(gateway));
  const { status, text } = await client.post("all", { jsonrpc: "2.0", id: 1, method: "initialize", params });
  assert.deepEqual([status, /"protocolVersion":"2024-11-05"/.test(text)], [200, true], text);
});

for (const [requested, minimum, supported] of [
  ["2025-03-26", "2025-06-18", ["2025-06-18", "2025-11-25", "2026-07-28"]],
  ["2024-11-05", "2025-03-26", ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]],
  ["1.0.0", "2025-11-25", ["2025-11-25", "2026-07-28"]],
] as const) {
  test(`a handshake that asks for ${requested} where ${minimum} is the least is refused as older revisions say it`, async (t) => {
    const { gateway, stub, client } = await setUp(t, minimum);
    const answer = await client.post("stub", initialize(requested));
    assert.equal(answer.status, 400);
    assert.deepEqual(JSON.parse(answer.text), {
      jsonrpc: "2.0",
      id: "i",
      error: { code: -32602, message: "Unsupported protocol version", data: { supported, requested } },
    });
    assert.equal(stub.seen.length, 0);
    await assertRecorded(gateway, "unsupported_handshake", { minimum, requested });
  });
}

test("a handshake that names no version counts as 2025-03-26", async (t) => {
  const { stub, client } = await setUp(t, "2025-06-18");
  assert.match((await client.post("stub", initialize())).text, /-32602.*"requested":"2025-03-26"/);
  assert.equal(stub.seen.length, 0);
});

const offered = "2025-03-26";

function result(version: string | undefined, id: unknown = "i"): string {
  const serverInfo = { name: "stub", version: "1" };
  return JSON.stringify({ jsonrpc: "2.0", id, result: { protocolVersion: version, serverInfo } });
}

const session = { "mcp-session-id": "upstream-session" };

function json(version: string | undefined): Answering {
  return opening((response) => {
    response.writeHead(200, { "content-type": "application/json", ...session }).end(result(version));
  });
}

function sse(...events: readonly string[]): Answering {
  return opening((response) => {
    response.writeHead(200, { "content-type": "text/event-stream", ...session }).end(events.join(""));
  });
}

/** Answers `initialize` as asked, ends sessions, and the rest with an empty result. */
function opening(answer: (response: http.ServerResponse) => void): Answering {
  return (request, response, body) => {
    if (request.method === "DELETE") response.writeHead(200).end();
    else if (body.includes('"initialize"')) answer(response);
    else echoResult(request, response, body);
  };
}

const note = `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: {} })}\n\n`;

for (const [how, answering] of [
  ["as one answer", json(offered)],
  ["on a stream", sse(`data: ${result(offered)}\n\n`)],
  [
    "on a stream, behind other messages",
    sse("id: 1\ndata: \n\n", note, `data: ${result(offered)}\n\n`, note),
  ],
  ["on a stream, to a request nobody made", sse(`data: ${result(offered, 9)}\n\n`)],
] as const) {
  test(`a version below the minimum that the server offers ${how} is withheld, and its session is ended`, async (t) => {
    const { gateway, stub, client } = await setUp(t, "2025-06-18", answering);
    const answer = await client.post("stub", initialize("2025-11-25"));
    assert.equal(answer.status, 400);
    assert.equal(answer.headers["mcp-session-id"], undefined);
    const supported = ["2025-06-18", "2025-11-25", "2026-07-28"];
    assert.deepEqual(JSON.parse(answer.text), {
      jsonrpc: "2.0",
      id: "i",
      error: {
        code: -32602,
        message: `Unsupported protocol version: the server offers ${offered}`,
        data: { supported, requested: "2025-11-25", offered },
      },
    });
    await eventually("the session is ended", () => stub.seen.length === 2);
    assert.deepEqual(
      stub.seen.map(({ method, headers }) => [method, headers["mcp-session-id"]]),
      [
        ["POST", undefined],
        ["DELETE", "upstream-session"],
      ],
    );
    const facts = { minimum: "2025-06-18", requested: "2025-11-25", offered };
    await assertRecorded(gateway, "unsupported_handshake", facts);
  });
}

for (const [what, answering, status, code] of [
  ["names no version", json(undefined), 400, -32602],
  [
    "is a batch",
    opening((response) => void response.writeHead(200, session).end(`[${result("2025-11-25")}]`)),
    502,
    -31502,
  ],
  ["has a member twice", sse(`data: ${result("2025-11-25").replace("{", '{"id":1,')}\n\n`), 502, -31502],
  ["never comes", sse(note), 502, -31502],
  [
    "has too much before it",
    sse(...Array.from({ length: 1001 }, () => note), `data: ${result("2025-11-25")}\n\n`),
    502,
    -31502,
  ],
  [
    "is too long",
    opening(
      (response) => void response.writeHead(200, session).end(result("2025-11-25") + " ".repeat(1024 * 1024)),
    ),
    502,
    -31502,
  ],
] as const) {
  test(`a server's handshake that ${what} is withheld where there is a minimum`, async (t) => {
    const { stub, client } = await setUp(t, "2025-06-18", answering);
    const answer = await client.post("stub", initialize("2025-11-25"));
    assert.equal(answer.status, status);
    assert.equal((JSON.parse(answer.text) as { error: { code: number } }).error.code, code);
    await eventually("the session is ended", () => stub.seen.some(({ method }) => method === "DELETE"));
  });
}

test("a handshake that is new enough passes as it came, with all that stands around it on the stream", async (t) => {
  const events = ["id: 1\ndata: \n\n", note, `id: 2\ndata: ${result("2025-06-18")}\n\n`, note];
  const { stub, client } = await setUp(t, "2025-06-18", sse(...events));
  const answer = await client.post("stub", initialize("2025-06-18"));
  assert.equal(answer.status, 200);
  assert.equal(answer.text, events.join(""));
  assert.match(String(answer.headers["mcp-session-id"]), /^upstream-session\./);
  assert.equal(stub.seen.length, 1);
});

test("a server's error to a handshake passes as it came", async (t) => {
  const error = '{"jsonrpc":"2.0","id":"i","error":{"code":-32602,"message":"No."}}';
  const { client } = await setUp(
    t,
    "2025-06-18",
    opening((response) => void response.writeHead(400, { "content-type": "application/json" }).end(error)),
  );
  const answer = await client.post("stub", initialize("2025-06-18"));
  assert.deepEqual([answer.status, answer.text], [400, error]);
});

for (const [what, version] of [
  ["says an older version", "2025-03-26"],
  ["says none", undefined],
  ["says no date", "latest"],
] as const) {
  test(`a legacy message that ${what} in its header is refused in each verb`, async (t) => {
    const { gateway, stub, client } = await setUp(t, "2025-06-18");
    const headers: Record<string, string> = version === undefined ? {} : { "mcp-protocol-version": version };
    const messages = [
      toolCall("a"),
      { jsonrpc: "2.0", method: "notifications/initialized" },
      { jsonrpc: "2.0", id: 1, result: {} },
    ];
    for (const message of messages) {
      const answer = await client.post("stub", message, headers);
      assert.equal(answer.status, 400);
      assert.match(answer.text, /"code":-32022.*"supported":\["2025-06-18","2025-11-25","2026-07-28"\]/);
    }
    for (const method of ["GET", "DELETE"])
      assert.equal((await client.request("stub", { method, headers })).status, 400);
    assert.equal(stub.seen.length, 0);
    const entries = await checkLog(gateway);
    assert.deepEqual(new Set(entries.map(({ facts }) => facts["reason"])), new Set(["unsupported_version"]));
    assert.equal(
      (await client.post("stub", toolCall("a"), { "mcp-protocol-version": "2025-06-18" })).status,
      200,
    );
  });
}

test("a message without a version passes where 2025-03-26 is enough", async (t) => {
  const { stub, client } = await setUp(t, "2025-03-26");
  assert.equal((await client.post("stub", toolCall("a"))).status, 200);
  assert.equal(stub.seen.length, 1);
});

test("a server's own minimum counts instead of the gateway's, be it older or newer", async (t) => {
  const stub = await stubServer(t);
  const server = (minimum: string): string => `{ url: "${stub.url}", minimum_protocol: "${minimum}" }`;
  const servers = `servers: { old: ${server("2024-11-05")}, new: ${server("2026-07-28")}, plain: { url: "${stub.url}" } }`;
  const gateway = await testGateway(t, `${servers}\nprotocol: { minimum: "2025-06-18" }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const ask = async (name: string, version: string): Promise<number> =>
    (await client.post(name, toolCall("a"), { "mcp-protocol-version": version })).status;
  assert.deepEqual([await ask("old", "2024-11-05"), await ask("old", "2024-10-07")], [200, 400]);
  assert.deepEqual([await ask("plain", "2025-06-18"), await ask("plain", "2024-11-05")], [200, 400]);
  assert.equal(await ask("new", "2025-11-25"), 400);
  assert.equal((await client.post("new", ...modernCall("2026-07-28"))).status, 200);
  assert.equal(stub.seen.length, 3);
});

test("a server behind a pipe is started for no handshake below the minimum, and ended when it offers one", async (t) => {
  const command = `{ command: ["${process.execPath}", "${stdioServer}"] }`;
  const gateway = await testGateway(
    t,
    `servers: { stub: ${command} }\nprotocol: { minimum: "2026-07-28" }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("stub", initialize("2025-11-25"))).status, 400);
  assert.equal(logged(gateway, "server.started").length, 0);
  const answer = await client.post("stub", initialize("2026-07-28"));
  assert.equal(answer.status, 400);
  assert.match(
    answer.text,
    /"code":-32602,"message":"Unsupported protocol version: the server offers 2025-11-25"/,
  );
  await eventually("its process ends", () => logged(gateway, "server.ended").length === 1);
});

test("a client of the sidecar gets each refusal as the answer to its request", async (t) => {
  const { gateway, stub } = await setUp(t, "2025-06-18", json(offered));
  const client = await stdioClient(t, gateway, "stub");
  const supported = ["2025-06-18", "2025-11-25", "2026-07-28"];
  client.send(initialize("2024-11-05"));
  assert.deepEqual(await client.next(), {
    jsonrpc: "2.0",
    id: "i",
    error: {
      code: -32602,
      message: "Unsupported protocol version",
      data: { supported, requested: "2024-11-05" },
    },
  });
  client.send(initialize("2025-11-25"));
  assert.deepEqual(await client.next(), {
    jsonrpc: "2.0",
    id: "i",
    error: {
      code: -32602,
      message: `Unsupported protocol version: the server offers ${offered}`,
      data: { supported, requested: "2025-11-25", offered },
    },
  });
  client.send(modernCall("2025-03-26")[0]);
  assert.deepEqual(await client.next(), {
    jsonrpc: "2.0",
    id: 7,
    error: {
      code: -32022,
      message: "Unsupported protocol version: 2025-03-26",
      data: { supported, requested: "2025-03-26" },
    },
  });
  await eventually("the server's session is ended", () => stub.seen.length === 2);
  assert.deepEqual(
    stub.seen.map(({ method }) => method),
    ["POST", "DELETE"],
  );
});
