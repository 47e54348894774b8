/** Sidecars that share a state folder, and what becomes of the identity in it when renewals meet or begin anew. */
import assert from "node:assert/strict";
import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import type { ConnectOptions, Tunnel } from "../../src/app/connect.ts";
import { applyProfile, rotateTlsKeys } from "../../src/app/profile-operations.ts";
import { rotateRoot } from "../../src/app/root-operations.ts";
import { openSidecarIdentity } from "../../src/app/sidecar-identity.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { systemClock } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { eventually, openPolicy, stubServer, testGateway, type TestGateway } from "../support/gateway.ts";
import { call, sidecar, tunnelOf } from "../support/hybrid.ts";
import { checkLog, logged } from "../support/records.ts";

async function scene(
  t: TestContext,
  clock = systemClock,
): Promise<{
  readonly gateway: TestGateway;
  readonly options: ConnectOptions;
}> {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = { ...(await sidecar(t, gateway, "stub", { clock })), patienceMs: 10_000 };
  return { gateway, options };
}

async function statusOf(tunnel: Tunnel): Promise<number> {
  return (await call(tunnel)).status;
}

async function identityKeys({ state }: ConnectOptions): Promise<readonly string[]> {
  const files = await readdir(statePaths(state).keys);
  return files.filter((file) => /^identity(?!-classical)/.test(file));
}

async function storedKey({ state }: ConnectOptions): Promise<string> {
  const { key } = JSON.parse(await readFile(statePaths(state).identity, "utf8")) as { readonly key: string };
  return await readFile(path.join(statePaths(state).keys, `${key}.json`), "utf8");
}

test("two that are told to renew at once across a change of profile both go on, and a third starts from the folder", async (t) => {
  const { gateway, options } = await scene(t);
  // Together: the folder is theirs from its first file on.
  const both = await Promise.all([tunnelOf(t, options), tunnelOf(t, options)]);
  assert.deepEqual(await Promise.all(both.map(statusOf)), [200, 200]);
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 60_000, clock: systemClock });
  // Its roots come before it.
  const isInForce = ({ identities }: Readonly<Record<string, unknown>>): boolean =>
    String(identities).startsWith("ML-DSA-87");
  await eventually("it is in force", () => logged(gateway, "identity.roots_changed").some(isInForce));
  await Promise.all(both.map(({ identity }) => identity.catchUp()));
  assert.deepEqual(await Promise.all(both.map(statusOf)), [200, 200]);
  for (const { identity } of both) assert.equal(identity.profile.name, "cnsa-2.0");
  assert.equal(await statusOf(await tunnelOf(t, options)), 200);
  await checkLog(gateway);
});

test("catching up finds out that there are other roots, and then that nothing has changed", async (t) => {
  const { gateway, options } = await scene(t);
  const { identity } = await tunnelOf(t, options);
  assert.equal(await identity.catchUp(), false);
  await rotateRoot(gateway.config, "client", systemClock);
  await eventually("it is trusted", () => logged(gateway, "identity.roots_changed").length > 0);
  assert.equal(await identity.catchUp(), true);
  assert.equal(identity.clientRoots.length, 2);
  assert.equal(await identity.catchUp(), false);
});

test("an identity whose key is gone is refused, and no key is made in its place", async (t) => {
  const { options } = await scene(t);
  await (await tunnelOf(t, options)).close();
  const [key = ""] = await identityKeys(options);
  await rm(path.join(statePaths(options.state).keys, key));
  await assert.rejects(
    openSidecarIdentity({ ...options, joinToken: undefined }),
    (error: unknown) =>
      error instanceof Refusal &&
      error.code === "bad_state" &&
      /key "identity" that isn't/.test(error.message),
  );
  assert.deepEqual(await identityKeys(options), []);
});

test("an identity that is begun anew has a key that none before it had", async (t) => {
  const { gateway, options } = await scene(t);
  await (await tunnelOf(t, options)).close();
  const before = await storedKey(options);
  await rm(statePaths(options.state).identity);
  const again = { path: "agent/test", address: gateway.address };
  const joinToken = await makeJoinToken(gateway.config, again, systemClock);
  assert.equal(await statusOf(await tunnelOf(t, { ...options, joinToken })), 200);
  assert.notEqual(await storedKey(options), before);
  assert.equal((await identityKeys(options)).length, 1);
});

test("a sidecar whose clock is ahead of its gateway's replaces its key when that is asked for, once", async (t) => {
  const ahead = { nowUnixMs: () => systemClock.nowUnixMs() + 1_200_000 };
  const { gateway, options } = await scene(t, ahead);
  const { identity } = await tunnelOf(t, options);
  const before = identity.credentials()[0]?.privateKey;
  await rotateTlsKeys(gateway.config, systemClock);
  identity.heed({ beforeUnixMs: systemClock.nowUnixMs() });
  await eventually("another key", () => identity.credentials()[0]?.privateKey !== before);
  await eventually("it alone is kept", async () => (await identityKeys(options)).length === 1);
});
