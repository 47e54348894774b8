/** Servers that speak over pipes, behind the gateway: sessions, processes, noise, ends. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import {
  type Client,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  rawLink,
  testGateway,
  toolCall,
} from "../support/gateway.ts";

const server = fileURLToPath(new URL("../support/stdio-server.ts", import.meta.url));

function yaml(extra = ""): string {
  return `servers: { pipe: { command: ["${process.execPath}", "${server}"], env: { GIVEN: "yes" }, pass_env: [PASSED] } }\n${extra}\n${openPolicy}`;
}

const modernMeta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

function modernCall(
  name: string,
  id: number | string = 1,
  meta: object = {},
): { readonly message: object; readonly headers: Record<string, string> } {
  return {
    message: {
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name, arguments: {}, _meta: { ...modernMeta, ...meta } },
    },
    headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name },
  };
}

interface Session {
  readonly call: (name: string, id?: number | string, meta?: object) => ReturnType<Client["post"]>;
  readonly headers: Record<string, string>;
}

async function open(client: Client): Promise<Session> {
  const answer = await client.post("pipe", { jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
  assert.equal(answer.status, 200);
  const headers = { "mcp-session-id": String(answer.headers["mcp-session-id"]) };
  assert.equal(
    (await client.post("pipe", { jsonrpc: "2.0", method: "notifications/initialized" }, headers)).status,
    202,
  );
  return {
    headers,
    call: (name, id = 1, meta) => {
      const params = { name, arguments: { said: "line\nbreak" }, ...(meta && { _meta: meta }) };
      return client.post("pipe", { jsonrpc: "2.0", id, method: "tools/call", params }, headers);
    },
  };
}

/** The value in an answer, as JSON or as the last event of a stream. */
function valueIn(text: string): unknown {
  const message = JSON.parse(text.slice(text.lastIndexOf('{"jsonrpc'))) as {
    result: { content: [{ text: string }] };
  };
  return JSON.parse(message.result.content[0].text);
}

async function setUp(
  t: TestContext,
  extra = "",
): Promise<{ readonly client: Client; readonly log: readonly string[]; readonly stop: () => Promise<void> }> {
  const gateway = await testGateway(t, yaml(extra));
  return { client: clientOf(t, gateway, await enrol(gateway)), log: gateway.log, stop: gateway.stop };
}

test("a session is a process of its own, and ends it when it is deleted", async (t) => {
  const { client } = await setUp(t);
  const [one, two] = [await open(client), await open(client)];
  const first = Number(valueIn((await one.call("pid")).text));
  assert.notEqual(first, valueIn((await two.call("pid")).text));
  assert.equal((await client.request("pipe", { method: "DELETE", headers: one.headers })).status, 200);
  await eventually("its process ends", () => !isAlive(first));
  assert.equal((await one.call("pid")).status, 404);
  assert.equal((await two.call("pid")).status, 200, "the other session goes on");
});

test("arguments with line breaks arrive whole, and pretty-printed messages as one line", async (t) => {
  const { client } = await setUp(t);
  const session = await open(client);
  assert.deepEqual(valueIn((await session.call("echo")).text), { said: "line\nbreak" });
  const pretty = JSON.stringify(toolCall("echo", 5, { a: [1, 2] }), null, 2);
  const headers = { "content-type": "application/json", ...session.headers };
  const answer = await client.request("pipe", { headers, body: pretty });
  assert.deepEqual(valueIn(answer.text), { a: [1, 2] });
});

