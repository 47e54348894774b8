/** Witnesses of the audit log, in processes of their own, and a gateway that lies to them with its real keys. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFile, cp, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { checkpointBody } from "../../src/audit/checkpoint.ts";
import { cosignatureBytes, witnessName } from "../../src/audit/cosignature.ts";
import { readIncident } from "../../src/audit/incident.ts";
import { readHead } from "../../src/audit/head.ts";
import { readLogKey } from "../../src/crypto/log-key.ts";
import { noteSigner } from "../../src/crypto/note-keys.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { cli, type Ended } from "../support/cli.ts";
import { clientOf, enrol, eventually, temporaryFolder } from "../support/gateway.ts";
import { newSigningKey } from "../support/keys.ts";
import { entriesOf } from "../support/records.ts";
import { type LyingGateway, lyingGateway, type WitnessProcess, witnessState } from "../support/witnesses.ts";

interface Scene {
  readonly house: LyingGateway;
  readonly a: WitnessProcess;
  readonly b: WitnessProcess;
}

/** Two witnesses that have seen the log while it was honest. */
async function scene(t: TestContext): Promise<Scene> {
  const house = await lyingGateway(t);
  const a = await witnessState(t, house.gateway(), "agent/a");
  const b = await witnessState(t, house.gateway(), "agent/b");
  for (const witness of [a, b]) consistent(await witness.look());
  return { house, a, b };
}

function consistent({ code, stdout, stderr }: Ended): void {
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^consistent: \d+ entries/);
}

function convicts({ code, stdout, stderr }: Ended, kind: string): void {
  assert.equal(code, 1, stdout + stderr);
  assert.match(stdout, new RegExp(`^incident: .*\\(${kind}\\)`));
}

/** Heads tell by the second which of them was signed later. */
async function nextSecond(): Promise<void> {
  const second = () => Math.floor(Date.now() / 1000);
  const before = second();
  await eventually("the next second", () => second() > before);
}

/** Two histories that go on from where the log is, of the same length, both signed by its keys. */
async function twoHistories({ house }: Scene): Promise<readonly [string, string]> {
  const copies: string[] = [];
  await house.restart(async () => {
    const base = await house.save();
    for (const marker of ["one", "two"]) {
      await house.put(base);
      await house.append(3, marker);
      copies.push(await house.save());
    }
    await house.put(base);
  });
  return [copies[0] ?? "", copies[1] ?? ""];
}

