/** `connect` and `expose` as witnesses: beside the calls, and what becomes of calls when the log lies. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { connectHttp } from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { openSidecarIdentity } from "../../src/app/sidecar-identity.ts";
import { startWitness, type Witness } from "../../src/app/witnessing.ts";
import { isThere } from "../../src/host/store/files.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Log } from "../../src/kernel/log.ts";
import { atEnd } from "../support/cleanup.ts";
import { breakableLink } from "../support/breakable-link.ts";
import { cli, startCli, type Started } from "../support/cli.ts";
import { eventually, toolCall } from "../support/gateway.ts";
import { rememberingLog } from "../support/log-fixture.ts";
import { lyingGateway, type WitnessProcess, witnessState } from "../support/witnesses.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });

/** `latticegate connect stub --http 0` on a witness's state. */
async function connected(
  t: TestContext,
  { state, token }: WitnessProcess,
  mode: "report" | "refuse",
): Promise<Started & { readonly call: () => ReturnType<typeof post> }> {
  const args = [
    "connect",
    "stub",
    "--http",
    "0",
    "--state",
    state,
    "--join",
    token,
    "--on-log-incident",
    mode,
  ];
  const started = await startCli(t, args, /^stub is at (\S+)$/);
  return { ...started, call: () => post(started.groups[0] ?? "") };
}

async function post(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(toolCall("echo")),
  });
  return { status: answer.status, text: await answer.text() };
}

/** Once the witness has cosigned what it saw, it has also kept it. */
async function hasCosigned({ state }: WitnessProcess): Promise<void> {
  await eventually("a cosigned head", () => isThere(path.join(state, "witness", "cosigned")), 20_000);
}

test("connect witnesses the log by itself; a log that lies is told, or stops calls until a person accepts it", async (t) => {
  const house = await lyingGateway(t);
  const witness = await witnessState(t, house.gateway(), "agent/a");
  const older = await house.save();
  await house.restart(() => house.append(20, "honest"));
  const first = await connected(t, witness, "refuse");
  assert.equal((await first.call()).status, 200);
  await hasCosigned(witness);
  const kept = await witness.kept();
  await first.stop();
  await house.restart(() => house.put(older));
  const telling = await connected(t, witness, "report");
  await eventually("the incident in its log", () => telling.stderr().includes("log.incident"), 20_000);
  assert.match(telling.stderr(), /truncation|rollback/);
  assert.equal((await telling.call()).status, 200, "calls go on");
  await telling.stop();
  const refusing = await connected(t, witness, "refuse");
  const refused = await refusing.call();
  assert.equal(refused.status, 503, refused.text);
  assert.match(
    refused.text,
    /audit log isn't the one seen before \((truncation|rollback)\).*audit witness accept/,
  );
  await refusing.stop();
  assert.equal(await witness.kept(), kept);
  assert.equal((await witness.accept()).code, 0);
  const again = await connected(t, witness, "refuse");
  assert.equal((await again.call()).status, 200);
});

