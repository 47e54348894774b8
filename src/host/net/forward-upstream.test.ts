/** What a forward server's clients may have under way at once. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { test, type TestContext } from "node:test";

import type { Journaled } from "../../gate/call.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readTargetUrl } from "../../wire/target-url.ts";
import { forwardUpstream } from "./forward-upstream.ts";
import type { Upstream } from "./upstreams.ts";

/** What the adapter reads of a call. */
function callTo(url: string): Journaled {
  const call = {
    verb: "GET",
    targetUrl: readTargetUrl(url),
    headers: [],
    body: new Uint8Array(0),
    reply: { gone: new AbortController().signal },
  };
  return call as unknown as Journaled;
}

/** A server that answers `/now` at once, and everything else when it is told to; `second` says that two wait. */
async function slowServer(
  t: TestContext,
): Promise<{ readonly url: string; readonly server: http.Server; readonly answerAll: () => void }> {
  const waiting: http.ServerResponse[] = [];
  // What closes a connection within a test is the adapter, never its age.
  const server = http.createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    if (request.url === "/now") response.end("now");
    else if (waiting.push(response) === 2) server.emit("second");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    server,
    answerAll: () => {
      for (const response of waiting) response.end("later");
    },
  };
}

function adapter(t: TestContext): Upstream {
  const limits = { answerTimeoutMs: 30_000, answerBytes: 1024 };
  const upstream = forwardUpstream(limits, { origins: 2, underWay: 2 });
  t.after(upstream.close);
  return upstream;
}

const isBusy = (error: unknown): boolean => error instanceof Refusal && error.code === "busy";

test("an origin that has all it may bear under way gets no more, until some of it is over", async (t) => {
  const [upstream, slow] = [adapter(t), await slowServer(t)];
  const arrived = once(slow.server, "second");
  const both = [upstream.forward(callTo(slow.url)), upstream.forward(callTo(slow.url))];
  await arrived;
  await assert.rejects(upstream.forward(callTo(`${slow.url}/now`)), isBusy);
  slow.answerAll();
  await Promise.all(both);
  assert.equal((await upstream.forward(callTo(`${slow.url}/now`))).status, 200);
});

test(
  "the origin that is idle for longest makes way for another; none makes way while it is in use",
  { timeout: 30_000 },
  async (t) => {
    const upstream = adapter(t);
    const [busy, idle, next] = [await slowServer(t), await slowServer(t), await slowServer(t)];
    const arrived = once(busy.server, "request");
    const underWay = upstream.forward(callTo(busy.url));
    await arrived;
    const connected = once(idle.server, "connection") as Promise<[net.Socket]>;
    await upstream.forward(callTo(`${idle.url}/now`));
    const [connection] = await connected;
    const closed = once(connection, "close");
    await upstream.forward(callTo(`${next.url}/now`));
    await closed;
    const arrivedNext = once(next.server, "request");
    const alsoUnderWay = upstream.forward(callTo(next.url));
    await arrivedNext;
    await assert.rejects(upstream.forward(callTo(`${idle.url}/now`)), isBusy);
    busy.answerAll();
    next.answerAll();
    await Promise.all([underWay, alsoUnderWay]);
  },
);
