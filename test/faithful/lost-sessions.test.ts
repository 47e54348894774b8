/** Class 4: a session that is lost is lost for all to see, and for nobody else. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type http from "node:http";
import type { AddressInfo } from "node:net";
import { after, test, type TestContext } from "node:test";

import { fixtureHttpServer } from "../fixture/http.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Answering,
  clientOf,
  echoResult,
  enrol,
  openPolicy,
  stubServer,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { openSession, scriptedServer, stdioClient } from "../support/pipes.ts";
import { bytesAnswer, json, legacyCall, pathsTo, same, type Way, ways } from "../support/ways.ts";

const all = await ways({ after });

test("a session that died is a 404, with the server's own words, asked for once", async () => {
  const words = '{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Session not found","data":[1.0]}}';
  all.answering(bytesAnswer(words, json, 404));
  const before = all.stub.seen.length;
  const { status, bytes } = await same(all, { body: legacyCall() });
  assert.deepEqual([status, bytes.toString()], [404, words]);
  assert.equal(all.stub.seen.length, before + 3, "nobody asked again by himself");
});

for (const [status, words] of [
  [400, '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"No session"}}'],
  [404, ""],
  [408, "slow"],
  [409, "busy"],
  [410, "gone"],
  [500, "oops"],
  [503, "later"],
] as const) {
  test(`a server's own ${status} stays ${status}, with its words`, async () => {
    all.answering(bytesAnswer(words, { "content-type": "text/plain", "retry-after": "7" }, status));
    const answered = await same(all, { body: legacyCall() }, ["content-type", "retry-after"]);
    assert.deepEqual([answered.status, answered.bytes.toString()], [status, words]);
  });
}

test("a call on which the server broke off is a 502 and isn't sent again", async () => {
  all.answering((_request, response) => void response.destroy());
  for (const way of all.ours) {
    const before = all.stub.seen.length;
    assert.equal((await way.ask({ body: legacyCall() })).status, 502, way.name);
    assert.equal(all.stub.seen.length, before + 1, way.name);
  }
});

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  },
});

async function listeningFixture(t: TestContext, port: number): Promise<http.Server> {
  const server = fixtureHttpServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => stopped(server));
  return server;
}

async function stopped(server: http.Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

test("after a restart of the server each client sees the 404 it would see straight, and a new session works", async (t) => {
  const first = await listeningFixture(t, 0);
  const { port } = first.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/mcp`;
  const house = await testGateway(t, `servers: { fixture: { url: "${url}" } }\n${openPolicy}`);
  const paths = await pathsTo(t, house, { server: "fixture", url, enrolment: await enrol(house) });
  const open = async (way: Way): Promise<Record<string, string>> => {
    const { status, headers } = await way.ask({ body: initialize });
    assert.equal(status, 200, way.name);
    const version = { "mcp-protocol-version": "2025-11-25" };
    return { ...json, ...version, "mcp-session-id": headers["mcp-session-id"]?.[0] ?? "" };
  };
  const ping = { body: '{"jsonrpc":"2.0","id":2,"method":"ping"}' };
  const every = [paths.straight, ...paths.ours];
  const sessions = await Promise.all(every.map(open));
  for (const [i, way] of every.entries()) {
    assert.equal((await way.ask({ ...ping, headers: sessions[i] })).status, 200, way.name);
  }
  await stopped(first);
  for (const way of paths.ours) assert.equal((await way.ask(ping)).status, 502, "away isn't lost");
  await listeningFixture(t, port);
  const lost = await Promise.all(every.map((way, i) => way.ask({ ...ping, headers: sessions[i] })));
  assert.deepEqual(
    lost.map(({ status }) => status),
    [404, 404, 404],
  );
  assert.equal(new Set(lost.map(({ bytes }) => bytes.toString())).size, 1, "the same words");
  for (const way of every) {
    assert.equal((await way.ask({ ...ping, headers: await open(way) })).status, 200, way.name);
  }
});

test("of two servers one may die, and the other's sessions go on", async (t) => {
  const withSession: Answering = (request, response, body) => {
    response.setHeader("mcp-session-id", "s");
    echoResult(request, response, body);
  };
  const [dying, living] = [await stubServer(t, withSession), await stubServer(t, withSession)];
  const servers = `servers: { dying: { url: "${dying.url}" }, living: { url: "${living.url}" } }`;
  const house = await testGateway(t, `${servers}\n${openPolicy}`);
  const client = clientOf(t, house, await enrol(house));
  const sessions = [await openSession(client, "dying"), await openSession(client, "living")];
  dying.server.closeAllConnections();
  dying.server.close();
  for (let i = 0; i < 3; i++) {
    assert.equal((await sessions[0]?.call("a"))?.status, 502);
    assert.equal((await sessions[1]?.call("a"))?.status, 200);
  }
});

test("of two processes of a stdio server one may die: its session is gone with a 404, the other's goes on", async (t) => {
  const { session } = await scriptedServer(t);
  const [dying, living] = [await session(), await session()];
  const pid = Number(/\d+/.exec((await dying.call("pid")).text.split('"text":')[1] ?? "")?.[0]);
  process.kill(pid, "SIGKILL");
  const statuses: number[] = [];
  while (statuses.at(-1) !== 404) statuses.push((await dying.call("echo")).status);
  assert.ok(statuses.length < 5, "it is gone at once, or after the calls that saw it die");
  assert.equal((await living.call("echo")).status, 200);
});

test("a pipe has no 404: its session is opened again with the client's own words, and the call carried out once", async (t) => {
  let sessions = 0;
  const words = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"mine":1.0}}';
  all.answering((request, response, body) => {
    const { id, method } = JSON.parse(body || "{}") as { readonly id?: unknown; readonly method?: string };
    if (method === "initialize") response.setHeader("mcp-session-id", `s${++sessions}`);
    const isLost = method === "tools/call" && request.headers["mcp-session-id"] === "s1";
    if (isLost) response.writeHead(404).end();
    else if (id === undefined) response.writeHead(request.method === "GET" ? 405 : 202).end();
    else bytesAnswer(JSON.stringify({ jsonrpc: "2.0", id, result: {} }))(request, response, body);
  });
  const before = all.stub.seen.length;
  const client = await stdioClient(t, all.house, "stub");
  await client.ask(words);
  client.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  const answered = await client.ask(JSON.stringify(toolCall("a", 9)));
  assert.equal(answered, '{"jsonrpc":"2.0","id":9,"result":{}}');
  const seen = all.stub.seen.slice(before);
  assert.deepEqual(
    seen.filter(({ body }) => body.includes('initialize"')).map(({ body }) => body),
    [words, words],
  );
  assert.deepEqual(
    seen.filter(({ body }) => body.includes("tools/call")).map(({ headers }) => headers["mcp-session-id"]),
    ["s1", "s2"],
  );
});
