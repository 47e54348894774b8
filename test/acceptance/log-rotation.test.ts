/** The log's keys rotate by command: on a gateway that runs, on one that doesn't, with a signer, and through a death. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { type AuditLog, followSuites, openAuditLog } from "../../src/app/audit-log.ts";
import { restoreBackup, writeBackup } from "../../src/app/backup.ts";
import { parseConfig } from "../../src/app/config.ts";
import { rotateLog } from "../../src/app/log-rotation.ts";
import { listLogKeys } from "../../src/app/log-key-list.ts";
import { type LogVerdict, verifyLogFolder } from "../../src/app/log-verification.ts";
import { applyProfile } from "../../src/app/profile-operations.ts";
import { signerHealth } from "../../src/app/signer/gateway-signer.ts";
import { signerPaths } from "../../src/app/signer/signer-folder.ts";
import { openKeys, statePaths } from "../../src/app/state-folder.ts";
import { readHead } from "../../src/audit/head.ts";
import { checkpointBody } from "../../src/audit/checkpoint.ts";
import type { Entry } from "../../src/audit/entry.ts";
import { readLogKey } from "../../src/crypto/log-key.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import type { LogSuites } from "../../src/crypto/suites/signatures.ts";
import { openRotationRequests } from "../../src/host/store/state-log-rotations.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { cli, latticegate, startCli } from "../support/cli.ts";
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
import { draft } from "../support/log-fixture.ts";
import { signerScene } from "../support/signer.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const clock = systemClock;
const by = "a test";
const [hybrid, cnsa] = ["hybrid", "cnsa-2.0"].map((name) => resolveProfile(name).log) as [
  LogSuites,
  LogSuites,
];

type Intact = Extract<LogVerdict, { kind: "intact" }>;

async function intact(state: string, key?: string): Promise<Intact> {
  const { log, logKey } = statePaths(state);
  const verdict = await verifyLogFolder({ folder: log, key: key ?? logKey });
  return verdict.kind === "intact" ? verdict : assert.fail(JSON.stringify(verdict.findings));
}

/** The key file as it is now, kept where nobody changes it. */
async function kept(t: Parameters<typeof atEnd>[0], state: string): Promise<string> {
  const file = path.join(await temporaryFolder(t), "log-key.txt");
  await copyFile(statePaths(state).logKey, file);
  return file;
}

async function entriesOf(state: string, event: string): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for await (const { reading } of openLogReader(statePaths(state).log).forwards()) {
    if (reading.kind === "entry" && reading.entry.event === event) found.push(reading.entry);
  }
  return found;
}

async function logKeysIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith("log-")).toSorted();
}

const namesOf = (generation: string): readonly string[] =>
  ["ed25519", "ml-dsa-44", "ml-dsa-65", "slh-dsa"].map((kind) => `log-${kind}${generation}.json`);

async function configFileIn(t: Parameters<typeof atEnd>[0], more = ""): Promise<string> {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "latticegate.yaml");
  await writeFile(file, `state: ./state\nlisten: 127.0.0.1:0\ndashboard: "off"\n${more}`);
  return file;
}

function configOf(file: string, more = ""): ReturnType<typeof parseConfig> {
  return parseConfig(`state: ./state\nlisten: 127.0.0.1:0\ndashboard: "off"\n${more}`, file);
}

test("a gateway that runs takes new log keys into use while calls go on, none of them late or lost", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const { state } = gateway.config;
  const first = await kept(t, state);
  const client = clientOf(t, gateway, await enrol(gateway));
  const over = new AbortController();
  atEnd(t, () => over.abort());
  let calls = 0;
  const calling = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (!over.signal.aborted) {
        const { status } = await client.post("stub", toolCall("echo", ++calls));
        assert.equal(status, 200);
      }
    }),
  );
  assert.deepEqual(await rotateLog(gateway.config, by, clock), { generation: 2, byGateway: true });
  const during = calls;
  assert.deepEqual(await rotateLog(gateway.config, by, clock), { generation: 3, byGateway: true });
  await eventually("calls went on", () => calls > during + 10);
  over.abort();
  await calling;
  await gateway.audit.journal.checkpoint();
  for (const key of [first, undefined]) {
    const { generations } = await intact(state, key);
    assert.deepEqual(
      generations.map(({ number }) => number),
      [1, 2, 3],
    );
  }
  assert.deepEqual(await logKeysIn(statePaths(state).keys), namesOf(".3"), "ended keys are erased");
  const outcomes = await entriesOf(state, "call.outcome");
  assert.equal(outcomes.filter(({ outcome }) => outcome === "allowed").length, calls);
  const [one, two] = await entriesOf(state, "log.rotate");
  assert.deepEqual(
    [one, two].map((entry) => [entry?.facts["before.generation"], entry?.facts["generation"]]),
    [
      ["1", "2"],
      ["2", "3"],
    ],
  );
  assert.equal(one?.principal, "spiffe://latticegate.local/gateway");
  assert.equal(one?.facts["by"], by);
  assert.equal(one?.facts["keys"], two?.facts["before.keys"]);
});

