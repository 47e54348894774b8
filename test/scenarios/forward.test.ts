/** A forward server: clients keep their servers' own URLs, and are judged and recorded on the way there. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test, type TestContext } from "node:test";

import { EnvHttpProxyAgent, request } from "undici";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectForward } from "../../src/app/connect.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Answering,
  type Client,
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  type StubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { recorded } from "../support/records.ts";

interface World {
  readonly gateway: TestGateway;
  /** On the list. */
  readonly stub: StubServer;
  /** Not on the list. */
  readonly other: StubServer;
  readonly client: Client;
}

const deny = `
  - { name: no-pay, callers: ["*"], tools: ["web/pay"], effect: deny, because: "Nobody pays." }
`;

/** Answers whatever is asked, with the media type it was asked in. */
const agreeable: Answering = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json", "x-own": "kept" }).end('{"fine":true}');
};

/** Opens a session for whoever comes without one. */
const opening: Answering = (asked, response) => {
  const opened = asked.headers["mcp-session-id"] === undefined ? { "mcp-session-id": "upstream-1" } : {};
  response.writeHead(200, { "content-type": "application/json", ...opened }).end("{}");
};

async function world(t: TestContext, answer: Answering = agreeable): Promise<World> {
  const [stub, other] = [await stubServer(t, answer), await stubServer(t, answer)];
  const servers = `web: { forward: ["${origin(stub)}"] }, fixed: { url: "${stub.url}" }`;
  const gateway = await testGateway(t, `servers: { ${servers} }\n${openPolicy}${deny}`);
  return { gateway, stub, other, client: clientOf(t, gateway, await enrol(gateway)) };
}

function origin(stub: StubServer): string {
  return new URL(stub.url).origin;
}

