/** The metrics of a running gateway, as Prometheus fetches and reads them. */
import assert from "node:assert/strict";
import { symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { parseConfig } from "../../src/app/config.ts";
import { metricTable } from "../../src/app/metrics/metric-table.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openBundlePath } from "../../src/host/store/log-folder.ts";
import {
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { draft } from "../support/log-fixture.ts";
import { otlpCollector } from "../support/otlp-collector.ts";
import { type Exposition, readExposition } from "../support/prometheus-text.ts";

const denyDrop = `
  - name: no-drop
    callers: ["spiffe://latticegate.local/agent/*"]
    tools: ["notes/drop"]
    effect: deny
    because: Nothing is dropped here.
`;

async function fetched(
  address: string | undefined,
  headers: Record<string, string> = {},
): Promise<Exposition> {
  const answer = await fetch(`http://${address}/metrics`, { headers });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return readExposition(await answer.text());
}

test("calls are counted by server, tool, verdict, rule and link group", async (t) => {
  const server = await stubServer(t);
  const gateway = await testGateway(
    t,
    `metrics: { listen: "127.0.0.1:0" }\nservers: { notes: { url: "${server.url}" } }\n${openPolicy}${denyDrop}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  await client.post("notes", toolCall("read"));
  await client.post("notes", toolCall("read"));
  await client.post("notes", toolCall("drop"));
  const { value, families } = await fetched(gateway.metrics);
  const common = { server: "notes", method: "tools/call", link_group: "X25519MLKEM768" };
  const group = { ...common, risk: "none" };
  assert.equal(
    value("latticegate_calls_total", { ...group, tool: "read", verdict: "allowed", rule: "test-agents" }),
    2,
  );
  assert.equal(
    value("latticegate_calls_total", { ...group, tool: "other", verdict: "denied", rule: "no-drop" }),
    1,
  );
  assert.equal(value("latticegate_refusals_total", { server: "notes", reason: "denied" }), 1);
  assert.equal(value("latticegate_upstream_calls_total", { server: "notes" }), 2);
  assert.equal(value("latticegate_call_duration_seconds_count", { server: "notes", verdict: "allowed" }), 2);
  assert.equal(value("latticegate_gateway_duration_seconds_count", { server: "notes" }), 3);
  assert.equal(value("latticegate_entries_total", { event: "call.decision", outcome: "denied" }), 1);
  const links = { group: "X25519MLKEM768", certificate: "ML-DSA-65", post_quantum: "true" };
  assert.ok((value("latticegate_links", links) ?? 0) > 0);
  assert.equal(value("latticegate_kill_switch", { source: "cli" }), 0);
  assert.equal(value("latticegate_incidents_open", {}), 0);
  assert.ok((value("process_cpu_seconds_total", {}) ?? 0) > 0);
  for (const name of Object.keys(metricTable)) assert.ok(families.has(name), `${name} isn't told`);
});

test("a caller that invents names of tools, servers and methods can't blow up the number of series", async (t) => {
  const server = await stubServer(t, (_request, response, body) => {
    const { id } = JSON.parse(body) as { id: number };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32602, message: "unknown tool" } }));
  });
  const gateway = await testGateway(
    t,
    `metrics: { listen: "127.0.0.1:0" }\nservers: { notes: { url: "${server.url}" } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  for (let i = 0; i < 20; i++) {
    await client.post("notes", toolCall(`invented-${i}"} 1\n`));
    await client.post(`nobody-${i}`, toolCall("read"));
    await client.post("notes", { jsonrpc: "2.0", id: 1, method: `made/up-${i}` });
  }
  const { samples } = await fetched(gateway.metrics);
  const calls = samples.filter(({ name }) => name === "latticegate_calls_total");
  assert.deepEqual(
    [
      ...new Set(calls.map(({ labels }) => `${labels["server"]} ${labels["method"]} ${labels["tool"]}`)),
    ].toSorted(),
    ["notes other ", "notes tools/call other", "other tools/call other"],
  );
  assert.equal(
    calls.reduce((sum, { value }) => sum + value, 0),
    60,
  );
});

