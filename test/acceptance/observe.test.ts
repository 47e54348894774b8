/** From observing to enforcing: nothing is stopped and everything recorded, a policy is drafted from it, and then it counts. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { readCaptured } from "../../src/app/capture/read-captured.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { cli, startCli } from "../support/cli.ts";
import {
  clientOf,
  echoResult,
  enrol,
  type Enrolment,
  eventually,
  quicklyUnlocked,
  stubServer,
  type StubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { entriesOf, recorded } from "../support/records.ts";

const pay = {
  name: "pay",
  inputSchema: {
    type: "object",
    properties: { to: { type: "string" }, amount: { type: "number" }, password: { type: "string" } },
  },
};

function bank(t: TestContext): Promise<StubServer> {
  return stubServer(t, (request, response, body) => {
    if (!body.includes('"tools/list"')) return echoResult(request, response, body);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [pay] } }));
  });
}

const strict = `
policies:
  - { name: no-deletes, callers: ["*"], tools: ["bank/delete_all"], effect: cut, because: Never. }
  - { name: large, callers: ["*"], tools: ["bank/pay"], when: args.amount > 400, effect: hold, because: Large. }
`;

interface House {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
  readonly agent: Enrolment;
}

async function observing(t: TestContext, yaml = strict): Promise<House> {
  const stub = await bank(t);
  const gateway = await testGateway(t, `servers: { bank: { url: "${stub.url}" } }\n${yaml}`, {
    observes: true,
  });
  return { gateway, stub, agent: await enrol(gateway) };
}

/** As a file, for commands. */
async function configFor({ gateway, stub }: House, policies = strict): Promise<string> {
  const file = path.join(gateway.folder, "latticegate.yaml");
  await writeFile(file, `state: ./state\nservers: { bank: { url: "${stub.url}" } }\n${policies}`);
  return file;
}

const usual = [5, 60, 120, 480].flatMap((amount) =>
  ["ann", "bob"].flatMap((to) => [1, 2, 3].map(() => toolCall("pay", 1, { to, amount }))),
);

test("observing, nothing that rules deny, hold or cut is stopped, and the log has what each would have done", async (t) => {
  const house = await observing(t);
  const client = clientOf(t, house.gateway, house.agent);
  const listed = await client.post("bank", { jsonrpc: "2.0", id: 1, method: "tools/list" });
  assert.match(listed.text, /"pay"/);
  for (const message of [
    toolCall("unheard_of"),
    toolCall("pay", 2, { to: "ann", amount: 500 }),
    toolCall("delete_all"),
    toolCall("unheard_of"),
  ]) {
    const { status, text } = await client.post("bank", message);
    assert.equal(status, 200, text);
    assert.doesNotMatch(text, /error|Denied/);
  }
  assert.equal(house.stub.seen.filter(({ body }) => body.includes("tools/call")).length, 4);
  const decisions = (await recorded(house.gateway)).filter(({ event }) => event === "call.decision");
  assert.deepEqual(
    decisions.map(({ outcome, facts }) => [outcome, facts["rule"], facts["rule.observed"]]),
    [
      ["allowed", "observe", "default-deny=deny"],
      ["allowed", "observe", "default-deny=deny"],
      ["allowed", "observe", "default-deny=deny"],
      ["allowed", "observe", "no-deletes=cut"],
      ["allowed", "observe", "default-deny=deny"],
    ],
  );
});

test("observing, a server may ask what a rule denies, and the log says that it would have been", async (t) => {
  const question = {
    jsonrpc: "2.0",
    id: "q",
    method: "elicitation/create",
    params: { message: "Password?" },
  };
  const stub = await stubServer(t, (_request, response, body) => {
    if (!body.includes("tools/call")) return void response.writeHead(202).end();
    response.writeHead(200, { "content-type": "text/event-stream" });
    const result = { jsonrpc: "2.0", id: 1, result: { content: [] } };
    for (const each of [question, result]) response.write(`data: ${JSON.stringify(each)}\n\n`);
    return void response.end();
  });
  const gateway = await testGateway(
    t,
    `servers: { bank: { url: "${stub.url}" } }
policies:
  - { name: nobody-asks, callers: ["*"], methods: ["bank/elicitation/create"], effect: deny, because: No. }`,
    { observes: true },
  );
  const { text } = await clientOf(t, gateway, await enrol(gateway)).post("bank", toolCall("pay"));
  assert.match(text, /Password\?/);
  const [entry] = await entriesOf(gateway, "request.denied");
  assert.deepEqual(
    [entry?.outcome, entry?.facts["asked"], entry?.facts["rule"], entry?.facts["rule.observed"]],
    ["allowed", "elicitation/create", undefined, "nobody-asks=deny"],
  );
});

