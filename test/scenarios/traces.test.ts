/** The spans of a running gateway's calls, as a collector gets them, and what servers are told of traces. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { batchedPost } from "../../src/host/metrics/batched-post.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
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

test("what a collector is too slow for is dropped and counted, and nobody waits", async (t) => {
  const { url } = await otlpCollector(t);
  const post = batchedPost({ ...options, url });
  for (let i = 0; i < 10_000; i++) post.add(i);
  const { dropped } = post.counts();
  assert.ok(dropped > 5000);
  await post.stop();
  assert.deepEqual(post.counts(), { sent: 10_000 - dropped, dropped });
});
