/**
 * Rolling restarts under load: the gateway is stopped and started again and again while a client calls through
 * its sidecar. No call fails, none is carried out twice. `LATTICEGATE_RESTARTS` sets how often; 20 by default.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { Pool } from "undici";

import { atEnd } from "../support/cleanup.ts";
import { startCli, type Started } from "../support/cli.ts";
import { stubServer } from "../support/gateway.ts";
import { gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";

const restarts = Number(process.env["LATTICEGATE_RESTARTS"] ?? 20);
const callsPerSecond = 200;
const pauseBetweenMs = 1000;

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

test(`${restarts} restarts under ${callsPerSecond} calls a second: no stateless call fails, none is carried out twice`, async (t) => {
  const stub = await stubServer(t);
  const gateway = await gatewayProcess(t, `servers: { stub: { url: "${stub.url}" } }`);
  const { url } = await loopbackSidecar(t, gateway, "stub", "restart");
  await keepAddress(gateway.configFile, gateway.address);
  const pool = new Pool(new URL(url).origin, { connections: 256 });
  atEnd(t, () => pool.destroy());

  const over = new AbortController();
  const outcomes: { readonly id: number; readonly ms: number; readonly failure?: string }[] = [];
  const call = async (id: number): Promise<void> => {
    const began = performance.now();
    const name = `c${id}`;
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name, arguments: {}, _meta: meta },
    });
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": name,
    };
    const failure = await pool.request({ path: new URL(url).pathname, method: "POST", headers, body }).then(
      async (answer) => {
        const text = await answer.body.text();
        return answer.statusCode === 200 && text.includes('"result"')
          ? undefined
          : `${answer.statusCode} ${text}`;
      },
      (error: unknown) => String(error),
    );
    outcomes.push({ id, ms: performance.now() - began, ...(failure !== undefined && { failure }) });
  };
  const load = (async () => {
    const calls: Promise<void>[] = [];
    const began = performance.now();
    for (let id = 1; !over.signal.aborted; id++) {
      calls.push(call(id));
      const ahead = (id * 1000) / callsPerSecond - (performance.now() - began);
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
    }
    await Promise.all(calls);
  })();

  let running: Started = gateway;
  for (let i = 0; i < restarts; i++) {
    await new Promise((resolve) => setTimeout(resolve, pauseBetweenMs));
    assert.equal(await running.stop(), 0);
    running = await startCli(t, ["up", "--config", gateway.configFile], /^Latticegate is up/);
  }
  over.abort();
  await load;

  const failures = outcomes.filter(({ failure }) => failure !== undefined);
  assert.deepEqual(failures.slice(0, 5), [], `${failures.length} of ${outcomes.length} calls failed`);
  const reached = stub.seen.map(({ body }) => (JSON.parse(body) as { readonly id: number }).id);
  assert.equal(new Set(reached).size, reached.length, "no call is carried out twice");
  assert.equal(reached.length, outcomes.length);
  const slowest = Math.max(...outcomes.map(({ ms }) => ms));
  t.diagnostic(
    `${outcomes.length} calls over ${restarts} restarts, none failed; the slowest took ${slowest.toFixed(0)} ms`,
  );
});

/** The port that was free at the first start is asked for again. */
async function keepAddress(configFile: string, address: string): Promise<void> {
  const yaml = await readFile(configFile, "utf8");
  await writeFile(configFile, yaml.replace("listen: 127.0.0.1:0", `listen: ${address}`));
}
