/** Answers too long to be collected: passed on as they come, whole or visibly broken, and never before they are on record. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { symlink } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, connectHttp, connectStdio } from "../../src/app/connect.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { readEntry } from "../../src/audit/entry.ts";
import { openBundlePath } from "../../src/host/store/log-folder.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import {
  type Answering,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";

const mebi = 1024 * 1024;
const json = { "content-type": "application/json" };

function longAnswer(bytes: number): Buffer {
  const shell = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { text: "" } });
  return Buffer.from(shell.replace('""', `"${"0123456789".repeat(bytes / 10)}"`));
}

async function setUp(t: Cleanup, answer: Answering, extra = ""): Promise<TestGateway> {
  const stub = await stubServer(t, answer);
  return await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${extra}\n${openPolicy}`);
}

/** The facts of the outcomes on record. */
async function outcomes(gateway: TestGateway): Promise<readonly Readonly<Record<string, string>>[]> {
  const found: Readonly<Record<string, string>>[] = [];
  for await (const { bytes } of openLogReader(statePaths(gateway.config.state).log).forwards()) {
    const reading = readEntry(bytes);
    if (reading.kind === "entry" && reading.entry.event === "call.outcome") found.push(reading.entry.facts);
  }
  return found;
}

async function reasonOfOnly(gateway: TestGateway): Promise<string | undefined> {
  await eventually("the outcome is recorded", async () => (await outcomes(gateway)).length === 1);
  return (await outcomes(gateway))[0]?.["reason"];
}

for (const [what, declares] of [
  ["of known length", true],
  ["of unknown length", false],
] as const) {
  test(`a long answer ${what} arrives byte for byte with its length as declared, its outcome on record`, async (t) => {
    const body = longAnswer(9 * mebi);
    const gateway = await setUp(t, (_request, response) => {
      response.writeHead(200, { ...json, ...(declares && { "content-length": body.length }) });
      response.end(body);
    });
    const answer = await clientOf(t, gateway, await enrol(gateway)).post("stub", toolCall("a"));
    assert.equal(answer.status, 200);
    assert.ok(answer.bytes.equals(body));
    assert.equal(answer.headers["content-length"], declares ? String(body.length) : undefined);
    const [outcome, ...more] = await outcomes(gateway);
    assert.equal(more.length, 0);
    assert.equal(outcome?.["answer_bytes"], String(body.length));
    assert.equal(outcome["inspected"], "no");
    assert.equal(outcome["reason"], undefined);
  });

  test(`a server that breaks off in the middle of a long answer ${what} leaves an answer that is broken off`, async (t) => {
    const body = longAnswer(3 * mebi);
    const gateway = await setUp(t, (_request, response) => {
      response.writeHead(200, { ...json, ...(declares && { "content-length": body.length }) });
      response.write(body.subarray(0, 2 * mebi), () => response.destroy());
    });
    const client = clientOf(t, gateway, await enrol(gateway));
    await assert.rejects(client.post("stub", toolCall("a")));
    assert.equal(await reasonOfOnly(gateway), "upstream_failed");
  });
}