test("observing, what a rule redacts stays redacted, and a revoked caller stays out", async (t) => {
  const house = await observing(
    t,
    `policies:
  - name: no-passwords
    callers: ["*"]
    tools: ["bank/*"]
    effect: redact
    because: Servers needn't see it.
    redact: { arguments: [/password] }`,
  );
  const client = clientOf(t, house.gateway, house.agent);
  await client.post("bank", toolCall("pay", 1, { to: "ann", password: "hunter2hunter2" }));
  const sent = house.stub.seen.map(({ body }) => body).join("\n");
  assert.match(sent, /"ann"/);
  assert.doesNotMatch(sent, /hunter2/);
  const file = await configFor(house, "policies: []");
  const { code, stderr } = await cli(["ca", "revoke", "--config", file, house.agent.identity.spiffe_id]);
  assert.equal(code, 0, stderr);
  await eventually("the revoked caller is refused", async () => {
    const answer = await client.post("bank", toolCall("pay")).catch(() => undefined);
    return answer === undefined || answer.status !== 200;
  });
});

test("a policy drafted from what was observed passes the same calls, refuses others, and the report says which", async (t) => {
  const house = await observing(t);
  const { gateway, stub, agent } = house;
  const client = clientOf(t, gateway, agent);
  await client.post("bank", { jsonrpc: "2.0", id: 1, method: "tools/list" });
  for (const message of usual) assert.equal((await client.post("bank", message)).status, 200);
  await gateway.stop();
  const file = await configFor(house);

  const before = await cli(["policy", "report", "--config", file]);
  assert.equal(before.code, 1, before.stderr);
  assert.match(before.stdout, /^24 calls: 0 would pass, 24 would be refused, 0 held/);
  assert.match(
    before.stdout,
    /refused +default-deny +bank\/pay +spiffe:\/\/latticegate.local\/agent\/test +24 /,
  );

  const draft = path.join(gateway.folder, "suggested.yaml");
  const made = await cli(["policy", "suggest", "--config", file, "--out", draft]);
  assert.deepEqual([made.code, made.stdout], [0, `1 rule from 24 calls are in ${draft}.\n`]);
  const text = await readFile(draft, "utf8");
  assert.match(text, /because: Seen 24 times by 1 caller in 1 day; amount 5 to 480\./);
  assert.match(text, /# amount: 5 to 480/);
  const again = await cli(["policy", "suggest", "--config", file, "--out", draft]);
  assert.equal(again.code, 2, "a file that is there is kept");
  const checked = await cli(["policy", "check", draft, "--config", file]);
  assert.equal(checked.code, 0, checked.stdout);
  const after = await cli(["policy", "report", "--config", file, draft]);
  assert.deepEqual(
    [after.code, after.stdout],
    [0, "24 calls: 24 would pass, 0 would be refused, 0 held, of 0 it can't be told.\n"],
  );

  const enforced = await testGateway(
    t,
    `servers: { bank: { url: "${stub.url}" } }\npolicies: ./suggested.yaml`,
    { folder: gateway.folder },
  );
  const now = clientOf(t, enforced, agent);
  for (const message of usual) {
    assert.doesNotMatch((await now.post("bank", message)).text, /Denied/);
  }
  for (const args of [
    { to: "eve", amount: 5 },
    { to: "ann", amount: 501 },
    { to: "ann", amount: 5, cc: "eve" },
  ]) {
    assert.match((await now.post("bank", toolCall("pay", 1, args))).text, /Denied/, JSON.stringify(args));
  }
  assert.match((await now.post("bank", toolCall("list"))).text, /Denied/);
});

test("captured calls say nothing without their caller's key, which goes with an erasure", async (t) => {
  const house = await observing(t);
  const { gateway, agent } = house;
  const client = clientOf(t, gateway, agent);
  await client.post("bank", toolCall("pay", 1, { to: "Gudrun Tannhauser", amount: 5 }));
  await gateway.stop();
  const folder = statePaths(gateway.config.state).captured;
  const files = await Promise.all(
    (await readdir(folder)).map((name) => readFile(path.join(folder, name), "utf8")),
  );
  assert.match(files.join(""), /"sealed"/);
  assert.doesNotMatch(files.join(""), /Gudrun|agent\/test|bank/);
  assert.doesNotMatch(gateway.log.join("\n"), /Gudrun/);
  const since = 0;
  const read = await readCaptured(gateway.config, since);
  assert.deepEqual(
    read.calls.map(({ call, caller, args, verdict, rule }) => [call, caller, args, verdict, rule]),
    [
      [
        "bank/pay",
        agent.identity.spiffe_id,
        { to: "Gudrun Tannhauser", amount: 5 },
        "observed",
        "default-deny",
      ],
    ],
  );
  const [captured] = read.calls;
  const ids = (await recorded(gateway)).map(({ callId }) => callId);
  assert.ok(ids.includes(captured?.id ?? ""), "its id is the audit log's");
  const file = await configFor(house);
  const erased = await cli(["audit", "erase", "--config", file, "--yes", agent.identity.spiffe_id]);
  assert.equal(erased.code, 0, erased.stderr + erased.stdout);
  const { calls, unreadable } = await readCaptured(gateway.config, since);
  assert.deepEqual([calls, unreadable], [[], 1]);
  const suggested = await cli(["policy", "suggest", "--config", file]);
  assert.equal(suggested.code, 1);
  assert.match(suggested.stdout, /1 captured calls don't open/);
});

test("without the section nothing is kept; with servers named, theirs alone, denied calls too; old ones go by themselves", async (t) => {
  const stub = await bank(t);
  const rule = `policies:
  - { name: pay, callers: ["*"], tools: ["*"], when: 'args.to == "ann"', effect: allow, because: Open. }`;
  const servers = `servers: { bank: { url: "${stub.url}" }, other: { url: "${stub.url}" } }`;
  const folder = await temporaryFolder(t);
  let runs = 0;
  const run = async (more: string): Promise<TestGateway> => {
    const gateway = await testGateway(t, `${servers}\n${more}\n${rule}`, { folder });
    const client = clientOf(t, gateway, await enrol(gateway, `agent/a${runs++}`));
    await client.post("bank", toolCall("pay", 1, { to: "ann" }));
    await client.post("bank", toolCall("pay", 1, { to: "eve" }));
    await client.post("other", toolCall("pay", 1, { to: "ann" }));
    await gateway.stop();
    return gateway;
  };
  const { config } = await run("");
  const seen = async (): Promise<readonly unknown[]> =>
    (await readCaptured(config, 0)).calls.map(({ call, args, verdict }) => [call, args["to"], verdict]);
  assert.deepEqual(await seen(), []);
  await run("capture: { keep: 1h, servers: [bank] }");
  assert.deepEqual(await seen(), [
    ["bank/pay", "ann", "allowed"],
    ["bank/pay", "eve", "denied"],
  ]);
  const { captured } = statePaths(config.state);
  for (const name of await readdir(captured)) {
    const older = `${Number.parseInt(name, 10) - 2 * 3_600_000}.jsonl`;
    await rename(path.join(captured, name), path.join(captured, older));
  }
  await run("capture: { keep: 1h, servers: [other] }");
  assert.deepEqual(await seen(), [["other/pay", "ann", "allowed"]]);
});

test("a capture that can't be written is lost and said so, and its call goes on", async (t) => {
  const stub = await bank(t);
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, "state"), { mode: 0o700 });
  // No folder can be made where a file stands.
  await writeFile(path.join(folder, "state", "captured"), "");
  await quicklyUnlocked(path.join(folder, "state"));
  const gateway = await testGateway(t, `servers: { bank: { url: "${stub.url}" } }`, {
    folder,
    observes: true,
  });
  const client = clientOf(t, gateway, await enrol(gateway));
  const { status } = await client.post("bank", toolCall("pay", 1, { to: "ann" }));
  assert.equal(status, 200);
  await eventually("the loss is said", () => gateway.log.some((line) => line.includes("capture.lost")));
  assert.doesNotMatch(gateway.log.join("\n"), /"ann"/);
  await rm(path.join(folder, "state", "captured"));
  await client.post("bank", toolCall("pay", 1, { to: "bob" }));
  await gateway.stop();
  const { calls } = await readCaptured(gateway.config, 0);
  assert.deepEqual(
    calls.map(({ args }) => args["to"]),
    ["bob"],
  );
});