test("a split view is proven by two witnesses who each saw a consistent history", async (t) => {
  const all = await scene(t);
  const { house, a, b } = all;
  const [one, two] = await twoHistories(all);
  await house.restart(() => house.put(one));
  consistent(await a.look());
  await house.restart(() => house.put(two));
  consistent(await b.look());
  const nobody = await temporaryFolder(t);
  const compare = (...more: string[]) =>
    cli(["audit", "witness", "compare", a.state, b.state, "--state", nobody, ...more]);
  const compared = await compare();
  assert.equal(compared.code, 1, compared.stderr);
  assert.match(compared.stdout, /^split view: Two heads of \d+ entries have different roots/);
  for (const kept of [await a.kept(), await b.kept()]) assert.ok(compared.stdout.includes(kept));
  // Whichever of the two goes on, the log can't prove the other's head any more.
  await house.restart();
  consistent(await b.look());
  const later = await compare("--log", house.log);
  assert.equal(later.code, 1, later.stderr);
  assert.match(later.stdout, /^split view: Its head of \d+ entries doesn't continue the one of \d+/);
  assert.match((await compare()).stdout, /^not proven: Their sizes differ/);
});

test("witnesses of one honest history are told that it is one, whatever their sizes", async (t) => {
  const { house, a, b } = await scene(t);
  await house.restart();
  consistent(await b.look());
  const compared = await cli(["audit", "witness", "compare", b.state, "--state", a.state]);
  assert.equal(compared.code, 0, compared.stdout + compared.stderr);
  assert.match(compared.stdout, /^one history: 2 heads, the newest of \d+ entries/);
});

test("a witness that is moved from one history to the other convicts the log at once, with both heads", async (t) => {
  const all = await scene(t);
  const { house, a } = all;
  const [one, two] = await twoHistories(all);
  await house.restart(() => house.put(one));
  consistent(await a.look());
  const kept = await a.kept();
  await house.restart(() => house.put(two));
  convicts(await a.look(), "split-view");
  const folder = path.join(a.state, "witness", "incidents");
  const [name = ""] = await readdir(folder);
  const incident = readIncident(await readFile(path.join(folder, name)));
  assert.ok(incident);
  const keys = readLogKey(incident.keys);
  assert.equal(Buffer.from(incident.kept).toString(), kept);
  for (const head of [incident.kept, incident.shown]) assert.equal(readHead(head, keys).kind, "signed");
  assert.equal(await a.kept(), kept, "what was seen is kept");
  assert.match((await a.look()).stdout, /^open incident: /, "until a person accepts it");
});

test("a log whose older head is shown again was rolled back", async (t) => {
  const { house, a, b } = await scene(t);
  const older = path.join(await house.save(), "checkpoint");
  await house.restart();
  consistent(await a.look());
  const whole = await house.save();
  await copyFile(older, path.join(house.log, "checkpoint"));
  convicts(await a.look(), "rollback");
  consistent(await b.look());
  const nobody = await temporaryFolder(t);
  const against = (log: string) =>
    cli(["audit", "witness", "compare", a.state, "--log", log, "--state", nobody]);
  assert.match((await against(path.dirname(older))).stdout, /^split view: It has \d+ entries, and had \d+/);
  assert.match((await against(whole)).stdout, /^one history: 1 heads/);
});

test("a log that was restored from an older copy and went on was truncated; grown beyond, it is another history", async (t) => {
  const { house, a, b } = await scene(t);
  const older = await house.save();
  for (let i = 0; i < 2; i++) await house.restart();
  await house.restart(() => house.append(20, "honest"));
  consistent(await a.look());
  consistent(await b.look());
  await nextSecond();
  await house.restart(() => house.put(older));
  convicts(await a.look(), "truncation");
  await house.restart(() => house.append(40, "other"));
  convicts(await b.look(), "split-view");
});

test("an incident stands in the gateway's log and lists until it is accepted, and then the log is witnessed on", async (t) => {
  const { house, a, b } = await scene(t);
  const older = await house.save();
  await house.restart(() => house.append(20, "honest"));
  consistent(await a.look());
  await nextSecond();
  await house.restart(() => house.put(older));
  convicts(await a.look(), "truncation");
  const list = () => cli(["audit", "witnesses", "--config", house.configFile]);
  const listed = await list();
  assert.equal(listed.code, 1);
  assert.match(listed.stdout, /incident: truncation, spiffe:\/\/latticegate\.local\/agent\/a at /);
  const status = await cli(["status", "--config", house.configFile]);
  assert.match(status.stdout, /truncation reported by spiffe:\/\/latticegate\.local\/agent\/a/);
  const accepted = await a.accept();
  assert.equal(accepted.code, 0, accepted.stderr);
  assert.match(accepted.stdout, /^accepted: truncation\./);
  assert.doesNotMatch((await list()).stdout, /incident:/);
  assert.equal((await a.accept()).stdout, `No incident is open in ${a.state}.\n`);
  await house.restart();
  consistent(await a.look());
  consistent(await b.look());
  const entries = (await entriesOf(house.gateway())).filter(({ event }) => event === "log.incident");
  assert.deepEqual(
    entries.map(({ principal, facts }) => [principal, facts["kind"]]),
    [
      ["spiffe://latticegate.local/agent/a", "truncation"],
      ["spiffe://latticegate.local/agent/a", "accepted"],
    ],
  );
});

test("an erased witness is named by nothing on the gateway but its certificate in force", async (t) => {
  const { house, a } = await scene(t);
  const older = await house.save();
  await house.restart(() => house.append(20, "honest"));
  consistent(await a.look());
  await nextSecond();
  await house.restart(() => house.put(older));
  convicts(await a.look(), "truncation");
  const state = path.dirname(house.log);
  // Another process looks: who closes a database's file in its own process takes away its locks.
  const naming = () => {
    const { stdout } = spawnSync("grep", ["-rlF", "agent/a", "."], { cwd: state, encoding: "utf8" });
    return stdout.split("\n").filter((file) => file !== "" && !file.startsWith("./state.sqlite"));
  };
  assert.deepEqual(naming(), ["./witnesses.json"]);
  const erase = ["audit", "erase", "spiffe://latticegate.local/agent/a", "--state", state, "--yes"];
  const erased = await cli(erase);
  assert.equal(erased.code, 0, erased.stderr);
  assert.match(erased.stdout, /stays, because it is in force: .* certificates/);
  assert.deepEqual(naming(), []);
  const listed = await cli(["audit", "witnesses", "--config", house.configFile]);
  assert.doesNotMatch(listed.stdout, /agent\/a|incident:/);
});

test("an incident that is reported again and again is one entry, and one line in the list", async (t) => {
  const { house } = await scene(t);
  const gateway = house.gateway();
  const { request } = clientOf(t, gateway, await enrol(gateway, "agent/stranger"));
  const report = { kind: "truncation", says: "x", kept: 2, shown: 1 };
  for (let i = 0; i < 40; i++) {
    const body = JSON.stringify({ ...report, says: `x${i}` });
    assert.equal((await request("", { method: "POST", path: "/log/incident", body })).status, 204);
  }
  const listed = await cli(["audit", "witnesses", "--config", house.configFile]);
  assert.deepEqual(listed.stdout.match(/: x\d+$/gm), [": x0"]);
  assert.equal((await entriesOf(gateway, "log.incident")).length, 1);
});

test("restarts, rotations, other algorithms and a witness that was away are no incident", async (t) => {
  const { house, a, b } = await scene(t);
  await house.restart();
  consistent(await a.look());
  const principal = "spiffe://latticegate.local/gateway";
  for (const profile of ["hybrid", "cnsa-2.0", "hybrid"] as const) {
    const { log: suites } = resolveProfile(profile);
    await house.gateway().audit.rotate({ suites, principal, by: "a test" });
    consistent(await a.look());
  }
  await house.restart(() => house.append(300, "honest"));
  consistent(await b.look());
  consistent(await a.look());
  const verified = await cli(["audit", "verify", "--config", house.configFile]);
  assert.equal(verified.code, 0, verified.stdout);
  assert.match(verified.stdout, /^cosigned by 2 witnesses, up to \d+ entries$/m);
});

test("a log that was begun anew is an incident to who saw the old one, until a person accepts it", async (t) => {
  const { house, a } = await scene(t);
  const keys = path.join(path.dirname(house.log), "keys");
  await house.restart(async () => {
    await rm(house.log, { recursive: true });
    for (const name of await readdir(keys)) {
      if (name.startsWith("log-")) await rm(path.join(keys, name));
    }
  });
  convicts(await a.look(), "other-log");
  const accepted = await a.accept();
  assert.equal(accepted.code, 0, accepted.stderr);
  assert.match(accepted.stdout, /The next log that is shown will be believed, .*audit witness --key FILE/);
  consistent(await a.look());
});

test("who joins another authority witnesses its log, and keeps what it saw of the one before", async (t) => {
  const { a } = await scene(t);
  const other = await witnessState(t, (await lyingGateway(t)).gateway(), "agent/a");
  const kept = await a.kept();
  consistent(await cli(["audit", "witness", "--state", a.state, "--join", other.token]));
  assert.notEqual(await a.kept(), kept);
  const [aside = ""] = (await readdir(a.state)).filter((name) => name.startsWith("witness.until-"));
  assert.equal(await readFile(path.join(a.state, aside, "checkpoint"), "utf8"), kept);
});

test("who asks wrongly, or says what isn't so, is refused by the gateway", async (t) => {
  const { house, a } = await scene(t);
  const gateway = house.gateway();
  const { request } = clientOf(t, gateway, await enrol(gateway, "agent/stranger"));
  const ask = async (method: string, where: string, body?: string): Promise<number> =>
    (await request("", { method, path: where, ...(body !== undefined && { body }) })).status;
  assert.equal(await ask("GET", "/log/keys"), 200);
  assert.equal(await ask("GET", "/log/checkpoint?old=0"), 200);
  assert.equal(await ask("GET", "/log/checkpoint?old=9007199254740991"), 409);
  assert.equal(await ask("GET", "/log/crossings/2"), 404);
  for (const [method, where] of [
    ["GET", "/log/checkpoint"],
    ["GET", "/log/checkpoint?old=-1"],
    ["GET", "/log/checkpoint?old=01"],
    ["GET", "/log/crossings/../../keys"],
    ["GET", "/log/tile/0/000"],
    ["POST", "/log/keys"],
  ] as const) {
    assert.equal(await ask(method, where), 405, `${method} ${where}`);
  }
  const report = { kind: "truncation", says: "x", kept: 2, shown: 1 };
  for (const bad of ["", "{}", JSON.stringify({ ...report, kind: "none" }), "x".repeat(9000)]) {
    assert.ok([400, 413].includes(await ask("POST", "/log/incident", bad)), bad.slice(0, 20));
  }
  // A cosignature of this log, of another, and of one that was changed.
  const name = witnessName("latticegate.local", "12345678");
  const signer = noteSigner("ml-dsa-44", name, newSigningKey("ml-dsa-44"));
  const [origin = "", size = "", root = ""] = (await a.kept()).split("\n");
  const cosigned = async (entries: number, base64: string, atUnixS: number): Promise<number> => {
    const body = checkpointBody(origin, entries, Buffer.from(base64, "base64"));
    const bytes = await cosignatureBytes(body, signer, atUnixS);
    return await ask("POST", "/log/cosignature", Buffer.from(bytes).toString());
  };
  const now = Math.floor(Date.now() / 1000);
  assert.equal(await cosigned(Number(size), root, now), 204);
  assert.equal(await cosigned(Number(size), root, now + 3600), 400, "of a time to come");
  assert.equal(await cosigned(Number(size) - 1, root, now), 400, "of another history");
  assert.equal(await cosigned(Number(size) + 1000, root, now), 400, "of what isn't there yet");
  assert.equal(await ask("POST", "/log/cosignature", "x".repeat(10_000)), 413);
});

test("cosignatures say which log a witness saw, also on a copy that doesn't name it", async (t) => {
  const { house, a } = await scene(t);
  const listed = await cli(["audit", "witnesses", "--config", house.configFile]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(
    listed.stdout,
    /spiffe:\/\/latticegate\.local\/agent\/a {2}latticegate\.local\/witness\/\S{8} /,
  );
  const older = await house.save();
  await house.restart(() => house.append(20, "honest"));
  consistent(await a.look());
  const copied = await cli(["audit", "witnesses", "--log", await house.save()]);
  assert.equal(copied.code, 0, copied.stderr);
  assert.doesNotMatch(copied.stdout, /spiffe:/);
  // The cosignatures outlive the entries: somebody cut the log, and left them.
  for (const file of ["checkpoint", "tile", "open"]) {
    await rm(path.join(house.log, file), { recursive: true });
    await cp(path.join(older, file), path.join(house.log, file), { recursive: true });
  }
  const verified = await cli(["audit", "witnesses", "--config", house.configFile]);
  assert.equal(verified.code, 1);
  assert.match(verified.stdout, /SAW ANOTHER LOG/);
});
