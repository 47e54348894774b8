/** A gateway whose root and log keys are with a signer: what goes on without it, what waits, what never moves back. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, copyFile, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";

import { restoreBackup } from "../../src/app/backup.ts";
import { listGrants } from "../../src/app/operator-grants.ts";
import { drill } from "../../src/app/drill.ts";
import { importIssuing, requestIssuing } from "../../src/app/outside-authority.ts";
import { examine } from "../../src/app/doctor.ts";
import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { listRoots, replaceCompromised, retireRoots, rotateRoot } from "../../src/app/root-operations.ts";
import { signerHealth } from "../../src/app/signer/gateway-signer.ts";
import { signerPaths } from "../../src/app/signer/signer-folder.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openKeyFolder } from "../../src/host/store/key-folder.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { createRoot } from "../../src/identity/authority.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { signerScene } from "../support/signer.ts";

const moved = [
  "client-root",
  "client-root-classical",
  "log-ed25519",
  "log-ml-dsa-44",
  "log-ml-dsa-65",
  "log-slh-dsa",
  "server-root",
  "server-root-classical",
];
/** What is a gateway's own to sign and seal with. */
const kept = [
  "approvals",
  "client-sessions",
  "delegation-ml-dsa-65",
  "grants",
  "habits",
  "history",
  "message.ml-dsa-65",
  "message.ml-dsa-87",
  "request-states",
  "sessions",
  "subjects",
];

function isRefusal(code: string, text = /./): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code && text.test(error.message);
}

async function verdict(gateway: TestGateway): Promise<string> {
  await gateway.audit.journal.checkpoint();
  const { log, logKey } = statePaths(gateway.config.state);
  return (await verifyLogFolder({ folder: log, key: logKey })).kind;
}

test("with a signer calls are served, newcomers join, the log verifies, and the gateway has none of its keys", async (t) => {
  const scene = await signerScene(t);
  assert.deepEqual(await scene.init(), [], "there is nothing to move yet");
  await scene.start();
  const stub = await stubServer(t);
  const yaml = `${scene.yaml}servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml, { folder: scene.folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("stub", toolCall("echo"))).status, 200);
  assert.equal(await verdict(gateway), "intact");
  assert.deepEqual(
    (await readdir(statePaths(gateway.config.state).keys)).toSorted(),
    ["kdf", ...kept].map((name) => `${name}.json`).toSorted(),
  );
  assert.deepEqual(
    (await readdir(signerPaths(scene.state).keys)).toSorted(),
    [...moved.map((name) => `${name}.json`), "kdf.json"].toSorted(),
  );
  assert.ok(scene.log.some((line) => line.includes('"signer.certificate"') && line.includes("/agent/test")));
});

test("keys that are moved to a signer keep their roots and their log, and are gone where they were", async (t) => {
  const scene = await signerScene(t);
  const before = await testGateway(t, openPolicy, { folder: scene.folder });
  const enrolment = await enrol(before);
  await assert.rejects(scene.init(), isRefusal("bad_state", /Stop the gateway first/));
  await before.stop();
  assert.deepEqual([...(await scene.init())].toSorted(), moved);
  assert.deepEqual(await scene.init(), [], "a second time there is nothing left to do");
  await assert.rejects(
    testGateway(t, openPolicy, { folder: scene.folder }),
    isRefusal("bad_state", /are with a signer/),
  );
  await scene.start();
  await assert.rejects(scene.init(), isRefusal("bad_state", /Stop the signer first/));
  const stub = await stubServer(t);
  const yaml = `${scene.yaml}servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const after = await testGateway(t, yaml, { folder: scene.folder });
  const client = clientOf(t, after, enrolment);
  assert.equal((await client.post("stub", toolCall("echo"))).status, 200, "an old certificate still counts");
  assert.equal(await verdict(after), "intact");
  assert.equal(after.audit.origin, before.audit.origin);
});

