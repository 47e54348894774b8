/** The spans of a running gateway's calls, as a collector gets them, and what servers are told of traces. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import path from "node:path";
import test from "node:test";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

import { parseConfig } from "../../src/app/config.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { tracedCalls } from "../../src/app/metrics/traced-calls.ts";
import type { Journaled } from "../../src/gate/call.ts";
import { batchedPost } from "../../src/host/metrics/batched-post.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { readFrame } from "../../src/wire/frame.ts";
import { fixtureHttpServer } from "../fixture/http.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { type CollectedSpan, otlpCollector } from "../support/otlp-collector.ts";
import { readExposition } from "../support/prometheus-text.ts";
import { sidecarOf } from "../support/ways.ts";

const denyDrop = `
  - name: no-drop
    callers: ["spiffe://latticegate.local/agent/*"]
    tools: ["notes/drop"]
    effect: deny
    because: Nothing is dropped here.
`;

const traceId = "0af7651916cd43dd8448eb211c80319c";
const clientSpan = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${clientSpan}-01`;

function traced(name: string, meta: object, id = 1): object {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: { a: 1 }, _meta: meta } };
}

function inside(
  { startTimeUnixNano: start, endTimeUnixNano: end }: CollectedSpan,
  outer: CollectedSpan,
): boolean {
  return (
    BigInt(outer.startTimeUnixNano) <= BigInt(start) &&
    BigInt(start) <= BigInt(end) &&
    BigInt(end) <= BigInt(outer.endTimeUnixNano)
  );
}

test("a call's spans are children of the client's, and say what was decided; its message stays as it is", async (t) => {
  const collector = await otlpCollector(t);
  const server = await stubServer(t);
  const folder = await temporaryFolder(t);
  const token = path.join(folder, "token");
  await writeFile(token, "collector-token-1\n");
  const gateway = await testGateway(
    t,
    `traces: { url: "${collector.url}", headers: { x-api-key: { file: ${token} } } }
servers: { notes: { url: "${server.url}" } }
${openPolicy}${denyDrop}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const message = JSON.stringify(traced("read", { traceparent, tracestate: "v=1" }));
  await client.request("notes", {
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: message,
  });
  await client.post("notes", toolCall("drop", 2, { password: "hunter2-secret" }));
  await client.post("notes", traced("read", { traceparent: `${traceparent}-${"9".repeat(5000)}` }, 3));
  await gateway.stop();
  assert.equal(server.seen[0]?.body, message);
  assert.ok(collector.headers.every((headers) => headers["x-api-key"] === "collector-token-1"));
  const of = (id: string) =>
    collector.spans.find(({ kind, attributes }) => kind === 2 && attributes["jsonrpc.request.id"] === id);
  const [read, drop, odd] = [of("1"), of("2"), of("3")];
  assert.ok(read && drop && odd);
  assert.deepEqual([read.traceId, read.parentSpanId, read.traceState], [traceId, clientSpan, "v=1"]);
  assert.equal(read.name, "tools/call read");
  assert.equal(read.resource["service.name"], "latticegate");
  const { attributes } = read;
  assert.deepEqual(
    [
      "mcp.method.name",
      "gen_ai.tool.name",
      "gen_ai.operation.name",
      "latticegate.verdict",
      "latticegate.rule",
    ].map((name) => attributes[name]),
    ["tools/call", "read", "execute_tool", "allowed", "test-agents"],
  );
  assert.equal(attributes["latticegate.link.group"], "X25519MLKEM768");
  assert.equal(attributes["latticegate.risk.bucket"], "none");
  assert.match(attributes["latticegate.call_id"] ?? "", /^[0-9a-f-]{36}$/);
  const children = collector.spans.filter(({ parentSpanId }) => parentSpanId === read.spanId);
  assert.deepEqual(children.map(({ name }) => name).toSorted(), [
    "answer",
    "journal",
    "judge",
    "tools/call read",
  ]);
  assert.ok(children.every((child) => child.traceId === traceId && inside(child, read)));
  assert.deepEqual(
    [drop.attributes["latticegate.verdict"], drop.attributes["error.type"], drop.status.code],
    ["denied", "denied", 2],
  );
  assert.ok(!collector.spans.some(({ parentSpanId, kind }) => parentSpanId === drop.spanId && kind === 3));
  assert.equal(odd.parentSpanId, undefined);
  assert.notEqual(odd.traceId, traceId);
  assert.ok(!JSON.stringify(collector.spans).includes("hunter2-secret"));
  assert.ok(!gateway.log.some((line) => line.includes("collector-token-1")));
});

test("rewrite_parent makes the server's span a child of the gateway's, and changes no other byte", async (t) => {
  const collector = await otlpCollector(t);
  const server = await stubServer(t);
  const gateway = await testGateway(
    t,
    `traces: { url: "${collector.url}", rewrite_parent: true }
servers: { notes: { url: "${server.url}" } }
${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const body = `{ "jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"n":1.0,"traceparent" : "${traceparent}"},"name":"read","arguments":{"b":-0,"a":[ ]}}}`;
  await client.request("notes", { headers, body });
  await gateway.stop();
  const forward = collector.spans.find(({ kind }) => kind === 3);
  const own = collector.spans.find(({ kind }) => kind === 2);
  assert.ok(forward && own);
  assert.deepEqual([own.parentSpanId, forward.parentSpanId], [clientSpan, own.spanId]);
  assert.equal(server.seen[0]?.body, body.replace(clientSpan, forward.spanId));
});

test("with a sample of 0 nothing is traced and nothing rewritten, whatever the client's flags say", async (t) => {
  const collector = await otlpCollector(t);
  const server = await stubServer(t);
  const gateway = await testGateway(
    t,
    `traces: { url: "${collector.url}", rewrite_parent: true, sample: 0 }
servers: { notes: { url: "${server.url}" } }
${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  await client.post("notes", traced("read", { traceparent }));
  await gateway.stop();
  assert.deepEqual(collector.headers, []);
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), traced("read", { traceparent }));
});

test("an official client's calls through a sidecar: its tools are named, and its server's span is the gateway's child", async (t) => {
  const collector = await otlpCollector(t);
  const told: unknown[] = [];
  const server = fixtureHttpServer(() => {
    const shop = new McpServer({ name: "shop", version: "1" }, { capabilities: { tools: {} } });
    shop.registerTool("add", { description: "Adds.", inputSchema: z.looseObject({}) }, (_, { mcpReq }) => {
      told.push(mcpReq._meta?.["traceparent"]);
      return { content: [{ type: "text", text: "added" }] };
    });
    return shop;
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const gateway = await testGateway(
    t,
    `metrics: { listen: "127.0.0.1:0" }
traces: { url: "${collector.url}", rewrite_parent: true }
servers: { shop: { url: "http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp" } }
${openPolicy}
  - name: no-adding
    callers: ["*"]
    tools: ["shop/add"]
    when: args.amount > 10.0
    effect: deny
    because: That is too much.
`,
  );
  const connection = await connectHttp(await sidecarOf(t, gateway, "shop"), 0);
  atEnd(t, connection.close);
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: { pin: "2026-07-28" } } },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(connection.url)));
  atEnd(t, () => client.close());
  await client.listTools();
  const call = (amount: number) =>
    client.callTool({ name: "add", arguments: { amount }, _meta: { traceparent } });
  await call(100);
  await call(1);
  const { samples } = readExposition(await (await fetch(`http://${gateway.metrics}/metrics`)).text());
  const counted = samples.filter(
    ({ name, labels }) => name === "latticegate_calls_total" && labels["tool"] === "add",
  );
  assert.deepEqual(
    counted.map(({ labels, value }) => [labels["verdict"], labels["rule"], value]),
    [
      ["denied", "no-adding", 1],
      ["allowed", "test-agents", 1],
    ],
  );
  await client.close();
  await connection.close();
  await gateway.stop();
  const forward = collector.spans.find(({ kind, name }) => kind === 3 && name === "tools/call add");
  assert.ok(forward);
  assert.deepEqual(told, [`00-${traceId}-${forward.spanId}-01`]);
  const own = collector.spans.find(({ spanId }) => spanId === forward.parentSpanId);
  assert.deepEqual([own?.parentSpanId, own?.attributes["mcp.protocol.version"]], [clientSpan, "2026-07-28"]);
});

test("what is signed for another end, or has no place for a trace, is sent as it came", () => {
  const config = parseConfig(
    "traces: { url: http://localhost:4318/v1/traces, rewrite_parent: true }",
    "/nowhere/x.yaml",
  );
  assert.ok(config.traces);
  const traces = tracedCalls(config, config.traces, options.log);
  const context = { traceId, spanId: "1".repeat(16), forwardId: "2".repeat(16) };
  const call = (params: string, signature?: { readonly end: "between" | "serving" }) => {
    const body = Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"tools/call"${params}}`);
    return { frame: readFrame(body), body, signature } as unknown as Journaled;
  };
  const some = `,"params":{"name":"add"}`;
  const untouched = [
    call(some, { end: "between" }),
    call(`,"params":{"_meta":{"dev.latticegate/sig":{}}}`),
    call(`,"params":{"_meta":[]}`),
    call(""),
    // As many members as a reader takes.
    call(`,"params":{"name":"add","arguments":[${"0,".repeat(99_993)}0]}`),
  ];
  for (const each of untouched) assert.equal(traces.departing(each, context), each);
  assert.equal(traces.departing(untouched[0] ?? call(""), undefined), untouched[0]);
  for (const each of [call(some), call(some, { end: "serving" })])
    assert.match(Buffer.from(traces.departing(each, context).body).toString(), /"traceparent":"00-0af7/);
});

const options = {
  headers: {},
  bodyOf: (items: readonly number[]) =>
    JSON.stringify({ resourceSpans: [], items }).replace(/,"items".*/, "}"),
  name: "traces",
  log: systemLog({ level: "error", clock: systemClock, form: "json", write: () => undefined }),
  pausesMs: [1, 1],
};

