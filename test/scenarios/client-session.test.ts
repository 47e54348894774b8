/** Sessions of clients: shared by all sidecars of one client's process, and by nobody else. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import type http from "node:http";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, connectHttp, openTunnel } from "../../src/app/connect.ts";
import { collected } from "../../src/host/net/http-exchange.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { sessionHeader } from "../../src/wire/identity-headers.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { latticegate } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, type Recorded } from "../support/records.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const json = ["content-type", "application/json", "accept", "application/json, text/event-stream"];

async function sidecarOptions(t: Cleanup, gateway: TestGateway, target = "stub"): Promise<ConnectOptions> {
  const { config, address } = gateway;
  const joinToken = await makeJoinToken(config, { path: "agent/sidecar", address }, systemClock);
  const state = await freshState(t);
  return { target, state, joinToken, clock: gateway.clock, log: silent };
}

/** Makes a call through a sidecar of its own. @returns its answer */
async function callBy(options: ConnectOptions, tool = "echo"): Promise<string> {
  const tunnel = await openTunnel(options);
  try {
    const body = Buffer.from(JSON.stringify(toolCall(tool)));
    const answer = await collected(await tunnel.send({ method: "POST", headers: [...json], body }));
    return answer.kind === "whole" ? Buffer.from(answer.body).toString() : "";
  } finally {
    await tunnel.close();
  }
}

const sessionsOf = (entries: readonly Recorded[]): readonly string[] => [
  ...new Set(entries.map(({ facts }) => facts["session"] ?? "none")),
];

test("each entry names the session; its token is in no entry, no log line, and reaches no server", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = await sidecarOptions(t, gateway);
  await callBy(options);
  await callBy(options);
  const entries = await checkLog(gateway);
  assert.equal(entries.length, 4);
  assert.match(sessionsOf(entries).join(), /^[\w-]{22}$/);
  const folder = path.join(options.state, "sessions");
  const [file = ""] = await readdir(folder);
  const { token } = JSON.parse(await readFile(path.join(folder, file), "utf8")) as { readonly token: string };
  assert.ok(!gateway.log.some((line) => line.includes(token)));
  assert.ok(!JSON.stringify(entries).includes(token));
  assert.ok(!JSON.stringify(stub.seen).includes("latticegate-session"));
});

test("a session that ended while nobody used it is replaced, and the call made once", async (t) => {
  const stub = await stubServer(t);
  let aheadMs = 0;
  const clock = { nowUnixMs: () => Date.now() + aheadMs };
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml, { clock });
  const options = await sidecarOptions(t, gateway);
  const tunnel = await openTunnel({ ...options, clock: systemClock });
  atEnd(t, tunnel.close);
  const send = async (): Promise<number> => {
    const body = Buffer.from(JSON.stringify(toolCall("echo")));
    return (await tunnel.send({ method: "POST", headers: [...json], body })).status;
  };
  assert.equal(await send(), 200);
  aheadMs = 31 * 60_000;
  assert.deepEqual(await Promise.all([send(), send(), send()]), [200, 200, 200]);
  assert.equal(stub.seen.length, 4, "none was lost, none made twice");
  const entries = await checkLog(gateway);
  const carried = entries.filter(({ event }) => event === "call.decision");
  assert.equal(sessionsOf(carried).length, 2);
  const refused = entries.filter(({ facts }) => facts["reason"] === "session_ended");
  assert.ok(refused.length >= 1 && refused.every(({ facts }) => facts["session"] === undefined));
});

test("a server can't have a call made again by saying that the session ended", async (t) => {
  const answer = (_: http.IncomingMessage, response: http.ServerResponse): void => {
    response.writeHead(403, { "content-type": "application/json", [sessionHeader]: "ended" });
    response.end('{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}');
  };
  const stub = await stubServer(t, answer);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  assert.match(await callBy(await sidecarOptions(t, gateway)), /"no"/);
  assert.equal(stub.seen.length, 1);
});

