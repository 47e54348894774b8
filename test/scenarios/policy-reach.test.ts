/** `policy reach` as an operator types it at night, over what a gateway has pinned; and calls that show it is so. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { reachInConfig } from "../../src/app/policy/reach-of-config.ts";
import { systemClock } from "../../src/host/system.ts";
import { cli } from "../support/cli.ts";
import {
  clientOf,
  echoResult,
  enrol,
  stubServer,
  type StubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";

const toolsOf = (...names: readonly string[]): Promise<StubServer> =>
  stubServer({ after }, (request, response, body) => {
    if (!body.includes('"tools/list"')) return echoResult(request, response, body);
    const tools = names.map((name) => ({ name, inputSchema: { type: "object" } }));
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools } }));
  });
const [crm, mail] = await Promise.all([
  toolsOf("get_customer", "delete_customer", "list_customers"),
  toolsOf("send", "list_folders"),
]);
const rest = `servers:
  crm: { url: "${crm.url}", read_only: ["get_*", "list_*"] }
  mail: { url: "${mail.url}", read_only: ["list_*"], labels: { egress: ["send"] } }
networks: { corporate: ["10.0.0.0/8"] }
groups: { support: ["spiffe://latticegate.local/agent/support-*"] }
data:
  - { name: customer, tools: ["crm/*"], shelf_life: 10y }
policies:
  - name: support-looks-up
    callers: ["spiffe://latticegate.local/agent/*"]
    tools: ["crm/get_customer", "crm/delete_customer"]
    when: '"support" in caller.groups'
    effect: allow
    because: Support helps customers.
  - name: nobody-deletes
    callers: ["*"]
    tools: ["crm/delete_*"]
    effect: deny
    because: Customers are never deleted by agents.
  - name: support-writes
    callers: ["spiffe://latticegate.local/agent/support-*"]
    tools: ["mail/send"]
    effect: allow
    delegated: never
    because: Support writes mail.
  - name: many-need-a-person
    callers: ["*"]
    tools: ["mail/send"]
    when: '"support" in caller.groups && size(args.to) > 5'
    effect: hold
    approval: { approvers: 1, from: ["operator"] }
    because: Mail to many is looked at.
`;
const support = "spiffe://latticegate.local/agent/support-7";

test("policy reach tells what a stolen identity could do, by the tools that are pinned, and calls agree", async (t) => {
  const gateway = await testGateway(t, rest);
  const file = path.join(gateway.folder, "latticegate.yaml");
  await writeFile(file, `dashboard: "off"\nstate: ./state\n${rest}`);
  const agent = clientOf(t, gateway, await enrol(gateway, "agent/support-7"));
  await agent.post("crm", { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
  await agent.post("mail", { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });

  const { code, stdout, stderr } = await cli(["policy", "reach", support, "--config", file]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.split("\n"), [
    `What ${support}, of support, could do:`,
    "1 certificate of it counts now.",
    "",
    "  server  what          verdict     effect     labels and data  by",
    "  crm     get_customer  allowed     reads      customer (10y)   support-looks-up",
    "  mail    send          allowed if  may write  egress           support-writes",
    "        if !(size(args.to) > 5)  [many-need-a-person]",
    "        or held: approved by one person: operator  [many-need-a-person]",
    "",
    "2 of 5 pinned tools; the rest is denied.",
    "",
    "What could flow (1 way, the worst first):",
    "  customer (10y)  crm/get_customer → mail/send  sends  allowed if",
    "",
    "On behalf of others:",
    "  it may lend       1 of these 2",
    "  never lent        what is allowed by support-writes",
    "  could act for it  spiffe://latticegate.local/agent/*: 1 of them  [support-looks-up]",
    "",
    "Blast radius: 2 tools on 2 servers; 1 that may write, 1 with data that must stay secret, 1 without any person or condition in between, 1 more with the right arguments, 0 that people hold.",
    `To end it: latticegate ca revoke ${support}`,
    "",
  ]);

  const calls = [
    ["crm", toolCall("get_customer", 2), "passes"],
    ["crm", toolCall("delete_customer", 3), "Customers are never deleted by agents."],
    ["crm", toolCall("list_customers", 4), "No policy allows"],
    ["mail", toolCall("send", 5, { to: ["a"] }), "passes"],
  ] as const;
  for (const [server, message, says] of calls) {
    const { text: body } = await agent.post(server, message);
    assert.ok(says === "passes" ? !body.includes('"error"') : body.includes(says), body);
  }

  assert.equal((await cli(["ca", "revoke", support, "--config", file])).code, 0);
  const revoked = await cli(["policy", "reach", support, "--config", file]);
  assert.match(
    revoked.stdout,
    /could do:\nNo certificate of it counts now, and it is revoked: it gets none\.\n/,
  );
  assert.doesNotMatch(revoked.stdout, /To end it/);

  const [json, graph] = await Promise.all([
    cli(["policy", "reach", support, "--config", file, "--json"]),
    cli(["policy", "reach", support, "--config", file, "--graph", "mermaid"]),
  ]);
  const { targets, summary } = JSON.parse(json.stdout) as {
    readonly targets: readonly { readonly server: string; readonly name: string; readonly verdict: string }[];
    readonly summary: Readonly<Record<string, number>>;
  };
  assert.deepEqual(
    targets.map(({ server, name, verdict }) => [server, name, verdict]),
    [
      ["crm", "get_customer", "allowed"],
      ["mail", "send", "allowed if"],
    ],
  );
  assert.deepEqual([summary["pinnedTools"], summary["knownTools"], summary["free"]], [2, 5, 1]);
  assert.deepEqual(graph.stdout.split("\n"), [
    "flowchart LR",
    `  caller(["${support}"])`,
    '  s0[["crm"]]',
    '  s1[["mail"]]',
    '  t0["get_customer"]',
    '  t1["send (writes)"]',
    '  l0{{"data customer"}}',
    '  l1{{"egress"}}',
    "  caller --> s0",
    "  caller --> s1",
    '  s0 -->|"allowed"| t0',
    '  s1 -->|"allowed if"| t1',
    "  t0 --> l0",
    "  t1 --> l1",
    '  t0 -.->|"customer (sends)"| t1',
    "",
  ]);
});

test("policy reach says of names that nobody has here what is wrong with them, and of nobody's that they reach nothing", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, `dashboard: "off"\nstate: ./state\n${rest}`);
  const rows = [
    ["spiffe://other.test/agent/a", {}, /only identities of latticegate\.local get in/],
    ["agent/support-7", {}, /write a SPIFFE ID such as spiffe:\/\/latticegate\.local\/agent\/support-7/],
    ["oauth:corp/client/app", {}, /there is no issuer "corp"; none is configured/],
    [support, { at: "noon" }, /at: expected "2030-01-01"/],
    [support, { address: "here" }, /address: expected an IP address/],
    [support, { link: "X448" }, /link\.group/],
  ] as const;
  for (const [caller, options, says] of rows)
    assert.throws(() => reachInConfig(file, caller, { ...options, clock: systemClock }), {
      code: "bad_config",
      message: says,
    });
  const classical = reachInConfig(file, support, { link: "X25519", clock: systemClock });
  assert.deepEqual([classical.targets, classical.entry.links], [[], []]);
  const [nameless, unreadable, nobody] = await Promise.all(
    [[], [support, "--graph", "png"], ["spiffe://latticegate.local/batch/x"]].map((args) =>
      cli(["policy", "reach", ...args, "--config", file]),
    ),
  );
  assert.match(nameless?.stderr ?? "", /Name one caller/);
  assert.match(unreadable?.stderr ?? "", /--graph takes mermaid or dot/);
  assert.deepEqual(
    [nameless?.code, unreadable?.code, nobody?.code, nobody?.stdout.split("\n")[0]],
    [2, 2, 0, "spiffe://latticegate.local/batch/x reaches nothing."],
  );
});
