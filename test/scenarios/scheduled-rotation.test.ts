/** What is replaced by itself when its time has come, by a clock that runs ahead. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { applyProfile } from "../../src/app/profile-operations.ts";
import { listRoots } from "../../src/app/root-operations.ts";
import { rotateWhatIsDue } from "../../src/app/scheduled-rotation.ts";
import { systemClock } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { openPolicy, testGateway, type TestGateway } from "../support/gateway.ts";
import { entriesOf, logged } from "../support/records.ts";
import { eventually } from "../support/gateway.ts";

const dayMs = 86_400_000;

function ahead(days: number): Clock {
  return { nowUnixMs: () => systemClock.nowUnixMs() + days * dayMs };
}

/** The states of the roots after looking that much later. */
async function later(gateway: TestGateway, days: number): Promise<readonly string[]> {
  const clock = ahead(days);
  const log = { debug() {}, info() {}, warn() {}, error: (event: string) => assert.fail(event) };
  await rotateWhatIsDue(gateway.config, { clock, log });
  const roots = await listRoots(gateway.config, clock);
  return roots.map(({ purpose, generation, state }) => `${purpose} ${generation} ${state}`);
}

test("roots are replaced when they are a year old, and the old ones end a month after", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  assert.deepEqual(await later(gateway, 364), ["client 1 issuing", "server 1 issuing"]);
  assert.deepEqual(await later(gateway, 366), [
    "client 1 trusted",
    "client 2 issuing",
    "server 1 issuing",
    "server 2 announced",
  ]);
  assert.deepEqual(await later(gateway, 367), [
    "client 1 trusted",
    "client 2 issuing",
    "server 1 trusted",
    "server 2 issuing",
  ]);
  assert.deepEqual(await later(gateway, 397), [
    "client 1 retired",
    "client 2 issuing",
    "server 1 retired",
    "server 2 issuing",
  ]);
});

test("an apply onto an older root begins the month anew, and what is due meanwhile waits without a fault", async (t) => {
  const often = 'crypto: { rotation: { roots: "31d", tls_keys: "off" } }\n';
  const gateway = await testGateway(t, `${often}${openPolicy}`);
  await gateway.stop();
  const applied = async (name: string, days: number): Promise<unknown> =>
    await applyProfile(gateway.config, name, { overlapMs: 0, clock: ahead(days) });
  await later(gateway, 31);
  await applied("cnsa-2.0", 40);
  await applied("hybrid", 55);
  const all = [
    "client 1 trusted",
    "client 2 issuing",
    "client 3 trusted",
    "server 1 trusted",
    "server 2 issuing",
    "server 3 trusted",
  ];
  assert.deepEqual(await later(gateway, 64), all);
  assert.deepEqual(await later(gateway, 84), all);
  assert.deepEqual(await later(gateway, 86), [
    "client 1 retired",
    "client 2 issuing",
    "client 3 retired",
    "server 1 retired",
    "server 2 issuing",
    "server 3 retired",
  ]);
});

test("sidecars are asked for fresh keys once a month, and not again the day after", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const asked = async (): Promise<number> =>
    (await entriesOf(gateway, "crypto.change")).filter(({ facts }) => facts["what"] === "rotate_tls").length;
  await later(gateway, 29);
  await later(gateway, 31);
  await later(gateway, 32);
  await eventually("it is on record", async () => (await asked()) === 1);
});

test("what is switched off stays", async (t) => {
  const off = 'crypto: { rotation: { roots: "off", tls_keys: "off" } }\n';
  const gateway = await testGateway(t, `${off}${openPolicy}`);
  assert.deepEqual(await later(gateway, 1000), ["client 1 issuing", "server 1 issuing"]);
  assert.equal(logged(gateway, "identity.roots_changed").length, 0);
});
