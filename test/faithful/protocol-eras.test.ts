/** Class 9: how old a server is, it says itself. Probes and their answers pass as they are, and trouble of ours looks like trouble. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { after, test, type TestContext } from "node:test";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createMcpHandler } from "@modelcontextprotocol/server";

import { fixtureHttpServer } from "../fixture/http.ts";
import { fixtureServer } from "../fixture/mcp-server.ts";
import { Tasks } from "../fixture/tasks.ts";
import { atEnd } from "../support/cleanup.ts";
import { clientOf, echoResult, enrol, openPolicy, stubServer, testGateway } from "../support/gateway.ts";
import {
  type Asked,
  bytesAnswer,
  json,
  modernHeaders,
  modernMeta,
  pathsTo,
  same,
  ways,
} from "../support/ways.ts";

const all = await ways({ after });

const discover: Asked = {
  headers: modernHeaders("server/discover"),
  body: JSON.stringify({ jsonrpc: "2.0", id: 0, method: "server/discover", params: { _meta: modernMeta } }),
};
const initialize: Asked = {
  body: '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}',
};
const probes = [
  ["server/discover", discover],
  ["initialize", initialize],
] as const;

const verdicts: readonly (readonly [string, number, string])[] = [
  [
    "a legacy server's 400",
    400,
    '{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Server not initialized"}}',
  ],
  ["an empty 400", 400, ""],
  ["a 400 in words of its own", 400, "<html>Bad Request</html>"],
  [
    "an unsupported version, with the supported ones",
    400,
    '{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"],"requested":"1.0"}}}',
  ],
  [
    "a header mismatch the server sees",
    400,
    '{"jsonrpc":"2.0","id":0,"error":{"code":-32020,"message":"m"}}',
  ],
  ["an unknown method", 404, '{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"Method not found"}}'],
  ["a 404 of some web server", 404, "Not Found"],
  ["a verb that isn't there", 405, ""],
  ["a 429", 429, ""],
  [
    "an error that HTTP calls a success",
    200,
    '{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"Method not found"}}',
  ],
  [
    "what the server can",
    200,
    '{"jsonrpc":"2.0","id":0,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"extensions":{"x/y":{"n":1.0}}},"ttlMs":0,"cacheScope":"public"}}',
  ],
];
for (const [what, status, body] of verdicts) {
  test(`the answer to a probe is the server's own: ${what}`, async () => {
    all.answering(bytesAnswer(body, json, status));
    for (const [name, probe] of probes) {
      const before = all.stub.seen.length;
      const answered = await same(all, probe);
      assert.deepEqual([answered.status, answered.bytes.toString()], [status, body], name);
      const seen = all.stub.seen.slice(before);
      assert.deepEqual(
        seen.map(({ body }) => body),
        Array(3).fill(probe.body),
        "each probe reached the server",
      );
    }
  });
}

test("a probe is asked each time, and one server's answer is never another's", async (t) => {
  const servers = await Promise.all(
    ["one", "two"].map((name) =>
      stubServer(t, bytesAnswer(`{"jsonrpc":"2.0","id":0,"result":{"serverInfo":{"name":"${name}"}}}`)),
    ),
  );
  const yaml = servers.map(({ url }, i) => `s${i}: { url: "${url}" }`).join(", ");
  const house = await testGateway(t, `servers: { ${yaml} }\n${openPolicy}`);
  const enrolment = await enrol(house);
  for (const [i, { url }] of servers.entries()) {
    const paths = await pathsTo(t, house, { server: `s${i}`, url, enrolment });
    for (const [, probe] of probes) for (let n = 0; n < 2; n++) await same(paths, probe);
  }
  assert.deepEqual(
    servers.map(({ seen }) => seen.length),
    [12, 12],
  );
});

test("a server that is away during a probe is a 502 or 504, never a 4xx, which a client would take for another era", async (t) => {
  const silent = await stubServer(t, () => undefined);
  const torn = await stubServer(t, (_request, response) => response.destroy());
  const servers = `down: { url: "http://127.0.0.1:9/mcp" }, silent: { url: "${silent.url}" }, torn: { url: "${torn.url}" }, none: { command: [/nowhere/server] }`;
  const house = await testGateway(
    t,
    `servers: { ${servers} }\nlimits: { answer_timeout: 500ms }\n${openPolicy}`,
  );
  const enrolment = await enrol(house);
  for (const [server, status] of [
    ["down", 502],
    ["silent", 504],
    ["torn", 502],
    ["none", 502],
  ] as const) {
    const { ours } = await pathsTo(t, house, { server, url: silent.url, enrolment });
    for (const [name, probe] of probes) {
      for (const way of ours)
        assert.equal((await way.ask(probe)).status, status, `${server}: ${name}: ${way.name}`);
    }
  }
});

test("a stdio server that dies of a probe looks like the legacy server it is", async (t) => {
  const command = JSON.stringify([
    process.execPath,
    "-e",
    "process.stdin.once('data', () => process.exit(1))",
  ]);
  const house = await testGateway(t, `servers: { old: { command: ${command} } }\n${openPolicy}`);
  const { gateway } = await pathsTo(t, house, {
    server: "old",
    url: all.stub.url,
    enrolment: await enrol(house),
  });
  const { status, bytes } = await gateway.ask(discover);
  const { error } = JSON.parse(bytes.toString()) as { readonly error: { readonly code: number } };
  assert.deepEqual([status, error.code], [400, -32601]);
});

test("what we refuse of a probe ourselves is a 403, or a 400 that says so in the modern era's words", async (t) => {
  all.answering(echoResult);
  const stranger = clientOf(t, all.house, await enrol(all.house, "person/eve"));
  const before = all.stub.seen.length;
  for (const [, { headers = json, body = "" }] of probes) {
    const denied = await stranger.request("stub", {
      headers: headers as Record<string, string>,
      body: String(body),
    });
    assert.equal(denied.status, 403);
  }
  for (const way of all.ours) {
    const wrong = await way.ask({
      ...discover,
      headers: { ...discover.headers, "mcp-method": "tools/list" },
    });
    assert.equal(wrong.status, 400);
    assert.match(wrong.bytes.toString(), /"id":0,"error":\{"code":-32020,/);
  }
  assert.equal(all.stub.seen.length, before);
});

test("a legacy request needs no Mcp headers, and those it has aren't checked against it", async () => {
  all.answering(echoResult);
  const odd = { ...json, "mcp-method": "prompts/get", "mcp-name": "z", "mcp-protocol-version": "2025-03-26" };
  for (const headers of [json, odd]) {
    assert.equal((await same(all, { ...initialize, headers })).status, 200);
  }
});

/** A server that knows only one era, or both. */
const servers = {
  modern: () => {
    const handler = toNodeHandler(
      createMcpHandler(() => fixtureServer({ era: "modern", tasks: new Tasks() }), { legacy: "reject" }),
    );
    return http.createServer(
      (request, response) => void handler(request as Parameters<typeof handler>[0], response),
    );
  },
  legacy: () => http.createServer((request, response) => void legacyOnly(request, response)),
  both: fixtureHttpServer,
} as const;