test("the commands: rotate on a gateway that runs and on one that doesn't, list the keys, verify with the oldest", async (t) => {
  const file = await configFileIn(t);
  const { state } = configOf(file);
  const never = await cli(["crypto", "rotate", "log", "--config", file]);
  assert.deepEqual([never.code, /There is no log in .* yet/.test(never.stderr)], [1, true]);
  const gateway = await startCli(t, ["up", "--config", file], /^Latticegate is up/);
  const first = await kept(t, state);
  const running = await cli(["crypto", "rotate", "log", "--config", file]);
  assert.equal(running.code, 0, running.stderr);
  assert.match(running.stdout, /^log 2 {2}signs from now on, in the gateway that runs/);
  await gateway.stop();
  const stopped = await cli(["crypto", "rotate", "log", "--config", file]);
  assert.match(stopped.stdout, /^log 3 {2}signs from now on; the keys before it are erased/);
  const listed = await cli(["audit", "keys", "--config", file]);
  assert.deepEqual(
    listed.stdout
      .trim()
      .split("\n")
      .map((row) => row.trim().split(/ {2}/).slice(0, 3).join("|")),
    [
      "1|ended|ed25519 ml-dsa-65 ml-dsa-44 slh-dsa-sha2-128s",
      "2|ended|ed25519 ml-dsa-65 ml-dsa-44 slh-dsa-sha2-128s",
      "3|signs|ed25519 ml-dsa-65 ml-dsa-44 slh-dsa-sha2-128s",
    ],
  );
  const verified = await cli(["audit", "verify", "--config", file, "--key", first]);
  assert.equal(verified.code, 0, verified.stdout);
  assert.match(
    verified.stdout,
    /\nkeys: generation 1 to \d+ entries \(given\), generation 2 to \d+ entries, generation 3 since\n/,
  );
  const again = await startCli(t, ["up", "--config", file], /^Latticegate is up/);
  assert.equal(await again.stop(), 0);
  assert.equal((await intact(state, first)).generations.length, 3);
  await rm(path.join(statePaths(state).log, "crossings", "2.tlog-proof"));
  const lacking = await cli(["audit", "keys", "--config", file, "--key", first]);
  assert.deepEqual([lacking.code, lacking.stdout.includes("1  signs")], [0, true], "it knows no better");
  const broken = await cli(["audit", "verify", "--config", file, "--key", first]);
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /^missing: crossings\/2.tlog-proof is missing, though entry \d+ rotates/m);
});

test("crypto rotate says what it rotates, and rotates roots as `ca rotate` does", async (t) => {
  const file = await configFileIn(t);
  for (const [args, what] of [
    [[], /Say what to rotate: log, ca, tls, manifest, model, policy\./],
    [["everything"], /Say what to rotate: log, ca, tls, manifest, model, policy\./],
    [["log", "ca"], /Say what to rotate/],
    [["log", "--for", "server"], /--for is for roots/],
  ] as const) {
    const { code, stderr } = await cli(["crypto", "rotate", ...args, "--config", file]);
    assert.deepEqual([code, what.test(stderr)], [2, true], stderr);
  }
  const gateway = await startCli(t, ["up", "--config", file], /^Latticegate is up/);
  const rotated = await cli(["crypto", "rotate", "ca", "--for", "client", "--config", file]);
  assert.match(rotated.stdout, /^client {3}2 {2}issuing/);
  await gateway.stop();
  assert.match((await cli(["crypto", "rotate", "--help"])).stdout, /log: The keys that sign the audit log/);
});