test("a move that was broken off leaves a gateway that doesn't start, and is finished by being run again", async (t) => {
  const scene = await signerScene(t);
  const before = await testGateway(t, openPolicy, { folder: scene.folder });
  await before.stop();
  const { keys } = statePaths(before.config.state);
  const kept = path.join(scene.folder, "kept.json");
  await copyFile(path.join(keys, "server-root.json"), kept);
  await scene.init();
  await copyFile(kept, path.join(keys, "server-root.json"));
  const signer = await scene.start();
  await signer.stop();
  for (const yaml of [openPolicy, scene.yaml + openPolicy])
    await assert.rejects(testGateway(t, yaml, { folder: scene.folder }), isRefusal("bad_state"));
  assert.deepEqual(await scene.init(), ["server-root"]);
  await scene.start();
  await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
});

test("a key of the same name that is another is never written over, on either side", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const signer = await scene.start();
  await (await scene.client()).signing("server-root", "ML-DSA-65");
  await signer.stop();
  await rm(path.join(scene.folder, "state", "signer.key"));
  const before = await testGateway(t, openPolicy, { folder: scene.folder });
  await before.stop();
  const read = async (): Promise<readonly string[]> =>
    await Promise.all(
      [statePaths(before.config.state).keys, signerPaths(scene.state).keys].map((keys) =>
        readFile(path.join(keys, "server-root.json"), "utf8"),
      ),
    );
  const contents = await read();
  await assert.rejects(scene.init(), isRefusal("bad_state", /another key named "server-root"/));
  assert.deepEqual(await read(), contents);
});

test("while the signer is away calls go on and heads fall behind; when it is back they catch up, and who waited is let in", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const signer = await scene.start();
  const stub = await stubServer(t);
  const yaml = `${scene.yaml}servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml, { folder: scene.folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  await gateway.audit.journal.checkpoint();
  const covered = gateway.audit.journal.head()?.size ?? 0;
  await signer.stop();
  await eventually("it is missed", () => gateway.log.some((line) => line.includes('"signer.away"')));
  for (let id = 1; id <= 20; id++)
    assert.equal((await client.post("stub", toolCall("echo", id))).status, 200);
  assert.equal(gateway.audit.journal.head()?.size, covered, "no head without its signatures");
  assert.equal((await signerHealth(gateway.config)).kind, "away");
  const joining = enrol(gateway, "agent/patient");
  await scene.start();
  assert.match((await joining).identity.spiffe_id, /agent\/patient$/);
  await gateway.audit.journal.checkpoint();
  assert.ok((gateway.audit.journal.head()?.size ?? 0) > covered + 40);
  assert.equal(await verdict(gateway), "intact");
  assert.equal(gateway.log.filter((line) => line.includes('"signer.away"')).length, 1, "told once");
  await gateway.stop();
});

test("a signer that takes its time holds up no call", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  // Between the two stands a link that stops passing anything on.
  const [through, held] = [path.join(scene.folder, "run", "t"), new Set<net.Socket>()];
  const between = net.createServer((near) => {
    const far = net.connect(scene.socket);
    near.pipe(far).pipe(near);
    for (const end of [near, far]) held.add(end.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => between.listen(through, resolve));
  const stub = await stubServer(t);
  const yaml = `signer: { socket: ./run/t }\nservers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml, { folder: scene.folder });
  atEnd(t, () => {
    between.close();
    for (const end of held) end.destroy();
  });
  const client = clientOf(t, gateway, await enrol(gateway));
  for (const end of held) end.unpipe().pause();
  const asked = gateway.audit.journal.checkpoint();
  let isSigned = false;
  void asked.then(
    () => (isSigned = true),
    () => undefined,
  );
  for (let id = 1; id <= 20; id++)
    assert.equal((await client.post("stub", toolCall("echo", id))).status, 200);
  assert.ok(!isSigned, "the head that was asked for before them is still waited for");
  for (const end of held) end.destroy();
  await asked;
  await gateway.stop();
});

test("the doctor says whether the signer answers, and whether the keys are with it alone", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const signer = await scene.start();
  const gateway = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  const rows = async (): Promise<Readonly<Record<string, string>>> => {
    const findings = await Array.fromAsync(examine(gateway));
    return Object.fromEntries(findings.map(({ what, level, text }) => [what, `${level}: ${text}`]));
  };
  const well = await rows();
  assert.match(well["signer"] ?? "", /^ok: .*8 keys, last head signed: \d+ entries$/);
  assert.match(well["keys"] ?? "", /^ok: /);
  await signer.stop();
  await writeFile(
    path.join(statePaths(gateway.config.state).keys, "client-root.json"),
    '{"kind":"ML-DSA-65","nonce":"","sealed":""}',
  );
  const ill = await rows();
  assert.match(ill["signer"] ?? "", /^wrong: .*calls go on, heads of the log fall behind/);
  assert.match(ill["keys"] ?? "", /^wrong: .*client-root/);
  await scene.start();
  await gateway.stop();
});

