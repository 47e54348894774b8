import assert from "node:assert/strict";
import { test } from "node:test";

import type { Posture } from "../../inventory/posture/posture.ts";
import type { Listener } from "../../inventory/processes/running-process.ts";
import { placeKey, type Sighting } from "../../inventory/sighting.ts";
import type { Answered } from "./ask-server.ts";
import type { Asking } from "./asking.ts";
import { searchListeners } from "./search-listeners.ts";

const verdicts = {
  keyExchange: { verdict: "unknown", because: [], dates: [] },
  authentication: { verdict: "unknown", because: [], dates: [] },
  profiles: [],
} as const;
const clear: Posture = { link: { kind: "clear" }, ...verdicts };
const tls: Posture = {
  link: {
    kind: "tls",
    tls: { versions: ["TLSv1.3"], groups: [], ciphers: [], chains: [], asksForClientCertificate: false },
  },
  ...verdicts,
};

async function found(
  listeners: readonly Listener[],
  asking: Asking,
  ownPid = 0,
): Promise<readonly Sighting[]> {
  const processes = [
    { pid: 7, parent: 1, command: ["node", "server.js", "--token=<secret>"] },
    { pid: 8, parent: 1, command: ["latticegate", "up"] },
  ];
  const own = processes.find(({ pid }) => pid === ownPid);
  const recognised =
    own === undefined ? [] : [{ kind: "latticegate", process: own, verb: "up", ports: [] } as const];
  const all: Sighting[] = [];
  const { signal } = new AbortController();
  for await (const one of searchListeners({ listeners, processes, recognised, asking, signal }))
    all.push(one);
  return all;
}

test("a port that speaks MCP is told with who listens there; wildcards are asked once, at this machine's own address", async () => {
  const asked: string[] = [];
  const asking: Asking = {
    probe: async () => await Promise.resolve(clear),
    ask: async (url) => {
      asked.push(url);
      if (!url.endsWith(":8080/sse")) return await Promise.resolve(undefined);
      return { place: { kind: "http", url }, spoken: "http+sse" };
    },
  };
  const sightings = await found(
    [
      { host: "0.0.0.0", port: 8080, pid: 7 },
      { host: "::", port: 8080, pid: 7 },
      { host: "::1", port: 9000 },
      { host: "127.0.0.1", port: 5432 },
    ],
    asking,
  );
  assert.deepEqual(asked, [
    "http://127.0.0.1:8080/mcp",
    "http://[::1]:9000/mcp",
    "http://127.0.0.1:8080/sse",
    "http://[::1]:9000/sse",
    "http://[::1]:9000/",
  ]);
  assert.deepEqual(sightings, [
    {
      kind: "server",
      server: {
        place: { kind: "http", url: "http://127.0.0.1:8080/sse" },
        spoken: "http+sse",
        evidence: {
          by: "listener",
          host: "127.0.0.1",
          port: 8080,
          pid: 7,
          program: "node server.js --token=<secret>",
        },
        posture: clear,
      },
    },
  ]);
});

test("a gateway of this product is named as one and asked nothing; another TLS port is told as an endpoint", async () => {
  const asking: Asking = {
    probe: async () => await Promise.resolve(tls),
    ask: async (url) => {
      assert.ok(url.startsWith("https://127.0.0.1:9443/"), placeKey({ kind: "http", url }));
      return await Promise.resolve(undefined);
    },
  };
  const listeners = [
    { host: "127.0.0.1", port: 8443, pid: 8 },
    { host: "127.0.0.1", port: 9443, pid: 7 },
  ];
  const sightings = await found(listeners, asking, 8);
  assert.deepEqual(
    sightings.map((one) => one.kind === "endpoint" && [one.endpoint.port, one.endpoint.isLatticegate]),
    [
      [8443, true],
      [9443, undefined],
    ],
  );
});

test("a port that can't be asked is told and doesn't hide the others; of too many, the rest is told", async () => {
  const asking: Asking = {
    probe: async (_, port) => {
      if (port === 7000) throw new Error("it talks nonsense");
      return await Promise.resolve(clear);
    },
    ask: async (url) =>
      await Promise.resolve(
        url.endsWith(":7001/mcp") ? { place: { kind: "http", url } as const } : undefined,
      ),
  };
  const many = Array.from({ length: 600 }, (_, at) => ({ host: "127.0.0.1", port: 7000 + at }));
  const sightings = await found(many, asking);
  assert.deepEqual(
    sightings.map((one) => (one.kind === "problem" ? one.problem.because : one.kind)),
    ["more than 512 are open; the rest wasn't asked", "it talks nonsense", "server"],
  );
});

test("a port that shuts every path alike isn't taken for MCP; one that shuts its MCP alone is", async () => {
  const locked = (url: string, kind: "basic" | "unknown" | "bearer"): Answered => ({
    place: { kind: "http", url },
    authentication: { kind },
  });
  const asking: Asking = {
    probe: async () => await Promise.resolve(clear),
    ask: async (url) => {
      const { port, pathname } = new URL(url);
      const answers: Readonly<Record<string, Answered | undefined>> = {
        "8001": locked(url, "basic"),
        "8002": pathname === "/mcp" ? locked(url, "unknown") : undefined,
        "8003": locked(url, "bearer"),
      };
      return await Promise.resolve(answers[port]);
    },
  };
  const sightings = await found(
    [8001, 8002, 8003].map((port) => ({ host: "127.0.0.1", port })),
    asking,
  );
  assert.deepEqual(
    sightings.map((one) => one.kind === "server" && placeKey(one.server.place)),
    ["http://localhost:8002/mcp", "http://localhost:8003/mcp"],
  );
});
