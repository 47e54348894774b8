import assert from "node:assert/strict";
import { test } from "node:test";

import { clientFile, lookedAtUnixMs, sightings } from "../../test/support/sightings.ts";
import { inventoryOf } from "./inventory.ts";
import { defaultAssumptions, urgencyOf } from "./mosca.ts";
import { migrationPlan } from "./plan.ts";
import { isGone, progressOf } from "./progress.ts";

const inventory = inventoryOf(sightings, undefined, lookedAtUnixMs);

test("what is read today comes first, what can be forged one day last", () => {
  const { phases } = migrationPlan(inventory, [], defaultAssumptions);
  assert.deepEqual(
    phases.map(({ id, steps }) => [id, steps.map(({ at }) => at)]),
    [
      ["clear-sensitive", [clientFile, "http://10.0.0.5/mcp"]],
      ["adopt", [clientFile]],
      ["weak", ["https://weak.internal/mcp", "http://localhost:9000/mcp"]],
      ["shadow", ["http://localhost:9000/mcp"]],
      ["downgradable", ["https://down.internal/mcp"]],
      ["classical", ["https://old.internal/mcp"]],
      ["authentication", ["https://crm.internal/mcp"]],
    ],
  );
});

test("within a phase the more sensitive and the more exposed comes first", () => {
  const all = sightings.flatMap((each) =>
    each.kind === "server" && each.server.posture?.keyExchange.verdict === "classical" ? [each.server] : [],
  );
  const [old] = all;
  assert.ok(old);
  const urls = ["https://a.internal/", "https://b.internal/", "https://c.example/"];
  const seen = urls.map(
    (url) => ({ kind: "server", server: { ...old, place: { kind: "http", url } } }) as const,
  );
  const plain = inventoryOf(seen, undefined, lookedAtUnixMs);
  const labelled = {
    ...plain,
    servers: plain.servers.map((server) =>
      server.id === urls[1] ? { ...server, labels: { dataClass: "restricted" } } : server,
    ),
  };
  const [phase] = migrationPlan(labelled, [], defaultAssumptions).phases;
  assert.deepEqual(
    phase?.steps.map(({ at }) => at),
    [urls[1], urls[2], urls[0]],
  );
});

test("Mosca's inequality holds a data class against the time that is left", () => {
  const [server] = inventory.servers;
  assert.ok(server);
  const of = (dataClass: string) => ({ ...server, labels: { dataClass } });
  const at = Date.UTC(2025, 0, 1);
  const urgency = urgencyOf([of("public"), of("restricted")], { quantumYear: 2035, migrationYears: 2 }, at);
  assert.deepEqual(
    urgency.map(({ dataClass, lateByYears }) => [dataClass, lateByYears]),
    [
      ["restricted", 17],
      ["public", -8],
    ],
  );
});

test("progress counts servers and ways to them that could be hybrid, and no others", () => {
  const { servers, hybridServers, links, hybridLinks } = progressOf(inventory);
  assert.deepEqual([servers, hybridServers, links, hybridLinks], [6, 1, 2, 1]);
});

test("a server that isn't seen any more stays, is gone, and is no step", () => {
  const later = inventoryOf(sightings.slice(1), inventory, lookedAtUnixMs + 1);
  const gone = later.servers.filter((server) => isGone(server, later));
  assert.deepEqual(
    gone.map(({ id }) => id),
    ["http://10.0.0.5/mcp"],
  );
  const { phases } = migrationPlan(later, [], defaultAssumptions);
  assert.ok(!phases.some(({ steps }) => steps.some(({ at }) => at === gone[0]?.id)));
});
