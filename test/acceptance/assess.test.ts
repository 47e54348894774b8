/** A running gateway held against frameworks: by its own log, and by tests at its own doors. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { assess } from "../../src/app/compliance/assess.ts";
import { checkReport, reportFingerprint, signReport } from "../../src/app/compliance/signed-report.ts";
import { listIncidents } from "../../src/app/respond/incident-operations.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { brokenRefusals, type Report, type ReportedControl } from "../../src/compliance/report.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { controlOf, loggedIn } from "../support/control.ts";
import { clientOf, enrol, openPolicy, testGateway, type TestGateway, toolCall } from "../support/gateway.ts";

const server = fileURLToPath(new URL("../support/listing-stdio-server.ts", import.meta.url));
const servers = `servers: { pipe: { command: ["${process.execPath}", "${server}"] } }`;

async function called(t: TestContext, gateway: TestGateway): Promise<void> {
  const client = clientOf(t, gateway, await enrol(gateway));
  const { headers } = await client.post("pipe", { jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
  const session = { "mcp-session-id": String(headers["mcp-session-id"]) };
  await client.post("pipe", { jsonrpc: "2.0", method: "notifications/initialized" }, session);
  await client.post("pipe", { jsonrpc: "2.0", id: 2, method: "tools/list" }, session);
  assert.equal((await client.post("pipe", toolCall("read_file"), session)).status, 200);
}

function assessed({ config, clock }: TestGateway, hasTests: boolean): Promise<Report> {
  return assess({ config, clock, by: "operator:test", frameworks: [], hasTests });
}

function controlIn({ frameworks }: Report, asked: string): ReportedControl {
  const found = frameworks.flatMap(({ controls }) => controls).find(({ id }) => id === asked);
  assert.ok(found, asked);
  return found;
}

test("a gateway that was called and tested: what is met names entries that the log opens", async (t) => {
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { dashboard: "127.0.0.1:0" });
  await called(t, gateway);

  const untested = await assessed(gateway, false);
  assert.equal(controlIn(untested, "CC6.1").verdict, "no evidence");
  assert.match(controlIn(untested, "CC6.1").because.join(), /not tested here/);

  const report = await assessed(gateway, true);
  assert.deepEqual(brokenRefusals(report), []);
  for (const { test: name, kind, result } of report.tests) {
    // There is no listener for access tokens.
    const expected = name === "foreign-token" ? "skipped" : "passed";
    if (kind === "refusal") assert.equal(result?.result, expected, `${name}: ${result?.says}`);
  }
  for (const id of ["CC6.1", "CC6.7", "AD-binding.L3", "CA-hybrid", "MCP07", "AIA-12.1", "GDPR-32.1b"]) {
    const { verdict, because } = controlIn(report, id);
    assert.equal(verdict, "met", `${id}: ${because.join("; ")}`);
  }
  assert.equal(controlIn(report, "NSA-2").verdict, "not met");
  const { config, clock } = gateway;
  assert.deepEqual(listIncidents({ state: config.state, clock }, { all: false }), []);
  assert.notDeepEqual(listIncidents({ state: config.state, clock }, { all: true }), []);
  const [cosai] = report.frameworks;
  assert.equal(cosai?.levels?.length, 8);

  await t.test("each entry that something met names is opened by its id", async () => {
    const reader = openLogReader(statePaths(gateway.config.state).log);
    const met = report.frameworks.flatMap(({ controls }) =>
      controls.filter(({ verdict }) => verdict === "met"),
    );
    const named = met.map(({ evidence, tests }) => [
      ...evidence.flatMap(({ examples }) => examples),
      ...tests.map(({ entry }) => entry),
    ]);
    assert.ok(named.every((entries) => entries.length > 0));
    const known = new Map<string, ReadonlySet<number>>();
    for (const { id, index } of named.flat()) {
      const had = known.get(id) ?? new Set((await reader.find(id)).map((entry) => entry.index));
      known.set(id, had);
      assert.ok(had.has(index), `entry ${index} of ${id}`);
    }
  });

  await t.test("a report is signed as JSON and as a page; neither can be changed unseen", async () => {
    const expected = await reportFingerprint(gateway.config);
    for (const form of ["json", "html"] as const) {
      const { text, fingerprint } = await signReport(gateway.config, report, form);
      assert.equal(fingerprint, expected);
      const checked = checkReport(Buffer.from(text));
      assert.ok(checked.kind === "signed", form);
      assert.equal(checked.signedBy, expected);
      assert.deepEqual(checked.report, JSON.parse(JSON.stringify(report)));
      const better = text.replace("not met", "met");
      assert.notEqual(better, text);
      assert.equal(checkReport(Buffer.from(better)).kind, "fault", form);
    }
  });

  await t.test("the control API answers the same, and hands out the signed files", async () => {
    const yaml = `state: ./state\nlisten: ${gateway.address}\n${servers}\n${openPolicy}`;
    await writeFile(gateway.config.file, yaml);
    const { ask } = controlOf(gateway);
    const { status, body } = await ask("GET /compliance?framework=soc2");
    assert.equal(status, 200);
    const [soc2] = (body as unknown as Report).frameworks;
    assert.equal(soc2?.controls.find(({ id }) => id === "CC6.1")?.verdict, "met");
    assert.equal((await ask("GET /compliance?framework=soc3")).status, 400);
    const browser = await loggedIn(gateway);
    const file = await browser.ask("GET /compliance/export.json");
    assert.equal(checkReport(Buffer.from(JSON.stringify(file.body))).kind, "signed");
    const run = await ask("POST /compliance/tests", {});
    assert.equal(run.status, 200, JSON.stringify(run.body));
    assert.equal((run.body as unknown as Report).tested.now, true);
  });

  await t.test("results from before the last start count no more", async () => {
    await gateway.stop();
    const { folder } = gateway;
    const again = await testGateway(t, `${servers}\n${openPolicy}`, { folder });
    const { verdict, because } = controlIn(await assessed(again, false), "CC6.2");
    assert.equal(verdict, "no evidence");
    assert.match(because.join(), /before a change/);
  });
});

test("what is switched off isn't met: rules that allow everybody everything, and rules that are only watched", async (t) => {
  const everybody = openPolicy.replace("spiffe://latticegate.local/agent/*", "*");
  for (const [yaml, options, why] of [
    [everybody, {}, /test tool-without-rule failed/],
    [openPolicy, { observes: true }, /--observe/],
  ] as const) {
    const gateway = await testGateway(t, `${servers}\n${yaml}`, options);
    await called(t, gateway);
    const report = await assessed(gateway, true);
    assert.ok(brokenRefusals(report).includes("tool-without-rule"));
    for (const id of ["CC6.1", "CC6.3", "MCP02", "MCP07"]) {
      const { verdict, because } = controlIn(report, id);
      assert.equal(verdict, "not met", id);
      assert.match(because.join(), why);
    }
    assert.equal(controlIn(report, "CC6.7").verdict, "met");
    await gateway.stop();
  }
});
