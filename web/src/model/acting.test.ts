import assert from "node:assert/strict";
import { test } from "node:test";

import { isWaiting, newestFirst, readProposals, timeLeft } from "./approvals.ts";
import { readIncident, readIncidents, severityOf } from "./incidents.ts";
import { actionsFor, targetsOf } from "./orders.ts";
import { byServer, readMarks, readTool, readTools } from "./tools.ts";

const agent = "spiffe://a.test/agent/x";

test("incidents stand worst first, and what others wrote in them is shown as what it is", () => {
  assert.deepEqual(readIncidents({ items: "none" }), []);
  const incident = (id: string, score: number, lastUnixMs: number) => ({
    incident: { id, score, lastUnixMs, state: "open", kinds: { "risk.call": { score } } },
    story: { title: `${agent} sent \u200b<script>` },
  });
  const read = readIncidents({
    items: [incident("a", 0.6, 9), incident("b", 0.9, 1), incident("c", 0.6, 10)],
  });
  assert.deepEqual(
    read.map(({ id }) => id),
    ["b", "c", "a"],
  );
  assert.equal(read[0]?.title, "agent/x sent ⟨U+200B zero width space⟩<script>");
  assert.deepEqual([0.95, 0.8, 0.6, 0.1].map(severityOf), ["severe", "high", "medium", "low"]);
});

test("an incident is answered with what it names, and with nothing that it doesn't", () => {
  const { targets, suppression } = readIncident({
    incident: {
      callers: [agent],
      sessions: ["s-1"],
      targets: ["bank/pay/out"],
      sources: [],
      kinds: { "risk.call": { score: 0.9 }, drift: { score: 0.5 } },
    },
    story: {},
  });
  assert.deepEqual(
    targets.map(({ scope }) => scope),
    [
      { caller: agent },
      { caller: agent, session: "s-1" },
      { server: "bank", tool: "pay/out" },
      { caller: agent, server: "bank", tool: "pay/out" },
      { server: "bank" },
    ],
  );
  assert.deepEqual(suppression, { kind: "risk.call", caller: agent });
  // Whoever was erased has no name to restrict; what a rule saw is never called harmless.
  assert.deepEqual(targetsOf({ callers: ["(erased)"], sessions: ["s"], targets: [] }), []);
  const drift = { incident: { callers: [agent], kinds: { drift: { score: 1 } } }, story: {} };
  assert.equal(readIncident(drift).suppression, undefined);
});

test("only what the gateway would do is offered", () => {
  assert.deepEqual(actionsFor({ server: "bank", tool: "pay" }), [
    "quarantine",
    "read_only",
    "hold",
    "limit",
    "step_up",
  ]);
  assert.ok(actionsFor({ server: "bank" }).includes("freeze_manifest"));
  assert.ok(actionsFor({ caller: agent }).includes("cut"));
  assert.deepEqual(actionsFor({}), []);
});

test("proposals read like speech, and what is over doesn't wait", () => {
  const [read] = readProposals({
    items: [
      {
        id: "1",
        playbook: "p",
        scope: { caller: agent, server: "bank" },
        actions: ["quarantine for 3600 s", "notify"],
        state: "waiting",
        asked: "2026-01-01T00:00:00Z",
        expires: "2026-01-01T00:10:00Z",
        votes: [null],
      },
    ],
  });
  assert.equal(read?.what, "Quarantine for 1 h 0 min, then Notify: agent/x at bank");
  const at = (time: string): number => Date.parse(`2026-01-01T${time}Z`);
  assert.equal(timeLeft(read.expires, at("00:09:30")), "30 s left");
  assert.equal(timeLeft(read.expires, at("00:05:10")), "4 min 50 s left");
  assert.equal(timeLeft(read.expires, at("00:10:00")), undefined);
  assert.ok(isWaiting(read, at("00:09:59")));
  assert.ok(!isWaiting(read, at("00:10:00")));
  const [first] = newestFirst([{ asked: "2026-01-01T00:00:00Z" }, { asked: "2026-01-02T00:00:00Z" }]);
  assert.equal(first?.asked, "2026-01-02T00:00:00Z");
});

test("tools that wait stand first, whatever they are called, and a hostile name is text that shows itself", () => {
  const row = (server: string, tool: string, state: string) => ({
    server,
    tool,
    state,
    findings: ["\u202ex"],
  });
  const tools = readTools({
    items: [row("a", "one", "pinned"), row("b", "<img onerror=x>\u200b", "held"), row("b", "ok", "pinned")],
  });
  const servers = byServer(tools, "");
  assert.deepEqual(
    servers.map(({ server, waiting, tools: all }) => [server, waiting, all.map(({ name }) => name)]),
    [
      ["b", 1, ["<img onerror=x>⟨U+200B zero width space⟩", "ok"]],
      ["a", 0, ["one"]],
    ],
  );
  assert.match(tools[0]?.findings[0] ?? "", /⟨U\+202E/);
  // As it is sent back.
  assert.equal(tools[1]?.tool, "<img onerror=x>\u200b");
  assert.deepEqual(
    byServer(tools, "B/O").map(({ tools: all }) => all.map(({ name }) => name)),
    [["ok"]],
  );
});

test("a tool and its marks are read with care", () => {
  for (const value of [null, {}, { pinned: 3, history: "x" }]) {
    const { pinned, history } = readTool(value);
    assert.deepEqual([pinned, history], [undefined, []]);
  }
  const { tools, combinations } = readMarks({
    tools: [{ server: "a", tool: "t", may: ["read"], marks: [{ mark: "read", source: "schema" }] }],
    combinations: [
      {
        who: "*",
        kind: "sabotage",
        parts: [{ mark: "destructive", tools: ["a#b#c"] }],
        isAcrossServers: true,
      },
      { who: "desk", kind: "sabotage", parts: [{ mark: "destructive", tools: ["a#b#c"] }] },
    ],
  });
  assert.deepEqual(tools.get('["a","t"]')?.may, ["read"]);
  assert.deepEqual(combinations[0]?.parts[0]?.tools, ["a/b#c"]);
  assert.deepEqual(combinations[0].who, ["whoever may call every server", "desk"]);
});
