/** Delegating as an operator does it: `latticegate delegate`, and sidecars that act with what it wrote. */
import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp, type ConnectOptions, openTunnel } from "../../src/app/connect.ts";
import { requestDelegation } from "../../src/app/delegate.ts";
import { startExpose } from "../../src/app/expose.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import {
  openPolicy,
  stubServer,
  freshState,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, entriesOf } from "../support/records.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });

type Sidecar = Omit<ConnectOptions, "target">;

/** A sidecar that has joined as that agent. */
async function sidecar(t: Cleanup, gateway: TestGateway, name: string): Promise<Sidecar> {
  const { config, address } = gateway;
  const joinToken = await makeJoinToken(config, { path: `agent/${name}`, address }, systemClock);
  const state = path.join(await temporaryFolder(t), name);
  const options = { state, clock: systemClock, log: silent };
  await (await openTunnel({ ...options, joinToken, target: "stub" })).close();
  return options;
}

async function call(url: string, tool = "read"): Promise<string> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(toolCall(tool)) });
  return await answer.text();
}

test("a sidecar acts with the delegation in its file, and with the next one once the file has changed", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const [a, b] = [await sidecar(t, gateway, "a"), await sidecar(t, gateway, "b")];
  const out = path.join(gateway.folder, "for-b.jwt");
  const asked = ["delegate", "--to", "agent/b", "--state", a.state, "--out", out];
  const made = await cli([...asked, "--tools", "stub/read", "--for", "5m"]);
  assert.deepEqual([made.code, made.stdout, made.stderr], [0, "", ""]);
  assert.equal((await stat(out)).mode & 0o777, 0o600);
  const { url, close } = await connectHttp({ ...b, target: "stub", onBehalfOf: out }, 0);
  atEnd(t, close);
  assert.match(await call(url), /"result":\{\}/);
  assert.match(await call(url, "write"), /The delegation doesn't cover/);
  assert.equal((await cli([...asked, "--tools", "stub/write", "--tools", "stub/x*"])).code, 0);
  assert.match(await call(url, "write"), /"result":\{\}/);
  assert.match(await call(url, "x1"), /"result":\{\}/);
  assert.match(await call(url), /The delegation doesn't cover/);
  await writeFile(out, "no delegation at all");
  assert.match(await call(url), /holds no delegation/);
  const entries = (await checkLog(gateway)).filter(({ event }) => event === "call.decision");
  assert.ok(entries.every(({ facts }) => facts["chain"] === '["spiffe://latticegate.local/agent/a"]'));
  assert.equal(
    new Set(entries.map(({ facts }) => facts["session"])).size,
    1,
    "for the same others, one session",
  );
});

test("delegate prints the credential, and passes a part of one on", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const [a, b] = [await sidecar(t, gateway, "a"), await sidecar(t, gateway, "b")];
  const first = ["delegate", "--state", a.state, "--to", "spiffe://latticegate.local/agent/b"];
  const printed = await cli([...first, "--tools", "stub/*", "--depth", "1"]);
  assert.match(printed.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const held = path.join(gateway.folder, "held.jwt");
  await writeFile(held, printed.stdout);
  const onward = ["delegate", "--state", b.state, "--on-behalf-of", held, "--to", "agent/c", "--tools"];
  assert.equal((await cli([...onward, "stub/read"])).code, 0);
  const wider = await cli([...onward, "*"]);
  assert.equal(wider.code, 1);
  assert.match(
    wider.stderr,
    /latticegate delegate: "tools \*" isn't within a pattern of your own delegation/,
  );
  const [, last] = (await entriesOf(gateway)).filter(({ event }) => event === "identity.delegate");
  assert.equal(last?.facts["chain"], '["spiffe://latticegate.local/agent/a"]');
  const tail = await cli(["audit", "tail", "--state", gateway.config.state]);
  assert.match(
    tail.stdout,
    /identity\.delegate .*agent\/b .*chain=\["spiffe:.*agent\/a"\].*to=spiffe:.*session=/,
  );
});

for (const [what, args, reason] of [
  ["nobody", ["--tools", "x/y"], /Say to whom/],
  ["no time", ["--to", "agent/b", "--tools", "x/y", "--for", "soon"], /--for takes a time/],
  ["no depth", ["--to", "agent/b", "--tools", "x/y", "--depth", "-"], /--depth takes a whole number/],
  ["a word too many", ["agent/b", "--to", "agent/b"], /Say to whom/],
] as const) {
  test(`delegating with ${what} is explained, and exits with 2`, async () => {
    const { code, stderr } = await cli(["delegate", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, reason);
  });
}

test("connect says what is wrong with a session's name and a delegation's file", async (t) => {
  const named = await cli(["connect", "stub", "--session", "two words"]);
  assert.equal(named.code, 2);
  assert.match(named.stderr, /1 to 128 visible ASCII/);
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const b = await sidecar(t, gateway, "b");
  const missing = path.join(gateway.folder, "none.jwt");
  await assert.rejects(
    requestDelegation(
      { ...b, onBehalfOf: missing },
      { to: "agent/c", tools: ["*"], resources: [], prompts: [] },
    ),
    (error) => error instanceof Refusal && /none\.jwt can't be read/.test(error.message),
  );
});

test("an exposed server, which has no such key, takes no delegation", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const [a, b] = [await sidecar(t, gateway, "a"), await sidecar(t, gateway, "b")];
  const request = { to: "agent/b", tools: ["*"], resources: [], prompts: [] };
  const held = path.join(gateway.folder, "held.jwt");
  await writeFile(held, await requestDelegation(a, request));
  const joinToken = await makeJoinToken(
    gateway.config,
    { path: "server/exposed", address: gateway.address },
    systemClock,
  );
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: ["*"],
    state: await freshState(t),
    joinToken,
    clock: systemClock,
    log: silent,
  });
  atEnd(t, exposed.stop);
  const direct = { ...b, target: exposed.url, peer: exposed.spiffeId };
  const plain = await connectHttp(direct, 0);
  atEnd(t, plain.close);
  assert.match(await call(plain.url), /"result":\{\}/);
  const acting = await connectHttp({ ...direct, onBehalfOf: held }, 0);
  atEnd(t, acting.close);
  assert.match(await call(acting.url), /Delegations aren't taken here/);
});