test("a collector that is busy is asked again; one that refuses has the batch dropped and counted", async (t) => {
  const busy = await otlpCollector(t, [503, 429]);
  const post = batchedPost({ ...options, url: busy.url });
  post.add(1);
  await post.stop();
  assert.deepEqual([busy.headers.length, post.counts()], [3, { sent: 1, dropped: 0 }]);
  const refusing = await otlpCollector(t, [400]);
  const other = batchedPost({ ...options, url: refusing.url });
  other.add(1);
  await other.stop();
  assert.deepEqual([refusing.headers.length, other.counts()], [1, { sent: 0, dropped: 1 }]);
});

test("a collector that never answers doesn't hold up the end, and what it didn't take is dropped", async (t) => {
  const silent = await stubServer(t, () => undefined);
  const url = `${silent.url}/v1/traces`;
  const post = batchedPost({ ...options, url, timeoutMs: 3_600_000, stopWithinMs: 20 });
  post.add(1);
  await post.stop();
  assert.deepEqual(post.counts(), { sent: 0, dropped: 1 });
});

test("what a collector is too slow for is dropped and counted, and nobody waits", async (t) => {
  const { url } = await otlpCollector(t);
  const post = batchedPost({ ...options, url });
  for (let i = 0; i < 10_000; i++) post.add(i);
  const { dropped } = post.counts();
  assert.ok(dropped > 5000);
  await post.stop();
  assert.deepEqual(post.counts(), { sent: 10_000 - dropped, dropped });
});
