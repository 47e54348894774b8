/** `audit.retention` and `audit.durability` of a real gateway, and what its commands say afterwards. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { statePaths } from "../../src/app/state-folder.ts";
import { systemClock } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { bundlePath } from "../../src/merkle/tiles.ts";
import { cli } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { draft } from "../support/log-fixture.ts";

const dayMs = 24 * 3_600_000;

test("a gateway removes entries older than audit.retention, and the log and its commands say so", async (t) => {
  const nowUnixMs = (): number => systemClock.nowUnixMs() - 500 * dayMs;
  const first = await testGateway(t, openPolicy, { clock: { nowUnixMs } });
  const { folder } = first;
  const { append } = first.audit.journal;
  await Promise.all(
    Array.from({ length: 600 }, (_, i) => append(draft(i, { atUnixMs: nowUnixMs(), outcome: "denied" }))),
  );
  await first.stop();

  // A clock by which everything is too old isn't believed at once.
  const retaining = `${openPolicy}audit: { retention: 400d }\n`;
  const daysAgo = (days: number) => ({ nowUnixMs: () => systemClock.nowUnixMs() - days * dayMs });
  const doubted = await testGateway(t, retaining, { folder, clock: daysAgo(2) });
  await eventually("it is told why", () => doubted.log.some((line) => line.includes("log.prune_waits")));
  assert.ok(existsSync(path.join(statePaths(doubted.config.state).log, bundlePath(0))));
  await doubted.stop();
  assert.ok(!doubted.log.some((line) => line.includes("log.pruned")));

  const gateway = await testGateway(t, retaining, { folder });
  await eventually("it is told", () => gateway.log.some((line) => line.includes("log.pruned")));
  const paths = statePaths(gateway.config.state);
  const thereAre = (): readonly boolean[] =>
    [0, 1, 2].map((i) => existsSync(path.join(paths.log, bundlePath(i))));
  assert.deepEqual(thereAre(), [false, false, false], "the third is the one being filled");
  await gateway.stop();

  const where = ["--log", paths.log];
  const verified = await cli(["audit", "verify", ...where, "--key", paths.logKey]);
  assert.equal(verified.code, 0, verified.stdout);
  assert.match(verified.stdout, /512 of them were removed by retention/);
  const tail = await cli(["audit", "tail", ...where, "--lines", "2000"]);
  assert.match(tail.stdout, /^Entries before 512 were removed by retention\.\n *512 /);
  assert.match(tail.stdout, /log\.prune/);
  const shown = await cli(["audit", "show", "call-3", ...where]);
  assert.equal(shown.code, 1);
  assert.match(shown.stdout, /says nothing about call-3\.\nEntries before 512 were removed by retention/);

  // The same log with entries taken away that no log.prune speaks of.
  const again = await testGateway(t, openPolicy, { folder });
  await Promise.all(
    Array.from({ length: 400 }, (_, i) => again.audit.journal.append(draft(i, { outcome: "denied" }))),
  );
  await again.stop();
  await rm(path.join(paths.log, bundlePath(2)));
  const broken = await cli(["audit", "verify", ...where, "--key", paths.logKey]);
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /removed: .*no log\.prune/);
  const cut = await cli(["audit", "tail", ...where, "--lines", "2000"]);
  assert.match(cut.stdout, /^Entries before 768 aren't there, and the log doesn't say why/);
  await assert.rejects(
    testGateway(t, openPolicy, { folder }),
    (error) => error instanceof Refusal && error.code === "bad_log",
  );
});

test("a gateway with durability power answers calls, and its log verifies", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\naudit: { durability: power }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml);
  assert.equal(gateway.audit.journal.durability, "power");
  const client = clientOf(t, gateway, await enrol(gateway));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => client.post("stub", toolCall(`tool_${i}`, i + 1))),
  );
  assert.ok(answers.every(({ status }) => status === 200));
  await gateway.stop();
  const paths = statePaths(gateway.config.state);
  const verified = await cli(["audit", "verify", "--log", paths.log, "--key", paths.logKey]);
  assert.equal(verified.code, 0, verified.stdout);
});

for (const [what, yaml] of [
  ["an unknown durability", "audit: { durability: hope }"],
  ["a retention of hours", "audit: { retention: 5h }"],
  ["a retention that is no duration", "audit: { retention: for ever }"],
] as const) {
  test(`a config with ${what} is refused`, async (t) => {
    await assert.rejects(testGateway(t, `${openPolicy}${yaml}\n`), {
      code: "bad_config",
      message: /audit\./,
    });
  });
}
