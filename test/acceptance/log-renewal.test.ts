/** The log's history is wrapped under another hash by command: while the gateway runs or not, with a signer, through a death. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { parseConfig } from "../../src/app/config.ts";
import { renewHistory } from "../../src/app/log-renewal.ts";
import { rotateLog } from "../../src/app/log-rotation.ts";
import { verifyLogFolder, verifyLogFolderWithout } from "../../src/app/log-verification.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { renewalBody } from "../../src/audit/renewal.ts";
import { readFallen } from "../../src/crypto/suites/fallen.ts";
import { systemClock } from "../../src/host/system.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { cli, latticegate, startCli } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  quicklyUnlocked,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { entriesOf } from "../support/records.ts";
import { signerScene } from "../support/signer.ts";

const clock = systemClock;
const wish = { hash: "SHA3-512", by: "a test" } as const;

async function configFileIn(t: Parameters<typeof atEnd>[0]): Promise<string> {
  const folder = await temporaryFolder(t);
  await quicklyUnlocked(path.join(folder, "state"));
  const file = path.join(folder, "latticegate.yaml");
  await writeFile(file, 'state: ./state\nlisten: 127.0.0.1:0\ndashboard: "off"\n');
  return file;
}

function configOf(file: string): ReturnType<typeof parseConfig> {
  return parseConfig('state: ./state\nlisten: 127.0.0.1:0\ndashboard: "off"\n', file);
}

/** How many entries renewals wrap, the newest last; the log must be intact. */
async function renewedSizes(state: string, key = statePaths(state).logKey): Promise<readonly number[]> {
  const verdict = await verifyLogFolder({ folder: statePaths(state).log, key });
  if (verdict.kind === "broken") return assert.fail(JSON.stringify(verdict.findings));
  return verdict.renewals.map(({ size }) => size);
}

async function provenWithout(state: string, ...names: readonly string[]): Promise<string> {
  const { log: folder, logKey: key } = statePaths(state);
  const verdict = await verifyLogFolderWithout({ folder, key }, names.map(readFallen));
  return verdict.kind === "proven" ? verdict.by.path : verdict.kind;
}

test("a gateway that runs renews its log while calls go on, with a rotation of the keys in between", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { state } = gateway.config;
  const first = path.join(await temporaryFolder(t), "log-key.txt");
  await copyFile(statePaths(state).logKey, first);
  const client = clientOf(t, gateway, await enrol(gateway));
  const over = new AbortController();
  atEnd(t, () => over.abort());
  let calls = 0;
  const calling = Promise.all(
    Array.from({ length: 2 }, async () => {
      while (!over.signal.aborted) {
        assert.equal((await client.post("stub", toolCall("echo", ++calls))).status, 200);
      }
    }),
  );
  const one = await renewHistory(gateway.config, wish, clock);
  const [rotated, two] = await Promise.all([
    rotateLog(gateway.config, "a test", clock),
    renewHistory(gateway.config, { ...wish, hash: "SHA-512" }, clock),
  ]);
  const three = await renewHistory(gateway.config, wish, clock);
  const during = calls;
  await eventually("calls went on", () => calls > during + 5);
  over.abort();
  await calling;
  await gateway.audit.journal.checkpoint();
  assert.deepEqual(
    [one, two, three].map(({ number, byGateway }) => [number, byGateway]),
    [
      [1, true],
      [2, true],
      [3, true],
    ],
  );
  assert.equal(rotated.generation, 2);
  const sizes = [one, two, three].map(({ size }) => size);
  for (const key of [first, undefined]) assert.deepEqual(await renewedSizes(state, key), sizes);
  assert.equal(await provenWithout(state, "SHA-256"), "renewals/3");
  assert.equal(await provenWithout(state, "SHA-256", "SHA3-512"), "renewals/2");
  assert.equal(await provenWithout(state, "ML-DSA-65"), "renewals/3");
  const named = await entriesOf(gateway, "log.renew");
  assert.deepEqual(
    named.map(({ facts, principal }) => [facts["renewal"], facts["hash"], facts["by"], principal]),
    [
      ["1", "SHA3-512", "a test", "spiffe://latticegate.local/gateway"],
      ["2", "SHA-512", "a test", "spiffe://latticegate.local/gateway"],
      ["3", "SHA3-512", "a test", "spiffe://latticegate.local/gateway"],
    ],
  );
});