test("progress comes as events before the answer; an answer alone is one event, or JSON for who takes no events", async (t) => {
  const { client } = await setUp(t);
  const session = await open(client);
  const plain = await session.call("echo");
  assert.match(String(plain.headers["content-type"]), /text\/event-stream/);
  assert.match(plain.text, /^event: message\ndata: \{.*\}\n\n$/);
  const headers = { "content-type": "application/json", accept: "application/json", ...session.headers };
  const json = await client.request("pipe", { headers, body: JSON.stringify(toolCall("echo")) });
  assert.match(String(json.headers["content-type"]), /application\/json/);
  assert.equal((JSON.parse(json.text) as { id: unknown }).id, 1);
  const stream = await session.call("progress", "p", { progressToken: 77 });
  assert.match(String(stream.headers["content-type"]), /text\/event-stream/);
  const events = stream.text.split("\n\n").filter((event) => event !== "");
  assert.equal(events.length, 3);
  assert.match(events[0] ?? "", /"progressToken":77,"progress":1/);
  assert.match(events[2] ?? "", /"id":"p"/);
});

test("what the server asks in the middle of a call reaches the client, and the client's answer the server", async (t) => {
  const { client } = await setUp(t);
  const session = await open(client);
  const asking = session.call("ask", 9);
  const told = { jsonrpc: "2.0", id: "roots", result: { roots: [{ uri: "file:///r" }] } };
  // The request under way must have been sent before it can be answered.
  await eventually(
    "the answer is taken",
    async () => (await client.post("pipe", told, session.headers)).status === 202,
  );
  const answer = await asking;
  assert.match(answer.text, /"method":"roots\/list"/);
  assert.match(answer.text, /file:\/\/\/r/);
});

test("noise on stdout is skipped, and said without its content", async (t) => {
  const { client, log } = await setUp(t);
  const session = await open(client);
  assert.equal(valueIn((await session.call("noise")).text), "after the noise");
  assert.equal(log.filter((line) => line.includes("server.noise")).length, 2);
  assert.doesNotMatch(log.join(""), /not json/);
});

test("a server that dies in a call fails that call; its session is gone, a new one works", async (t) => {
  const { client } = await setUp(t);
  const session = await open(client);
  assert.equal((await session.call("die")).status, 502);
  assert.equal((await session.call("echo")).status, 404);
  assert.equal((await (await open(client)).call("echo")).status, 200);
});

test("a server that never answers is given up in time, and told", async (t) => {
  const { client } = await setUp(t, "limits: { answer_timeout: 1s }");
  const session = await open(client);
  assert.equal((await session.call("silent", 41)).status, 504);
  assert.deepEqual(valueIn((await session.call("cancelled", 42)).text), [41]);
});

test("a server sees the environment it was given, and nothing else of the gateway's", async (t) => {
  process.env["PASSED"] = "through";
  process.env["NOT_FOR_SERVERS"] = "secret";
  const { client } = await setUp(t);
  const env = valueIn((await (await open(client)).call("env")).text) as Record<string, string>;
  assert.equal(env["GIVEN"], "yes");
  assert.equal(env["PASSED"], "through");
  assert.equal(env["NOT_FOR_SERVERS"], undefined);
});

test("what unlocked the keys reaches no server, not even one that asks for it by name", async (t) => {
  process.env["PASSED"] = "an unlock secret of enough length";
  const { client } = await setUp(t, "unlock: { env: PASSED }");
  const env = valueIn((await (await open(client)).call("env")).text) as Record<string, string>;
  assert.deepEqual([env["GIVEN"], env["PASSED"]], ["yes", undefined]);
});

test("what a server started ends with it when the gateway stops", async (t) => {
  const { client, stop } = await setUp(t);
  const session = await open(client);
  const pids = [
    Number(valueIn((await session.call("pid", 1)).text)),
    Number(valueIn((await session.call("child", 2)).text)),
  ];
  assert.deepEqual(pids.map(isAlive), [true, true]);
  await stop();
  await eventually("the whole group is gone", () => pids.every((pid) => !isAlive(pid)));
});

