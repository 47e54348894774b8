/** Who has a page open is told what changed, whoever changed it, and of nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { freshState } from "../../../test/support/gateway.ts";
import { eventStream } from "../../control/event-stream.ts";
import { openApprovals } from "../../host/store/state-approvals.ts";
import { openIncidents } from "../../host/store/state-incidents.ts";
import { openProposals } from "../../host/store/state-proposals.ts";
import { type Kill, openResponses } from "../../host/store/state-responses.ts";
import { openTools } from "../../host/store/state-tools.ts";
import { systemLog } from "../../host/system.ts";
import { emptyIncident } from "../../respond/incidents/incident.ts";
import { statePaths } from "../state-folder.ts";
import { followChanges } from "./live-changes.ts";

test("an open page is told of each area that changed, once, and of none that stayed as it was", async (t) => {
  const { database } = statePaths(await freshState(t));
  const incidents = openIncidents(database);
  const approvals = openApprovals(database);
  const tools = openTools(database);
  const responses = openResponses(database);
  const proposals = openProposals(database);
  const stream = eventStream("x");
  let kills: readonly Kill[] = [];
  const { look, stop } = followChanges({ database, kills: () => kills, stream, log: systemLog({}) });
  t.after(() => {
    stop();
    incidents.end();
    for (const store of [approvals, tools, responses, proposals]) store.close();
  });
  const told: string[] = [];
  stream.subscribe(undefined, ({ data }) => told.push(data));
  const news = (): readonly string[] => {
    look();
    return told.splice(0);
  };
  assert.deepEqual(news(), []);

  const incident = { ...emptyIncident("i-1", 1, ""), title: "a" };
  incidents.open(incident, { event: "incident.open", atUnixMs: 1, principal: "", tool: null, facts: {} });
  assert.deepEqual(news(), ['{"what":"incidents"}']);
  assert.deepEqual(news(), []);
  incidents.update([{ ...incident, findings: 2 }], []);
  assert.deepEqual(news(), ['{"what":"incidents"}']);
  // Nothing that a person sees.
  incidents.recorded(1);
  assert.deepEqual(news(), []);

  approvals.settle(
    {
      digest: "d",
      caller: "spiffe://a.test/agent/x",
      chain: [],
      server: "bank",
      method: "tools/call",
      name: "pay",
      terms: [{ rule: "r", because: "x", approvers: 1 }],
      expiresMs: 1000,
      seal: () => ({ nonce: "n", sealed: "s" }),
    },
    1,
  );
  tools.change("bank", 1, () => ({ pins: {}, events: [] }));
  assert.deepEqual(news(), ['{"what":"approvals"}', '{"what":"tools"}']);

  const kill: Kill = { source: "api", by: "x", because: "y", sinceUnixMs: 1 };
  responses.kill(kill);
  kills = [kill];
  assert.deepEqual(news(), ['{"what":"responses"}', '{"what":"status"}']);
  assert.deepEqual(news(), []);
});
