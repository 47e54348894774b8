/** Links that prove a classical identity beside the ML-DSA one: what they are needed for, and who can't pretend it. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type tls from "node:tls";
import { fileURLToPath } from "node:url";

import { makeJoinToken, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, openTunnel, type Tunnel } from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { collected } from "../../src/host/net/http-exchange.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, logged } from "../support/records.ts";

const stdioServer = fileURLToPath(new URL("../support/stdio-server.ts", import.meta.url));
const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const hybrid = "link: { authentication: hybrid-mtls }";

async function sidecar(
  t: TestContext,
  gateway: TestGateway,
  target: string,
  options: { readonly name?: string; readonly clock?: Clock } = {},
): Promise<ConnectOptions> {
  const { name = "agent/sidecar", clock = systemClock } = options;
  const joinToken = await makeJoinToken(gateway.config, { path: name, address: gateway.address }, clock);
  const state = path.join(await temporaryFolder(t), "sidecar");
  return { target, state, joinToken, clock, log: silent, patienceMs: 0 };
}

async function call(tunnel: Tunnel): Promise<{ readonly status: number; readonly text: string }> {
  const headers = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
  const body = Buffer.from(JSON.stringify(toolCall("echo")));
  const answer = await collected(await tunnel.send({ method: "POST", headers, body }));
  return { status: answer.status, text: Buffer.from(answer.body).toString() };
}

async function tunnelOf(t: TestContext, options: ConnectOptions): Promise<Tunnel> {
  const tunnel = await openTunnel(options);
  atEnd(t, tunnel.close);
  return tunnel;
}

test("a sidecar proves both identities by itself, and the record says so", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}", ${hybrid} } }\n${openPolicy}`);
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "stub"));
  assert.equal((await call(tunnel)).status, 200);
  assert.equal((await call(tunnel)).status, 200);
  assert.equal(stub.seen.length, 2);
  const decisions = (await checkLog(gateway)).filter(({ event }) => event === "call.decision");
  assert.deepEqual(
    decisions.map(({ facts }) => facts["link.auth"]),
    ["ML-DSA-65+Ed25519", "ML-DSA-65+Ed25519"],
  );
  assert.equal(logged(gateway, "link.proven").length, 1, "once for each connection");
});
