/** A whole network of loopback addresses with the usual ports: all that is there is found, in bounded time, at a bounded pace. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import net from "node:net";
import { test } from "node:test";

import { askServer } from "../../src/app/scan/ask-server.ts";
import { probePosture } from "../../src/app/scan/probe-posture.ts";
import { type NetworkProgress, searchNetwork } from "../../src/app/scan/search-network.ts";
import { defaultPorts } from "../../src/inventory/targets.ts";
import { mcpListener } from "../support/mcp-listener.ts";

const addresses = 256;
const maxMs = 60_000;

test("a scan of 256 loopback addresses ends under 60 s, and finds each server on them", async (t) => {
  const hosts = ["127.0.77.1", "127.0.77.128", "127.0.77.254"];
  const port = 38_087;
  const servers = hosts.map((host) =>
    createServer(mcpListener(`at ${host}`, [{ name: "read" }])).listen(port, host),
  );
  // Takes connections and never says a word.
  const silent = net.createServer(() => undefined).listen(port, "127.0.77.7");
  t.after(() => [...servers, silent].forEach((server) => server.close()));
  const { signal } = new AbortController();
  const clock = { nowUnixMs: () => Date.now() };
  let last: NetworkProgress | undefined;
  const began = performance.now();
  const sightings = await Array.fromAsync(
    searchNetwork({
      targets: ["127.0.77.0/24"],
      ports: [...defaultPorts, port],
      isPublic: false,
      wholeTimeoutMs: maxMs,
      seed: 1,
      signal,
      asking: {
        ask: async (url) => await askServer({ url, signal, timeoutMs: 5000 }),
        probe: async (host, at) => await probePosture({ host, port: at, clock, signal, timeoutMs: 1500 }),
      },
      onProgress: (progress) => (last = progress),
    }),
  );
  const ms = performance.now() - began;
  t.diagnostic(`${Math.round(ms)} ms for ${last?.total} ports`);
  assert.ok(ms < maxMs, `it took ${ms} ms`);
  const total = addresses * (defaultPorts.length + 1);
  assert.deepEqual([last?.done, last?.total], [total, total]);
  const found = sightings.flatMap((one) => (one.kind === "server" ? [one.server.name] : []));
  for (const host of hosts) assert.ok(found.includes(`at ${host}`), `${host} wasn't found`);
  const mute = sightings.find((one) => one.kind === "endpoint" && one.endpoint.host === "127.0.77.7");
  assert.equal(mute?.kind === "endpoint" && mute.endpoint.answers, "silent");
});
