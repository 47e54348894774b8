import assert from "node:assert/strict";
import { test } from "node:test";

import { lookedAtUnixMs, serverAt, sightings } from "../../test/support/sightings.ts";
import { inventoryOf } from "./inventory.ts";

const before = inventoryOf(sightings, undefined, lookedAtUnixMs);
const later = lookedAtUnixMs + 86_400_000;
const url = "http://10.0.0.5/mcp";

test("a look at the network alone leaves what clients were known to reach", () => {
  const after = inventoryOf([serverAt(url), serverAt("https://new.internal/mcp")], before, later);
  const known = after.servers.find(({ id }) => id === url);
  assert.deepEqual(
    [known?.standing, known?.names, known?.firstSeenUnixMs, known?.lastSeenUnixMs],
    ["configured", ["billing"], lookedAtUnixMs, later],
  );
  assert.deepEqual(after.clients, before.clients);
  assert.equal(after.servers.find(({ id }) => id === "https://new.internal/mcp")?.standing, "shadow");
});

test("a server that no client names any more is told so once clients were looked at again", () => {
  const clients = sightings.filter(({ kind }) => kind === "client");
  const after = inventoryOf([...clients, serverAt(url)], before, later);
  assert.equal(after.servers.find(({ id }) => id === url)?.standing, "shadow");
});

test("this machine's names for itself are one", () => {
  const urls = ["http://127.0.0.1:9000/mcp", "http://localhost:9000/mcp", "http://[::1]:9000/mcp"];
  const { servers } = inventoryOf(
    urls.map((each) => serverAt(each)),
    undefined,
    later,
  );
  assert.deepEqual(
    servers.map(({ id, evidence, exposure }) => [id, evidence.length, exposure]),
    [["http://localhost:9000/mcp", 3, "loopback"]],
  );
});
