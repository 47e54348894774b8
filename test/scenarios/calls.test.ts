/** What happens to a call: decided, recorded, forwarded, answered; and everything that can be wrong with one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import {
  clientOf,
  echoResult,
  enrol,
  eventually,
  openPolicy,
  rawLink,
  stubServer,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, recorded } from "../support/records.ts";

const secret = "payload-canary-7f3a";

test("a permitted call reaches the server as the bytes it was, and leaves a decision and an outcome without its content", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const body = `{ "jsonrpc":"2.0", "id": 1,\n "method":"tools/call","params":{"name":"pay","arguments":{"to":"${secret}","n":12345678901234567890},"x":1.0}}`;
  const answer = await client.request("stub", { headers: { "content-type": "application/json" }, body });
  assert.equal(answer.status, 200);
  assert.equal(stub.seen[0]?.body, body);
  const entries = await checkLog(gateway);
  assert.deepEqual(
    entries.map(({ event, outcome, tool }) => [event, outcome, tool]),
    [
      ["call.decision", "allowed", "stub/pay"],
      ["call.outcome", "allowed", "stub/pay"],
    ],
  );
  const [decision] = entries;
  assert.equal(decision?.facts["rule"], "test-agents");
  assert.equal(decision?.facts["link.group"], "X25519MLKEM768");
  assert.doesNotMatch(JSON.stringify(entries) + gateway.log.join(""), new RegExp(secret));
});

test("a resource's address reaches the server whole, and the log without user, password, query and fragment", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  for (const uri of [`postgres://bob:${secret}@db/x`, `https://b.example/k?sig=${secret}#${secret}`]) {
    const asked = { jsonrpc: "2.0", id: 1, method: "resources/read", params: { uri } };
    assert.equal((await client.post("stub", asked)).status, 200);
    assert.ok(stub.seen.at(-1)?.body.includes(uri));
  }
  const entries = await checkLog(gateway);
  assert.deepEqual(
    entries.map(({ facts }) => facts["resource"]),
    ["postgres://…@db/x", "postgres://…@db/x", "https://b.example/k?…", "https://b.example/k?…"],
  );
  assert.doesNotMatch(JSON.stringify(entries) + gateway.log.join(""), new RegExp(secret));
});

test("what no rule allows never reaches the server, and the caller is told in the form its client understands", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(
    t,
    `servers: { stub: { url: "${stub.url}" } }
policies:
  - { name: only-reads, callers: ["spiffe://latticegate.local/agent/*"], tools: ["stub/read"], effect: allow, because: Reading is fine. }
  - { name: never-drop, callers: ["*"], tools: ["stub/drop*"], effect: deny, because: Nothing is dropped. }`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const other = clientOf(t, gateway, await enrol(gateway, "person/eve"));
  assert.equal((await client.post("stub", toolCall("read"))).status, 200);
  const denied = await client.post("stub", toolCall("drop_table", 7));
  assert.equal(denied.status, 200);
  const result = JSON.parse(denied.text) as {
    id: number;
    result: { isError: boolean; content: { text: string }[] };
  };
  assert.equal(result.id, 7);
  assert.equal(result.result.isError, true);
  assert.match(result.result.content[0]?.text ?? "", /Nothing is dropped/);
  assert.match((await client.post("stub", toolCall("write"))).text, /No policy allows/);
  const unknown = await client.post("stub", { jsonrpc: "2.0", id: 1, method: "tools/execute", params: {} });
  assert.match(unknown.text, /-31403/, "a method nobody knows is judged like a tool of that name");
  const stranger = await other.post("stub", { jsonrpc: "2.0", id: 1, method: "tools/list" });
  assert.equal(stranger.status, 403, "who may use nothing may list nothing");
  assert.equal(stub.seen.length, 1, "only the permitted call arrived");
  const entries = await checkLog(gateway);
  assert.equal(entries.find((entry) => entry.tool === "stub/drop_table")?.facts["rule"], "never-drop");
});

for (const [what, body, status, code] of [
  ["malformed", '{"jsonrpc":"2.0","id":1', 400, -32700],
  ["with a duplicate member", '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', 400, -32700],
  [
    "with a duplicate deep inside",
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[{"b":1,"\\u0062":2}]}}',
    400,
    -32700,
  ],
  [
    "with a member in another case",
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}',
    400,
    -32600,
  ],
  [
    "nested too deeply",
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(70)}1${"}".repeat(70)}}`,
    400,
    -32700,
  ],
  ["that is a batch", '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600],
  ["with a lone surrogate", '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\ud800"}}', 400, -32700],
  ["that is empty", "", 400, -32700],
] as const) {
  test(`a message ${what} is refused with the reason and reaches no server`, async (t) => {
    const stub = await stubServer(t);
    const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
    const client = clientOf(t, gateway, await enrol(gateway));
    const answer = await client.request("stub", { headers: { "content-type": "application/json" }, body });
    assert.equal(answer.status, status);
    assert.equal((JSON.parse(answer.text) as { error: { code: number } }).error.code, code);
    assert.equal(stub.seen.length, 0);
    const entries = await checkLog(gateway);
    assert.equal(entries.length, 1);
    assert.equal(entries[0]?.outcome, "error");
  });
}

test("a message beyond the limit, of another media type, compressed or in another verb is refused by status", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(
    t,
    `servers: { stub: { url: "${stub.url}" } }\nlimits: { request: 1KiB }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const body = JSON.stringify(toolCall("a"));
  const json = { "content-type": "application/json" };
  const big = JSON.stringify(toolCall("a", 1, { text: "x".repeat(2000) }));
  assert.equal((await client.request("stub", { headers: json, body: big })).status, 413);
  assert.equal(
    (await client.request("stub", { headers: { "content-type": "text/plain" }, body })).status,
    415,
  );
  assert.equal(
    (await client.request("stub", { headers: { "content-type": "application/jsonx" }, body })).status,
    415,
  );
  assert.equal(
    (await client.request("stub", { headers: { ...json, "content-encoding": "gzip" }, body })).status,
    415,
  );
  assert.equal((await client.request("stub", { method: "PUT", headers: json, body })).status, 405);
  assert.equal((await client.request("nowhere", { headers: json, body })).status, 403);
  const fine = { "content-type": "Application/JSON; charset=utf-8" };
  assert.equal((await client.request("stub", { headers: fine, body })).status, 200);
  assert.equal(stub.seen.length, 1);
});

test("a body that is cut off reaches no server, and the operator is told; a body that lies about its length is no call", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const enrolment = await enrol(gateway);
  const body = JSON.stringify(toolCall("a"));
  for (const length of [body.length + 10, body.length - 5]) {
    const link = await rawLink(gateway, enrolment);
    link.write(`POST /mcp/stub HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`);
    link.end(`content-length: ${length}\r\n\r\n${body}`);
    await once(link.resume(), "close");
  }
  await eventually(
    "both are told",
    () => gateway.log.filter((line) => line.includes("call.refused")).length >= 2,
  );
  assert.equal(stub.seen.length, 0);
  assert.equal((await clientOf(t, gateway, enrolment).post("stub", toolCall("a"))).status, 200);
});

test("a modern request whose headers say something else than its body is refused with -32020", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const message = {
    jsonrpc: "2.0",
    id: 3,
    method: "tools/call",
    params: { name: "a", arguments: {}, _meta: meta },
  };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "a" };
  assert.equal((await client.post("stub", message, headers)).status, 200);
  const wrong = await client.post("stub", message, { ...headers, "mcp-name": "b" });
  assert.equal(wrong.status, 400);
  const refused = JSON.parse(wrong.text) as {
    readonly id: unknown;
    readonly error: { readonly code: number };
  };
  assert.deepEqual([refused.id, refused.error.code], [3, -32020]);
  assert.equal(stub.seen.length, 1);
});

test("an Mcp header that comes twice is refused, since two readers could take two values", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const link = await rawLink(gateway, await enrol(gateway));
  const body = JSON.stringify(toolCall("a"));
  link.write(`POST /mcp/stub HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nMcp-Name: a\r\n`);
  link.end(`mcp-name: b\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  const answer = (await Array.fromAsync(link as AsyncIterable<Buffer>)).join("");
  assert.match(answer, /^HTTP\/1\.1 400 [^]*"code":-32020/);
  assert.equal(stub.seen.length, 0);
});

test("what a caller may not use can't be completed for it either", async (t) => {
  const stub = await stubServer(t);
  const rule = `policies: [{ name: one, callers: ["*"], prompts: ["stub/open"], effect: allow, because: x }]`;
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${rule}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const complete = async (ref: object): Promise<string> => {
    const params = { ref, argument: { name: "a", value: "b" } };
    return (await client.post("stub", { jsonrpc: "2.0", id: 1, method: "completion/complete", params })).text;
  };
  assert.match(await complete({ type: "ref/prompt", name: "open" }), /"result"/);
  assert.match(await complete({ type: "ref/prompt", name: "secret" }), /"code":-31403/);
  assert.match(await complete({ type: "ref/resource", uri: "file:///etc" }), /"code":-31403/);
  assert.equal(stub.seen.length, 1);
});

test("a folder or a skill is judged by its address, like what is read from it", async (t) => {
  const stub = await stubServer(t);
  const rules = `policies:
  - { name: all, callers: ["*"], tools: ["*"], resources: ["*"], effect: allow, because: x }
  - { name: not-those, callers: ["*"], resources: ["stub/secret://*"], effect: deny, because: "Not those." }`;
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${rules}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  for (const method of ["resources/read", "resources/directory/read", "skills/get"]) {
    const ask = async (uri: unknown): Promise<string> =>
      (await client.post("stub", { jsonrpc: "2.0", id: 1, method, params: { uri } })).text;
    assert.match(await ask("open://a"), /"result"/, method);
    assert.match(await ask("secret://a"), /Not those/, method);
    assert.match(await ask(["secret://a"]), /-32600/, method);
  }
  assert.equal(stub.seen.length, 3);
});

test("credentials end at the gateway; what MCP defines goes on", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  await client.post("stub", toolCall("a"), {
    authorization: `Bearer ${secret}`,
    cookie: secret,
    "x-api-key": secret,
    "mcp-param-region": "eu",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  });
  const headers = JSON.stringify(stub.seen[0]?.headers);
  assert.doesNotMatch(headers, new RegExp(secret));
  assert.equal(stub.seen[0]?.headers["mcp-param-region"], "eu");
  assert.match(headers, /traceparent/);
});

test("a session id is worth nothing to another caller", async (t) => {
  const stub = await stubServer(t, (request, response, body) => {
    response.setHeader("mcp-session-id", "upstream-1");
    echoResult(request, response, body);
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const mine = clientOf(t, gateway, await enrol(gateway, "agent/a"));
  const theirs = clientOf(t, gateway, await enrol(gateway, "agent/b"));
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: {} };
  const session = String((await mine.post("stub", initialize)).headers["mcp-session-id"]);
  assert.equal((await mine.post("stub", toolCall("a"), { "mcp-session-id": session })).status, 200);
  assert.equal(stub.seen[1]?.headers["mcp-session-id"], "upstream-1", "the server sees its own id");
  assert.equal((await theirs.post("stub", toolCall("a"), { "mcp-session-id": session })).status, 404);
  assert.equal((await mine.post("stub", toolCall("a"), { "mcp-session-id": "upstream-1" })).status, 404);
  assert.equal(stub.seen.length, 2);
});

test("the final event of a stream leaves after its outcome is in the log, the earlier ones at once", async (t) => {
  let finish: (() => void) | undefined;
  const stub = await stubServer(t, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      'id: 1\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\n',
    );
    finish = () => response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const answering = client.post("stub", toolCall("slow"));
  await eventually("the call is decided", async () => (await recorded(gateway)).length === 1);
  await eventually("the server has it", () => finish !== undefined);
  finish?.();
  const answer = await answering;
  assert.match(
    answer.text,
    /^id: 1\nevent: message\ndata: .*progress.*\n\ndata: .*"result":\{\}\}\n\n$/s,
    "bytes as sent",
  );
  await checkLog(gateway);
});

test("a server that is down, dies in the middle, or never answers: each its own status, outcome and reason", async (t) => {
  const dead = await stubServer(t, (_request, response) => response.destroy());
  const silent = await stubServer(t, () => {});
  const torn = await stubServer(t, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\n',
      () => response.destroy(),
    );
  });
  const gateway = await testGateway(
    t,
    `servers: { dead: { url: "${dead.url}" }, down: { url: "http://127.0.0.1:9/mcp" }, silent: { url: "${silent.url}" }, torn: { url: "${torn.url}" } }
limits: { answer_timeout: 1s }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("dead", toolCall("a"))).status, 502);
  assert.equal((await client.post("down", toolCall("a"))).status, 502);
  assert.equal((await client.post("silent", toolCall("a"))).status, 504);
  await assert.rejects(client.post("torn", toolCall("a")), "the stream is broken off, not ended");
  await eventually("all four ended", async () => (await recorded(gateway)).length === 8);
  const reasons = (await checkLog(gateway)).flatMap(({ facts }) => facts["reason"] ?? []);
  assert.deepEqual(reasons.sort(), [
    "upstream_failed",
    "upstream_failed",
    "upstream_failed",
    "upstream_timeout",
  ]);
});

test("a caller that goes away ends the call at the server", async (t) => {
  let left = false;
  const stub = await stubServer(t, (request) => void request.socket.once("close", () => (left = true)));
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const enrolment = await enrol(gateway);
  await t.test("the client", async (inner) => {
    const client = clientOf(inner, gateway, enrolment);
    client.post("stub", toolCall("a")).catch(() => {});
    await eventually("the server has the call", () => stub.seen.length === 1);
  }); // Its connections end here.
  await eventually("the server sees it", () => left);
  await eventually("the outcome is recorded", async () => (await recorded(gateway)).length === 2);
  const [, outcome] = await checkLog(gateway);
  assert.equal(outcome?.facts["reason"], "caller_gone");
});

test("an answer beyond the limit is refused, not cut", async (t) => {
  const stub = await stubServer(t, (_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { text: "x".repeat(100_000) } }));
  });
  const gateway = await testGateway(
    t,
    `servers: { stub: { url: "${stub.url}" } }\nlimits: { answer: 64KiB }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const answer = await client.post("stub", toolCall("a"));
  assert.equal(answer.status, 502);
  assert.match(answer.text, /longer than 65536 bytes/);
  await checkLog(gateway);
});

test("calls under way finish when the gateway stops, and no new one begins", async (t) => {
  let finish: (() => void) | undefined;
  const stub = await stubServer(t, (request, response, body) => {
    finish = () => echoResult(request, response, body);
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const enrolment = await enrol(gateway);
  const answering = clientOf(t, gateway, enrolment).post("stub", toolCall("a"));
  await eventually("the server has it", () => finish !== undefined);
  const stopped = gateway.stop();
  await assert.rejects(
    clientOf(t, gateway, enrolment).post("stub", toolCall("b")),
    "nobody listens any more",
  );
  finish?.();
  assert.equal((await answering).status, 200);
  await stopped;
  const paths = statePaths(gateway.config.state);
  const verdict = await verifyLogFolder({ folder: paths.log, key: paths.logKey });
  assert.equal(verdict.kind === "intact" && verdict.uncovered, 0, "the last head covers everything");
});
