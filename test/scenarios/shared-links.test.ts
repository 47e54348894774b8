/** Many calls on one HTTP/2 link between our own ends: what happens to each of them, whatever happens to the others. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type http from "node:http";
import net from "node:net";
import { type TestContext, test } from "node:test";

import { collected, exchange, type HttpAnswer, type HttpRequest } from "../../src/host/net/http-exchange.ts";
import type { LinkOptions } from "../../src/host/net/proven-links.ts";
import { type RenewablePool, renewablePool } from "../../src/host/net/renewable-pool.ts";
import { streamOpener } from "../../src/host/net/link-on-stream.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { checkLog } from "../support/records.ts";
import { breakableLink } from "../support/breakable-link.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  echoResult,
  type Enrolment,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  type TestGateway,
  testGateway,
  toolCall,
} from "../support/gateway.ts";

const limits = { answerTimeoutMs: 20_000, answerBytes: 64 * 1024 * 1024 };

/** What a server says in a stream. */
const log = JSON.stringify({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data: "one" },
});

interface Sharing {
  readonly pool: RenewablePool;
  readonly options: LinkOptions;
  readonly call: (message: object, gone?: AbortSignal) => Promise<HttpAnswer>;
  /** Streams that were opened to the gateway, the last one last. */
  readonly streams: readonly net.Socket[];
}

function sharing(
  t: TestContext,
  gateway: TestGateway,
  enrolment: Enrolment,
  { address = gateway.address, pings }: { readonly address?: string } & Pick<LinkOptions, "pings"> = {},
): Sharing {
  const streams: net.Socket[] = [];
  const [host = "", port] = address.split(":");
  const { profile } = gateway.config;
  const tls = clientTlsOptions({
    profile,
    serverRoots: enrolment.identity.server_roots,
    peerSpiffeId: enrolment.identity.gateway,
    credentials: enrolment.credentials,
    alpn: "h2",
  });
  const open = streamOpener(tls, async () => {
    const stream = net.connect(Number(port), host);
    await once(stream, "connect");
    streams.push(stream);
    return stream;
  });
  const options: LinkOptions = {
    terms: profile,
    tls,
    http: "h2",
    connect: () => open({ host, port: Number(port), servername: undefined }),
    ...(pings && { pings }),
  };
  const pool = renewablePool(`https://${gateway.address}`, options);
  atEnd(t, () => pool.close());
  const call = (message: object, gone?: AbortSignal): Promise<HttpAnswer> => {
    const request: HttpRequest = {
      method: "POST",
      path: "/mcp/stub",
      headers: ["content-type", "application/json", "accept", "application/json, text/event-stream"],
      body: Buffer.from(JSON.stringify(message)),
      ...(gone && { gone }),
    };
    return exchange(pool.dispatcher(), request, limits);
  };
  return { pool, options, call, streams };
}

async function textOf(answer: Promise<HttpAnswer>): Promise<string> {
  const whole = await collected(await answer);
  return whole.kind === "whole" ? Buffer.from(whole.body).toString() : "a stream";
}

test("200 calls at once share one link, and each has its own answer", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call, streams } = sharing(t, gateway, await enrol(gateway));
  const answers = await Promise.all(Array.from({ length: 200 }, (_, id) => textOf(call(toolCall("a", id)))));
  assert.deepEqual(
    answers.map((text) => (JSON.parse(text) as { readonly id: number }).id),
    Array.from({ length: 200 }, (_, id) => id),
  );
  assert.equal(streams.length, 1);
  await checkLog(gateway);
});