test("an exposed server witnesses its gateway's log, and takes no calls while it lies if it was told so", async (t) => {
  const house = await lyingGateway(t);
  const server = await witnessState(t, house.gateway(), "server/files");
  const caller = await witnessState(t, house.gateway(), "agent/caller");
  const older = await house.save();
  await house.restart(() => house.append(20, "honest"));
  const expose = async () =>
    startExpose({
      server: { url: house.stub.url },
      listen: "127.0.0.1:0",
      allow: ["spiffe://latticegate.local/agent/*"],
      state: server.state,
      joinToken: server.token,
      onLogIncident: "refuse",
      clock: systemClock,
      log: silent,
    });
  const call = async (): Promise<string> => {
    const exposed = await expose();
    const connection = await connectHttp(
      {
        target: exposed.url,
        peer: exposed.spiffeId,
        state: caller.state,
        joinToken: caller.token,
        clock: systemClock,
        log: silent,
      },
      0,
    );
    try {
      return (await post(connection.url)).text;
    } finally {
      await connection.close();
      await exposed.stop();
    }
  };
  const exposed = await expose();
  await hasCosigned(server);
  await exposed.stop();
  assert.match(await call(), /"result"/);
  await house.restart(() => house.put(older));
  const seeing = await expose();
  await eventually("an incident", () => isThere(path.join(server.state, "witness", "incident")), 20_000);
  await seeing.stop();
  assert.match(await call(), /Denied by policy.*audit log isn't the one seen before/);
  assert.equal((await server.accept()).code, 0);
  assert.match(await call(), /"result"/);
});

async function watching(t: TestContext, witness: WitnessProcess, log: Log = silent): Promise<Witness> {
  const { state, token: joinToken } = witness;
  const identity = await openSidecarIdentity({ state, joinToken, clock: systemClock, log: silent });
  atEnd(t, identity.stop);
  const started = await startWitness({
    identity,
    state,
    clock: systemClock,
    log,
    everyMs: 20,
    lookMs: 500,
    freezeAfterMs: 50,
  });
  atEnd(t, started.stop);
  return started;
}

test("a log that stands still although calls are carried out is an incident, until it goes on", async (t) => {
  const house = await lyingGateway(t);
  const witness = await witnessState(t, house.gateway(), "agent/a");
  const started = await watching(t, witness);
  await hasCosigned(witness);
  // Of this call the gateway's log says nothing: as if its heads were held back.
  await eventually("an incident", () => {
    started.called(performance.now());
    return started.incident()?.what === "frozen";
  });
  await house.gateway().audit.journal.append({
    event: "call.decision",
    atUnixMs: Date.now(),
    callId: "later",
    principal: "spiffe://latticegate.local/agent/a",
    tool: null,
    outcome: "allowed",
    facts: {},
  });
  await eventually("a newer head", () => started.incident() === undefined);
});

test("a gateway that leaves each question unanswered doesn't keep its witness from telling that no head comes", async (t) => {
  const house = await lyingGateway(t);
  const link = await breakableLink(t, house.gateway().address);
  const { address } = link;
  const witness = await witnessState(t, { ...house.gateway(), address }, "agent/a");
  const started = await watching(t, witness);
  await hasCosigned(witness);
  link.stall();
  await eventually(
    "an incident",
    () => {
      started.called(performance.now());
      return started.incident()?.what === "frozen";
    },
    15_000,
  );
});

test("a gateway that is away, or has nothing to do, isn't one that holds heads back", async (t) => {
  const house = await lyingGateway(t);
  const witness = await witnessState(t, house.gateway(), "agent/a");
  const log = rememberingLog();
  const { events } = log;
  const started = await watching(t, witness, log);
  await hasCosigned(witness);
  await house.restart(async () => {
    const calledMs = performance.now();
    started.called(calledMs);
    await eventually("it looked in vain", () => events.includes("witness.failed"));
    await eventually("and for longer than calls may wait", () => performance.now() > calledMs + 200);
    assert.equal(started.incident(), undefined);
  });
  await eventually("its restart is seen", async () => (await witness.look()).code === 0);
  assert.equal(started.incident(), undefined);
});

test("processes that share a state folder witness one after the other", async (t) => {
  const house = await lyingGateway(t);
  const witness = await witnessState(t, house.gateway(), "agent/a");
  // Once it has joined, nothing is written any more, and all of them see the same head.
  assert.equal((await witness.look()).code, 0);
  await house.gateway().audit.journal.checkpoint();
  await rm(path.join(witness.state, "witness"), { recursive: true });
  const looks = await Promise.all([1, 2, 3].map(() => witness.look()));
  for (const { code, stdout, stderr } of looks) assert.equal(code, 0, stdout + stderr);
  assert.equal(looks.filter(({ stdout }) => stdout.includes("; cosigned")).length, 1);
  const listed = await cli(["audit", "witnesses", "--config", house.configFile]);
  assert.equal(listed.stdout.trim().split("\n").length, 1);
});
