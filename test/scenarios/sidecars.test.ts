/** `connect` and `expose`: loopback in front, tunnel behind, restarts and renewals in between. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { listCertificates, makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, connectHttp, connectStdio, openTunnel } from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  echoResult,
  eventually,
  openPolicy,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";

const stdioServer = fileURLToPath(new URL("../support/stdio-server.ts", import.meta.url));
const silent = systemLog({ level: "error", form: "json", write: () => undefined });

async function sidecar(
  t: TestContext,
  gateway: TestGateway,
  target: string,
  options: { readonly name?: string; readonly clock?: Clock } = {},
): Promise<ConnectOptions> {
  const name = options.name ?? "agent/sidecar";
  const token = await makeJoinToken(gateway.config, { path: name, address: gateway.address }, systemClock);
  const state = await freshState(t);
  return { target, state, joinToken: token, clock: options.clock ?? systemClock, log: silent };
}

/** Posts a tool call to a loopback URL, with what else a browser or a stranger might send. */
async function post(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const request = http.request(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
  });
  request.end(JSON.stringify(toolCall("echo")));
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
  return { status: answer.statusCode ?? 0, text };
}

test("the loopback front answers localhost with this start's token, and nobody else", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const connection = await connectHttp(await sidecar(t, gateway, "stub"), 0);
  atEnd(t, connection.close);
  assert.equal((await post(connection.url)).status, 200);
  const { origin, port } = new URL(connection.url);
  assert.equal((await post(connection.url, { origin })).status, 200, "a page of this machine's own");
  const refused = [
    ["another token", await post(`${origin}/${"x".repeat(32)}/mcp`), 401],
    ["no token", await post(`${origin}/mcp`), 401],
    ["another host's name", await post(connection.url, { host: `rebound.example:${port}` }), 403],
    ["a web page's origin", await post(connection.url, { origin: "https://evil.example" }), 403],
  ] as const;
  for (const [what, { status }, expected] of refused) assert.equal(status, expected, what);
  assert.equal(stub.seen.length, 2);
});

test("a sidecar finds its gateway again after a restart, with the identity it has", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const first = await testGateway(t, yaml);
  const impatient = { ...(await sidecar(t, first, "stub")), patienceMs: 100 };
  const connection = await connectHttp(impatient, 0);
  atEnd(t, connection.close);
  assert.equal((await post(connection.url)).status, 200);
  await first.stop();
  const away = await post(connection.url);
  assert.equal(away.status, 502);
  assert.match(away.text, /can't be reached/);
  await testGateway(t, yaml, { folder: first.folder, listen: first.address });
  assert.equal((await post(connection.url)).status, 200);
});

test("a stdio client's call waits for a gateway that is being restarted, and is carried out once", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const first = await testGateway(t, yaml);
  const options = await sidecar(t, first, "stub");
  await (await openTunnel(options)).close(); // It has joined.
  await first.stop();
  const [input, output] = [new PassThrough(), new PassThrough()];
  const ended = connectStdio(options, { input, output });
  input.write(`${JSON.stringify(toolCall("late", 7))}\n`);
  await testGateway(t, yaml, { folder: first.folder, listen: first.address });
  const [line] = (await once(output, "data")) as [Buffer];
  assert.deepEqual(JSON.parse(line.toString()), { jsonrpc: "2.0", id: 7, result: {} });
  assert.equal(stub.seen.length, 1);
  input.end();
  await ended;
});

test("an identity past its half-life is renewed by itself, and the tunnel goes on under the new one", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const mine = () =>
    listCertificates(gateway.config).filter(
      ({ spiffeId, purpose }) => spiffeId.endsWith("agent/sidecar") && purpose === "client",
    );
  assert.equal(mine().length, 1);
  const later: Clock = { ...systemClock, nowUnixMs: () => Date.now() + 31 * 60_000 };
  const connection = await connectHttp({ ...options, clock: later }, 0);
  atEnd(t, connection.close);
  await eventually("a second certificate", () => mine().length === 2);
  assert.equal((await post(connection.url)).status, 200);
});

test("a sidecar without an identity or a token is told how to get one", async (t) => {
  const state = await freshState(t);
  const options = { target: "stub", state, clock: systemClock, log: silent };
  await assert.rejects(openTunnel(options), (error: unknown) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, "bad_join_token");
    assert.match(error.message, /latticegate ca token --for agent\/NAME/);
    return true;
  });
});

test("an exposed stdio server is reached through its gateway, and by nobody else", async (t) => {
  const first = await testGateway(t, openPolicy);
  const exposing = await sidecar(t, first, "", { name: "server/pipe" });
  const exposed = await startExpose({
    ...exposing,
    server: { command: [process.execPath, stdioServer] },
    listen: "127.0.0.1:0",
    allow: [],
  });
  atEnd(t, exposed.stop);
  assert.equal(exposed.spiffeId, "spiffe://latticegate.local/server/pipe");
  await first.stop();
  const servers = `servers: { behind: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { folder: first.folder });

  const connection = await connectHttp(await sidecar(t, gateway, "behind", { name: "agent/a" }), 0);
  atEnd(t, connection.close);
  const client = await session(connection.url);
  assert.match((await client("echo")).text, /"jsonrpc":"2.0","id":1,"result"/);

  const stranger = await sidecar(t, gateway, exposed.url, { name: "agent/b" });
  const straight = await connectHttp({ ...stranger, peer: exposed.spiffeId }, 0);
  atEnd(t, straight.close);
  const denied = await post(straight.url);
  assert.match(denied.text, /Denied by policy/);
});

test("an exposed HTTP server that someone else's certificate answers for is not called", async (t) => {
  const stub = await stubServer(t, echoResult);
  const first = await testGateway(t, openPolicy);
  const exposed = await startExpose({
    ...(await sidecar(t, first, "", { name: "server/stub" })),
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: ["spiffe://latticegate.local/agent/*"],
  });
  atEnd(t, exposed.stop);
  const friend = await sidecar(t, first, exposed.url, { name: "agent/a" });
  const straight = await connectHttp({ ...friend, peer: exposed.spiffeId }, 0);
  atEnd(t, straight.close);
  assert.equal((await post(straight.url)).status, 200, "whom the operator named may call it directly");
  const peer = "spiffe://latticegate.local/server/other";
  const mistaken = await connectHttp({ ...friend, peer, patienceMs: 100 }, 0);
  atEnd(t, mistaken.close);
  assert.equal((await post(mistaken.url)).status, 502);
  assert.equal(stub.seen.length, 1);
});

/** Opens a legacy session over a loopback URL. @returns what calls a tool in it */
async function session(url: string): Promise<(tool: string) => Promise<{ readonly text: string }>> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const initialize = { jsonrpc: "2.0", id: 0, method: "initialize", params: {} };
  const opened = await fetch(url, { method: "POST", headers, body: JSON.stringify(initialize) });
  assert.equal(opened.status, 200);
  await opened.text();
  const id = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  return async (tool) => {
    const body = JSON.stringify(toolCall(tool));
    const answer = await fetch(url, { method: "POST", headers: { ...headers, ...id }, body });
    return { text: await answer.text() };
  };
}