test("a call whose outcome can't be written isn't counted, or traced, as allowed", async (t) => {
  const collector = await otlpCollector(t);
  const server = await stubServer(t);
  const gateway = await testGateway(
    t,
    `metrics: { listen: "127.0.0.1:0" }\ntraces: { url: "${collector.url}" }
servers: { notes: { url: "${server.url}" } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  await client.post("notes", { jsonrpc: "2.0", id: 1, method: "ping" });
  const { journal } = gateway.audit;
  const next = path.join(statePaths(gateway.config.state).log, openBundlePath(1));
  await symlink("/dev/full", next);
  // The decision is the last that has room.
  while (journal.size() < 255) await journal.append(draft(journal.size()));
  assert.equal((await client.post("notes", toolCall("read"))).status, 503);
  assert.equal(server.seen.length, 2);
  const { samples } = await fetched(gateway.metrics);
  assert.deepEqual(
    samples
      .filter(({ name, labels }) => name === "latticegate_calls_total" && labels["method"] === "tools/call")
      .map(({ labels, value }) => [labels["tool"], labels["verdict"], value]),
    [["other", "error", 1]],
  );
  await assert.rejects(gateway.stop(), "the log can't be brought to its end");
  const span = collector.spans.find(({ kind, name }) => kind === 2 && name === "tools/call read");
  assert.deepEqual([span?.attributes["latticegate.verdict"], span?.status.code], ["error", 2]);
});

test("tools that an unpinned server answers are named up to a bound, and the series of a metric have one, too", async (t) => {
  const server = await stubServer(t);
  const gateway = await testGateway(
    t,
    `metrics: { listen: "127.0.0.1:0", series: 100 }\nservers: { notes: { url: "${server.url}" } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  for (let i = 0; i < 120; i++) await client.post("notes", toolCall(`tool-${i}`));
  const { samples } = await fetched(gateway.metrics);
  const calls = samples.filter(({ name }) => name === "latticegate_calls_total");
  assert.equal(calls.length, 101);
  assert.equal(calls.find(({ labels }) => labels["tool"] === "other")?.value, 20);
});

test("metrics hold no secret, no argument and no caller's name, unless callers are asked for", async (t) => {
  const server = await stubServer(t);
  const token = "tok-7f1d2c";
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, "token"), `${token}\n`);
  const yaml = (callers: boolean): string =>
    `metrics: { listen: "127.0.0.1:0", token: { file: ../token }, callers: ${callers} }
servers: { notes: { url: "${server.url}/?key=sk-secret-1" } }
${openPolicy}`.replace("../token", path.join(folder, "token"));
  for (const callers of [false, true]) {
    const gateway = await testGateway(t, yaml(callers));
    const client = clientOf(t, gateway, await enrol(gateway, "agent/ada"));
    await client.post("notes", toolCall("read", 1, { password: "hunter2-secret" }));
    const refused = await fetch(`http://${gateway.metrics}/metrics`);
    assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Bearer"]);
    const wrong = await fetch(`http://${gateway.metrics}/metrics`, {
      headers: { authorization: "Bearer x" },
    });
    assert.equal(wrong.status, 401);
    const authorization = `Bearer ${token}`;
    const text = await (
      await fetch(`http://${gateway.metrics}/metrics`, { headers: { authorization } })
    ).text();
    for (const secret of [token, "hunter2-secret", "sk-secret-1", gateway.folder])
      assert.ok(!text.includes(secret));
    assert.equal(text.includes("agent/ada"), callers);
    const { value } = readExposition(text);
    const caller = { caller: "spiffe://latticegate.local/agent/ada", verdict: "allowed" };
    assert.equal(value("latticegate_caller_calls_total", caller), callers ? 1 : undefined);
  }
});

test("metrics on loopback are for no other page, no other path and no other method", async (t) => {
  const gateway = await testGateway(t, `metrics: { listen: "127.0.0.1:0" }\nservers: {}\npolicies: []`);
  const url = `http://${gateway.metrics}/metrics`;
  assert.equal((await fetch(url, { headers: { origin: "https://evil.test" } })).status, 403);
  assert.equal((await fetch(url, { method: "POST" })).status, 405);
  assert.equal((await fetch(`http://${gateway.metrics}/`)).status, 404);
});

test("metrics on another address than this machine's own need a token", () => {
  const config = (metrics: string) => parseConfig(`metrics: ${metrics}\n`, "/nowhere/latticegate.yaml");
  for (const listen of ["0.0.0.0:9464", "[::]:9464", "10.0.0.1:9464", "127.0.0.1.evil.test:9464"])
    assert.throws(() => config(`{ listen: "${listen}" }`), /metrics.token: expected a token/);
  assert.equal(config(`{ listen: "0.0.0.0:9464", token: { env: METRICS } }`).metrics?.listen, "0.0.0.0:9464");
  assert.equal(config("{}").metrics?.listen, "127.0.0.1:9464");
});
