/** Many calls on one HTTP/2 link between our own ends: what happens to each of them, whatever happens to the others. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";

import { collected, exchange, type HttpAnswer, type HttpRequest } from "../../src/host/net/http-exchange.ts";
import type { LinkOptions } from "../../src/host/net/proven-links.ts";
import { type RenewablePool, renewablePool } from "../../src/host/net/renewable-pool.ts";
import { streamOpener } from "../../src/host/net/link-on-stream.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { checkLog } from "../support/records.ts";
import { atEnd } from "../support/cleanup.ts";
import {
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

interface Sharing {
  readonly pool: RenewablePool;
  readonly call: (message: object, gone?: AbortSignal) => Promise<HttpAnswer>;
  /** Streams that were opened to the gateway, the last one last. */
  readonly streams: readonly net.Socket[];
}

function sharing(
  t: TestContext,
  gateway: TestGateway,
  enrolment: Enrolment,
  otherwise: Partial<LinkOptions> = {},
): Sharing {
  const streams: net.Socket[] = [];
  const [host = "", port] = gateway.address.split(":");
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
  const pool = renewablePool(`https://${gateway.address}`, {
    terms: profile,
    tls,
    http: "h2",
    connect: () => open({ host, port: Number(port), servername: undefined }),
    ...otherwise,
  });
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
  return { pool, call, streams };
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