async function legacyOnly(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const server = new McpServer({ name: "old", version: "1" });
  server.registerTool("test_simple_text", {}, () => ({ content: [{ type: "text", text: "old" }] }));
  const transport = new StreamableHTTPServerTransport({});
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

const clients = {
  "a modern client": { pin: "2026-07-28" },
  "a legacy client": "legacy",
  "a client of both eras": "auto",
} as const;

/** The era in which that client comes to an answer, or "none". */
async function verdict(url: string, mode: (typeof clients)[keyof typeof clients]): Promise<string> {
  const client = new Client({ name: "c", version: "1" }, { versionNegotiation: { mode } });
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    const { content } = await client.callTool({ name: "test_simple_text", arguments: {} });
    return `${client.getProtocolEra() ?? "legacy"} ${JSON.stringify(content)}`;
  } catch (error) {
    return `none (${(error as Error).name})`;
  } finally {
    await client.close();
  }
}

for (const [era, make] of Object.entries(servers)) {
  test(`each client comes to the same verdict on a server of era "${era}" as it does straight`, async (t) => {
    const { url, sidecarUrl } = await reached(t, make());
    const verdicts: Record<string, string> = {};
    for (const [name, mode] of Object.entries(clients)) {
      const straight = await verdict(url, mode);
      assert.equal(await verdict(sidecarUrl, mode), straight, name);
      verdicts[name] = straight.split(" ")[0] ?? "";
    }
    const expected = {
      modern: ["modern", "none", "modern"],
      legacy: ["none", "legacy", "legacy"],
      both: ["modern", "legacy", "modern"],
    };
    assert.deepEqual(Object.values(verdicts), expected[era as keyof typeof expected]);
  });
}

async function reached(
  t: TestContext,
  server: http.Server,
): Promise<{ readonly url: string; readonly sidecarUrl: string }> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const house = await testGateway(t, `servers: { era: { url: "${url}" } }\n${openPolicy}`);
  const paths = await pathsTo(t, house, { server: "era", url, enrolment: await enrol(house) });
  for (const probe of [discover, { body: '{"jsonrpc":"2.0","id":3,"method":"tools/list"}' }])
    await same(paths, probe);
  return { url, sidecarUrl: paths.sidecar.url };
}
