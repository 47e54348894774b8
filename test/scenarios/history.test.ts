/** Rules that know what came before: limits that hold for calls at once, over restarts, per caller, user and session. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import {
  type Answering,
  type Client,
  clientOf,
  echoResult,
  enrol,
  eventually,
  stubServer,
  type StubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { logged } from "../support/records.ts";

const everything = `{ name: all, callers: ["*"], tools: ["*"], effect: allow, because: Open. }`;

interface House {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
  readonly yaml: string;
}

async function house(t: TestContext, rules: string, answer?: Answering): Promise<House> {
  const stub = await stubServer(t, answer);
  const servers = ["payments", "crm", "mail"].map((name) => `${name}: { url: "${stub.url}" }`).join(", ");
  const yaml = `servers: { ${servers} }\npolicies:\n  - ${everything}\n${rules}`;
  return { stub, yaml, gateway: await testGateway(t, yaml) };
}

function limit(when: string, tools = "payments/process_refund"): string {
  return `  - { name: limit, callers: ["*"], tools: ["${tools}"], when: '${when}', effect: deny, because: "That is more than is allowed." }\n`;
}

async function refund(client: Client, amount: unknown, server = "payments"): Promise<boolean> {
  const { text } = await client.post(server, toolCall("process_refund", 1, { amount, order: "A-1" }));
  if (/That is more than is allowed/.test(text)) return false;
  assert.match(text, /"result"/);
  return true;
}

async function passed(calls: readonly Promise<boolean>[]): Promise<number> {
  return (await Promise.all(calls)).filter(Boolean).length;
}

const daily = limit('history.sum("args.amount", "24h") + args.amount > 2000');

test("a sum of what was refunded in a day holds for each caller by itself, and for amounts that aren't numbers", async (t) => {
  const { gateway, stub } = await house(t, daily);
  const one = clientOf(t, gateway, await enrol(gateway, "agent/one"));
  const other = clientOf(t, gateway, await enrol(gateway, "agent/other"));
  for (const [client, amount, isAllowed] of [
    [one, 1500, true],
    [one, 501, false],
    [one, 500, true],
    [one, 0.01, false],
    [one, "1", false],
    [one, undefined, false],
    [other, 2000, true],
  ] as const) {
    assert.equal(await refund(client, amount), isAllowed, String(amount));
  }
  assert.equal(stub.seen.length, 3);
});

test("100 calls at once against a limit of 10: exactly 10 pass, and after a restart none", async (t) => {
  const { gateway, stub, yaml } = await house(t, limit('history.count("1h") >= 10'));
  const enrolment = await enrol(gateway);
  const client = clientOf(t, gateway, enrolment);
  assert.equal(await passed(Array.from({ length: 100 }, () => refund(client, 1))), 10);
  assert.equal(stub.seen.length, 10);
  await gateway.stop();
  const next = await testGateway(t, yaml, { folder: gateway.folder });
  assert.equal(await refund(clientOf(t, next, enrolment), 1), false);
});

test("a rule that is taken up while the gateway runs knows the calls from before", async (t) => {
  const folder = await temporaryFolder(t);
  const rules = path.join(folder, "rules.yaml");
  const stub = await stubServer(t);
  const yaml = `servers: { payments: { url: "${stub.url}" } }\npolicies: rules.yaml\n`;
  await writeFile(rules, `policies:\n  - ${everything}\n`);
  await writeFile(path.join(folder, "latticegate.yaml"), `state: ./state\n${yaml}`);
  const gateway = await testGateway(t, yaml, { folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  for (let time = 0; time < 3; time += 1) assert.equal(await refund(client, 1), true);
  await writeFile(rules, `policies:\n  - ${everything}\n${limit('history.count("1h") >= 4')}`);
  await eventually("the new rule has its history", () => logged(gateway, "history.read").length > 0);
  assert.deepEqual([await refund(client, 1), await refund(client, 1)], [true, false]);
});

test("what its server says failed counts no more, and what is under way does", async (t) => {
  const waiting: (() => void)[] = [];
  const answering: Answering = (request, response, body) => {
    const { arguments: args } = (JSON.parse(body) as { params: { arguments: { amount: number } } }).params;
    if (args.amount !== 7) return echoResult(request, response, body);
    waiting.push(() => {
      const result = { content: [{ type: "text", text: "No such order." }], isError: true };
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify({ jsonrpc: "2.0", id: 1, result }));
    });
  };
  const { gateway } = await house(t, limit('history.count("1h") >= 1 || history.running() >= 1'), answering);
  const client = clientOf(t, gateway, await enrol(gateway));
  const failing = client.post("payments", toolCall("process_refund", 1, { amount: 7 }));
  while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await refund(client, 1), false);
  waiting[0]?.();
  assert.match((await failing).text, /No such order/);
  assert.equal(await refund(client, 1), true);
  assert.equal(await refund(client, 1), false);
});

test("a call whose server asks for something first is one call, when it comes again", async (t) => {
  const answering: Answering = (request, response, body) => {
    if (body.includes("requestState")) return echoResult(request, response, body);
    const result = { resultType: "input_required", requestState: "s", inputRequests: {} };
    response
      .setHeader("content-type", "application/json")
      .end(JSON.stringify({ jsonrpc: "2.0", id: 1, result }));
  };
  const { gateway } = await house(t, limit('history.seen("args.order", args.order, "1h")'), answering);
  const client = clientOf(t, gateway, await enrol(gateway));
  const call = toolCall("process_refund", 1, { amount: 1, order: "A-1" }) as { params: object };
  assert.match((await client.post("payments", call)).text, /input_required/);
  const again = { ...call, params: { ...call.params, requestState: "s", inputResponses: {} } };
  assert.match((await client.post("payments", again)).text, /"result"/);
  assert.match((await client.post("payments", again)).text, /That is more than is allowed/);
});

test("what came before on another server counts, in this session's order", async (t) => {
  const { gateway } = await house(
    t,
    limit('history.session.before("crm/export", "mail/send", "10m")', "mail/send"),
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const send = async (): Promise<boolean> =>
    !/That is more/.test((await client.post("mail", toolCall("send", 1, {}))).text);
  assert.equal(await send(), true);
  assert.match((await client.post("crm", toolCall("export", 1, {}))).text, /"result"/);
  assert.equal(await send(), false);
});
