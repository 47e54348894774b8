/**
 * Rolling restarts under load: the gateway is stopped and started again and again while a client calls through
 * its sidecar. No call fails, none is carried out twice; sessions go on or begin anew. `LATTICEGATE_RESTARTS` sets how often; 20 by default.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  StreamableHTTPClientTransport,
  StreamableHTTPError,
} from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { Pool } from "undici";

import { atEnd } from "../support/cleanup.ts";
import { latticegate, startCli, type Started, startProcess } from "../support/cli.ts";
import { eventually, stubServer } from "../support/gateway.ts";
import { gatewayProcess, loopbackSidecar, sidecarArguments } from "../support/gateway-process.ts";

const restarts = Number(process.env["LATTICEGATE_RESTARTS"] ?? 20);
/** Each signed, and answered with a signature: two cores carry some 150. */
const callsPerSecond = 100;
const pauseBetweenMs = 1000;
/** Of those, that many may still wait when it is restarted again: what comes in within 200 ms. */
const maxWaiting = callsPerSecond / 5;
const statefulRestarts = 3;
const root = fileURLToPath(new URL("../..", import.meta.url));

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
  let begun = 0;
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
      begun = id;
      calls.push(call(id));
      const ahead = (id * 1000) / callsPerSecond - (performance.now() - began);
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
    }
    await Promise.all(calls);
  })();

  let running: Started = gateway;
  for (let i = 0; i < restarts; i++) {
    await new Promise((resolve) => setTimeout(resolve, pauseBetweenMs));
    // How much one machine carries isn't asked here; what waited is answered before the gateway leaves again.
    await eventually("what waited is answered", () => begun - outcomes.length <= maxWaiting, 180_000);
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

interface Session {
  readonly call: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** A client of the older protocol with a session, which it begins anew when it is told that the session is gone. */
async function sessionOver(transport: () => Transport): Promise<Session & { readonly begun: () => number }> {
  let begun = 0;
  const begin = async (): Promise<Client> => {
    begun += 1;
    const client = new Client({ name: "restart", version: "1" });
    await client.connect(transport());
    return client;
  };
  let client = await begin();
  const ask = async (): Promise<unknown> =>
    await client.callTool({ name: "test_simple_text", arguments: {} });
  return {
    begun: () => begun,
    call: async () => {
      for (;;) {
        try {
          return await ask();
        } catch (error) {
          if (!(error instanceof StreamableHTTPError) || error.code !== 404) throw error;
          client = await begin(); // MCP 2025-11-25, session management: 404 says that it must.
        }
      }
    },
    close: () => client.close(),
  };
}

for (const upstream of ["http", "stdio"] as const) {
  test(`sessions with a server over ${upstream} go on over restarts, or begin anew as the protocol says; no call fails`, async (t) => {
    const fixture = ["test", "fixture", "server.ts"].join("/");
    const server =
      upstream === "stdio"
        ? `command: ${JSON.stringify([process.execPath, path.join(root, fixture), "--stdio"])}`
        : `url: "${(await startProcess(t, [process.execPath, path.join(root, fixture), "--http", "0"], /^(http:\S+)$/)).groups[0]}"`;
    const gateway = await gatewayProcess(t, `servers: { fixture: { ${server} } }`);
    await keepAddress(gateway.configFile, gateway.address);
    const { url } = await loopbackSidecar(t, gateway, "fixture", "http");
    const args = await sidecarArguments(gateway, "fixture", "stdio");
    const overHttp = await sessionOver(() => new StreamableHTTPClientTransport(new URL(url)));
    const overStdio = await sessionOver(
      () => new StdioClientTransport({ command: process.execPath, args: [...latticegate(args)] }),
    );
    const sessions = [overHttp, overStdio];
    const calls = sessions.map(() => 0);
    const over = new AbortController();
    const load = sessions.map(async ({ call }, i) => {
      while (!over.signal.aborted) {
        assert.match(JSON.stringify(await call()), /This is a simple text response/);
        calls[i] = (calls[i] ?? 0) + 1;
      }
    });
    atEnd(t, async () => {
      over.abort();
      await Promise.all(sessions.map(({ close }) => close()));
    });
    const callsGoOn = async (): Promise<void> => {
      const before = [...calls];
      await eventually("both go on", () => calls.every((count, i) => count > (before[i] ?? 0) + 5));
    };
    let running: Started = gateway;
    for (let i = 0; i < statefulRestarts; i++) {
      await Promise.race([callsGoOn(), ...load]);
      assert.equal(await running.stop(), 0);
      running = await startCli(t, ["up", "--config", gateway.configFile], /^Latticegate is up/);
    }
    await Promise.race([callsGoOn(), ...load]);
    over.abort();
    await Promise.all(load);
    // A server's processes end with their gateway; a server elsewhere keeps its sessions.
    assert.equal(overHttp.begun(), upstream === "stdio" ? 1 + statefulRestarts : 1);
    assert.equal(overStdio.begun(), 1, "the sidecar opens the session again by itself");
    t.diagnostic(`${calls.join(" and ")} calls over ${statefulRestarts} restarts, none failed`);
  });
}

/** The port that was free at the first start is asked for again. */
async function keepAddress(configFile: string, address: string): Promise<void> {
  const yaml = await readFile(configFile, "utf8");
  await writeFile(configFile, yaml.replace("listen: 127.0.0.1:0", `listen: ${address}`));
}
