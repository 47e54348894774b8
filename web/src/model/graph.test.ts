import assert from "node:assert/strict";
import { test } from "node:test";

import { layoutOf, rowHeight } from "./graph-layout.ts";
import { readGraph, related } from "./graph.ts";

const counted = { calls: 1, denied: 0, held: 0, error: 0 };
const caller = (name: string, more: object = {}) => ({
  ...counted,
  id: `caller:${name}`,
  kind: "caller",
  name,
  posture: "hybrid",
  ...more,
});
const server = (name: string, more: object = {}) => ({
  ...counted,
  id: `server:${name}`,
  kind: "server",
  name,
  posture: "plain",
  ...more,
});
const gateway = { ...counted, id: "gateway", kind: "gateway", name: "g", posture: "plain" };
const link = (from: string, to: string, more: object = {}) => ({
  ...counted,
  from,
  to,
  posture: "hybrid",
  ...more,
});

test("the map is read with care: what isn't known is said to be so, and what hides in names is shown", () => {
  for (const value of [null, 3, {}, { nodes: "none", links: [null] }]) {
    const { nodes } = readGraph(value);
    assert.deepEqual(nodes, []);
  }
  const { nodes } = readGraph({
    nodes: [caller("spiffe://a.test/agent/x\u202e<img src=x>", { posture: "quantum", lastSeenUnixMs: null })],
  });
  assert.match(nodes[0]?.label ?? "", /^agent\/x⟨U\+202E[^⟩]*⟩<img src=x>$/);
  assert.equal(nodes[0]?.posture, "unknown");
  assert.equal(nodes[0]?.lastSeen, undefined);
});

test("links stand in the order of their nodes, so that none cross, the busiest the widest", () => {
  const { left, callers, height } = layoutOf(
    readGraph({
      nodes: [caller("a", { calls: 4 }), caller("b", { calls: 100 }), caller("c", { calls: 1 }), gateway],
      links: [
        link("caller:c", "gateway", { calls: 0 }),
        link("caller:a", "gateway", { calls: 4 }),
        link("caller:b", "gateway", { calls: 100 }),
      ],
    }),
  );
  assert.deepEqual(
    callers.map(({ name }) => name),
    ["b", "a", "c"],
  );
  assert.equal(height, 3 * rowHeight);
  assert.deepEqual(
    left.map(({ node, width }) => [node, width]),
    [
      ["caller:b", 14],
      ["caller:a", 4],
      ["caller:c", 1.5],
    ],
  );
  const ends = left.map(({ path }) => Number(path.split(" ").at(-1)));
  assert.deepEqual(
    ends,
    ends.toSorted((a, b) => a - b),
  );
});

test("beyond forty nodes the quietest stand as one, and none that somebody should look at", () => {
  const callers = Array.from({ length: 60 }, (_, k) => caller(`c${k}`, { calls: 100 - k }));
  const quiet = caller("quiet", { calls: 0, restrictions: [{ id: "r", action: "quarantine" }] });
  const graph = readGraph({
    nodes: [...callers, quiet, gateway, server("s")],
    links: [...callers, quiet].map(({ id }) => link(id, "gateway")),
    routes: callers.map(({ name }) => ({ ...counted, caller: name, server: "s" })),
  });
  const layout = layoutOf(graph);
  assert.equal(layout.callers.length + layout.servers.length + 1, 40);
  assert.equal(layout.callers[0]?.name, "quiet");
  const group = layout.callers.at(-1);
  assert.equal(group?.label, "24 other callers");
  assert.equal(group.members?.length, 24);
  const grouped = layout.left.find(({ node }) => node === group.id);
  assert.equal(grouped?.link.calls, 24);
  const withGroup = { ...graph, nodes: [...graph.nodes, group] };
  assert.ok(related(withGroup, "server:s").has(group.id));
  assert.ok(!related(withGroup, "server:s").has("caller:quiet"));
});