/** @returns the proxy's URL, with this start's password */
async function proxy(t: TestContext, gateway: TestGateway): Promise<string> {
  const token = await makeJoinToken(
    gateway.config,
    { path: "agent/client", address: gateway.address },
    systemClock,
  );
  const log = systemLog({ level: "error", form: "json", write: () => undefined });
  const state = await freshState(t);
  const connection = await connectForward(
    { target: "web", state, joinToken: token, clock: systemClock, log },
    0,
  );
  atEnd(t, connection.close);
  return connection.url;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Asks the proxy as it stands in its URL for `target`, absolute-form. */
async function through(
  proxyUrl: string,
  target: string,
  { method = "GET", headers = {}, body }: Asked = {},
): Promise<{ readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly text: string }> {
  const { hostname, port, username, password } = new URL(proxyUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const asked = http.request({
    host: hostname,
    port,
    method,
    path: target,
    agent: false,
    headers: {
      "proxy-authorization": authorization,
      host: URL.parse(target)?.host ?? "localhost",
      ...headers,
    },
  });
  asked.end(body);
  const [answer] = (await once(asked, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
  return { status: answer.statusCode ?? 0, headers: answer.headers, text };
}

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const form = { "content-type": "application/x-www-form-urlencoded" };

test("a client's token reaches the target it named; cookies and the proxy's password don't, and nothing of it is recorded", async (t) => {
  const { gateway, stub } = await world(t);
  const url = await proxy(t, gateway);
  const target = `${origin(stub)}/mcp/deep?key=canary-query`;
  const answer = await through(url, target, {
    method: "POST",
    headers: {
      ...json,
      authorization: "Bearer canary-token",
      dpop: "canary-proof",
      cookie: "a=canary-cookie",
      "x-any": "passed",
      "latticegate-else": "ours",
      "accept-encoding": "gzip",
    },
    body: JSON.stringify(toolCall("echo", 7, { text: "canary-argument" })),
  });
  assert.deepEqual([answer.status, answer.text, answer.headers["x-own"]], [200, '{"fine":true}', "kept"]);
  const [seen] = stub.seen;
  assert.equal(seen?.headers.authorization, "Bearer canary-token");
  assert.equal(seen.headers["dpop"], "canary-proof");
  assert.equal(seen.headers["x-any"], "passed");
  assert.equal(seen.headers.host, new URL(target).host);
  assert.equal(seen.headers["accept-encoding"], "identity");
  for (const name of ["cookie", "proxy-authorization", "latticegate-else", "latticegate-target"])
    assert.equal(seen.headers[name], undefined, name);
  const entries = await recorded(gateway);
  assert.deepEqual(
    entries.map(({ event, outcome, tool, facts }) => [event, outcome, tool, facts["target"]]),
    [
      ["call.decision", "allowed", "web/echo", `${origin(stub)}/mcp/deep`],
      ["call.outcome", "allowed", "web/echo", `${origin(stub)}/mcp/deep`],
    ],
  );
  assert.doesNotMatch(JSON.stringify(entries) + gateway.log.join(""), /canary/);
});

test("requests beside MCP are recorded by their verb and their URL without its query", async (t) => {
  const { gateway, stub } = await world(t);
  const url = await proxy(t, gateway);
  const at = (where: string): string => `${origin(stub)}${where}?code=canary`;
  const asked = [
    [at("/.well-known/oauth-protected-resource/mcp"), {}],
    [at("/register"), { method: "POST", headers: json, body: '{"client_name":"canary","id":1}' }],
    [at("/token"), { method: "POST", headers: form, body: "grant_type=authorization_code&code=canary" }],
  ] as const;
  for (const [target, how] of asked) assert.equal((await through(url, target, how)).status, 200, target);
  assert.deepEqual(
    stub.seen.map(({ method, body }) => [method, body]),
    [
      ["GET", ""],
      ["POST", '{"client_name":"canary","id":1}'],
      ["POST", "grant_type=authorization_code&code=canary"],
    ],
  );
  const entries = await recorded(gateway);
  assert.deepEqual(
    entries
      .filter(({ event }) => event === "call.decision")
      .map(({ facts }) => [facts["method"], facts["resource"]]),
    [
      ["GET", `${origin(stub)}/.well-known/oauth-protected-resource/mcp`],
      ["POST", `${origin(stub)}/register`],
      ["POST", `${origin(stub)}/token`],
    ],
  );
  assert.equal(entries.filter(({ event }) => event === "call.outcome").length, 3);
  assert.doesNotMatch(JSON.stringify(entries) + gateway.log.join(""), /canary/);
});

test("a target that isn't on the list is refused with the reason, recorded, and never dialled", async (t) => {
  const { gateway, stub, other, client } = await world(t);
  const { port } = new URL(stub.url);
  let dialled = 0;
  other.server.on("connection", () => dialled++);
  const ask = async (target: string, server = "web") =>
    await client.request(server, { method: "GET", headers: { "latticegate-target": target } });
  const refused = [
    `${origin(other)}/mcp`,
    `http://localhost:${port}/mcp`,
    `http://user@127.0.0.1:${port}/mcp`,
    `http://127.0.0.1:${port}@${new URL(other.url).host}/`,
    `http://127.0.0.1:${port}\\@${new URL(other.url).host}/`,
    `https://127.0.0.1:${port}/mcp`,
    `http://127.0.0.1:${port}/#x`,
    `http://[::ffff:127.0.0.1]:${port}/`,
    "/mcp",
  ];
  for (const target of refused) {
    const { status, text } = await ask(target);
    assert.equal(status, 403, target);
    assert.match(text, /isn't among the origins|can't be forwarded to/, target);
  }
  assert.equal((await client.request("web", { method: "GET" })).status, 403, "no target");
  assert.equal((await ask(`${origin(stub)}/mcp`, "fixed")).status, 403, "a server with its own address");
  assert.deepEqual([stub.seen.length, dialled], [0, 0]);
  const [first] = await recorded(gateway);
  assert.deepEqual(
    [first?.event, first?.outcome, first?.facts["reason"], first?.facts["target"]],
    ["call.outcome", "denied", "target_refused", `${origin(other)}/mcp`],
  );
  assert.equal(
    (await ask(`http://2130706433:${port}/a/../mcp`)).status,
    200,
    "another spelling of one listed",
  );
  assert.equal(stub.seen[0]?.headers.host, `127.0.0.1:${port}`);
});

test("a redirect is handed to the client, never followed", async (t) => {
  const elsewhere = await stubServer(t);
  const { gateway, stub } = await world(t, (_request, response) => {
    response.writeHead(307, { location: elsewhere.url }).end();
  });
  const answer = await through(await proxy(t, gateway), stub.url);
  assert.deepEqual([answer.status, answer.headers.location], [307, elsewhere.url]);
  assert.equal(elsewhere.seen.length, 0);
});

const call = JSON.stringify(toolCall("pay"));
const hostile: readonly (readonly [string, Asked, number])[] = [
  ["a message sent as a form", { headers: form, body: call }, 400],
  ["a message behind white space, as a form", { headers: form, body: ` \r\n\t ${call}` }, 400],
  ["a message behind spaces, as a form", { headers: form, body: `   ${call}` }, 400],
  ["a message behind a byte order mark, as a form", { headers: form, body: `\ufeff${call}` }, 400],
  ["a batch as a form", { headers: form, body: `[${call}]` }, 400],
  [
    "a message in UTF-16, as a form",
    { headers: form, body: Buffer.from(call, "utf16le").swap16().toString() },
    400,
  ],
  ["a batch", { headers: json, body: `[${call}]` }, 400],
  ["a string", { headers: json, body: JSON.stringify(call) }, 400],
  ["a message behind a byte order mark", { headers: json, body: `\ufeff${call}` }, 400],
  ["a message without its version", { headers: json, body: '{"id":1,"method":"tools/call"}' }, 400],
  ["a method in another case", { headers: json, body: '{"Method":"tools/call","id":1}' }, 400],
  ["a method written with a long s", { headers: json, body: '{"param\u017f":{},"id":1}' }, 400],
  ["an escaped method", { headers: json, body: '{"\\u006dethod":"tools/call","id":1}' }, 400],
  ["a method twice", { headers: json, body: '{"x":1,"x":{"method":"tools/call"}}' }, 400],
  ["parameters alone", { headers: json, body: '{"params":{"name":"pay"},"id":1}' }, 400],
  ["a result alone", { headers: json, body: '{"result":{}}' }, 400],
  ["nothing", { headers: json, body: "" }, 400],
  ["a message as text", { headers: { "content-type": "text/plain" }, body: call }, 415],
  [
    "a message as something like JSON",
    { headers: { "content-type": "application/x+json" }, body: call },
    415,
  ],
  ["a message as nothing", { headers: {}, body: call }, 415],
  ["a compressed message", { headers: { ...json, "content-encoding": "gzip" }, body: call }, 415],
  ["a message with a GET", { method: "GET", headers: json, body: call }, 415],
  [
    "a message with a DELETE",
    { method: "DELETE", headers: { ...json, "mcp-session-id": "x" }, body: call },
    415,
  ],
  ["a DELETE without a session", { method: "DELETE" }, 405],
  ["a PUT", { method: "PUT", headers: json, body: call }, 405],
  ["a PATCH", { method: "PATCH", headers: json, body: call }, 405],
  ["an OPTIONS", { method: "OPTIONS" }, 405],
];
test("nothing that a server could read as a message passes as something beside MCP", async (t) => {
  const { stub, client } = await world(t);
  for (const [what, { method = "POST", headers = {}, body }, expected] of hostile) {
    await t.test(what, async () => {
      const all = { "latticegate-target": stub.url, ...headers };
      const { status, text } = await client.request("web", {
        method,
        headers: all,
        ...(body !== undefined && { body }),
      });
      assert.equal(status, expected, text);
      assert.equal(stub.seen.length, 0);
    });
  }
});

test("the proxy itself turns away what the gateway would", async (t) => {
  const { gateway, stub } = await world(t);
  const url = await proxy(t, gateway);
  assert.equal((await through(url, stub.url, { method: "PUT", body: call })).status, 405);
  assert.equal(
    (await through(url, stub.url, { headers: { "content-length": "2" }, body: "{}" })).status,
    415,
  );
  assert.equal((await through(url, "https://localhost/mcp")).status, 403);
  assert.equal(stub.seen.length, 0);
});

test("policies hold in forward mode: what is denied never reaches the target, and who may use nothing gets nothing", async (t) => {
  const { gateway, stub, client } = await world(t);
  const answer = await through(await proxy(t, gateway), stub.url, {
    method: "POST",
    headers: json,
    body: call,
  });
  assert.equal(answer.status, 200);
  assert.match(answer.text, /Denied by policy: Nobody pays\./);
  const stranger = clientOf(t, gateway, await enrol(gateway, "workload/stranger"));
  const target = { "latticegate-target": stub.url };
  assert.equal((await stranger.request("web", { method: "GET", headers: target })).status, 403);
  assert.equal(
    (await stranger.request("web", { headers: { ...target, ...form }, body: "grant_type=x" })).status,
    403,
  );
  assert.equal(stub.seen.length, 0);
  assert.equal((await client.request("web", { method: "GET", headers: target })).status, 200);
  const [denied] = await recorded(gateway);
  assert.deepEqual(
    [denied?.tool, denied?.facts["rule"], denied?.facts["target"]],
    ["web/pay", "no-pay", stub.url],
  );
});

test("a session in forward mode belongs to its caller", async (t) => {
  const { stub, client, gateway } = await world(t, opening);
  const target = { "latticegate-target": stub.url, accept: "text/event-stream" };
  const opened = await client.request("web", { method: "GET", headers: target });
  const session = String(opened.headers["mcp-session-id"]);
  assert.notEqual(session, "upstream-1");
  const use = { method: "DELETE", headers: { ...target, "mcp-session-id": session } };
  assert.equal((await client.request("web", use)).status, 200);
  assert.equal(stub.seen[1]?.headers["mcp-session-id"], "upstream-1");
  const thief = clientOf(t, gateway, await enrol(gateway, "agent/thief"));
  assert.equal((await thief.request("web", use)).status, 404);
});

test("a session of one origin is worth nothing at another behind the same forward server", async (t) => {
  const [first, second] = [await stubServer(t, opening), await stubServer(t, agreeable)];
  const yaml = `servers: { web: { forward: ["http://127.0.0.1:*"] } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml);
  const client = clientOf(t, gateway, await enrol(gateway));
  const opened = await client.request("web", { method: "GET", headers: { "latticegate-target": first.url } });
  const session = { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
  const show = async (target: string) =>
    await client.request("web", { method: "GET", headers: { "latticegate-target": target, ...session } });
  assert.equal((await show(second.url)).status, 404);
  assert.equal((await show(`${origin(first)}/elsewhere`)).status, 200);
  assert.equal(second.seen.length, 0);
});

test("the proxy serves who has this start's password, and nobody else", async (t) => {
  const { gateway, stub } = await world(t);
  const url = await proxy(t, gateway);
  const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString("base64")}`;
  const { password } = new URL(url);
  for (const wrong of [
    "",
    "Basic",
    basic("x:wrong"),
    basic(password),
    basic(`x:${password}x`),
    `Bearer ${password}`,
  ]) {
    const answer = await through(url, stub.url, { headers: { "proxy-authorization": wrong } });
    assert.equal(answer.status, 407, wrong);
    assert.match(answer.headers["proxy-authenticate"] ?? "", /^Basic /);
    assert.match(answer.text, /this start's password/);
  }
  const page = await through(url, "/mcp", { headers: { host: "rebound.example" } });
  assert.equal(page.status, 403, "a page led here by DNS rebinding asks for a path");
  assert.equal(stub.seen.length, 0);
  assert.equal((await through(url, stub.url)).status, 200);
});

test("a tunnel through the proxy is refused, and the reason given", async (t) => {
  const { gateway } = await world(t);
  const { hostname, port } = new URL(await proxy(t, gateway));
  const socket = net.connect(Number(port), hostname);
  socket.write("CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n");
  let text = "";
  for await (const chunk of socket.setEncoding("utf8")) text += String(chunk);
  assert.match(text, /^HTTP\/1\.1 501 .*https stays encrypted end to end/s);
});

test("Node's own fetch and undici's agent go through it when the environment says so", async (t) => {
  const { gateway, stub } = await world(t);
  const url = await proxy(t, gateway);
  const agent = new EnvHttpProxyAgent({ httpProxy: url, noProxy: "" });
  atEnd(t, () => agent.destroy());
  const { statusCode, body } = await request(stub.url, { dispatcher: agent });
  assert.deepEqual([statusCode, await body.text()], [200, '{"fine":true}']);
  const program = `process.stdout.write(await (await fetch(${JSON.stringify(stub.url)})).text())`;
  const env = {
    ...process.env,
    NODE_USE_ENV_PROXY: "1",
    HTTP_PROXY: url,
    http_proxy: url,
    NO_PROXY: "",
    no_proxy: "",
  };
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { env });
  let text = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) text += String(chunk);
  assert.equal(text, '{"fine":true}');
  assert.equal((await recorded(gateway)).length, 4, "two decisions and two outcomes");
});

test("a stream comes through as it is sent", async (t) => {
  let more: (() => void) | undefined;
  const { gateway, stub } = await world(t, (_asked, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("id: 1\ndata: {}\n\n");
    more = () => void response.end("id: 2\ndata: {}\n\n");
  });
  const agent = new EnvHttpProxyAgent({ httpProxy: await proxy(t, gateway), noProxy: "" });
  atEnd(t, () => agent.destroy());
  const { body } = await request(stub.url, { dispatcher: agent, headers: { accept: "text/event-stream" } });
  let text = "";
  for await (const chunk of body.setEncoding("utf8")) {
    text += String(chunk);
    if (text.endsWith("id: 1\ndata: {}\n\n")) more?.();
  }
  assert.equal(text, "id: 1\ndata: {}\n\nid: 2\ndata: {}\n\n");
});
