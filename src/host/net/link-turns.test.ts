import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { buildConnector, Client, Pool } from "undici";

import { atEnd } from "../../../test/support/cleanup.ts";
import { LinkTurns } from "./link-turns.ts";

interface Scene {
  readonly turns: LinkTurns;
  readonly pool: Pool;
  readonly dialled: () => number;
  /** Lets the links be opened that are dialled and will be. */
  readonly open: () => void;
  /** Paths in the order in which the server saw them. */
  readonly seen: readonly string[];
}

async function scene(t: TestContext, patienceMs?: number): Promise<Scene> {
  const seen: string[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request.url ?? "");
    if (request.url?.startsWith("/stream") === true) response.write("it begins");
    else response.end("ok");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const connect = buildConnector({});
  let dialled = 0;
  const pool: Pool = new Pool(origin, {
    connections: null,
    pipelining: 1,
    factory: (at, given) => {
      const dial: buildConnector.connector = (target, callback) => {
        dialled += 1;
        void turns.opening(async () => {
          await opened;
          const { promise, resolve } = Promise.withResolvers<void>();
          connect(target, (...outcome) => {
            callback(...outcome);
            resolve();
          });
          await promise;
        });
      };
      return turns.watched(new Client(at, { ...given, connect: dial }));
    },
  });
  const turns = new LinkTurns(() => pool, patienceMs);
  atEnd(t, async () => {
    await pool.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { turns, pool, dialled: () => dialled, open, seen };
}

async function ask(turns: LinkTurns, id: number): Promise<string> {
  const answer = await turns.request({ method: "GET", path: `/${id}` });
  return await answer.body.text();
}

test("a burst of requests opens a bounded number of links at once, and takes these in turn", async (t) => {
  const { turns, dialled, open, seen } = await scene(t, 600_000);
  const asked = Array.from({ length: 300 }, (_, id) => ask(turns, id));
  assert.equal(dialled(), 32);
  open();
  assert.deepEqual(new Set(await Promise.all(asked)), new Set(["ok"]));
  assert.equal(seen.length, 300);
  assert.equal(dialled(), 32, "links are used again");
  const early = seen.slice(0, 100).map((path) => Number(path.slice(1)));
  assert.ok(Math.max(...early) < 200, "first come, first served");
});

test("streams that hold their links don't keep others from getting one", async (t) => {
  const { turns, dialled, open } = await scene(t);
  open();
  const holding = await Promise.all(
    Array.from({ length: 100 }, (_, id) => turns.request({ method: "GET", path: `/stream/${id}` })),
  );
  assert.equal(await ask(turns, 100), "ok");
  assert.equal(dialled(), 101);
  for (const { body } of holding) body.on("error", () => undefined).destroy();
});

test("those that wait are refused with the pool", async (t) => {
  const { turns, pool, dialled } = await scene(t);
  const asked = Array.from({ length: 40 }, (_, id) =>
    ask(turns, id).catch((error: unknown) => String(error)),
  );
  const destroyed = pool.destroy();
  turns.end();
  await destroyed;
  for (const outcome of await Promise.all(asked)) assert.match(outcome, /destroyed/);
  assert.equal(dialled(), 32);
});
