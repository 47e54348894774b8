/** A limit of ten calls a tool, and a hundred at once: ten pass, each time; and never more when the gateway is killed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { Pool } from "undici";

import { startCli } from "../support/cli.ts";
import { stubServer, type StubServer, toolCall } from "../support/gateway.ts";
import { directLink, type GatewayProcess, gatewayProcess } from "../support/gateway-process.ts";

const limit = 10;
const callsAtOnce = 100;
const repetitions = Number(process.env["LATTICEGATE_LIMIT_ROUNDS"] ?? 50);
const kills = Number(process.env["LATTICEGATE_LIMIT_KILLS"] ?? 20);

const rule = `  - name: ten-each
    callers: ["*"]
    tools: ["payments/*"]
    when: history.count("1h") >= ${limit}
    effect: deny
    because: Ten of these an hour.
`;

async function call(pool: Pool, tool: string): Promise<string> {
  const answer = await pool.request({
    method: "POST",
    path: "/mcp/payments",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(toolCall(tool)),
  });
  return await answer.body.text();
}

function reached({ seen }: StubServer, tool: string): number {
  return seen.filter(({ body }) => body.includes(`"${tool}"`)).length;
}

test(`${callsAtOnce} calls at once against a limit of ${limit}: exactly ${limit} pass, ${repetitions} times`, async (t) => {
  const stub = await stubServer(t);
  const gateway = await gatewayProcess(t, `servers: { payments: { url: "${stub.url}" } }`, rule);
  const pool = await directLink(t, gateway, "agent");
  for (let round = 0; round < repetitions; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: callsAtOnce }, () => call(pool, `refund_${round}_`)),
    );
    assert.equal(
      answers.filter((text) => text.includes('"result"') && !text.includes("isError")).length,
      limit,
    );
    assert.equal(answers.filter((text) => text.includes("Ten of these an hour")).length, callsAtOnce - limit);
    assert.equal(reached(stub, `refund_${round}_`), limit);
  }
});

test(`killed in the middle of ${callsAtOnce} calls and started again, ${kills} times: never more than ${limit} pass`, async (t) => {
  const stub = await stubServer(t);
  let gateway: GatewayProcess = await gatewayProcess(
    t,
    `servers: { payments: { url: "${stub.url}" } }`,
    rule,
  );
  let answeredInAll = 0;
  for (let round = 0; round < kills; round += 1) {
    const tool = `refund_${round}_`;
    const pool = await directLink(t, gateway, "agent");
    await call(pool, "warm"); // The link is there: what is killed is calls.
    const killAfter = 1 + ((round * 37) % 60);
    const exited = once(gateway.process, "exit");
    let answered = 0;
    const calls = Array.from({ length: callsAtOnce }, async () => {
      await call(pool, tool);
      if (++answered === killAfter) gateway.process.kill("SIGKILL");
    });
    await Promise.allSettled(calls);
    await exited;
    answeredInAll += answered;
    await pool.destroy();
    const started = await startCli(t, ["up", "--config", gateway.configFile], /^Latticegate is up at (\S+)$/);
    gateway = { ...gateway, ...started, address: started.groups[0] ?? "" };
    const again = await directLink(t, gateway, "agent");
    await Promise.all(Array.from({ length: callsAtOnce }, () => call(again, tool)));
    assert.ok(reached(stub, tool) <= limit, `${reached(stub, tool)} of ${tool} reached the server`);
    await again.destroy();
  }
  assert.ok(answeredInAll > 0 && answeredInAll < kills * callsAtOnce, "it was killed in the middle");
});