test("a long answer that its server cuts cleanly but short of what it declared is broken off", async (t) => {
  const server = net.createServer((socket) => {
    socket
      .on("error", () => undefined)
      .once("data", () => {
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${3 * mebi}\r\n\r\n`,
        );
        socket.end(Buffer.alloc(2 * mebi, " "));
      });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => server.close());
  const { port } = server.address() as net.AddressInfo;
  const gateway = await testGateway(
    t,
    `servers: { stub: { url: "http://127.0.0.1:${port}/" } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  await assert.rejects(client.post("stub", toolCall("a")));
  assert.equal(await reasonOfOnly(gateway), "upstream_failed");
});

test("an answer that declares too much is refused before it is read, one that turns out too long is cut", async (t) => {
  const body = longAnswer(3 * mebi);
  let declares = true;
  const gateway = await setUp(
    t,
    (_request, response) => {
      response.writeHead(200, { ...json, ...(declares && { "content-length": body.length }) });
      response.end(body);
    },
    "limits: { answer: 2MiB }",
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const refused = await client.post("stub", toolCall("a"));
  assert.equal(refused.status, 502);
  assert.match(refused.text, /longer than 2097152 bytes/);
  declares = false;
  await assert.rejects(client.post("stub", toolCall("a")));
  await eventually("both ended", async () => (await outcomes(gateway)).length === 2);
  const reasons = (await outcomes(gateway)).map((facts) => facts["reason"]);
  assert.deepEqual(reasons, ["answer_too_large", "answer_too_large"]);
  assert.ok(
    gateway.log.some((line) => line.includes("answer.cut") && line.includes("answer_too_large")),
    "the operator is told why",
  );
});

test("a server that falls silent in the middle of a long answer is given up", async (t) => {
  const gateway = await setUp(
    t,
    (_request, response) => void response.writeHead(200, json).write(longAnswer(2 * mebi)),
    "limits: { answer_timeout: 1s }",
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  await assert.rejects(client.post("stub", toolCall("a")));
  assert.equal(await reasonOfOnly(gateway), "upstream_timeout");
});

test("a long answer whose outcome can't be recorded isn't brought to its end", async (t) => {
  const body = longAnswer(3 * mebi);
  let finish: (() => void) | undefined;
  const gateway = await setUp(t, (_request, response, asked) => {
    if (!asked.includes('"long"')) {
      response.writeHead(200, json).end('{"jsonrpc":"2.0","id":1,"result":{}}');
      return;
    }
    response.writeHead(200, { ...json, "content-length": body.length });
    response.write(body.subarray(0, 2 * mebi));
    finish = () => response.end(body.subarray(2 * mebi));
  });
  const client = clientOf(t, gateway, await enrol(gateway));
  const asked = assert.rejects(client.post("stub", toolCall("long")), "it is cut");
  await eventually("the answer has begun", () => finish !== undefined);
  await symlink("/dev/full", path.join(statePaths(gateway.config.state).log, openBundlePath(1)));
  let status = 200;
  for (let calls = 0; status === 200 && calls < 300; calls += 1)
    ({ status } = await client.post("stub", toolCall("fill")));
  assert.equal(status, 503, "the disk is full");
  finish?.();
  await asked;
  await assert.rejects(gateway.stop(), "stopping fails where the log can't be brought to its end");
});

test("a caller that goes away in the middle of a long answer ends it at the server", async (t) => {
  let begun = false;
  let left = false;
  const gateway = await setUp(t, (_request, response) => {
    response.once("close", () => (left = true));
    response.writeHead(200, json).write(longAnswer(2 * mebi), () => (begun = true));
  });
  const enrolment = await enrol(gateway);
  await t.test("the client", async (inner) => {
    clientOf(inner, gateway, enrolment)
      .post("stub", toolCall("a"))
      .catch(() => undefined);
    await eventually("the answer is on its way", () => begun);
  }); // Its connections end here.
  await eventually("the server sees it", () => left);
  assert.equal(await reasonOfOnly(gateway), "caller_gone");
});

async function sidecar(t: Cleanup, gateway: TestGateway): Promise<ConnectOptions> {
  const identity = { path: "agent/sidecar", address: gateway.address };
  const joinToken = await makeJoinToken(gateway.config, identity, systemClock);
  const log = systemLog({ level: "error", form: "json", write: () => undefined });
  const state = await freshState(t);
  return { target: "stub", state, joinToken, clock: systemClock, log };
}

test("through a sidecar a long answer arrives as it was, over HTTP and over stdio, and a broken one doesn't", async (t) => {
  const body = longAnswer(3 * mebi);
  let breaks = false;
  const gateway = await setUp(t, (_request, response) => {
    response.writeHead(200, { ...json, "content-length": body.length });
    if (breaks) response.write(body.subarray(0, 2 * mebi), () => response.destroy());
    else response.end(body);
  });
  const options = await sidecar(t, gateway);
  const connection = await connectHttp(options, 0);
  atEnd(t, () => connection.close());
  assert.ok((await posted(connection.url)).equals(body));

  const input = new PassThrough();
  const output = new PassThrough();
  const said: Buffer[] = [];
  output.on("data", (chunk: Buffer) => said.push(chunk));
  const stdio = connectStdio(options, { input, output });
  const lines = (): string[] => Buffer.concat(said).toString().trimEnd().split("\n");
  input.write(`${JSON.stringify(toolCall("a"))}\n`);
  await eventually("the line is written", () => said.at(-1)?.at(-1) === 0x0a);
  assert.ok(lines()[0] === body.toString());

  breaks = true;
  await assert.rejects(posted(connection.url));
  input.write(`${JSON.stringify(toolCall("a", 2))}\n`);
  await eventually("the call has failed", () => lines().length === 2);
  assert.match(lines()[1] ?? "", /"id":2,"error"/);
  input.end();
  await stdio;
});

async function posted(url: string): Promise<Buffer> {
  const request = http.request(url, { method: "POST", headers: json });
  request.end(JSON.stringify(toolCall("a")));
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  return Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
}