test("a call that is given up is given up at the server, and the others on its link go on", async (t) => {
  const asked: string[] = [];
  const left: string[] = [];
  let finish: (() => void) | undefined;
  const stub = await stubServer(t, (_request, response, body) => {
    const { id } = JSON.parse(body) as { readonly id: string };
    asked.push(id);
    response.once("close", () => {
      if (!response.writableFinished) left.push(id);
    });
    if (id === "other")
      finish = () =>
        response
          .setHeader("content-type", "application/json")
          .end(JSON.stringify({ jsonrpc: "2.0", id, result: {} }));
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call, streams } = sharing(t, gateway, await enrol(gateway));
  const other = textOf(call(toolCall("a", "other")));
  const gone = new AbortController();
  const given = call(toolCall("a", "given up"), gone.signal);
  await eventually("both are under way", () => asked.length === 2);
  gone.abort();
  await assert.rejects(given, /went away/);
  await eventually("the server sees its client go", () => left.length === 1);
  assert.deepEqual(left, ["given up"]);
  finish?.();
  assert.match(await other, /"result"/);
  assert.equal(streams.length, 1);
});

test("a link that is cut in the middle leaves its calls unknown, and the next one opens another", async (t) => {
  let asked = 0;
  let isSilent = true;
  const stub = await stubServer(t, (_request, response, body) => {
    asked += 1;
    const { id } = JSON.parse(body) as { readonly id: number };
    if (!isSilent)
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify({ jsonrpc: "2.0", id, result: {} }));
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call, streams } = sharing(t, gateway, await enrol(gateway));
  const calls = [1, 2, 3].map((id) => call(toolCall("a", id)));
  await eventually("all are under way", () => asked === 3);
  streams[0]?.destroy();
  for (const result of await Promise.allSettled(calls)) {
    assert.equal(result.status, "rejected");
    const reason: unknown = result.status === "rejected" ? result.reason : undefined;
    assert.ok(reason instanceof Refusal && reason.code === "upstream_failed");
    assert.equal(reason.facts["sent"], true, "it may have been carried out");
  }
  isSilent = false;
  assert.match(await textOf(call(toolCall("a", 4))), /"result"/);
  assert.equal(streams.length, 2);
  assert.equal(asked, 4, "nothing was sent twice");
});

test("a path that went away without a word is noticed, and its calls are told that nothing is known of them", (t) =>
  pathGoesAway(t, { isLeft: false }));

test("calls on a link that is being left are told, too, when its path went away without a word", (t) =>
  pathGoesAway(t, { isLeft: true }));

async function pathGoesAway(t: TestContext, { isLeft }: { readonly isLeft: boolean }): Promise<void> {
  let asked = 0;
  const stub = await stubServer(t, () => void (asked += 1));
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const path = await breakableLink(t, gateway.address);
  const pings = { everyMs: 50, deadMs: 200 };
  const sharedLink = sharing(t, gateway, await enrol(gateway), { address: path.address, pings });
  const { call, pool, options, streams } = sharedLink;
  const lost = call(toolCall("a"));
  await eventually("it is under way", () => asked === 1);
  if (isLeft) pool.renew(options);
  path.stall();
  await assert.rejects(
    lost,
    (error: unknown) =>
      error instanceof Refusal && error.facts["sent"] === true && error.facts["cause"] === "ETIMEDOUT",
  );
  await eventually("the link is closed", () => streams[0]?.destroyed === true);
}

test("a gateway that stops ends what is under way on a shared link first, and takes nothing new on it", async (t) => {
  let finish: (() => void) | undefined;
  const stub = await stubServer(t, (request, response, body) => {
    finish = () => echoResult(request, response, body);
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call } = sharing(t, gateway, await enrol(gateway));
  const answer = textOf(call(toolCall("a")));
  await eventually("it is under way", () => finish !== undefined);
  const stopped = gateway.stop();
  await eventually("nothing new is taken", async () => {
    const reason: unknown = await call(toolCall("b")).then(
      () => undefined,
      (error: unknown) => error,
    );
    return reason instanceof Refusal && reason.facts["sent"] === false;
  });
  finish?.();
  assert.match(await answer, /"result"/);
  await stopped;
  assert.equal(stub.seen.length, 1);
});

test("a reader that takes its time holds up its own answer, and nobody else's", async (t) => {
  const long = Buffer.alloc(32 * 1024 * 1024, "x");
  let written = 0;
  const stub = await stubServer(t, (request, response, body) => {
    if (!body.includes('"long"')) return echoResult(request, response, body);
    response.writeHead(200, { "content-type": "application/json" });
    const write = (): void => {
      while (written < long.length) {
        written += 65_536;
        if (!response.write(long.subarray(written - 65_536, written))) {
          response.once("drain", write);
          return;
        }
      }
      response.end();
    };
    write();
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call, streams } = sharing(t, gateway, await enrol(gateway));
  const slow = await call(toolCall("long"));
  assert.ok(slow.kind === "long");
  const others = await Promise.all(Array.from({ length: 50 }, (_, id) => textOf(call(toolCall("a", id)))));
  assert.ok(others.every((text) => text.includes('"result"')));
  assert.ok(written < long.length, "the server is read no faster than its reader reads");
  let bytes = 0;
  for await (const chunk of slow.chunks) bytes += chunk.length;
  assert.equal(bytes, long.length);
  assert.equal(streams.length, 1);
});

test("a stream of events on a link that is cut is broken off, and no end", async (t) => {
  const stub = await stubServer(t, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(`data: ${log}\n\n`);
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call, streams } = sharing(t, gateway, await enrol(gateway));
  const stream = await call(toolCall("a"));
  assert.ok(stream.kind === "stream");
  const chunks = stream.chunks[Symbol.asyncIterator]();
  assert.match(Buffer.from((await chunks.next()).value ?? []).toString(), /"one"/);
  streams[0]?.destroy();
  await assert.rejects(
    chunks.next(),
    (error: unknown) => error instanceof Refusal && error.facts["sent"] === true,
  );
});

test("a stream of events comes through as it is said, and ends at the server when its reader leaves", async (t) => {
  const told: http.ServerResponse[] = [];
  let left = 0;
  const stub = await stubServer(t, (_request, response) => {
    told.push(response.writeHead(200, { "content-type": "text/event-stream" }));
    response.flushHeaders();
    response.once("close", () => (left += 1));
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call } = sharing(t, gateway, await enrol(gateway));
  const answer = call(toolCall("a"));
  await eventually("the server streams", () => told.length === 1);
  told[0]?.write(`data: ${log}\n\n`);
  const stream = await answer;
  assert.ok(stream.kind === "stream");
  const chunks = stream.chunks[Symbol.asyncIterator]();
  assert.match(Buffer.from((await chunks.next()).value ?? []).toString(), /"one"/);
  await chunks.return?.();
  await eventually("the server sees its reader go", () => left === 1);
});

test("after a renewal calls use another link, and those under way finish on the old one", async (t) => {
  const finishing: (() => void)[] = [];
  const stub = await stubServer(t, (request, response, body) => {
    finishing.push(() => echoResult(request, response, body));
  });
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { call, pool, options, streams } = sharing(t, gateway, await enrol(gateway));
  const before = textOf(call(toolCall("a", 1)));
  await eventually("it is under way", () => finishing.length === 1);
  pool.renew(options);
  const after = textOf(call(toolCall("a", 2)));
  await eventually("both are under way", () => finishing.length === 2);
  assert.equal(streams.length, 2);
  for (const finish of finishing) finish();
  assert.match(await before, /"id":1/);
  assert.match(await after, /"id":2/);
  await eventually("the old link is closed", () => streams[0]?.destroyed === true);
  assert.equal(streams[1]?.destroyed, false);
});
