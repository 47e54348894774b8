/** Posting events: signed so that its receiver can tell, and sorted by what the receiver says. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import { toldTest } from "../../respond/events/told.ts";
import { teller } from "../../../test/support/outlets.ts";
import { type PostOptions, postSink } from "./post-sink.ts";
import type { Sink } from "./sink.ts";

const nowUnixMs = Date.UTC(2026, 10, 22);
const events = [toldTest(teller, "1", nowUnixMs), toldTest(teller, "2", nowUnixMs)];
const goOn = new AbortController().signal;

interface Posted {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

async function scene(
  t: TestContext,
  answer: (response: http.ServerResponse, body: string) => void,
  more: Partial<PostOptions> = {},
): Promise<{ readonly sink: Sink; readonly posted: readonly Posted[] }> {
  const posted: Posted[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      posted.push({ headers: request.headers, body });
      answer(response, body);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const sink = postSink({
    url: `http://127.0.0.1:${port}/events`,
    tls: {},
    headers: {},
    body: ([told]) => ({ uid: told?.uid }),
    perRequest: 1,
    clock: { nowUnixMs: () => nowUnixMs },
    ...more,
  });
  t.after(async () => {
    await sink.close();
    server.closeAllConnections();
    server.close();
  });
  return { sink, posted };
}

test("a signed event verifies as Standard Webhooks has it, and its id is the event's uid", async (t) => {
  const { sink, posted } = await scene(t, (response) => response.writeHead(204).end(), {
    secret: utf8("0123456789abcdef"),
    headers: { authorization: "Splunk abc" },
  });
  assert.deepEqual(await sink.send(events.slice(0, 1), goOn), { taken: 1, dead: [] });
  const [{ headers, body } = { headers: {}, body: "" }] = posted;
  const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature } = headers;
  const mac = createHmac("sha256", "0123456789abcdef").update(`${String(id)}.${String(at)}.${body}`);
  assert.deepEqual(
    [id, at, signature],
    [events[0]?.uid, String(nowUnixMs / 1000), `v1,${mac.digest("base64")}`],
  );
  assert.equal(headers.authorization, "Splunk abc");
});

for (const status of [401, 404, 429, 500, 503])
  test(`what is answered with status ${status} is tried again`, async (t) => {
    const { sink } = await scene(t, (response) => response.writeHead(status).end());
    assert.deepEqual(await sink.send(events, goOn), {
      taken: 0,
      failed: `it answered with status ${status}`,
      dead: [],
    });
  });

for (const status of [400, 413, 422])
  test(`what is answered with status ${status} will never be taken, and what was sent with it is`, async (t) => {
    const { sink, posted } = await scene(
      t,
      (response, body) => response.writeHead(body.includes("test-1") ? status : 204).end(),
      { body: (told) => told.map(({ uid }) => uid) },
    );
    const why = `it answered with status ${status}`;
    assert.deepEqual(await sink.send(events, goOn), { taken: 2, dead: [{ event: events[0], why }] });
    assert.equal(posted.length, 3);
  });

test("an event that a collector rejects within a success isn't taken for told", async (t) => {
  const answer = JSON.stringify({ partialSuccess: { rejectedLogRecords: "1" } });
  const { sink } = await scene(t, (response, body) => response.end(body.includes("test-2") ? answer : "{}"), {
    body: (told) => told.map(({ uid }) => uid),
  });
  const why = "it took the request and rejected the event";
  assert.deepEqual(await sink.send(events, goOn), { taken: 2, dead: [{ event: events[1], why }] });
});

test("a redirect isn't followed: no event goes where the config doesn't say", async (t) => {
  const { sink, posted } = await scene(t, (response) =>
    response.writeHead(307, { location: "/elsewhere" }).end(),
  );
  const { taken, failed } = await sink.send(events, goOn);
  assert.deepEqual([taken, failed], [0, "redirect: It answered with a redirect, which isn't followed."]);
  assert.equal(posted.length, 1);
});

test("who never answers is given up, and what is said of it names no address", async (t) => {
  const { sink } = await scene(t, () => undefined, { timeoutMs: 50 });
  const { taken, failed } = await sink.send(events, goOn);
  assert.deepEqual([taken, failed], [0, "timeout: It didn't answer in time."]);
});

for (const [status, what, more] of [
  [200, "is too long", "x".repeat(300_000)],
  [200, "never ends", "x"],
  [400, "is too long", "x".repeat(300_000)],
] as const)
  test(`an answer with status ${status} whose body ${what} counts by its status`, async (t) => {
    const { sink, posted } = await scene(t, (response) => void response.writeHead(status).write(more), {
      timeoutMs: 300,
    });
    const { taken, failed, dead } = await sink.send(events.slice(0, 1), goOn);
    assert.deepEqual([taken, failed, dead?.length], [1, undefined, status === 200 ? 0 : 1]);
    assert.equal(posted.length, 1);
  });
