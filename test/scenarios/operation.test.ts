/** What an operator meets: a busy port, a full disk, the page's guards, a flood at the door. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm, symlink } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";

import { freshToken } from "../../src/app/approvals/approvers.ts";
import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { openTunnel } from "../../src/app/connect.ts";
import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openBundlePath } from "../../src/host/store/log-folder.ts";
import { systemLog } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";

test("a busy port is named, and nothing stays open: the same state starts elsewhere at once", async (t) => {
  const other = net.createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  atEnd(t, () => other.close());
  const address = other.address();
  assert.ok(typeof address === "object" && address !== null);
  const folder = await temporaryFolder(t);
  const listen = `127.0.0.1:${address.port}`;
  for (const options of [{ listen }, { dashboard: listen }]) {
    await assert.rejects(testGateway(t, openPolicy, { folder, ...options }), (error: unknown) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.message, `${listen} can't be listened on: another program listens there.`);
      return true;
    });
  }
  await testGateway(t, openPolicy, { folder });
});

test("while the disk is full no call reaches a server; afterwards the log is whole and says so", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml);
  const client = clientOf(t, gateway, await enrol(gateway));
  const paths = statePaths(gateway.config.state);
  // The kernel's own full disk takes the place of the log's next file.
  const next = path.join(paths.log, openBundlePath(1));
  await symlink("/dev/full", next);
  let answer = await client.post("stub", toolCall("fill"));
  for (let calls = 1; answer.status === 200 && calls < 300; calls++)
    answer = await client.post("stub", toolCall("fill"));
  assert.equal(answer.status, 503);
  assert.match(answer.text, /audit log/i);
  const reached = stub.seen.length;
  for (let calls = 0; calls < 5; calls++)
    assert.equal((await client.post("stub", toolCall("more"))).status, 503);
  assert.equal(stub.seen.length, reached, "what can't be recorded isn't sent on");
  assert.ok(
    gateway.log.some((line) => line.includes("ENOSPC")),
    "the operator is told why",
  );
  await assert.rejects(gateway.stop(), "stopping fails where the log can't be brought to its end");

  await rm(next);
  const again = await testGateway(t, yaml, { folder: gateway.folder });
  const later = clientOf(t, again, await enrol(again));
  assert.equal((await later.post("stub", toolCall("after"))).status, 200);
  await again.audit.journal.checkpoint();
  const verdict = await verifyLogFolder({ folder: paths.log, key: paths.logKey });
  assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
});

test("the page's API wants a person's token, its own host and a reader", async (t) => {
  const alice = freshToken();
  const people = `approvals: { people: { alice: { token_hash: "${alice.hash}" } } }\n`;
  const gateway = await testGateway(t, `${people}${openPolicy}`, { dashboard: "127.0.0.1:0" });
  const link = new URL(gateway.dashboard ?? "");
  const authorization = `Bearer ${alice.token}`;
  const rows: readonly (readonly [string, string, number, http.RequestOptions?])[] = [
    ["the token", "/api/v1/approvals", 200, { headers: { authorization } }],
    ["another's business", "/api/v1/status", 403, { headers: { authorization } }],
    ["no token", "/api/v1/approvals", 401],
    ["another token", "/api/v1/approvals", 401, { headers: { authorization: "Bearer x" } }],
    [
      "another host's name",
      "/api/v1/approvals",
      403,
      { headers: { authorization, host: "rebound.example" } },
    ],
    [
      "a foreign origin",
      "/api/v1/approvals",
      403,
      { headers: { authorization, origin: "https://evil.example" } },
    ],
    ["a write", "/api/v1/approvals", 405, { method: "POST", headers: { authorization } }],
    ["a route that isn't there", "/api/v1/secrets", 404, { headers: { authorization } }],
    ["an inherited name", "/api/v1/constructor", 404, { headers: { authorization } }],
    ["the page itself", "/", 200],
    ["the API of before", "/api/status", 401],
    ["a file outside the page", "/../../package.json", 404],
    ["the same, encoded", "/%2e%2e/%2e%2e/package.json", 404],
  ];
  for (const [what, target, expected, options] of rows) {
    const { host, port } = { host: link.hostname, port: link.port };
    const request = http.request({ host, port, path: target, ...options }).end();
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    answer.resume();
    assert.equal(answer.statusCode, expected, what);
    assert.match(String(answer.headers["content-security-policy"]), /default-src 'self'/, what);
  }
});

test("a gateway that stops waits for the rest of an answer, and not for streams without an end", async (t) => {
  const answer = 'id: 2\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n';
  const finish = Promise.withResolvers<void>();
  let listening = 0;
  const stub = await stubServer(t, (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
    if (request.headers["last-event-id"] === undefined) {
      listening += 1;
      response.once("close", () => (listening -= 1));
    } else void finish.promise.then(() => response.end(answer));
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const headers = { accept: "text/event-stream" };
  const unasked = client.request("stub", { method: "GET", headers });
  const rest = client.request("stub", { method: "GET", headers: { ...headers, "last-event-id": "1" } });
  await eventually("both are open", () => stub.seen.length === 2);
  const stopped = gateway.stop();
  await eventually("who only listens is let go", () => listening === 0);
  finish.resolve();
  assert.match((await rest).text, /"result"/);
  assert.equal((await unasked).text, ": open\n\n");
  await stopped;
});

test("a flood of silent connections from one address is turned away, and those who are in go on", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("stub", toolCall("before"))).status, 200);
  const [host = "", port = ""] = gateway.address.split(":");
  const sockets = Array.from({ length: 300 }, () =>
    net.connect(Number(port), host).on("error", () => undefined),
  );
  atEnd(t, () => sockets.forEach((socket) => socket.destroy()));
  await eventually("some are turned away", () => sockets.filter(({ closed }) => closed).length >= 44);
  assert.ok(gateway.log.some((line) => line.includes("too many connections")));
  assert.equal((await client.post("stub", toolCall("meanwhile"))).status, 200);
});

test(
  "TCP asks from both ends whether a silent link's other end is there",
  { skip: existsSync("/proc/net/tcp") ? false : "only Linux shows a socket's timers" },
  async (t) => {
    const stub = await stubServer(t, (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    });
    const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
    const tunnel = await openTunnel({
      target: "stub",
      state: path.join(gateway.folder, "sidecar"),
      joinToken: await makeJoinToken(
        gateway.config,
        { path: "agent/quiet", address: gateway.address },
        gateway.clock,
      ),
      clock: gateway.clock,
      log: systemLog({ level: "error", form: "json", write: () => undefined }),
    });
    atEnd(t, () => tunnel.close());
    const { status } = await tunnel.send({ method: "GET", headers: ["accept", "text/event-stream"] });
    assert.equal(status, 200);
    const port = Number(gateway.address.split(":")[1]).toString(16).toUpperCase().padStart(4, "0");
    await eventually("both ends keep time", async () => {
      const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n");
      // proc(5): local address, remote address, state 01 for established, queues, and the timer, 02 for keep-alive.
      const timed = lines.filter((line) => / 01 \S+ 02:/.test(line));
      const local = timed.some((line) => line.trim().split(" ")[1]?.endsWith(`:${port}`));
      const remote = timed.some((line) => line.trim().split(" ")[2]?.endsWith(`:${port}`));
      return local && remote;
    });
  },
);
