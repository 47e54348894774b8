/**
 * kill -9 in the middle of 1,000 calls, again and again: after each restart the log verifies, and every
 * call that reached the server has its decision in it. `LATTICEGATE_KILL_ROUNDS` sets how often; 20 by default.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { Pool } from "undici";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { parseConfig } from "../../src/app/config.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { readEntry } from "../../src/audit/entry.ts";
import { generateKeyPair } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { join } from "../../src/host/net/enrol-client.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { systemClock } from "../../src/host/system.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";
import { atEnd } from "../support/cleanup.ts";
import { latticegate } from "../support/cli.ts";
import { openPolicy, stubServer, temporaryFolder, toolCall } from "../support/gateway.ts";

const rounds = Number(process.env["LATTICEGATE_KILL_ROUNDS"] ?? 20);
const callsPerRound = 1000;
const connections = 16;

test(`kill -9 in the middle of ${callsPerRound} calls loses nothing, ${rounds} times in a row`, async (t) => {
  const stub = await stubServer(t);
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "latticegate.yaml");
  const yaml = `state: ./state\nlisten: 127.0.0.1:0\ndashboard: "off"\nservers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
  await writeFile(file, yaml);
  const config = parseConfig(yaml, file);
  const paths = statePaths(config.state);
  let gateway = await start(file, paths.run);
  atEnd(t, () => gateway.process.kill("SIGKILL"));

  for (let round = 1; round <= rounds; round++) {
    const sent = await callUntilKilled(gateway, config, round);
    assert.ok(sent.answered > 0 && sent.answered < callsPerRound, "it was killed in the middle");
    gateway = await start(file, paths.run);
    await checkLog(
      paths,
      stub.seen.map(({ body }) => toolNameIn(body)),
      round,
    );
    t.diagnostic(`round ${round}: ${sent.answered} of ${callsPerRound} calls answered before the kill`);
  }
});

interface Running {
  readonly process: ChildProcess;
  readonly address: string;
}

async function start(configFile: string, runFile: string): Promise<Running> {
  const child = spawn(process.execPath, latticegate(["up", "--config", configFile]), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (text: Buffer) => {
      if (text.includes("Latticegate is up")) resolve();
    });
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${String(code)}`)));
  });
  const run = JSON.parse(await readFile(runFile, "utf8")) as { listen: string };
  return { process: child, address: run.listen };
}

async function callUntilKilled(
  gateway: Running,
  config: ReturnType<typeof parseConfig>,
  round: number,
): Promise<{ readonly answered: number }> {
  const token = readJoinToken(
    await makeJoinToken(config, { path: "agent/kill", address: gateway.address }, systemClock),
  );
  const key = generateKeyPair(signatureSuite("ML-DSA-65"));
  const identity = await join(token, createSigningRequest(key), config.profile);
  const pool = new Pool(`https://${gateway.address}`, {
    connections,
    connect: clientTlsOptions({
      profile: config.profile,
      serverRoots: identity.server_roots,
      peerSpiffeId: identity.gateway,
      credentials: credentialsOf(key, identity.certificate),
    }) as object,
  });
  // Another moment each round, never the first or the last call.
  const killAfter = 50 + ((round * 137) % (callsPerRound - 200));
  const exited = new Promise((resolve) => gateway.process.once("exit", resolve));
  let answered = 0;
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < callsPerRound) {
      const name = `r${round}c${next++}`;
      const answer = await pool.request({
        path: "/mcp/stub",
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(toolCall(name)),
      });
      await answer.body.dump();
      if (++answered === killAfter) gateway.process.kill("SIGKILL");
    }
  };
  await Promise.allSettled(Array.from({ length: connections }, caller));
  await exited;
  await pool.destroy();
  return { answered };
}

async function checkLog(
  paths: ReturnType<typeof statePaths>,
  reached: readonly string[],
  round: number,
): Promise<void> {
  const decided = new Set<string>();
  const open = new Set<string>();
  for await (const { bytes } of openLogReader(paths.log).forwards()) {
    const reading = readEntry(bytes);
    assert.equal(reading.kind, "entry");
    if (reading.kind !== "entry") continue;
    const { event, callId, tool } = reading.entry;
    if (event === "call.decision") {
      decided.add(tool ?? "");
      open.add(callId);
    }
    if (event === "call.outcome") assert.ok(open.delete(callId), "each outcome ends one call that was open");
  }
  const undecided = reached.filter((name) => !decided.has(`stub/${name}`));
  assert.deepEqual(undecided, [], "every call that reached the server has its decision");
  assert.equal(open.size, 0, "every call has an outcome, also those that were under way");
  const verdict = await verifyLogFolder({ folder: paths.log, key: paths.logKey });
  assert.equal(verdict.kind, "intact", `round ${round}: ${JSON.stringify(verdict)}`);
}

function toolNameIn(body: string): string {
  return (JSON.parse(body) as { params: { name: string } }).params.name;
}