/** Where a rotation is when its process dies, and whether the rotation is in the log afterwards whatever comes. */
const deaths = [
  ["before link /keys/log-ed25519\\.2\\.json$", "before the first key is kept"],
  ["after link /keys/log-ed25519\\.2\\.json$", "after one key is made"],
  ["after link /keys/log-slh-dsa\\.2\\.json$", "after the keys are made"],
  ["before append log\\.rotate", "before the entry"],
  ["after append log\\.rotate", "after the entry"],
  ["before rename crossings/2\\.tlog-proof$", "before the crossing"],
  ["after rename crossings/2\\.tlog-proof$", "after the crossing, before it is the head"],
  ["after rename log/checkpoint$", "after the crossing is the head"],
  ["before rename log-key\\.txt$", "before the key file is written"],
  ["before rm keys/log-", "before the old keys are erased"],
  ["after rm keys/log-", "after one old key is erased"],
] as const;

for (const [dieAt, when] of deaths) {
  test(`a rotation whose process dies ${when} is brought to its end by the next start`, async (t) => {
    const file = await configFileIn(t);
    const config = configOf(file);
    const before = await testGateway(t, "", { folder: path.dirname(file) });
    const first = await kept(t, config.state);
    await before.stop();
    const preload = fileURLToPath(new URL("../support/die-at.ts", import.meta.url));
    const dying = spawn(
      process.execPath,
      ["--import", preload, ...latticegate(["crypto", "rotate", "log", "--config", file])],
      { env: { ...process.env, DIE_AT: dieAt }, stdio: "ignore" },
    );
    const [, signal] = (await once(dying, "exit")) as [number | null, string | null];
    assert.equal(signal, "SIGKILL", "it died where it was to");
    // What an auditor sees meanwhile is no damage.
    const meanwhile = await verifyLogFolder({ folder: statePaths(config.state).log, key: first });
    assert.equal(meanwhile.kind, "intact", JSON.stringify(meanwhile));
    const after = await testGateway(t, "", { folder: path.dirname(file) });
    await eventually("the rotation is done", () => after.audit.journal.generation().number === 2);
    await eventually("the old keys are gone", async () => {
      const left = await logKeysIn(statePaths(config.state).keys);
      return left.join() === namesOf(".2").join();
    });
    await eventually("nothing is left to be done", () => {
      const requests = openRotationRequests(statePaths(config.state).database);
      const open = requests.open();
      requests.close();
      return open === undefined;
    });
    await after.stop();
    for (const key of [first, undefined]) {
      const { generations, uncovered } = await intact(config.state, key);
      assert.deepEqual([generations.map(({ number }) => number), uncovered], [[1, 2], 0]);
    }
    assert.equal((await entriesOf(config.state, "log.rotate")).length, 1, "once");
    const newest = readLogKey(await readFile(statePaths(config.state).logKey, "utf8")).at(-1);
    assert.equal(newest?.number, 2);
  });
}

test("with a signer the new keys are the signer's, and it signs nothing more with the old ones", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const running = await scene.start();
  const gateway = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  const { config, audit } = gateway;
  const first = await kept(t, config.state);
  const asker = await scene.client();
  const old = await asker.signing("log-ml-dsa-65", "ML-DSA-65");
  await rotateLog(config, by, clock);
  await audit.journal.append(draft(1));
  await audit.journal.checkpoint();
  assert.deepEqual(await logKeysIn(statePaths(config.state).keys), []);
  await eventually("the signer erased the old ones", async () => {
    const left = await logKeysIn(signerPaths(scene.state).keys);
    return left.join() === namesOf(".2").join();
  });
  const health = await signerHealth(config);
  assert.ok(health.kind === "answers" && health.status.log?.generation === 2);
  const further = utf8(checkpointBody(audit.origin, 1_000_000, new Uint8Array(32)).text);
  await assert.rejects(old.sign(further), isRefusal("signer_refused"));
  await assert.rejects(asker.signing("log-ml-dsa-65", "ML-DSA-65"), isRefusal("signer_refused"));
  await assert.rejects(asker.signing("log-ml-dsa-65.4", "ML-DSA-65"), isRefusal("signer_refused"));
  assert.ok(scene.log.some((line) => line.includes("generation 1 has ended")));
  assert.ok(scene.log.some((line) => line.includes("generation 4 isn't next")));
  await gateway.stop();
  await running.stop();
  await scene.start();
  const again = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  assert.equal(again.audit.journal.generation().number, 2);
  await again.stop();
  await rotateLog(config, by, clock);
  assert.deepEqual(
    (await intact(config.state, first)).generations.map(({ number }) => number),
    [1, 2, 3],
  );
});

