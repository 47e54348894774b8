/**
 * The engine is changed at full speed: profile there and back, roots and TLS keys, again and again, while clients call
 * through their sidecars at a constant rate. No call fails, none comes on a suite whose time was over, and the log
 * verifies. `LATTICEGATE_ROUNDS` sets how often; 5 by default.
 */
import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { Pool } from "undici";

import { readEntry } from "../../src/audit/entry.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import { echoResult, eventually, stubServer } from "../support/gateway.ts";
import { gatewayProcess, type GatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";

const rounds = Number(process.env["LATTICEGATE_ROUNDS"] ?? 5);
/** Each signed and answered with a signature; with the commands beside them two cores carry some 150. */
const callsPerSecond = 100;
const sidecars = 4;
const connectionsEach = 5;
/** So that the rate keeps all connections busy. */
const answerAfterMs = 80;
/** How long what the old profile has is taken: short, so that the deadline is passed under load too. */
const overlapSeconds = 6;
const patienceMs = 60_000;

interface Outcome {
  readonly ms: number;
  readonly failure?: string;
}

interface Load {
  readonly outcomes: readonly Outcome[];
  readonly stop: () => Promise<void>;
}

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

async function called(pool: Pool, where: string, id: number): Promise<Outcome> {
  const began = performance.now();
  const params = { name: "echo", arguments: {}, _meta: meta };
  const body = JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params });
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "echo",
  };
  const failure = await pool.request({ path: where, method: "POST", headers, body }).then(
    async (answer) => {
      const text = await answer.body.text();
      return answer.statusCode === 200 && text.includes('"result"')
        ? undefined
        : `${answer.statusCode} ${text}`;
    },
    (error: unknown) => String(error),
  );
  return { ms: performance.now() - began, ...(failure !== undefined && { failure }) };
}