test("modern requests need no session; the same id twice at once gets a second process, and no id is rewritten", async (t) => {
  const { client } = await setUp(t, "limits: { answer_timeout: 1s }");
  const pid = modernCall("pid");
  const first = valueIn((await client.post("pipe", pid.message, pid.headers)).text);
  assert.equal(
    first,
    valueIn((await client.post("pipe", pid.message, pid.headers)).text),
    "one process for one caller",
  );
  const silent = modernCall("silent");
  const hanging = client.post("pipe", silent.message, silent.headers);
  await eventually("the other process answers", async () => {
    const answer = await client.post("pipe", pid.message, pid.headers);
    return valueIn(answer.text) !== first && (JSON.parse(answer.text) as { id: unknown }).id === 1;
  });
  assert.equal((await hanging).status, 504);
});

test("a reader that stops holds up its own process, and no later request of its caller's", async (t) => {
  const flood = fileURLToPath(new URL("../support/big-stdio-server.ts", import.meta.url));
  const gateway = await testGateway(
    t,
    `servers: { pipe: { command: ["${process.execPath}", "${flood}"] } }\n${openPolicy}`,
  );
  const enrolment = await enrol(gateway);
  const { message, headers } = modernCall("events", 1, { progressToken: 1 });
  const body = JSON.stringify(message);
  const link = await rawLink(gateway, enrolment);
  const head = Object.entries({ ...headers, "content-length": body.length })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  link.write(`POST /mcp/pipe HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${head}\r\n${body}`);
  // What lies between takes some more each time; then nothing moves any more.
  let heldUp = 0;
  let sinceMs = performance.now();
  await eventually("its reader holds the server up for good", () => {
    const before = heldUp;
    heldUp = gateway.log.filter((line) => line.includes("server.held_up")).length;
    if (heldUp !== before) sinceMs = performance.now();
    return heldUp > 0 && performance.now() - sinceMs > 1000;
  });
  const quick = modernCall("quick", 2);
  const client = clientOf(t, gateway, enrolment);
  assert.match((await client.post("pipe", quick.message, quick.headers)).text, /"result"/);
  assert.equal(gateway.log.filter((line) => line.includes("server.started")).length, 2);
  link.destroy();
});

test("two callers never share a process", async (t) => {
  const gateway = await testGateway(t, yaml());
  const { message, headers } = modernCall("pid");
  const pids = await Promise.all(
    ["agent/a", "agent/b"].map(async (who) => {
      const client = clientOf(t, gateway, await enrol(gateway, who));
      return valueIn((await client.post("pipe", message, headers)).text);
    }),
  );
  assert.notEqual(pids[0], pids[1]);
});

test("a caller that never ends its sessions loses the one unused for longest, and no other", async (t) => {
  const gateway = await testGateway(t, yaml());
  const client = clientOf(t, gateway, await enrol(gateway));
  const sessions: Session[] = [];
  for (let i = 0; i < 33; i++) sessions.push(await open(client));
  assert.equal((await sessions[0]?.call("echo"))?.status, 404);
  assert.equal((await sessions[1]?.call("echo"))?.status, 200);
  assert.equal((await sessions[32]?.call("echo"))?.status, 200);
});

test("a server that doesn't read is told no more, and the caller hears why", async (t) => {
  const command = JSON.stringify([process.execPath, "-e", "setInterval(() => {}, 1000)"]);
  const gateway = await testGateway(
    t,
    `servers: { deaf: { command: ${command} } }\nlimits: { answer_timeout: 500ms }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const meta = { ...modernMeta, filler: "x".repeat(4 * 1024 * 1024) };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "a" };
  const statuses: number[] = [];
  for (let id = 1; id <= 5; id++) {
    const params = { name: "a", arguments: {}, _meta: meta };
    const message = { jsonrpc: "2.0", id, method: "tools/call", params };
    statuses.push((await client.post("deaf", message, headers)).status);
  }
  assert.deepEqual([statuses[0], statuses.at(-1)], [504, 503]);
});

test("a server that can't be started is a 502 that says so to the operator", async (t) => {
  const gateway = await testGateway(t, `servers: { none: { command: [/nowhere/server] } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const answer = await client.post("none", { jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
  assert.equal(answer.status, 502);
  assert.match(gateway.log.join(""), /ENOENT/);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