test("a signer that dies between the two generations' signatures signs that crossing again, and no other head", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const running = await scene.start();
  const asker = await scene.client();
  const [old, next] = [
    await asker.signing("log-ml-dsa-65", "ML-DSA-65"),
    await asker.signing("log-ml-dsa-65.2", "ML-DSA-65"),
  ];
  const head = (size: number): Uint8Array =>
    utf8(checkpointBody("latticegate.local/log/abc", size, new Uint8Array(32).fill(size)).text);
  await old.sign(head(5));
  await next.sign(head(6));
  await running.stop();
  const second = await scene.start();
  await assert.rejects(old.sign(head(7)), isRefusal("signer_refused"));
  await old.sign(head(6));
  await next.sign(head(6));
  await next.sign(head(7));
  await assert.rejects(old.sign(head(6)), isRefusal("signer_refused"));
  await second.stop();
});

test("a rotation while the signer is away waits for it, with calls served meanwhile", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const running = await scene.start();
  const gateway = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  const first = await kept(t, gateway.config.state);
  await gateway.audit.journal.checkpoint();
  await running.stop();
  const rotating = rotateLog(gateway.config, by, clock);
  await gateway.audit.journal.append(draft(1));
  await scene.start();
  assert.equal((await rotating).generation, 2);
  await gateway.audit.journal.checkpoint();
  await intact(gateway.config.state, first);
  await gateway.stop();
});

test("keys that rotated move to a signer, which knows where they stand", async (t) => {
  const scene = await signerScene(t);
  const before = await testGateway(t, openPolicy, { folder: scene.folder });
  const first = await kept(t, before.config.state);
  await rotateLog(before.config, by, clock);
  await before.stop();
  const moved = await scene.init();
  assert.ok(moved.includes("log-ml-dsa-65.2") && !moved.includes("log-ml-dsa-65"));
  await scene.start();
  const asker = await scene.client();
  await assert.rejects(asker.signing("log-ml-dsa-65", "ML-DSA-65"), isRefusal("signer_refused"));
  const after = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  await after.stop();
  await intact(after.config.state, first);
});

async function bareLog(
  t: Parameters<typeof atEnd>[0],
  suites: LogSuites,
): Promise<AuditLog & { state: string }> {
  const state = path.join(await temporaryFolder(t), "state");
  const keys = await openKeys(state, undefined);
  const audit = await openAuditLog(state, keys, { trustDomain: "example.org", suites, clock, log: silent });
  atEnd(t, audit.journal.close);
  return { ...audit, state };
}

test("an open log follows the suites of a profile, to and fro under load, and stays as it is if it has them", async (t) => {
  const audit = await bareLog(t, hybrid);
  const first = await kept(t, audit.state);
  const principal = "spiffe://example.org/server/files";
  assert.equal(await followSuites(audit, { suites: hybrid, principal, by }), false);
  const over = new AbortController();
  atEnd(t, () => over.abort());
  let appended = 0;
  const appending = (async () => {
    while (!over.signal.aborted) {
      await audit.journal.append(draft(appended++));
      // As many as a verification that runs beside it can read.
      if (appended % 100 === 0) await audit.journal.checkpoint();
    }
  })();
  for (const [i, suites] of [cnsa, hybrid, cnsa].entries()) {
    assert.equal(await followSuites(audit, { suites, principal, by: "profile" }), true);
    await audit.journal.checkpoint();
    const { generations, signedBy } = await intact(audit.state, first);
    assert.equal(generations.length, i + 2);
    const [main] = suites.required.slice(-1);
    assert.ok(signedBy.includes(main?.toLowerCase() ?? ""));
    assert.ok(!signedBy.includes(suites === cnsa ? "ml-dsa-65" : "ml-dsa-87"));
    await intact(audit.state);
  }
  over.abort();
  await appending;
  const { generations } = await listLogKeys({ folder: statePaths(audit.state).log, key: first });
  assert.deepEqual(
    generations.map(({ number, state }) => `${number} ${state}`),
    ["1 ended", "2 ended", "3 ended", "4 signs"],
  );
});