/** Calls at a constant rate, one sidecar after the other. */
function load(t: Cleanup, urls: readonly URL[]): Load {
  const pools = urls.map((url) => new Pool(url.origin, { connections: connectionsEach, pipelining: 1 }));
  atEnd(t, async () => void (await Promise.all(pools.map((pool) => pool.destroy()))));
  const over = new AbortController();
  const outcomes: Outcome[] = [];
  const run = async (): Promise<void> => {
    const calls: Promise<unknown>[] = [];
    const began = performance.now();
    for (let id = 1; !over.signal.aborted; id++) {
      const at = id % pools.length;
      const [pool, url] = [pools[at], urls[at]];
      if (pool === undefined || url === undefined) break;
      calls.push(called(pool, url.pathname, id).then((outcome) => outcomes.push(outcome)));
      const aheadMs = (id * 1000) / callsPerSecond - (performance.now() - began);
      if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
    await Promise.all(calls);
  };
  const running = run();
  const stop = async (): Promise<void> => {
    over.abort();
    await running;
  };
  return { outcomes, stop };
}

async function command(gateway: GatewayProcess, ...words: readonly string[]): Promise<string> {
  const ended = await cli([...words, "--config", gateway.configFile]);
  assert.equal(ended.code, 0, `${words.join(" ")}: ${ended.stderr}`);
  return ended.stdout;
}

/** Applies a profile and waits until what was before it is over. */
async function goOver(gateway: GatewayProcess, profile: string): Promise<void> {
  await command(gateway, "crypto", "apply", profile, "--overlap", `${overlapSeconds}s`);
  await new Promise((resolve) => setTimeout(resolve, (overlapSeconds + 1) * 1000));
}

/** New roots, and the old ones ended as soon as nobody needs them. */
async function rotateRoots(gateway: GatewayProcess): Promise<void> {
  await command(gateway, "ca", "rotate");
  for (const purpose of ["server", "client"]) {
    await eventually(
      `the old ${purpose} root can be retired`,
      async () => {
        const ended = await cli(["ca", "retire", "--for", purpose, "--config", gateway.configFile]);
        if (ended.code !== 0) await new Promise((resolve) => setTimeout(resolve, 500));
        return ended.code === 0;
      },
      patienceMs,
    );
  }
}

interface Change {
  readonly atUnixMs: number;
  readonly suites: ReadonlySet<string>;
  readonly beforeSuites: ReadonlySet<string>;
  readonly untilUnixMs: number;
}

interface Verdicts {
  readonly calls: number;
  readonly forbidden: readonly string[];
  readonly byGroup: Readonly<Record<string, number>>;
  readonly byKey: Readonly<Record<string, number>>;
}

/** Whether each call came on what was in force, or still taken, when it was decided. */
async function judged(gateway: GatewayProcess): Promise<Verdicts> {
  const changes: Change[] = [];
  const forbidden: string[] = [];
  const [byGroup, byKey]: [Record<string, number>, Record<string, number>] = [{}, {}];
  let calls = 0;
  const words = (text: string | undefined): ReadonlySet<string> => new Set((text ?? "").split(" "));
  for await (const { bytes } of openLogReader(
    statePaths(path.join(gateway.folder, "state")).log,
  ).forwards()) {
    const reading = readEntry(bytes);
    if (reading.kind !== "entry") throw new Error("an entry can't be read");
    const { event, atUnixMs, tool, facts } = reading.entry;
    if (event === "crypto.change" && facts["after_suites"] !== undefined) {
      changes.push({
        atUnixMs,
        suites: words(facts["after_suites"]),
        beforeSuites: words(facts["before_suites"]),
        untilUnixMs: Date.parse(facts["outgoing_until"] ?? "1970-01-01"),
      });
    }
    if (event !== "call.decision") continue;
    // What a sidecar asks its gateway itself is judged too, and isn't one of the client's calls.
    if (tool !== null) calls += 1;
    const [group = "none", key = "none"] = [facts["link.group"], facts["peer.cert.alg"]];
    byGroup[group] = (byGroup[group] ?? 0) + 1;
    byKey[key] = (byKey[key] ?? 0) + 1;
    const now = changes.findLast((change) => change.atUnixMs <= atUnixMs);
    const isTaken = (suite: string): boolean =>
      now?.suites.has(suite) === true ||
      (now !== undefined && atUnixMs < now.untilUnixMs && now.beforeSuites.has(suite));
    if (!isTaken(group) || !isTaken(key)) forbidden.push(`${atUnixMs} ${group} ${key}`);
  }
  return { calls, forbidden, byGroup, byKey };
}

test(`profile, roots and keys changed ${rounds} times under ${callsPerSecond} calls a second on ${sidecars * connectionsEach} connections: no call fails, none on a forbidden suite`, async (t) => {
  const stub = await stubServer(t, (...of) => setTimeout(() => echoResult(...of), answerAfterMs));
  const gateway = await gatewayProcess(t, `servers: { stub: { url: "${stub.url}" } }`);
  const urls: URL[] = [];
  for (let i = 0; i < sidecars; i++) {
    urls.push(new URL((await loopbackSidecar(t, gateway, "stub", `agility-${i}`)).url));
  }
  const firstKey = path.join(gateway.folder, "first-log-key.txt");
  await copyFile(statePaths(path.join(gateway.folder, "state")).logKey, firstKey);
  const { outcomes, stop } = load(t, urls);
  for (let round = 0; round < rounds; round++) {
    await goOver(gateway, "cnsa-2.0");
    await rotateRoots(gateway);
    await command(gateway, "crypto", "rotate", "tls");
    await command(gateway, "crypto", "rotate", "log");
    await goOver(gateway, "hybrid");
    t.diagnostic(`round ${round + 1}: ${outcomes.length} calls`);
  }
  await stop();

  const failures = outcomes.filter(({ failure }) => failure !== undefined);
  assert.deepEqual(failures.slice(0, 5), [], `${failures.length} of ${outcomes.length} calls failed`);
  const { calls, forbidden, byGroup, byKey } = await judged(gateway);
  assert.deepEqual(forbidden.slice(0, 5), [], `${forbidden.length} of ${calls} calls on a forbidden suite`);
  assert.equal(calls, outcomes.length);
  for (const group of ["X25519MLKEM768", "SecP384r1MLKEM1024"]) assert.ok((byGroup[group] ?? 0) > 0, group);
  for (const key of ["ML-DSA-65", "ML-DSA-87"]) assert.ok((byKey[key] ?? 0) > 0, key);
  await command(gateway, "audit", "verify");
  await command(gateway, "audit", "verify", "--key", firstKey);
  const slowest = Math.max(...outcomes.map(({ ms }) => ms));
  t.diagnostic(
    `${outcomes.length} calls in ${rounds} rounds, 0 failed, 0 on a forbidden suite; links ${JSON.stringify(byGroup)}, identities ${JSON.stringify(byKey)}; the slowest call took ${slowest.toFixed(0)} ms`,
  );
});