test("a session of another caller, or one that was made up, is refused before anything is done", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const [a, b] = [await enrol(gateway, "agent/a"), await enrol(gateway, "agent/b")];
  const [asA, asB] = [clientOf(t, gateway, a), clientOf(t, gateway, b)];
  const minted = await asA.request("", {
    path: "/identity/session",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const { session } = JSON.parse(minted.text) as { readonly session: string };
  assert.equal((await asA.post("stub", toolCall("x"), { [sessionHeader]: session })).status, 200);
  for (const token of [session, `${session}x`, "x", ""]) {
    const { status, headers } = await asB.post("stub", toolCall("x"), { [sessionHeader]: token });
    assert.deepEqual([status, headers[sessionHeader]], [403, "ended"], token);
  }
  assert.equal(stub.seen.length, 1);
});

test("without a sidecar, all that a caller asks is one session", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const a = await enrol(gateway, "agent/a");
  const links = [clientOf(t, gateway, a), clientOf(t, gateway, a)];
  for (const link of links) await link.post("stub", toolCall("x"));
  await clientOf(t, gateway, await enrol(gateway, "agent/b")).post("stub", toolCall("x"));
  const entries = await checkLog(gateway);
  const of = (name: string) => sessionsOf(entries.filter(({ principal }) => principal.endsWith(name)));
  assert.equal(of("agent/a").length, 1);
  assert.equal(of("agent/b").length, 1);
  assert.notDeepEqual(of("agent/a"), of("agent/b"));
});

test("a sidecar that names a part of its client's session narrows it, and never leaves it", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = await sidecarOptions(t, gateway);
  await callBy(options);
  for (const sessionPart of ["chat-1", "chat-2", "chat-1"]) await callBy({ ...options, sessionPart });
  const [whole = "", ...parts] = sessionsOf(await checkLog(gateway));
  assert.equal(parts.length, 2);
  for (const part of parts) assert.ok(part.startsWith(`${whole}.`));
});

test("`connect --http` serves many clients, who share a session of its own", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = await sidecarOptions(t, gateway);
  await callBy(options);
  const { url, close } = await connectHttp(options, 0);
  atEnd(t, close);
  for (let n = 0; n < 2; n++) {
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    await (await fetch(url, { method: "POST", headers, body: JSON.stringify(toolCall("x")) })).text();
  }
  const entries = (await checkLog(gateway)).filter(
    ({ event, tool }) => event === "call.decision" && tool !== null,
  );
  assert.equal(entries.length, 3);
  assert.equal(sessionsOf(entries.slice(1)).length, 1);
  assert.equal(sessionsOf(entries).length, 2, "not that of the client that started it");
});

const twoServers = fileURLToPath(new URL("../support/two-servers-client.ts", import.meta.url));
const wrapper = fileURLToPath(new URL("../../bin/latticegate.mjs", import.meta.url));

test("two servers of one client share its session; two clients of one machine don't", async (t) => {
  const stub = await stubServer(t, mcpAnswers);
  const yaml = `servers: { one: { url: "${stub.url}" }, two: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml);
  const { state, joinToken = "" } = await sidecarOptions(t, gateway, "one");
  const joining = await openTunnel({ target: "one", state, joinToken, clock: systemClock, log: silent });
  await joining.close();
  const connect = (server: string): readonly string[] => ["connect", server, "--state", state];
  // As people configure them: through the package's own program, and through shells that stay in between.
  const commands = [
    ["sh", "-c", `${[process.execPath, wrapper, ...connect("one")].map(quoted).join(" ")}; true`],
    ["env", "A=1", process.execPath, ...latticegate(connect("two"))],
  ];
  const clients = ["first", "second"].map(() => startClient(t, commands));
  await Promise.all(clients.map((client) => once(client.stdout, "data")));
  await Promise.all(
    clients.map((client) => {
      client.stdin.end();
      return once(client, "exit");
    }),
  );
  const calls = (await checkLog(gateway)).filter(
    ({ event, tool }) => event === "call.decision" && tool !== null,
  );
  const bySession = Map.groupBy(calls, ({ facts }) => facts["session"] ?? "none");
  assert.equal(bySession.size, 2, "a session for each client");
  for (const [session, own] of bySession) {
    assert.notEqual(session, "none");
    assert.equal(own.length, 2);
    assert.deepEqual(new Set(own.map(({ tool }) => tool)), new Set(["one/echo", "two/echo"]));
  }
});

function startClient(t: Cleanup, commands: readonly (readonly string[])[]) {
  const child = spawn(process.execPath, [twoServers, JSON.stringify(commands)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  atEnd(t, () => child.kill("SIGKILL"));
  return child;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** As much of MCP as the SDK's client needs to call a tool. */
function mcpAnswers(_: http.IncomingMessage, response: http.ServerResponse, body: string): void {
  const message = (body === "" ? {} : JSON.parse(body)) as { readonly id?: number; readonly method?: string };
  if (message.id === undefined) {
    response.writeHead(body === "" ? 405 : 202).end();
    return;
  }
  const greeting = {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "s", version: "1" },
  };
  const result = message.method === "initialize" ? greeting : { content: [{ type: "text", text: "here" }] };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
}
