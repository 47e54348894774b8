/** A backup is the whole authority in one file, and comes back on another machine without a second history. */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { restoreBackup, type RestoreOptions, writeBackup } from "../../src/app/backup.ts";
import { decideRequest, listRequests } from "../../src/app/approvals/approval-operations.ts";
import { operatorBy } from "../../src/app/approvals/approvers.ts";
import { revokeCertificates } from "../../src/app/certificate-authority.ts";
import { type Config, parseConfig } from "../../src/app/config.ts";
import { drill } from "../../src/app/drill.ts";
import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { rotateRoot } from "../../src/app/root-operations.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { eraseSubject, listSubjects, planErasure } from "../../src/app/subject-operations.ts";
import { openBackup, sealBackup } from "../../src/crypto/backup-file.ts";
import { openApprovals } from "../../src/host/store/state-approvals.ts";
import { openPeople } from "../../src/host/store/state-people.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
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
import { passkey } from "../support/passkey-device.ts";
import { entriesOf } from "../support/records.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const phrase = "a passphrase of the backup's own";

interface Kept {
  readonly file: string;
  readonly passphrase: { readonly file: string };
}

async function backedUp(t: TestContext, config: Config, hasLog = false): Promise<Kept> {
  const folder = await temporaryFolder(t);
  const kept = { file: path.join(folder, "backup"), passphrase: { file: path.join(folder, "passphrase") } };
  await writeFile(kept.passphrase.file, `${phrase}\n`);
  await writeBackup(config, { ...kept, hasLog, clock: systemClock });
  return kept;
}

function restoring(kept: Kept, more: Partial<RestoreOptions> = {}): RestoreOptions {
  return { ...kept, clock: systemClock, isReplacing: false, ...more };
}

function configIn(folder: string, yaml = ""): Config {
  const text = `state: ./state\nlisten: 127.0.0.1:0\ndashboard: "off"\n${yaml}`;
  return parseConfig(text, path.join(folder, "latticegate.yaml"));
}

async function filesUnder(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

async function originOf({ config }: Pick<TestGateway, "config">): Promise<string> {
  return (await readFile(statePaths(config.state).logKey, "utf8")).trim();
}

function isRefused(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && pattern.test(error.message);
}

/** A held call that people have approved, and nobody has made yet. */
function approvedRequest(state: string): string {
  const clock = systemClock;
  const approvals = openApprovals(statePaths(state).database);
  const settled = approvals.settle(
    {
      digest: "pay",
      caller: "spiffe://latticegate.local/agent/good",
      chain: [],
      server: "stub",
      method: "tools/call",
      name: "pay",
      terms: [{ rule: "wait", because: "Money.", approvers: 1 }],
      expiresMs: 900_000,
      seal: () => ({ nonce: "", sealed: "" }),
    },
    clock.nowUnixMs(),
  );
  approvals.close();
  const id = settled.kind === "waiting" ? settled.request.id : assert.fail();
  const by = operatorBy("uid 1");
  assert.equal(decideRequest({ state, clock }, id, { by, what: "approve" }).state, "approved");
  return id;
}

function keepPasskey(state: string): void {
  const people = openPeople(statePaths(state).database);
  people.addPasskey(passkey("a-device", "operator:local"));
  people.close();
}

function passkeysIn(state: string): readonly unknown[] {
  const people = openPeople(statePaths(state).database);
  const found = people.passkeys();
  people.close();
  return found;
}

test("restored on another machine, identities go on, revocations count, and a new log begins", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const first = await testGateway(t, yaml);
  const [good, bad] = [await enrol(first, "agent/good"), await enrol(first, "agent/bad")];
  await rotateRoot(first.config, "client", systemClock);
  const approved = approvedRequest(first.config.state);
  keepPasskey(first.config.state);
  revokeCertificates(first.config, bad.identity.spiffe_id, systemClock);
  const kept = await backedUp(t, first.config); // While it runs.
  const oldLog = await originOf(first);
  await first.stop();

  const folder = await temporaryFolder(t);
  const report = await restoreBackup(configIn(folder), restoring(kept));
  assert.equal(report.log, "new");
  const [request] = listRequests({ state: path.join(folder, "state"), clock: systemClock }, { all: true });
  assert.deepEqual([request?.id, request?.state], [approved, "expired"], "it may have been used since");
  assert.deepEqual(passkeysIn(path.join(folder, "state")), [], "one may have been removed since");
  assert.equal(passkeysIn(first.config.state).length, 1);
  const second = await testGateway(t, yaml, { folder });
  assert.equal((await clientOf(t, second, good).post("stub", toolCall("echo"))).status, 200);
  await assert.rejects(clientOf(t, second, bad).post("stub", toolCall("echo")));
  const newcomer = await enrol(second, "agent/new");
  assert.equal(newcomer.identity.client_roots.length, 2, "generations come along");
  assert.notEqual(await originOf(second), oldLog, "two gateways never sign one log");
  assert.equal((await readFile(path.join(report.oldLog, "log-key.txt"), "utf8")).trim(), oldLog);
  const told: string[] = [];
  for await (const { reading } of openLogReader(statePaths(second.config.state).log).forwards()) {
    if (reading.kind === "entry" && reading.entry.event === "identity.root")
      told.push(String(reading.entry.facts["what"]));
  }
  assert.ok(told.includes("restore"), "the new log says where it comes from");
  for (const file of await filesUnder(second.config.state))
    assert.equal((await stat(file)).mode & 0o077, 0, file);
  assert.equal((await stat(kept.file)).mode & 0o777, 0o600);
});

