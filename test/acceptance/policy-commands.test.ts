/** `policy check`, `policy test` and `policy explain` as an operator types them; and configs that don't load. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { cli } from "../support/cli.ts";
import {
  clientOf,
  echoResult,
  enrol,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog } from "../support/records.ts";
import { repositoryRoot } from "../support/repository.ts";

const library = (name: string): string => path.join(repositoryRoot, "policies", name);

const refund = {
  name: "process_refund",
  inputSchema: { type: "object", properties: { amount: { type: "number" } }, additionalProperties: false },
};
const stub = await stubServer({ after }, (request, response, body) => {
  if (!body.includes('"tools/list"')) return echoResult(request, response, body);
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [refund] } }));
});
const config = `dashboard: "off"
state: ./state
servers: { payments: { url: "${stub.url}" } }
policies:
  - name: agents-refund
    callers: ["spiffe://latticegate.local/agent/*"]
    tools: ["payments/*"]
    effect: allow
    because: Agents pay back.
  - name: above-500
    callers: ["*"]
    tools: ["payments/process_refund"]
    when: args.amount > 500
    effect: hold
    because: Refunds above 500 need an approver.
  - name: not-on-classical-links
    callers: ["*"]
    tools: ["payments/*"]
    when: "!link.pq"
    effect: deny
    because: Money needs hybrid links.
`;

test("policy check says file, line and column of each mistake and how to mend it, by what the gateway has pinned", async (t) => {
  const gateway = await testGateway(t, config.replace(/^dashboard.*\nstate.*\n/, ""));
  const file = path.join(gateway.folder, "latticegate.yaml");
  // Beside the one that the gateway follows.
  const draft = path.join(gateway.folder, "draft.yaml");
  await writeFile(draft, config.replace("args.amount", "args.amout"));
  const before = await cli(["policy", "check", "--config", draft]);
  assert.deepEqual(
    [before.code, before.stdout.split("\n")],
    [
      0,
      [
        `${draft}: nothing is wrong with its 3 rules.`,
        "The tools of payments aren't known yet: their names and arguments weren't checked. They are once a client has listed them through the gateway.",
        "",
      ],
    ],
  );
  const agent = clientOf(t, gateway, await enrol(gateway));
  await agent.post("payments", { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
  const found = await cli(["policy", "check", "--config", draft]);
  assert.deepEqual(
    [found.code, found.stdout.split("\n")],
    [
      1,
      [
        `${draft}:13:16: error: above-500: Of payments/process_refund: args has no member "amout"; there are amount. [unknown-argument]`,
        "    Write args.amount instead.",
        `${draft}: 1 error, 0 warnings in 3 rules.`,
        "",
      ],
    ],
  );

  await agent.post("payments", toolCall("process_refund", 2, { amount: 700 }));
  const decision = (await checkLog(gateway)).findLast(({ event }) => event === "call.decision");
  await writeFile(file, config);
  const explained = await cli(["policy", "explain", decision?.callId ?? "", "--config", file]);
  assert.equal(explained.code, 0, explained.stderr);
  const [said = "", ...lines] = explained.stdout.split("\n");
  assert.match(said, /^The log says: deferred by above-500, \d{4}-/);
  assert.deepEqual(lines, [
    "With the rules of now, as far as the log has what they read (of arguments never a text):",
    "counts      agents-refund (allow): it has no condition",
    "counts      above-500 (hold): its condition is true",
    "              args.amount > 500",
    "              args.amount: 700",
    "counts not  not-on-classical-links (deny): its condition is false",
    "              !link.pq",
    "              link.pq: true",
    "",
  ]);
});

test("policy explain tells of a described call what each rule read, and what is decided", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, config);
  const asked = ["--caller", "spiffe://latticegate.local/agent/a", "--tool", "payments/process_refund"];
  const explain = ["policy", "explain", "--config", file, ...asked, "--args", '{"amount":700}'];
  const [text, json, both] = await Promise.all([
    cli([...explain, "--link", "X25519"]),
    cli([...explain, "--json"]),
    cli([...explain, "an-id"]),
  ]);
  assert.deepEqual(text.stdout.split("\n"), [
    "counts      agents-refund (allow): it has no condition",
    "counts      above-500 (hold): its condition is true",
    "              args.amount > 500",
    "              args.amount: 700",
    "counts      not-on-classical-links (deny): its condition is true",
    "              !link.pq",
    "              link.pq: false",
    "Decision: deny: by not-on-classical-links.",
    "    Money needs hybrid links.",
    "",
  ]);
  const { decision } = JSON.parse(json.stdout) as { readonly decision: { readonly effect: string } };
  assert.deepEqual([json.code, decision.effect], [0, "hold"]);
  assert.equal(both.code, 2);
});

test("policy explain tells what a described session has read", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(
    file,
    `servers: { crm: { command: ["true"], labels: { pii: "*" } }, mail: { command: ["true"] } }
policies:
  - { name: all, callers: ["*"], tools: ["*"], effect: allow, because: Open. }
  - { name: stays, callers: ["*"], tools: ["mail/*"], when: flow.seen("pii") && flow.carries("pii"), effect: deny, because: It stays. }
`,
  );
  const explain = ["policy", "explain", "--config", file, "--caller", "spiffe://latticegate.local/agent/a"];
  const [read, carries] = await Promise.all([
    cli([...explain, "--tool", "mail/send", "--read", "pii"]),
    cli([...explain, "--tool", "mail/send", "--carries", "pii"]),
  ]);
  assert.match(read.stdout, /counts not {2}stays \(deny\): its condition is false[\s\S]*flow: read: pii\n/);
  assert.match(carries.stdout, /Decision: deny: by stays\./);
  await writeFile(file, (await readFile(file, "utf8")).replace('carries("pii")', 'carries("pi1")'));
  const checked = await cli(["policy", "check", "--config", file]);
  assert.equal(checked.code, 1);
  assert.match(checked.stdout, /Nothing has the label "pi1"; there are "pii"[\s\S]*\[unknown-label\]/);
});

test("policy test prints each case, and fails with what was expected and what came of it", async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "mine.policy-test.yaml");
  await writeFile(
    file,
    `rules: ${library("payments.yaml")}
cases:
  - name: a small one passes
    caller: spiffe://acme.test/agent/support-1
    call: payments/process_refund
    args: { amount: 5 }
    expect: allow
  - name: this expects too much
    caller: spiffe://acme.test/agent/support-1
    call: payments/process_refund
    args: { amount: 700 }
    expect: allow
  - { name: this is no case, caller: x, call: payments/process_refund, expect: yes-please }
`,
  );
  await writeFile(path.join(folder, "no.policy-test.yaml"), "case: []\n");
  const [failed, passed, unread] = await Promise.all([
    cli(["policy", "test", file]),
    cli(["policy", "test", library("payments.policy-test.yaml"), "--json"]),
    cli(["policy", "test", path.join(folder, "no.policy-test.yaml")]),
  ]);
  assert.deepEqual(
    [failed.code, failed.stdout.split("\n").slice(1)],
    [
      1,
      [
        "  pass  a small one passes",
        "  FAIL  this expects too much",
        "        expected allow, got hold: by refunds-over-500-need-a-person",
        "  FAIL  this is no case",
        '        expect: Invalid option: expected one of "allow"|"deny"|"cut"|"hold"|"read_only"|"step_up"',
        "3 cases: 1 passed, 2 failed.",
        "",
      ],
    ],
  );
  assert.equal(passed.code, 0, passed.stdout);
  assert.ok(!passed.stdout.includes('"passed": false'));
  assert.equal(unread.code, 2);
  assert.match(unread.stderr, /no\.policy-test\.yaml isn't right/);
});

test("a config whose policies can't mean what they say doesn't load", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, config.replace("args.amount > 500", "args.amount > 500 && args.amount < 100"));
  const refused = await Promise.all([
    cli(["config", "check", "--config", file]),
    cli(["up", "--config", file]),
  ]);
  for (const { code, stderr } of refused) {
    assert.equal(code, 2);
    assert.match(stderr, /above-500: The condition can never be true.*exclude each other/);
  }
  const { code, stdout } = await cli(["policy", "check", file, "--config", file, "--json"]);
  const [{ findings } = { findings: [] }] = JSON.parse(stdout) as readonly {
    readonly findings: readonly { readonly kind: string; readonly line: number }[];
  }[];
  assert.deepEqual(
    [code, findings.map(({ kind, line }) => [kind, line])],
    [1, [["condition-never-true", 13]]],
  );
});