test("the commands: renew on a gateway that runs and on one that doesn't, verify, and verify with algorithms that fell", async (t) => {
  const file = await configFileIn(t);
  const audit = (...args: readonly string[]) => cli(["audit", ...args, "--config", file]);
  const never = await audit("renew");
  assert.deepEqual([never.code, /There is no log in .* yet/.test(never.stderr)], [1, true]);
  const gateway = await startCli(t, ["up", "--config", file], /^Latticegate is up/);
  // The day's slow signature is a file more, once it was made.
  const running = await audit("renew");
  assert.equal(running.code, 0, running.stderr);
  assert.match(
    running.stdout,
    /^renewal 1 {2}wraps \d+ entries and [23] files under SHA3-512, in the gateway that runs\n/,
  );
  await gateway.stop();
  const unproven = await audit("verify", "--broken", "SHA-256");
  assert.match(unproven.stdout, /\nunproven: \d more (entry|entries) behind them\n/);
  const stopped = await audit("renew", "--hash", "SHA-512");
  assert.match(stopped.stdout, /^renewal 2 {2}wraps \d+ entries and [56] files under SHA-512\n/);
  const verified = await audit("verify");
  assert.equal(verified.code, 0, verified.stdout);
  assert.match(
    verified.stdout,
    /\nrenewed: renewal 1 of .* under SHA3-512, signed by ed25519, ml-dsa-65, slh-dsa-sha2-128s\n/,
  );
  for (const [args, code, expected] of [
    [
      ["SHA-256"],
      0,
      /^proven without SHA-256: the first \d+ entries, by renewals\/2 of .* SHA-512, signed by ed25519, ml-dsa-65\n/,
    ],
    [
      ["ML-DSA-65"],
      0,
      /^proven without ML-DSA-65: .* by renewals\/2 .* signed by ed25519, slh-dsa-sha2-128s\n/,
    ],
    [["SHA-256", "SHA-512"], 0, /by renewals\/1 .*, SHA3-512, signed by ml-dsa-65\n/],
    [["SHA-256@2034-05-01"], 0, /by renewals\/2/],
    [
      ["SHA-256@2020-01-01"],
      1,
      /^unproven: without SHA-256 nothing vouches for any of \d+ entries\n(.*\n)*.*renewals\/1 was made when/,
    ],
    [["SHA-256", "ML-DSA-65"], 1, /^unproven/],
    [["SHA-255"], 2, /There is no algorithm "SHA-255" here; there are SHA-256, /],
    [["SHA-256@soon"], 2, /a UTC day was expected, as in SHA-256@2034-05-01/],
  ] as const) {
    const ended = await audit("verify", ...args.flatMap((name) => ["--broken", name]));
    assert.match(ended.stdout + ended.stderr, expected);
    assert.equal(ended.code, code, args.join());
  }
  const printed = await audit("renewed", "3");
  const proof = path.join(path.dirname(file), "entry-3");
  await writeFile(proof, printed.stdout);
  const { log, logKey } = statePaths(configOf(file).state);
  const check = (...args: readonly string[]) =>
    cli(["audit", "renewed", "--check", proof, "--key", logKey, ...args]);
  const proven = await check("--broken", "SHA-256");
  assert.match(proven.stdout, /^proven: entry 3, renewal 2 of .* under SHA-512, .*\n\{"event_hash":/);
  assert.equal(proven.code, 0);
  assert.match(
    (await check("--broken", "SHA-512")).stdout,
    /^unproven: .* made with SHA-512, which has fallen\n$/,
  );
  await writeFile(proof, printed.stdout.replace("index 3", "index 2"));
  const elsewhere = await check();
  assert.deepEqual([elsewhere.code, elsewhere.stdout.startsWith("unproven: its entry isn't")], [1, true]);
  for (const [args, code, why] of [
    [["renewed"], 2, /Name one entry by its index/],
    [["renewed", "-1"], 2, /Unknown option|Name one entry/],
    [["renewed", "1000"], 1, /renewals\/2 wraps no entry 1000/],
  ] as const) {
    const ended = await audit(...args);
    assert.deepEqual([ended.code, why.test(ended.stderr)], [code, true], ended.stderr);
  }
  const list = path.join(log, "renewals", "1.files");
  await writeFile(list, (await readFile(list, "utf8")).replace("first-key.txt", "renewals/1"));
  const broken = await audit("verify", "--broken", "SHA-256");
  assert.match(broken.stdout, /^renewal: renewals\/1\.files (isn't the list|was changed)/m);
  assert.equal(broken.code, 1);
  for (const [args, why] of [
    [["--hash", "SHA-256"], /A log is renewed with SHA3-512 or SHA-512; found "SHA-256"/],
    [["now"], /audit renew takes no arguments/],
  ] as const) {
    const { code, stderr } = await audit("renew", ...args);
    assert.deepEqual([code, why.test(stderr)], [2, true], stderr);
  }
  assert.match((await cli(["audit", "renew", "--help"])).stdout, /--hash HASH +SHA3-512 or SHA-512/);
});

test("with a signer the signer signs renewals, of now and of its log alone", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  const gateway = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  const { config, audit } = gateway;
  const renewed = await renewHistory(config, wish, clock);
  assert.deepEqual(await renewedSizes(config.state), [renewed.size]);
  assert.equal(await provenWithout(config.state, "ML-DSA-65"), "renewals/1");

  const asker = await scene.client();
  const key = await asker.signing("log-slh-dsa", "SLH-DSA-SHA2-128s");
  const root = new Uint8Array(64);
  const evidence = { count: 0, root };
  const usual = {
    origin: audit.origin,
    number: 1,
    hash: "SHA3-512",
    size: 1,
    root,
    from: 0,
    evidence,
  } as const;
  const nowUnixMs = clock.nowUnixMs();
  for (const [change, why] of [
    [{ atUnixMs: nowUnixMs - 365 * 86_400_000 }, /another time than now/],
    [{ atUnixMs: nowUnixMs, size: 1_000_000 }, /renewal of 1000000 entries/],
    [{ atUnixMs: nowUnixMs, origin: "latticegate.local/log/other" }, /of another log/],
  ] as const) {
    await assert.rejects(key.sign(utf8(renewalBody({ ...usual, ...change }).text)), (error) => {
      return error instanceof Refusal && error.code === "signer_refused";
    });
    assert.ok(
      scene.log.some((line) => why.test(line)),
      String(why),
    );
  }
});

/** Where a renewal is when its process dies, and which number the next one has. */
const deaths = [
  ["before rename renewals/1\\.files$", "before the list", 1],
  ["before rename renewals/1$", "before the note", 1],
  ["before append log\\.renew", "before the entry", 2],
  ["after append log\\.renew", "after the entry", 2],
] as const;

for (const [dieAt, when, next] of deaths) {
  test(`a renewal whose process dies ${when} leaves a log that is intact, and the next start renews it`, async (t) => {
    const file = await configFileIn(t);
    const { state } = configOf(file);
    const before = await testGateway(t, "", { folder: path.dirname(file) });
    await before.stop();
    const preload = fileURLToPath(new URL("../support/die-at.ts", import.meta.url));
    const dying = spawn(
      process.execPath,
      ["--import", preload, ...latticegate(["audit", "renew", "--config", file])],
      { env: { ...process.env, DIE_AT: dieAt }, stdio: "ignore" },
    );
    const [, signal] = (await once(dying, "exit")) as [number | null, string | null];
    assert.equal(signal, "SIGKILL", "it died where it was to");
    assert.equal((await renewedSizes(state)).length, next - 1);
    // What was asked for is still open, and the gateway does it.
    const after = await testGateway(t, "", { folder: path.dirname(file) });
    await eventually("it is renewed", async () => (await entriesOf(after, "log.renew")).length === next);
    await after.stop();
    assert.equal((await renewedSizes(state)).length, next);
    const named = (await entriesOf(after, "log.renew")).map(({ facts }) => facts["renewal"]);
    assert.deepEqual(named, ["1", "2"].slice(0, next));
    assert.equal(await provenWithout(state, "SHA-256"), `renewals/${next}`);
  });
}
