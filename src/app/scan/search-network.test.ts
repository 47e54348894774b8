import assert from "node:assert/strict";
import { createServer } from "node:http";
import net from "node:net";
import { test, type TestContext } from "node:test";

import { mcpListener } from "../../../test/support/mcp-listener.ts";
import type { Sighting } from "../../inventory/sighting.ts";
import { askServer } from "./ask-server.ts";
import { probePosture } from "./probe-posture.ts";
import { type NetworkProgress, type NetworkSearch, searchNetwork } from "./search-network.ts";

const { signal } = new AbortController();
const clock = { nowUnixMs: () => Date.now() };
const asking: NetworkSearch["asking"] = {
  ask: async (url) => await askServer({ url, signal, timeoutMs: 10_000 }),
  probe: async (host, port) => await probePosture({ host, port, clock, signal, timeoutMs: 2000 }),
};

async function found(search: Partial<NetworkSearch>): Promise<readonly Sighting[]> {
  const bounds = { ports: [], isPublic: false, wholeTimeoutMs: 60_000, seed: 7, asking, signal };
  return await Array.fromAsync(searchNetwork({ targets: [], ...bounds, ...search }));
}

async function listening(t: TestContext, server: net.Server, host = "127.0.0.1"): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

test("servers, other endpoints and closed ports are told apart; each port is counted once", async (t) => {
  const port = await listening(t, createServer(mcpListener("files", [{ name: "read" }])), "127.0.0.9");
  const web = await listening(
    t,
    createServer((_, response) => response.writeHead(404).end()),
    "127.0.0.9",
  );
  const steps: NetworkProgress[] = [];
  const sightings = await found({
    targets: ["127.0.0.8/30"],
    ports: [port, web],
    onProgress: (step) => steps.push(step),
  });
  const server = sightings.find((one) => one.kind === "server")?.server;
  assert.deepEqual(server?.place, { kind: "http", url: `http://127.0.0.9:${port}/mcp` });
  assert.equal(server.name, "files");
  assert.equal(server.posture?.link.kind, "clear");
  assert.deepEqual(server.evidence, { by: "network" });
  const others = sightings.flatMap((one) => (one.kind === "endpoint" ? [one.endpoint] : []));
  assert.deepEqual(
    others.map((one) => [one.host, one.port, one.answers]),
    [["127.0.0.9", web, "http"]],
  );
  assert.equal(sightings.length, 2);
  assert.deepEqual(steps.at(-1), { done: 8, total: 8, found: 2 });
});

test("a name that leads to the public Internet, or nowhere, isn't asked and is told", async () => {
  const sightings = await found({ targets: ["nowhere.invalid:80"] });
  assert.deepEqual(sightings, [
    { kind: "problem", problem: { at: "nowhere.invalid", because: "there is no such name" } },
  ]);
});

test("a scan ends when its time is over, and says that it did", async (t) => {
  const port = await listening(
    t,
    net.createServer(() => undefined),
  );
  const never = new Promise<undefined>(() => undefined);
  const sightings = await found({
    targets: [`127.0.0.1:${port}`],
    wholeTimeoutMs: 50,
    asking: { ...asking, probe: async () => await never },
  });
  assert.deepEqual(
    sightings.map((one) => one.kind === "problem" && one.problem.because),
    ["the time for it was over; the rest wasn't asked"],
  );
});

test("a given path is asked first", async (t) => {
  const port = await listening(
    t,
    net.createServer((socket) => socket.end()),
  );
  const urls: string[] = [];
  const posture = {
    keyExchange: { verdict: "none", because: [], dates: [] },
    authentication: { verdict: "none", because: [], dates: [] },
  } as const;
  await found({
    targets: [`http://127.0.0.1:${port}/tools/v1`],
    asking: {
      probe: async () => await Promise.resolve({ link: { kind: "clear" }, profiles: [], ...posture }),
      ask: async (url) => await Promise.resolve(void urls.push(new URL(url).pathname)),
    },
  });
  assert.deepEqual(urls, ["/tools/v1", "/mcp", "/sse", "/"]);
});
