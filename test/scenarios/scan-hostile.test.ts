/** Endpoints that mean harm to whoever looks at them: each costs bounded time and memory, and is told for what it did. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import net from "node:net";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";

import { askServer } from "../../src/app/scan/ask-server.ts";
import type { NetworkSearch } from "../../src/app/scan/search-network.ts";
import { searchNetwork } from "../../src/app/scan/search-network.ts";
import { probePosture } from "../../src/app/scan/probe-posture.ts";
import type { Sighting } from "../../src/inventory/sighting.ts";

/** Of one question; what ends by a bound of its own ends before. */
const timeoutMs = 1500;
/** What one look may add to the heap, with room for what the collector hasn't taken yet. */
const maxGrowthBytes = 160 * 1024 * 1024;

async function listening(t: TestContext, server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

/** One look at one port, all that it takes, with the memory it took. */
async function looked(t: TestContext, server: net.Server): Promise<readonly Sighting[]> {
  const port = await listening(t, server);
  const { signal } = new AbortController();
  const clock = { nowUnixMs: () => Date.now() };
  const asking: NetworkSearch["asking"] = {
    ask: async (url) => await askServer({ url, signal, timeoutMs }),
    probe: async (host, at) => await probePosture({ host, port: at, clock, signal, timeoutMs: 300 }),
  };
  const before = process.memoryUsage().rss;
  const targets = [`http://127.0.0.1:${port}/mcp`];
  const sightings = await Array.fromAsync(
    searchNetwork({ targets, ports: [], isPublic: false, wholeTimeoutMs: 25_000, seed: 1, asking, signal }),
  );
  assert.ok(process.memoryUsage().rss - before < maxGrowthBytes, "it took too much memory");
  return sightings;
}

function problems(sightings: readonly Sighting[]): string {
  return sightings.flatMap((one) => (one.kind === "problem" ? [one.problem.because] : [])).join("; ");
}

function http(answer: RequestListener): net.Server {
  return createServer({ keepAliveTimeout: 100 }, answer);
}

/** Writes `chunk` for as long as somebody takes it. */
function endless(
  socket: {
    write: (chunk: string) => boolean;
    once: (event: "drain", go: () => void) => unknown;
    destroyed: boolean;
  },
  chunk: string,
): void {
  const go = (): void => {
    if (socket.destroyed) return;
    if (socket.write(chunk)) setImmediate(go);
    else socket.once("drain", go);
  };
  go();
}

/** Answers of a server of the older era. */
function serverWith(list: (cursor: unknown) => string): net.Server {
  return http((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      if (request.method !== "POST") {
        response.writeHead(405).end();
        return;
      }
      const { id, method, params } = JSON.parse(Buffer.concat(parts).toString()) as {
        id?: number;
        method: string;
        params?: { cursor?: unknown };
      };
      if (id === undefined) {
        response.writeHead(202).end();
        return;
      }
      const result =
        method === "initialize"
          ? '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"big","version":"1"}}'
          : list(params?.cursor);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
    });
  });
}

function serverIn(sightings: readonly Sighting[]): { readonly tools: number; readonly isCut: boolean } {
  const server = sightings.find((one) => one.kind === "server")?.server;
  assert.ok(server !== undefined, `no server among ${JSON.stringify(sightings).slice(0, 400)}`);
  return { tools: server.tools?.length ?? 0, isCut: server.isCut === true };
}

test("an endless banner, a flood of headers and an endless body are left, and told", async (t) => {
  const banner = net.createServer((socket) => endless(socket, "220 welcome ".repeat(1000)));
  const headers = net.createServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    endless(socket, `x-more: ${"a".repeat(1000)}\r\n`);
  });
  const body = http((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    endless(response, " ".repeat(65_536));
  });
  for (const server of [banner, headers, body]) {
    const sightings = await looked(t, server);
    assert.ok(sightings.every(({ kind }) => kind !== "server"));
    assert.notEqual(problems(sightings), "");
  }
});

test("silence, a slow drip and a half-open socket end with the time for them", async (t) => {
  const silent = net.createServer({ allowHalfOpen: true }, (socket) => socket.resume());
  const drip = net.createServer((socket) => {
    socket.resume();
    const timer = setInterval(() => socket.write("H"), 50);
    socket.on("close", () => clearInterval(timer));
  });
  const halfAnswer = net.createServer((socket) => {
    socket.once("data", () =>
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{"),
    );
  });
  for (const server of [silent, drip, halfAnswer]) {
    const sightings = await looked(t, server);
    assert.ok(sightings.length > 0);
    assert.ok(sightings.every(({ kind }) => kind !== "server"));
  }
});

test("redirects in circles end, and one to another host isn't followed", async (t) => {
  const asked: string[] = [];
  const elsewhere = http((request, response) => {
    asked.push(request.url ?? "");
    response.end();
  });
  const port = await listening(t, elsewhere);
  let hop = 0;
  const circle = http((_, response) => response.writeHead(307, { location: `/mcp?${hop++}` }).end());
  assert.match(problems(await looked(t, circle)), /redirects in circles/);
  const away = http((_, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:${port}/mcp` }).end(),
  );
  assert.match(problems(await looked(t, away)), /redirects to another host/);
  assert.deepEqual(asked, []);
});

test("lists of 100,000 tools and lists without an end are cut, and say so", async (t) => {
  const many = Array.from({ length: 100_000 }, (_, at) => `{"name":"t${at}","inputSchema":{}}`).join(",");
  assert.deepEqual(
    serverIn(
      await looked(
        t,
        serverWith(() => `{"tools":[${many}]}`),
      ),
    ),
    { tools: 2000, isCut: true },
  );
  let page = 0;
  const pages = serverWith(() => `{"tools":[{"name":"t"}],"nextCursor":"${page++}"}`);
  const found = serverIn(await looked(t, pages));
  assert.ok(found.isCut && found.tools < 2000, JSON.stringify(found));
  assert.ok(page < 200, `${page} pages were asked for`);
});

test("a tool nested 10,000 deep is left out, and a compressed bomb isn't opened", async (t) => {
  const deep = `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`;
  const nested = serverWith(() => `{"tools":[{"name":"deep","inputSchema":${deep}},{"name":"flat"}]}`);
  assert.deepEqual(serverIn(await looked(t, nested)), { tools: 1, isCut: true });
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, " "));
  const gzipped = http((_, response) =>
    response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb),
  );
  assert.ok((await looked(t, gzipped)).every(({ kind }) => kind !== "server"));
});
