/** 10,000 calls that ask their clients for something, and whose clients never come back: the gateway's memory is flat. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { mebi } from "../support/big-payload.ts";
import { eventually } from "../support/gateway.ts";
import { directLink, gatewayProcess } from "../support/gateway-process.ts";
import { legacyServer } from "../support/legacy-server.ts";
import { footprint, inMebi } from "../support/memory.ts";
import { modernCall, modernMeta } from "../support/ways.ts";

const abandoned = 10_000;
/** Of one caller, as many as wait at a time; the others were ended before. */
const maxWaiting = 64;
/** So many before, since a gateway that has just begun grows with any calls. */
const warmup = 5000;
/** For garbage that waits to be collected: kept, 10,000 of them are several times that. */
const boundMebi = 100;
/** Of the gateway's heap: with more, garbage waits longer to be collected than the test runs. */
const heapMebi = 192;

test("10,000 abandoned parked calls leave the gateway's memory flat, and the server knows of each", async (t) => {
  const server = await legacyServer(t);
  process.env["NODE_OPTIONS"] = `--max-old-space-size=${heapMebi}`;
  const gateway = await gatewayProcess(t, `servers: { old: { url: "${server.url}", bridge: legacy } }`);
  const link = await directLink(t, gateway, "forgetful");
  const capabilities = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };
  let id = 0;
  const abandon = async (count: number): Promise<void> => {
    const { headers, body } = modernCall("ask", {}, ++id, { ...modernMeta, ...capabilities });
    const answer = await link.request({
      method: "POST",
      path: "/mcp/old",
      headers: headers as Record<string, string>,
      body: body as string,
    });
    assert.match(await answer.body.text(), /"input_required"/);
    if (id < count) await abandon(count);
  };
  const abandonUpTo = async (count: number): Promise<void> => {
    await Promise.all(Array.from({ length: 16 }, () => abandon(count)));
  };
  await abandonUpTo(warmup);
  const pid = gateway.process.pid ?? assert.fail("the gateway runs");
  const { before, after } = await footprint(pid, () => abandonUpTo(warmup + abandoned));
  t.diagnostic(
    `${id} abandoned; ${inMebi(before)} MiB before the last ${abandoned}, ${inMebi(after)} MiB after`,
  );
  assert.ok(after - before < boundMebi * mebi, `${inMebi(after - before)} MiB more`);
  const cancelled = (): number => server.heard("notifications/cancelled").length;
  await eventually("all but those that wait are cancelled", () => cancelled() >= id - maxWaiting);
  await eventually("and have ended there", () => server.openCalls() <= maxWaiting);
  assert.equal(server.sessions.size, 1);
});
