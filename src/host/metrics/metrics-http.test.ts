/** The page of metrics, against those who would read it from elsewhere, or keep others from it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test, type TestContext } from "node:test";

import { rememberingLog } from "../../../test/support/log-fixture.ts";
import { boundedMetrics } from "./bounded-metrics.ts";
import { metricsHttp } from "./metrics-http.ts";

async function served(
  t: TestContext,
  host: string,
): Promise<{ readonly host: string; readonly port: number }> {
  const options = { text: () => Promise.resolve("up 1\n"), log: rememberingLog() };
  const { address, close } = await metricsHttp({ ...options, address: `${host}:0` });
  t.after(close);
  return { host, port: Number(address.slice(address.lastIndexOf(":") + 1)) };
}

async function statusFor(
  at: { readonly host: string; readonly port: number },
  host?: string,
): Promise<number> {
  const headers = host === undefined ? {} : { host };
  const request = http.get({ ...at, path: "/metrics", agent: false, headers });
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
}

test("metrics on any address of loopback are read there, and by no page that has another name lead to it", async (t) => {
  for (const host of ["127.0.0.1", "127.0.0.2"]) {
    const at = await served(t, host);
    assert.equal(await statusFor(at), 200);
    assert.equal(await statusFor(at, `rebound.example:${at.port}`), 403);
    assert.equal(await statusFor(at, `127.0.0.3:${at.port}`), 403);
  }
});

test("connections that say nothing keep nobody from the metrics", async (t) => {
  const at = await served(t, "127.0.0.1");
  const silent = Array.from({ length: 40 }, () => net.connect(at).on("error", () => undefined));
  t.after(() => silent.forEach((socket) => socket.destroy()));
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  assert.equal(await statusFor(at), 200);
});

test("labels that can't be shown have one series, whatever they say", async () => {
  const table = { calls_total: { kind: "counter", help: "Calls.", labels: ["tool"] } } as const;
  const metrics = boundedMetrics(table, 3);
  for (let i = 0; i < 10; i++) metrics.add("calls_total", { tool: `a\n${i}` });
  for (const tool of ["read", "write"]) metrics.add("calls_total", { tool });
  const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith("calls_total"));
  metrics.close();
  assert.deepEqual(lines, [
    'calls_total{tool="other"} 10',
    'calls_total{tool="read"} 1',
    'calls_total{tool="write"} 1',
  ]);
});
