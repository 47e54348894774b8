/** Servers that don't meet the operator's gate: nobody is connected to them, and everybody is told why. */
import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import {
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { recorded } from "../support/records.ts";

test("a server that lacks what the gate asks for is sent nothing, and one that has it goes on", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(
    t,
    `gate: { owner: true, tools: pinned }
servers:
  nobodys: { url: "${stub.url}" }
  loose: { url: "${stub.url}", owner: Lab, tools: { pin: off } }
  lab: { url: "${stub.url}", owner: Lab }
virtual_servers: { all: { servers: [nobodys, lab] } }
${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  for (const [server, why] of [
    ["nobodys", /isn't connected: nobody is named as its owner/],
    ["loose", /isn't connected: its tools aren't pinned/],
  ] as const) {
    const called = await client.post(server, toolCall("find"));
    assert.match(called.text, why);
    assert.match(called.text, /"isError":true/);
    const listed = await client.post(server, { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
    assert.equal(listed.status, 403);
    assert.match(listed.text, why);
  }
  assert.equal(stub.seen.length, 0);
  const outcomes = (await recorded(gateway)).filter(({ facts }) => facts["reason"] === "server_gated");
  assert.deepEqual(
    outcomes.map(({ outcome, facts }) => [outcome, facts["server"]]),
    ["nobodys", "nobodys", "loose", "loose"].map((server) => ["denied", server]),
  );
  assert.match((await client.post("lab", toolCall("find"))).text, /"result"/);
  assert.equal(stub.seen.length, 1);
});

test("a command that doesn't meet the gate isn't started", async (t) => {
  const trace = path.join(await temporaryFolder(t), "started");
  const script = `require("fs").writeFileSync(${JSON.stringify(trace)}, "")`;
  const command = JSON.stringify([process.execPath, "-e", script]);
  const gateway = await testGateway(
    t,
    `gate: { owner: true }\nservers: { lab: { command: ${command} } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.match((await client.post("lab", toolCall("find"))).text, /nobody is named as its owner/);
  await assert.rejects(access(trace));
});
