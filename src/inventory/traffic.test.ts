import assert from "node:assert/strict";
import { test } from "node:test";

import { placeKey } from "./sighting.ts";
import { trafficOf } from "./traffic.ts";

const files = { kind: "http", url: "http://127.0.0.1:3000/mcp" } as const;

function calls(...all: readonly (readonly [string, string, Record<string, string>, string?])[]) {
  const servers = new Map([
    ["files", files],
    ["anywhere", undefined],
  ]);
  const traffic = trafficOf({ gateway: "gw", servers });
  for (const [at, [principal, server, facts, event = "call.decision"]] of all.entries())
    traffic.add({ event, principal, atUnixMs: 1000 + at, facts: { server, ...facts } });
  return traffic.sightings();
}

test("a server that callers name by themselves is told with its callers, though nobody registered it", () => {
  const target = "http://shadow.example:9000/mcp";
  const sightings = calls(
    ["spiffe://a/agent", "files", { era: "legacy" }],
    ["spiffe://a/agent", "anywhere", { era: "legacy", target }],
    ["spiffe://a/agent", "anywhere", { era: "legacy", target }, "request.denied"],
    ["spiffe://a/agent", "anywhere", { era: "legacy", target }, "call.outcome"],
  );
  assert.deepEqual(sightings, [
    {
      kind: "server",
      server: { place: files, evidence: { by: "traffic", gateway: "gw", calls: 1, lastUnixMs: 1000 } },
    },
    {
      kind: "server",
      server: {
        place: { kind: "http", url: target },
        evidence: { by: "traffic", gateway: "gw", calls: 2, lastUnixMs: 1002 },
      },
    },
    {
      kind: "caller",
      caller: {
        id: "spiffe://a/agent",
        gateway: "gw",
        servers: [placeKey(files), target],
        calls: 3,
        firstUnixMs: 1000,
        lastUnixMs: 1002,
      },
    },
  ]);
});

test("what a proxy passes beside MCP is no server; a secret in a target's path isn't told", () => {
  const beside = "http://web.example/index.html";
  const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
  const text = JSON.stringify(
    calls(
      ["a", "anywhere", { target: beside, method: "GET" }],
      ["a", "anywhere", { era: "modern", target: `http://h.example/${token}/mcp` }],
    ),
  );
  assert.ok(!text.includes("web.example"));
  assert.ok(text.includes("h.example") && !text.includes(token));
});

test("a server that is asked for and isn't registered is told by its name, printable", () => {
  const sightings = calls(
    ["a", "gone\u001b[2J", {}, "request.denied"],
    ["a", "gone\u001b[2J", {}, "request.denied"],
  );
  assert.deepEqual(sightings.at(-1), {
    kind: "problem",
    problem: {
      at: "gw",
      because: 'a server "gone?[2J" was asked for 2 times, and none is registered under that name',
    },
  });
});

test("a log full of invented servers and callers is kept within bounds, and that is told", () => {
  const sightings = calls(...Array.from({ length: 20_000 }, (_, at) => [`c${at}`, `s${at}`, {}] as const));
  assert.ok(sightings.length <= 20_001);
  assert.match(JSON.stringify(sightings.at(-1)), /more servers and callers than are kept/);
});