test("up --observe says at its start and in status that no rule is enforced", async (t) => {
  const folder = await temporaryFolder(t);
  await quicklyUnlocked(path.join(folder, "state"));
  const file = path.join(folder, "latticegate.yaml");
  await writeFile(file, `state: ./state\nlisten: 127.0.0.1:0\ndashboard: "off"\nservers: {}\n`);
  const started = await startCli(t, ["up", "--observe", "--config", file], /^Policy +OBSERVED ONLY(.*)$/);
  assert.match(started.stderr(), /policy\.observed/);
  assert.match(started.stderr(), /capture\.on/);
  await eventually("the gateway is up", async () => {
    const { stdout } = await cli(["status", "--config", file]);
    return stdout.includes("OBSERVED ONLY: no rule is enforced");
  });
  const doctor = await cli(["doctor", "--config", file]);
  assert.match(doctor.stdout, /no rule is enforced: the gateway was started with --observe/);
});

test("what was seen on behalf of somebody is drafted for that alone, and goes when that one is erased", async (t) => {
  const house = await observing(t, "policies: []");
  const { gateway, stub } = house;
  const [boss, worker] = [await enrol(gateway, "agent/boss"), await enrol(gateway, "agent/worker")];
  const { text } = await clientOf(t, gateway, boss).request("", {
    path: "/identity/delegate",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ to: "agent/worker", tools: ["bank/*"] }),
  });
  const { access_token: token } = JSON.parse(text) as { readonly access_token: string };
  const acting = { "latticegate-delegation": token };
  const call = toolCall("pay", 1, { to: "ann", amount: 5 });
  await clientOf(t, gateway, worker).post("bank", call, acting);
  await gateway.stop();
  const file = await configFor(house, "policies: []");
  const draft = path.join(gateway.folder, "suggested.yaml");
  const { stdout } = await cli(["policy", "suggest", "--config", file, "--out", draft]);
  assert.match(stdout, /^2 rules from 1 call /);

  const enforced = await testGateway(
    t,
    `servers: { bank: { url: "${stub.url}" } }\npolicies: ./suggested.yaml`,
    { folder: gateway.folder },
  );
  const now = clientOf(t, enforced, worker);
  assert.doesNotMatch((await now.post("bank", call, acting)).text, /Denied/);
  assert.match((await now.post("bank", call)).text, /Denied/);
  await enforced.stop();

  assert.deepEqual(
    (await readCaptured(gateway.config, 0)).calls.map(({ chain }) => chain),
    [[boss.identity.spiffe_id]],
  );
  const erased = await cli(["audit", "erase", "--config", file, "--yes", boss.identity.spiffe_id]);
  assert.equal(erased.code, 0, erased.stderr);
  const { calls, unreadable } = await readCaptured(gateway.config, 0);
  assert.deepEqual([calls, unreadable], [[], 1]);
});

