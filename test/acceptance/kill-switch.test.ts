/** The kill switch: four sources, each of which stops all calls at once and is withdrawn by itself. */
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { killFileOf, killOff, killOn, killsStanding } from "../../src/app/respond/kill-operations.ts";
import { drillKill } from "../../src/app/respond/kill-drill.ts";
import { systemClock } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { cli, startCli } from "../support/cli.ts";
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

const by = "operator:test";
const on = (source: "cli" | "api" | "signal") =>
  ({ source, by, because: "Enough.", sinceUnixMs: systemClock.nowUnixMs() }) as const;
const off = () => ({ by, because: "Fine again.", nowUnixMs: systemClock.nowUnixMs() });

test("while a source of the kill switch is on, no call passes, not even where rules are only observed, also after a restart", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { bank: { url: "${stub.url}" } }\n${openPolicy}`;
  const first = await testGateway(t, yaml, { observes: true });
  const enrolment = await enrol(first, "agent/a");
  const client = clientOf(t, first, enrolment);
  const passes = async (by = client): Promise<boolean> =>
    (await by.post("bank", toolCall("pay")).catch(() => undefined))?.status === 200;
  assert.equal(await passes(), true);

  killOn(first.config, on("cli"));
  await eventually("calls are stopped", async () => !(await passes()));
  const answer = await client.post("bank", toolCall("pay"));
  assert.equal(answer.status, 503);
  assert.match(answer.text, /"code":-31503,"message":"All calls are stopped here \(cli: Enough\.\)\."/);
  const calls = stub.seen.length;
  killOn(first.config, on("api"));
  killOff(first.config, "cli", off());
  await eventually("the other source stands alone", async () =>
    (await client.post("bank", toolCall("pay"))).text.includes("(api: Enough.)"),
  );
  assert.equal(stub.seen.length, calls, "nothing reached the server");
  const outcome = (await entriesOf(first, "call.outcome")).at(-1);
  assert.deepEqual([outcome?.outcome, outcome?.facts["reason"]], ["denied", "stopped"]);
  assert.match(outcome?.facts["world"] ?? "", /^[\w-]{43}$/);
  await first.stop();

  const second = await testGateway(t, yaml, { folder: first.folder });
  const again = clientOf(t, second, enrolment);
  assert.equal((await again.post("bank", toolCall("pay"))).status, 503, "from the first call on");
  killOff(second.config, "api", off());
  await eventually("calls pass", () => passes(again));
  await second.stop();
  const entries = (await entriesOf(second)).filter(({ event }) => event.startsWith("kill."));
  assert.deepEqual(
    entries.map(({ event, facts }) => `${event} ${facts["source"]}`),
    ["kill.on cli", "kill.on api", "kill.off cli", "kill.off api"],
  );
});

test("a file stops all calls while it is there, and what runs is ended with it: a stream of a server, an answer that is awaited", async (t) => {
  const stub = await stubServer(t, (_request, response, body) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (body.includes("stream")) response.write('data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n');
  });
  const yaml = `servers: { bank: { url: "${stub.url}" } }\nresponse: { kill_file: ./stop }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml);
  const client = clientOf(t, gateway, await enrol(gateway, "agent/a"));
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const body = JSON.stringify(toolCall("stream"));
  const stream = await client.stream("bank", { headers, body });
  const events = stream.events[Symbol.asyncIterator]();
  await events.next();
  const awaited = client.post("bank", toolCall("slow")).then(
    () => "answered",
    () => "cut",
  );
  await eventually("both are under way", () => stub.seen.length === 2);
  const file = killFileOf(gateway.config);
  assert.equal(file, path.join(gateway.folder, "stop"));
  await writeFile(file, "Smoke in the house.\nmore");
  await assert.rejects(async () => {
    while ((await events.next()).done !== true);
  }, "the stream breaks off");
  assert.equal(await awaited, "cut");
  assert.match((await client.post("bank", toolCall("pay"))).text, /\(file: Smoke in the house\.\)/);
  await rm(file);
  await eventually("it is withdrawn", () => killsStanding(gateway.config, systemClock).length === 0);
  await eventually("both are on record", async () => (await entriesOf(gateway, "kill.off")).length === 1);
  const reasons = (await entriesOf(gateway, "call.outcome")).map(({ facts }) => facts["reason"]);
  assert.deepEqual([reasons[0], reasons[1]], ["stopped", "stopped"]);
});

test("the drill proves each source on the gateway that runs, says how fast it was, and ends nobody else's stop", async (t) => {
  const stub = await stubServer(t);
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "latticegate.yaml");
  await quicklyUnlocked(path.join(folder, "state"));
  await writeFile(
    file,
    `state: ./state\nlisten: 127.0.0.1:0\ndashboard: off\nservers: { bank: { url: "${stub.url}" } }\n`,
  );
  const run = (...args: readonly string[]) => cli([...args, "--config", file]);
  const gateway = await startCli(t, ["up", "--config", file], /is up at (\S+)/);
  const drill = await run("kill", "drill");
  assert.equal(drill.code, 0, drill.stdout + drill.stderr);
  const figure = /^ok {5}(\w+) +refused after (\d+) ms, open again after \d+ ms$/;
  const lines = drill.stdout
    .trimEnd()
    .split("\n")
    .slice(0, -1)
    .map((line) => figure.exec(line));
  assert.deepEqual(
    lines.map((line) => line?.[1]),
    ["cli", "api", "signal", "file"],
  );

  assert.equal((await run("kill", "on", "--because", "Mine.")).code, 0);
  const refused = await run("kill", "drill");
  assert.match(refused.stderr, /All calls are stopped already, by cli \(Mine\.\); a drill doesn't end that/);
  assert.match((await run("status")).stdout, /^STOPPED {3}ALL CALLS ARE REFUSED: Mine\. \(cli, operator:/);
  assert.equal((await run("kill", "status")).code, 1);
  assert.equal((await run("kill", "off", "--because", "Fine.")).code, 0);
  assert.match((await run("kill", "status")).stdout, /^calls are taken/);
  assert.equal(await gateway.stop(), 0);
  assert.equal((await run("kill", "on")).code, 2, "without a reason nothing is stopped");
});

test("a drill on no gateway, or by a signal that would end it, is refused", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { bank: { url: "${stub.url}" } }`);
  const drill = (source: "signal") => drillKill(gateway.config, [source], { by, clock: systemClock }).next();
  const isRefusal = (text: RegExp) => (error: unknown) =>
    error instanceof Refusal && text.test(error.message);
  await assert.rejects(drill("signal"), isRefusal(/doesn't hear the signal/));
  await gateway.stop();
  await assert.rejects(drill("signal"), isRefusal(/No gateway runs/));
});
