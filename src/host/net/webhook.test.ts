/** Posting to others: whoever tells never waits, and nothing that the other end does reaches it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import type { Log } from "../../kernel/log.ts";
import { webhook, type Webhook } from "./webhook.ts";

type Answering = (response: http.ServerResponse, times: number) => void;

interface Scene {
  readonly hook: Webhook;
  readonly bodies: readonly string[];
  readonly events: readonly string[];
  /** Resolves with the first event of that name. */
  readonly logged: (event: string) => Promise<void>;
}

async function scene(t: TestContext, answering: Answering, options = {}): Promise<Scene> {
  const bodies: string[] = [];
  const server = http.createServer((request, response) => {
    void (async () => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      bodies.push(body);
      answering(response, bodies.length);
    })();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const events: string[] = [];
  const waiting = new Map<string, () => void>();
  const note = (event: string): void => {
    events.push(event);
    waiting.get(event)?.();
  };
  const log: Log = { error: note, warn: note, info: note, debug: note };
  const hook = webhook({ url: `http://127.0.0.1:${port}/`, log, pausesMs: [1, 1], ...options });
  t.after(async () => {
    await hook.close();
    server.closeAllConnections();
    server.close();
  });
  const logged = async (event: string): Promise<void> => {
    if (!events.includes(event)) await new Promise<void>((resolve) => waiting.set(event, resolve));
  };
  return { hook, bodies, events, logged };
}

const notice = { id: "1", body: { waits: true } };

test("what fails is posted again a few times, and then given up", async (t) => {
  const { hook, bodies, events, logged } = await scene(t, (response) => void response.writeHead(500).end());
  hook.tell(notice);
  await logged("webhook.given_up");
  assert.deepEqual(bodies, Array(3).fill('{"waits":true}'));
  assert.deepEqual(events, ["webhook.failed", "webhook.failed", "webhook.failed", "webhook.given_up"]);
});

test("a redirect isn't followed: it could lead anywhere", async (t) => {
  const { hook, bodies, logged } = await scene(t, (response) => {
    response.writeHead(307, { location: "/elsewhere" }).end();
  });
  hook.tell(notice);
  await logged("webhook.given_up");
  assert.equal(bodies.length, 3);
});

test("who never answers is left", async (t) => {
  const { hook, logged } = await scene(t, () => undefined, { timeoutMs: 20 });
  hook.tell(notice);
  await logged("webhook.given_up");
});

test("where nobody can be told, further ones are given up at once", async (t) => {
  const { hook, events } = await scene(t, () => undefined);
  for (let i = 0; i < 51; i++) hook.tell({ ...notice, id: String(i) });
  assert.deepEqual(events, ["webhook.given_up"]);
});

test("nothing is posted without TLS but to this machine", async (t) => {
  const { hook, bodies, logged } = await scene(t, () => undefined, { url: "http://chat.test/hook" });
  hook.tell(notice);
  await logged("webhook.given_up");
  assert.deepEqual(bodies, []);
});