test("calls of a file are drafted from and judged without a gateway, and a line that is none is named", async (t) => {
  const folder = await temporaryFolder(t);
  const [calls, rules] = [path.join(folder, "calls.jsonl"), path.join(folder, "rules.yaml")];
  const line = (amount: number): string =>
    JSON.stringify({ caller: "spiffe://acme.test/agent/one", call: "bank/pay", args: { amount } });
  await writeFile(calls, [5, 60, 120, 480].map(line).join("\n"));
  const none = path.join(folder, "none.yaml");
  const made = await cli(["policy", "suggest", "--calls", calls, "--out", rules]);
  assert.equal(made.code, 0, made.stderr);
  const same = await cli(["policy", "report", "--calls", calls, rules]);
  assert.equal(same.code, 0, same.stdout + same.stderr);
  await writeFile(calls, [5, 501].map(line).join("\n"));
  const report = await cli(["policy", "report", "--calls", calls, "--json", rules]);
  assert.equal(report.code, 1);
  assert.partialDeepStrictEqual(JSON.parse(report.stdout), {
    calls: 2,
    passed: 1,
    stopped: [{ fate: "refused", rule: "default-deny", call: "bank/pay", calls: 1 }],
  });
  await writeFile(calls, `${line(5)}\n{"caller":"x"}\n`);
  const wrong = await cli(["policy", "suggest", "--calls", calls, "--out", none]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /calls\.jsonl:2: that is no call: `call`/);
});