test("a log goes on under its keys only from its newest copy", async (t) => {
  const first = await testGateway(t, openPolicy);
  const early = path.join(await temporaryFolder(t), "log");
  await cp(statePaths(first.config.state).log, early, { recursive: true });
  await enrol(first, "agent/one");
  await first.stop();
  const kept = await backedUp(t, first.config, true);
  const { log, logKey } = statePaths(first.config.state);

  const stale = configIn(await temporaryFolder(t));
  await assert.rejects(
    restoreBackup(stale, restoring(kept, { log: early })),
    isRefused(/can't be continued/),
  );
  assert.deepEqual(await readdir(path.dirname(stale.state)), [], "nothing is left of a restore that failed");

  const folder = await temporaryFolder(t);
  const report = await restoreBackup(configIn(folder), restoring(kept, { log }));
  assert.equal(report.log, "continued");
  const before = await openLogReader(log).size();
  const second = await testGateway(t, openPolicy, { folder });
  await second.stop();
  const continued = await verifyLogFolder({ folder: statePaths(second.config.state).log, key: logKey });
  assert.ok(continued.kind === "intact" && continued.size > before);

  const kepts = await restoreBackup(configIn(await temporaryFolder(t)), restoring(kept));
  const verdict = await verifyLogFolder({
    folder: kepts.oldLog,
    key: path.join(kepts.oldLog, "log-key.txt"),
  });
  assert.equal(verdict.kind, "intact", "entries in the backup can be verified");
});

test("subjects of the log keep their pseudonyms through a backup, and who was erased after it stays erased", async (t) => {
  const first = await testGateway(t, openPolicy);
  const names = await Promise.all(["agent/one", "agent/two"].map((name) => enrol(first, name)));
  const [one = "", two = ""] = names.map(({ identity }) => identity.spiffe_id);
  const kept = await backedUp(t, first.config);
  const pseudonyms = new Map(
    (await listSubjects(first.config)).subjects.map((each) => [each.id, each.pseudonym]),
  );
  const plan = await planErasure(first.config, one, systemClock);
  assert.equal(plan.pseudonym, pseudonyms.get(one));
  await eraseSubject(first.config, plan, "test", systemClock);
  await eventually("it is on record", async () => (await entriesOf(first, "subject.erase")).length === 1);
  await first.stop();

  const config = configIn(await temporaryFolder(t));
  await restoreBackup(config, restoring(kept, { log: statePaths(first.config.state).log }));
  const restored = new Map((await listSubjects(config)).subjects.map((each) => [each.id, each.pseudonym]));
  assert.ok(pseudonyms.has(two));
  assert.equal(restored.get(two), pseudonyms.get(two));
  assert.equal(restored.get(one), undefined);
});

test("a backup that was cut, changed, is another's or no backup is refused, and leaves nothing behind", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const kept = await backedUp(t, gateway.config);
  const bytes = await readFile(kept.file);
  const changed = (at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const wrong = [
    ["cut", bytes.subarray(0, bytes.length - 1)],
    ["cut in its head", bytes.subarray(0, 40)],
    ["empty", Buffer.alloc(0)],
    ["changed at its end", changed(bytes.length - 1)],
    ["changed in its middle", changed(bytes.length >> 1)],
    [
      "of dearer passphrases",
      Buffer.from(bytes.toString("latin1").replace('"passes":3', '"passes":9'), "latin1"),
    ],
    [
      "of boundless memory",
      Buffer.from(bytes.toString("latin1").replace('"memoryKiB":65536', '"memoryKiB":4294967295'), "latin1"),
    ],
    ["longer", Buffer.concat([bytes, Buffer.alloc(1)])],
    ["another format", Buffer.from(`latticegate-backup/2\n${"x".repeat(100)}`)],
  ] as const;
  for (const [what, content] of wrong) {
    await writeFile(kept.file, content);
    const config = configIn(await temporaryFolder(t));
    await assert.rejects(restoreBackup(config, restoring(kept)), (error: unknown) => {
      assert.ok(error instanceof Refusal, what);
      assert.equal(error.code, "bad_state", what);
      return true;
    });
    assert.deepEqual(await readdir(path.dirname(config.state)), [], what);
  }
  await writeFile(kept.file, bytes);
  await writeFile(kept.passphrase.file, "another passphrase, not this one");
  await assert.rejects(
    restoreBackup(configIn(await temporaryFolder(t)), restoring(kept)),
    isRefused(/passphrase/),
  );
  await writeFile(kept.passphrase.file, "short");
  await assert.rejects(
    restoreBackup(configIn(await temporaryFolder(t)), restoring(kept)),
    isRefused(/16 characters/),
  );
});

test("what a backup holds goes where it belongs, and nowhere else", async (t) => {
  const files = ["../evil", "/etc/passwd", "keys/../../evil", "keys/.hidden", "run.json", "keys/a/b.json"];
  for (const name of files) {
    const folder = await temporaryFolder(t);
    const kept = { file: path.join(folder, "b"), passphrase: { file: path.join(folder, "p") } };
    await writeFile(kept.passphrase.file, phrase);
    const content = [{ path: name, bytes: Buffer.from("x") }];
    const backup = { madeUnixMs: 0, trustDomain: "latticegate.local", files: content };
    await writeFile(kept.file, await sealBackup(backup, Buffer.from(phrase)));
    const config = configIn(path.join(folder, "deep"));
    await mkdir(config.folder);
    await assert.rejects(restoreBackup(config, restoring(kept)), isRefused(/./), name);
    assert.deepEqual((await readdir(folder)).toSorted(), ["b", "deep", "p"], name);
    assert.deepEqual(await readdir(config.folder), [], name);
  }
});

test("a state folder that isn't empty is left alone, or moved aside when that is asked for", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const kept = await backedUp(t, gateway.config);
  await assert.rejects(
    restoreBackup(gateway.config, restoring(kept, { isReplacing: true })),
    isRefused(/gateway runs/),
  );
  const config = configIn(await temporaryFolder(t));
  await mkdir(config.state);
  await writeFile(path.join(config.state, "mine"), "x");
  await assert.rejects(restoreBackup(config, restoring(kept)), isRefused(/--danger-replace/));
  const { replaced } = await restoreBackup(config, restoring(kept, { isReplacing: true }));
  assert.equal(await readFile(path.join(replaced ?? "", "mine"), "utf8"), "x");
  const other = configIn(await temporaryFolder(t), "trust_domain: other.test\n");
  await assert.rejects(restoreBackup(other, restoring(kept)), isRefused(/trust domain/));
  await assert.rejects(
    writeBackup(gateway.config, { ...kept, hasLog: false, clock: systemClock }),
    isRefused(/there already/),
  );
});

