/** `policy bundle …` as a publisher and an operator type them. */
import assert from "node:assert/strict";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { cli, startCli } from "../support/cli.ts";
import { quicklyUnlocked, stubServer, temporaryFolder } from "../support/gateway.ts";
import { repositoryRoot } from "../support/repository.ts";

test("a bundle is made of rules that pass, verified, followed, listed and rolled back", async (t) => {
  const folder = await temporaryFolder(t);
  const [rules, cases, bundle, config] = [
    "p.yaml",
    "p.policy-test.yaml",
    "p.bundle.json",
    "latticegate.yaml",
  ].map((name) => path.join(folder, name)) as [string, string, string, string];
  const keys = path.join(folder, "keys");
  for (const state of [keys, path.join(folder, "state")]) await quicklyUnlocked(state);
  const library = path.join(repositoryRoot, "policies", "payments");
  await copyFile(`${library}.yaml`, rules);
  await writeFile(
    cases,
    (await readFile(`${library}.policy-test.yaml`, "utf8")).replace("payments.yaml", "p.yaml"),
  );
  const make = (...more: string[]) =>
    cli(["policy", "bundle", "make", rules, "--state", keys, "--publisher", "acme", ...more]);

  const made = await make();
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^signed the bundle 1, 4 rules, 10 cases passed/);
  const [, publisher = ""] = /publishers: \[([\w-]{43})\]/.exec(made.stdout) ?? [];

  const right = await readFile(rules, "utf8");
  await writeFile(rules, right.replace("args.amount > 500", "args.amount > 600"));
  const failed = await make();
  assert.deepEqual(
    [failed.code, /FAIL {2}a refund above[^]*Nothing was signed\./.test(failed.stdout)],
    [1, true],
  );
  await writeFile(rules, right.replace("args.amount > 500", "args.amuont > 500"));
  const wrong = await make();
  assert.equal(wrong.code, 1);
  assert.match(wrong.stdout, /error: .*amuont[^]*Nothing was signed\./);

  const looked = await cli(["policy", "bundle", "verify", bundle, "--publisher", publisher]);
  assert.equal(looked.code, 0, "what didn't pass wasn't written");
  assert.match(
    looked.stdout,
    /^bundle 1 of acme: 4 rules[^]*right: signatures and rules, 10 cases passed\n$/,
  );
  const foreign = await cli([
    "policy",
    "bundle",
    "verify",
    bundle,
    "--publisher",
    publisher.replace(/^./, (c) => (c === "A" ? "B" : "A")),
  ]);
  assert.deepEqual([foreign.code, /wrong: It is signed by/.test(foreign.stdout)], [1, true]);

  const stub = await stubServer(t);
  await writeFile(
    config,
    `state: ./state
listen: 127.0.0.1:0
dashboard: "off"
trust_domain: acme.test
approvals: { people: { ann: { token_hash: ${"A".repeat(43)} }, bob: { token_hash: ${"B".repeat(43)} } } }
servers: { payments: { url: "${stub.url}" } }
policies: { bundle: { from: ./p.bundle.json, publishers: ["${publisher}"] } }
`,
  );
  const on = ["--config", config];
  const before = await cli(["policy", "bundle", "verify", bundle, ...on]);
  assert.match(before.stdout, /would be taken up\n$/);
  const started = await startCli(t, ["up", ...on], /(127\.0\.0\.1:\d+)/);
  assert.equal(await started.stop(), 0);
  await writeFile(rules, `${right}\n`);
  assert.match((await make()).stdout, /^signed the bundle 2,/);
  const again = await startCli(t, ["up", ...on], /(127\.0\.0\.1:\d+)/);
  const status = await cli(["status", ...on]);
  assert.match(status.stdout, /Policies {2}bundle 2 of acme, taken/);

  const rolled = await cli(["policy", "bundle", "roll-back", "1", "--because", "It broke refunds.", ...on]);
  assert.deepEqual([rolled.code, rolled.stderr], [0, ""]);
  assert.match(rolled.stdout, /^rolled back to the bundle 1 \(/);
  const history = await cli(["policy", "bundle", "history", ...on]);
  const lines = history.stdout.split("\n");
  assert.match(lines[1] ?? "", /^1 \* .* rolled-back .* It broke refunds\.$/);
  assert.match(lines[2] ?? "", /^2 .* taken +gateway +acme/);
  assert.match(history.stdout, /counts again with a sequence above 2/);
  const explained = await cli([
    "policy",
    "explain",
    "--caller",
    "spiffe://acme.test/agent/support-7",
    "--tool",
    "payments/process_refund",
    "--args",
    '{"amount":750}',
    ...on,
  ]);
  assert.match(explained.stdout, /Decision: hold: by refunds-over-500-need-a-person/);
  const checked = await cli(["policy", "check", ...on]);
  assert.deepEqual([checked.code, /come in a bundle/.test(checked.stderr)], [2, true]);
  assert.equal((await cli(["policy", "bundle", "follow", ...on])).code, 0);
  assert.match((await cli(["config", "check", ...on])).stdout, /policies: a bundle from .*p\.bundle\.json/);
  assert.equal(await again.stop(), 0);
});

test("every command of bundles says what it does, and what it was given wrongly", async () => {
  for (const name of ["make", "verify", "history", "roll-back", "follow"]) {
    const { code, stdout } = await cli(["policy", "bundle", name, "--help"]);
    assert.deepEqual([code, stdout.startsWith(`latticegate policy bundle ${name}`)], [0, true], name);
  }
  const wrong = await cli(["policy", "bundle", "verify", "/nowhere.bundle"]);
  assert.deepEqual([wrong.code, /can't be read/.test(wrong.stderr)], [2, true]);
});