test("a log that went back is signed no more, also after the signer began anew", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const signer = await scene.start();
  const first = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  await first.stop();
  await signer.stop();
  await scene.start();
  await rm(statePaths(first.config.state).log, { recursive: true });
  const again = testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  await assert.rejects(again, isRefusal("journal_unavailable", /signer_refused/));
  assert.ok(scene.log.some((line) => line.includes("entries, the last one had")));
});

test("a signer with other keys isn't taken for the one whose root is known", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const signer = await scene.start();
  const gateway = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  await gateway.stop();
  await signer.stop();
  for (const name of ["keys", "memory"] as const)
    await rm(signerPaths(scene.state)[name], { recursive: true });
  await scene.start();
  await assert.rejects(
    testGateway(t, scene.yaml + openPolicy, { folder: scene.folder }),
    isRefusal("bad_state", /isn't the certificate of the root key/),
  );
});

test("another secret, or none, keeps a gateway from starting, and says why", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  const own = path.join(scene.folder, "state", "signer.key");
  await writeFile(own, "the secret of another gateway\n");
  const start = (): Promise<TestGateway> => testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  await assert.rejects(start(), isRefusal("bad_state", /another secret than this gateway/));
  assert.ok(scene.log.some((line) => line.includes('"signer.stranger_refused"')));
  await rm(own);
  await assert.rejects(start(), isRefusal("bad_state", /expected at least 16 characters.*signer\.key/));
});

test("a folder has one signer, a socket one, and a socket that a dead one left is taken over", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await assert.rejects((await signerScene(t)).start(), isRefusal("bad_state", /no signer's folder/));
  await rm(scene.socket, { force: true });
  const left = net.createServer();
  await new Promise<void>((resolve) => left.listen(scene.socket, resolve));
  await assert.rejects(scene.start(), isRefusal("bad_state", /served by a signer already/));
  // A server that ends takes its socket with it; one that dies doesn't.
  const dead = path.join(scene.folder, "run", "dead");
  const { promise, resolve } = Promise.withResolvers<void>();
  await rename(scene.socket, dead);
  left.close(() => resolve());
  await promise;
  await rename(dead, scene.socket);
  const signer = await scene.start();
  await assert.rejects(scene.start(), isRefusal("bad_state", /is this folder's signer/));
  await (await scene.client()).status();
  await signer.stop();
  assert.ok(!existsSync(scene.socket), "it takes its socket with it");
  assert.ok(!existsSync(`${scene.socket}.lock`));
});

test("a socket isn't made where somebody else could put another in its place", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await chmod(path.dirname(scene.socket), 0o777);
  await assert.rejects(scene.start(), isRefusal("bad_state", /can be written by others/));
  await chmod(path.dirname(scene.socket), 0o755);
  await scene.start();
});

test("what a gateway seals besides stays its own, and opens without the signer", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  const gateway = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  const { keys, unlock } = statePaths(gateway.config.state);
  await gateway.stop();
  const folder = await openKeyFolder(keys, { file: unlock });
  assert.deepEqual(
    (await folder.list()).map(({ name }) => name),
    kept,
  );
  assert.equal((await folder.secret("sessions")).length, 32);
});

test("an operator's commands make root keys with the signer, and none in the gateway's folder", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  const secret = path.join(scene.folder, "state", "signer.key");
  const elsewhere = path.join(scene.folder, "shared-secret");
  await rename(secret, elsewhere);
  const yaml = `signer: { socket: ./run/s, secret: { file: ${elsewhere} } }\n${openPolicy}`;
  const { config } = await testGateway(t, yaml, { folder: scene.folder });
  const clock = systemClock;
  await rotateRoot(config, "client", clock);
  await retireRoots(config, "client", { isEarly: true, clock });
  await replaceCompromised(config, "client", clock);
  // As it lies by default.
  await copyFile(elsewhere, secret);
  await replaceCompromised(config, "client", clock);
  assert.deepEqual(await listGrants(config), []);
  const clients = (await listRoots(config, clock)).filter(({ purpose }) => purpose === "client");
  assert.deepEqual(
    clients.map(({ state }) => state),
    ["retired", "compromised", "compromised", "issuing"],
  );
  const made = ["client-root.2.json", "client-root.3.json", "client-root.4.json"];
  const inside = async (folder: string): Promise<readonly string[]> =>
    (await readdir(folder)).filter((name) => name.startsWith("client-root.")).toSorted();
  assert.deepEqual(await inside(signerPaths(scene.state).keys), ["client-root.json", ...made].toSorted());
  assert.deepEqual(await inside(statePaths(config.state).keys), []);
});

