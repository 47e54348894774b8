/** `policy diff --replay`: what other rules would have decided of recorded calls, as an operator types it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { cli } from "../support/cli.ts";
import { clientOf, enrol, stubServer, testGateway, toolCall } from "../support/gateway.ts";

const allow = `  - { name: agents-refund, callers: ["spiffe://latticegate.local/agent/*"], tools: ["payments/*"], effect: allow, because: Agents pay back. }\n`;
const above = (limit: number): string =>
  `  - { name: above-${limit}, callers: ["*"], tools: ["payments/refund"], when: args.amount > ${limit}, effect: hold, because: "Above ${limit} needs a person." }\n`;

test("calls that other rules decide otherwise are listed with why, and what can't be told never stays", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { payments: { url: "${stub.url}" } }\npolicies:\n${allow}${above(500)}`;
  const gateway = await testGateway(t, yaml);
  const config = path.join(gateway.folder, "latticegate.yaml");
  await writeFile(config, `state: ./state\ndashboard: "off"\n${yaml}`);
  const client = clientOf(t, gateway, await enrol(gateway, "agent/support"));
  for (const amount of [100, 400, 450, 600]) {
    await client.post("payments", toolCall("refund", 1, { amount, order: "A-1" }));
  }
  const diff = async (...files: readonly string[]): Promise<{ code: number; lines: readonly string[] }> => {
    const { code, stdout, stderr } = await cli([
      "policy",
      "diff",
      ...files,
      "--config",
      config,
      "--replay",
      "1h",
    ]);
    assert.equal(stderr, "");
    return { code, lines: stdout.replaceAll(/[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z/g, "…").split("\n") };
  };
  const file = async (name: string, rules: string): Promise<string> => {
    const at = path.join(gateway.folder, name);
    await writeFile(at, `policies:\n${rules}`);
    return at;
  };
  const old = await file("old.yaml", allow + above(500));
  assert.deepEqual(await diff(old), {
    code: 0,
    lines: ["4 calls, … to …: 0 change, 4 stay, 0 can't be told.", ""],
  });

  const lower = await file("lower.yaml", allow + above(300));
  const changed = {
    code: 1,
    lines: [
      "4 calls, … to …: 2 change, 2 stay, 0 can't be told.",
      "allow (agents-refund) -> hold (above-300): 2 calls of spiffe://latticegate.local/agent/support to payments/refund",
      "    Above 300 needs a person.",
      "    such as …, …",
      "",
    ],
  };
  assert.deepEqual(await diff(lower), changed);
  assert.deepEqual(await diff(old, lower), changed);

  const orders = `  - { name: no-b, callers: ["*"], tools: ["payments/refund"], when: 'args.order.startsWith("B")', effect: deny, because: No. }\n`;
  const { code, lines } = await diff(await file("orders.yaml", allow + above(500) + orders));
  assert.equal(code, 1);
  assert.equal(lines[0], "4 calls, … to …: 0 change, 0 stay, 4 can't be told.");
  assert.ok(lines.includes("    no-b reads args.order, of which the log has nothing"), lines.join("\n"));

  const none = await cli(["policy", "diff", "--config", config]);
  assert.deepEqual([none.code, /Name a file of rules/.test(none.stderr)], [2, true]);
  const never = await cli(["policy", "diff", lower, "--config", config, "--replay", "sometime"]);
  assert.deepEqual([never.code, /--replay takes a time/.test(never.stderr)], [2, true]);
  const json = await cli(["policy", "diff", lower, "--config", config, "--json"]);
  const told = json.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { after: { verdict: string } });
  assert.deepEqual(
    told.map(({ after }) => after.verdict),
    ["hold", "hold"],
  );
});

test("of calls that were captured, rules about texts can be told", async (t) => {
  const stub = await stubServer(t);
  const yaml = `capture: { keep: 1d }\nservers: { payments: { url: "${stub.url}" } }\npolicies:\n${allow}`;
  const gateway = await testGateway(t, yaml);
  const config = path.join(gateway.folder, "latticegate.yaml");
  await writeFile(config, `state: ./state\ndashboard: "off"\n${yaml}`);
  const client = clientOf(t, gateway, await enrol(gateway, "agent/support"));
  for (const order of ["A-1", "B-1"])
    await client.post("payments", toolCall("refund", 1, { amount: 1, order }));
  await gateway.stop();
  const rules = path.join(gateway.folder, "orders.yaml");
  const noB = `  - { name: no-b, callers: ["*"], tools: ["payments/refund"], when: 'args.order.startsWith("B")', effect: deny, because: No. }\n`;
  await writeFile(rules, `policies:\n${allow}${noB}`);
  const { stdout } = await cli(["policy", "diff", rules, "--config", config]);
  assert.match(
    stdout,
    /^2 calls, .*: 1 change, 1 stay, 0 can't be told\.\nallow \(agents-refund\) -> deny \(no-b\): 1 call /,
  );
});