test("a log begun under cnsa-2.0 is signed by ML-DSA-87 alone, with no classical signature on it", async (t) => {
  const audit = await bareLog(t, cnsa);
  const { signedBy } = await intact(audit.state);
  assert.deepEqual(signedBy, ["ml-dsa-87", "ml-dsa-44"]);
  const head = readHead(
    await readFile(path.join(statePaths(audit.state).log, "checkpoint")),
    readLogKey(await readFile(statePaths(audit.state).logKey, "utf8")),
  );
  assert.equal(head.kind, "signed");
});

test("a log of before generations goes on under its name and its keys, which are the first generation", async (t) => {
  const gateway = await testGateway(t, "");
  const { state } = gateway.config;
  await gateway.stop();
  const { log, logKey } = statePaths(state);
  const { origin } = gateway.audit;
  // As it was left by a release that knew of none.
  await rm(path.join(log, "first-key.txt"));
  await writeFile(logKey, (await readFile(logKey, "utf8")).replace(/^#.*\n/gm, ""));
  const old = await kept(t, state);
  // Whatever the profile asks of new logs, this one has the keys it has.
  const options = { trustDomain: "latticegate.local", suites: cnsa, clock, log: silent };
  const audit = await openAuditLog(state, await openKeys(state, undefined), options);
  assert.equal(audit.origin, origin);
  await audit.journal.close();
  const after = await testGateway(t, "", { folder: gateway.folder });
  assert.equal(after.audit.origin, origin);
  await rotateLog(after.config, by, clock);
  await after.stop();
  assert.equal((await intact(state, old)).generations.length, 2);
});

test("a log whose keys aren't there isn't signed with others", async (t) => {
  const gateway = await testGateway(t, "");
  await rotateLog(gateway.config, by, clock);
  await gateway.stop();
  const { keys } = statePaths(gateway.config.state);
  await rm(path.join(keys, "log-ml-dsa-65.2.json"));
  await assert.rejects(
    testGateway(t, "", { folder: gateway.folder }),
    isRefusal("bad_state", /keys of generation 2 that aren't there/),
  );
});

test("a backup goes on with the log of the same generation, and not with one whose keys have rotated since", async (t) => {
  const gateway = await testGateway(t, "");
  const { config } = gateway;
  await rotateLog(config, by, clock);
  const where = await temporaryFolder(t);
  await writeFile(path.join(where, "passphrase"), "a passphrase that is long enough\n");
  const sealed = {
    file: path.join(where, "backup"),
    passphrase: { file: path.join(where, "passphrase") },
    clock,
  };
  await writeBackup(config, { ...sealed, hasLog: false });
  await gateway.stop();
  const sameLog = path.join(where, "log");
  await cp(statePaths(config.state).log, sameLog, { recursive: true });
  await rotateLog(config, by, clock);
  const restoreWith = async (log: string): Promise<TestGateway["config"]> => {
    const target = configOf(path.join(await temporaryFolder(t), "latticegate.yaml"));
    await restoreBackup(target, { ...sealed, log, isReplacing: false });
    return target;
  };
  await assert.rejects(
    restoreWith(statePaths(config.state).log),
    isRefusal("bad_log", /rotated to generation 3 after the backup, whose keys are of generation 2/),
  );
  const restored = await restoreWith(sameLog);
  const again = await testGateway(t, "", { folder: path.dirname(restored.state) });
  assert.equal(again.audit.journal.generation().number, 2);
  await again.stop();
  assert.equal((await intact(restored.state)).generations.length, 2);
});

function isRefusal(code: string, text = /./): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code && text.test(error.message);
}

test("without a gateway the new keys are those of the profile in force, not of the file's", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  await gateway.stop();
  await applyProfile(gateway.config, "cnsa-2.0", { overlapMs: 60_000, clock });
  await rotateLog(gateway.config, by, clock);
  const { keys } = readLogKey(await readFile(statePaths(gateway.config.state).logKey, "utf8")).at(-1) ?? {};
  assert.deepEqual(keys?.map(({ kind }) => kind).toSorted(), ["ml-dsa-44", "ml-dsa-87", "slh-dsa-sha2-128s"]);
});
