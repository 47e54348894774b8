/**
 * Clients as people have them, unchanged, through `latticegate connect`: the official SDKs in every era
 * they speak and the inspector, over stdio and loopback HTTP, to a server behind HTTP and behind stdio.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { before, after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { cli, latticegate, startProcess } from "../support/cli.ts";
import {
  type GatewayProcess,
  gatewayProcess,
  loopbackSidecar,
  sidecarArguments,
} from "../support/gateway-process.ts";
import { type Front, openV1, openV2, type Speaker, textOf } from "../support/sdk-clients.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixture = path.join(root, "test", "fixture", "server.ts");
/** A server behind HTTP, one behind stdio, and each of them behind a virtual server. */
const targets = ["over-http", "over-stdio", "virtual-http", "virtual-stdio"] as const;
/** Of an audit entry, what is asked of it here. */
interface LoggedCall {
  readonly principal_id: string;
  readonly tool_name: string | null;
  readonly extensions: Readonly<Record<string, { readonly session?: string }>>;
}

/** As `audit subjects` lists them. */
interface Subject {
  readonly id: string;
  readonly pseudonym: string;
}

const clients = [
  { name: "SDK v1", open: openV1, era: "legacy" },
  { name: "SDK v2, legacy", open: openV2("legacy"), era: "legacy" },
  { name: "SDK v2, auto", open: openV2("auto"), era: "modern" },
  { name: "SDK v2, pinned to 2026-07-28", open: openV2({ pin: "2026-07-28" }), era: "modern" },
] as const;

async function checkEverything(speaker: Speaker): Promise<void> {
  const tools = await speaker.tools();
  assert.ok(tools.includes("test_simple_text") && tools.length > 20);
  assert.equal(
    textOf(await speaker.call("test_simple_text", {})),
    "This is a simple text response for testing.",
  );
  assert.equal((await speaker.call("test_error_handling", {})).isError, true);
  assert.match(JSON.stringify(await speaker.read("test://static-text")), /static text resource/);
  assert.match(JSON.stringify(await speaker.prompt("test_simple_prompt")), /simple prompt/);
  let progress = 0;
  await speaker.call("test_tool_with_progress", {}, { onprogress: () => void progress++ });
  // The SDK's own race: without us too, a last progress that arrives together with the answer is dropped.
  assert.ok(progress >= 2, "progress arrives while the call runs");
  if (speaker.era === "legacy") {
    assert.match(textOf(await speaker.call("test_elicitation", { message: "Who?" })), /accept.*ada/);
    assert.match(textOf(await speaker.call("test_sampling", { prompt: "Capital?" })), /Paris/);
  } else {
    const hello = await speaker.call("test_input_required_result_elicitation", {});
    assert.equal(textOf(hello), "Hello, Ada!");
  }
  await assert.rejects(speaker.call("test_wait", {}, { signal: AbortSignal.timeout(300) }));
  assert.equal(
    textOf(await speaker.call("test_simple_text", {})),
    "This is a simple text response for testing.",
  );
  const together = Array.from({ length: 50 }, (_, n) => speaker.call("test_echo", { n }));
  const echoed = (await Promise.all(together)).map((result) => textOf(result));
  assert.deepEqual(
    echoed,
    Array.from({ length: 50 }, (_, n) => JSON.stringify({ n })),
    "no answer is mixed up",
  );
}

describe("unmodified clients", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let gateway: GatewayProcess;
  const fronts = new Map<string, Front>();

  before(async () => {
    const { groups } = await startProcess(t, [process.execPath, fixture, "--http", "0"], /^(http:\S+)$/);
    const command = JSON.stringify([process.execPath, fixture, "--stdio"]);
    gateway = await gatewayProcess(
      t,
      `servers: { over-http: { url: "${groups[0] ?? ""}" }, over-stdio: { command: ${command} } }
virtual_servers: { virtual-http: { servers: [over-http] }, virtual-stdio: { servers: [over-stdio] } }`,
    );
    for (const server of targets) {
      const args = await sidecarArguments(gateway, server, `${server}-by-stdio`);
      fronts.set(`${server} by stdio`, { kind: "stdio", args: latticegate(args) });
      const { url } = await loopbackSidecar(t, gateway, server, `${server}-by-http`);
      fronts.set(`${server} by http`, { kind: "http", url });
    }
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  for (const server of targets) {
    for (const front of ["stdio", "http"]) {
      for (const client of clients) {
        test(`${client.name} through connect by ${front} to a server ${server}`, async (inner) => {
          const speaker = await client.open(frontOf(`${server} by ${front}`));
          inner.after(() => speaker.close());
          assert.equal(speaker.era, client.era);
          await checkEverything(speaker);
        });
      }
      for (const era of ["legacy", "auto", "modern"]) {
        test(`the inspector, ${era}, through connect by ${front} to a server ${server}`, async () => {
          const target = frontOf(`${server} by ${front}`);
          const list = await inspect(target, era, ["--method", "tools/list"]);
          assert.match(list, /"test_simple_text"/);
          const call = await inspect(target, era, [
            "--method",
            "tools/call",
            "--tool-name",
            "test_simple_text",
          ]);
          assert.match(call, /This is a simple text response for testing\./);
        });
      }
    }
  }

  test("each inspector has a session of its own, in all that it asks through npx", async () => {
    const args = await sidecarArguments(gateway, "over-http", "inspected");
    const call = ["--method", "tools/call", "--tool-name", "test_simple_text"];
    const npx: Front = { kind: "stdio", program: "npx", args: ["--no-install", "latticegate", ...args] };
    await inspect(npx, "legacy", call); // It joins.
    await Promise.all([inspect(npx, "legacy", call), inspect(npx, "auto", call)]);
    const config = ["--config", gateway.configFile];
    const subjects = JSON.parse((await cli(["audit", "subjects", ...config, "--json"])).stdout) as Subject[];
    const inspected = subjects.find(({ id }) => id.endsWith("/inspected"));
    const printed = await cli(["audit", "tail", ...config, "--lines", "1000", "--json"]);
    const sessions = printed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as LoggedCall)
      .filter(({ principal_id: who, tool_name: tool }) => who === inspected?.pseudonym && tool !== null)
      .map(({ extensions }) => extensions["dev.latticegate/entry"]?.session);
    assert.equal(sessions.length, 6, "a decision and an outcome of each call");
    assert.equal(new Set(sessions).size, 3);
    assert.ok(!sessions.includes(undefined));
  });

  test("after all that the gateway stops with 0 and its log verifies", async () => {
    assert.equal(await gateway.stop(), 0);
    const verified = await cli(["audit", "verify", "--config", gateway.configFile]);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });

  function frontOf(name: string): Front {
    const front = fronts.get(name);
    assert.ok(front);
    return front;
  }
});

async function inspect(front: Front, era: string, args: readonly string[]): Promise<string> {
  const inspector = path.join(root, "node_modules", "@modelcontextprotocol", "inspector");
  const target =
    front.kind === "http"
      ? [front.url, "--transport", "http"]
      : [front.program ?? process.execPath, ...front.args];
  const line = [
    path.join(inspector, "clients/launcher/build/index.js"),
    "--cli",
    ...target,
    "--protocol-era",
    era,
    ...args,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, line, { timeout: 60_000 });
  return stdout;
}