test("nothing secret stands in a backup in the clear", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const kept = await backedUp(t, gateway.config);
  const bytes = await readFile(kept.file);
  const { files } = await openBackup(bytes, Buffer.from(phrase));
  const unlock = files.find((file) => file.path === "unlock.key");
  assert.ok(unlock !== undefined && unlock.bytes.length > 40);
  for (const file of files)
    assert.equal(bytes.indexOf(Buffer.from(file.bytes).subarray(0, 40)), -1, file.path);
});

test("the drill goes through both roots beside a gateway that runs, and changes nothing of it", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const keep = await enrol(gateway, "agent/keep");
  const steps = [];
  // Its addresses are the production's, and its certificate is there only.
  const listener = `{ address: ${gateway.address}, authentication: web-certificate, url: "https://mcp.acme.test", certificates: [{ certificate: none, key: none }], issuers: [corp] }`;
  const more = `issuers: { corp: { issuer: "https://corp.test" } }\nlisten: [127.0.0.1:0, ${listener}]\n`;
  const { webListeners } = parseConfig(more, path.join(gateway.config.folder, "latticegate.yaml"));
  assert.equal(webListeners.length, 1);
  const production = { ...gateway.config, webListeners };
  for await (const step of drill(production, { clock: systemClock, log: silent })) steps.push(step);
  assert.deepEqual(
    steps.filter(({ isGood }) => !isGood),
    [],
  );
  assert.equal(steps.length, 11);
  assert.equal(
    (await clientOf(t, gateway, keep).post("none", toolCall("x"))).status,
    403,
    "it is still known",
  );
});