test("a backup beside a signer says what it lacks, and a gateway restored from it starts with that signer", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  const yaml = scene.yaml + openPolicy;
  const first = await testGateway(t, yaml, { folder: scene.folder });
  await first.stop();
  const { config } = first;
  const [file, phrase] = [path.join(scene.folder, "backup"), path.join(scene.folder, "passphrase")];
  await writeFile(phrase, "a passphrase of the backup's own");
  const kept = { file, passphrase: { file: phrase }, clock: systemClock };
  const yamlFile = path.join(scene.folder, "latticegate.yaml");
  await writeFile(yamlFile, `state: ./state\n${yaml}`);
  const { code, stdout } = await cli([
    ..."ca backup --config".split(" "),
    yamlFile,
    "--passphrase-file",
    phrase,
    file,
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /root and log keys aren't in it: the signer has them/);
  const anchors = ["server-root-classical.pem", "client-root-classical.pem"];
  const read = (): Promise<readonly string[]> =>
    Promise.all(anchors.map((name) => readFile(path.join(config.state, name), "utf8")));
  const before = await read();
  const log = path.join(scene.folder, "log");
  await rename(statePaths(config.state).log, log);
  await restoreBackup(config, { ...kept, log, isReplacing: true });
  assert.deepEqual(await read(), before);
  const again = await testGateway(t, yaml, { folder: scene.folder });
  await enrol(again);
  assert.equal(await verdict(again), "intact");
});

test("what a signer can't sign is refused before any key is made: requests, imports, drills", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  const { config } = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  const before = await readdir(signerPaths(scene.state).keys);
  const options = { purpose: "client", file: "none.pem", clock: systemClock } as const;
  const refused = isRefusal("bad_state", /with a signer, which signs no request/);
  await assert.rejects(requestIssuing(config, "client", systemClock), refused);
  await assert.rejects(importIssuing(config, options), refused);
  const log = systemLog({ level: "error", form: "json", write: () => undefined });
  const steps = await Array.fromAsync(drill(config, { clock: systemClock, log }));
  assert.deepEqual(
    steps.map(({ isGood }) => isGood),
    [false],
  );
  assert.match(steps[0]?.text ?? "", /with a signer, which a drill can't copy/);
  assert.deepEqual(await readdir(signerPaths(scene.state).keys), before);
});

test("keys of generations that ended sign no fresh root after they were moved", async (t) => {
  const scene = await signerScene(t);
  const { config, stop } = await testGateway(t, openPolicy, { folder: scene.folder });
  await rotateRoot(config, "client", systemClock);
  await retireRoots(config, "client", { isEarly: true, clock: systemClock });
  await requestIssuing(config, "server", systemClock);
  await replaceCompromised(config, "server", systemClock);
  await stop();
  const names = await scene.init();
  await scene.start();
  const client = await scene.client();
  const ended = [
    ["client", 1, "client-root"],
    ["server", 1, "server-root"],
    ["server", 2, "server-root.2"],
  ] as const;
  for (const [purpose, generation, name] of ended) {
    assert.ok(names.includes(name), name);
    const key = await client.signing(name, "ML-DSA-65");
    await assert.rejects(
      createRoot(config.trust_domain, { purpose, generation }, key, Date.now()),
      isRefusal("signer_refused"),
      name,
    );
  }
  for (const [, , name] of ended) {
    const isSaid = (line: string): boolean => line.includes(`"${name}"`) && line.includes("was made already");
    assert.ok(scene.log.some(isSaid), name);
  }
  const after = await testGateway(t, scene.yaml + openPolicy, { folder: scene.folder });
  await enrol(after);
});
