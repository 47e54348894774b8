/** The commands as an operator types them: what they print, and the exit code. */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { copyFile, cp, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { commands, find } from "../../src/cli/commands.ts";
import { list, overview } from "../../src/cli/help.ts";
import { cli, type Ended, startCli } from "../support/cli.ts";
import { eventually, stubServer, temporaryFolder } from "../support/gateway.ts";
import {
  type GatewayProcess,
  gatewayProcess,
  loopbackSidecar,
  sidecarArguments,
} from "../support/gateway-process.ts";
import { mission } from "../support/mission.ts";
import { swagger } from "../support/pharmacy.ts";

test("help all names every command, --help what they are about, and each command explains itself", async () => {
  const help = await cli(["--help"]);
  assert.deepEqual([help.code, help.stdout], [0, `${overview()}\n`]);
  const all = await cli(["help", "all"]);
  assert.deepEqual([all.code, all.stdout], [0, `${list(commands)}\n`]);
  for (const command of commands) {
    const isListed = `\n${all.stdout}`.includes(`\n  ${command.name} `);
    assert.equal(isListed, command.isPlumbing !== true, command.name);
    const { row: same, rest } = find([...command.name.split(" "), "--help"]) ?? {};
    assert.deepEqual([same?.name, rest], [command.name, ["--help"]]);
  }
  const distinct = new Set(await Promise.all(commands.map(({ load }) => load())));
  assert.equal(distinct.size, commands.length, "each row loads a command of its own");
  const approve = await cli(["pins", "approve", "--help"]);
  assert.equal(approve.code, 0);
  assert.match(approve.stdout, /^latticegate pins approve SPIFFE-ID FINGERPRINT\n\nAccept .*--state/s);
});

const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["an unknown command", ["fly"], /fly/],
  ["an unknown option", ["up", "--fly"], /--fly/],
  [
    "a config that isn't there",
    ["up", "--config", "/nowhere/latticegate.yaml"],
    /\/nowhere\/latticegate\.yaml/,
  ],
  [
    "a dial there is none of",
    ["expose", "https://s.test/mcp", "--key-exchange", "maybe"],
    /hybrid-required or hybrid-preferred/,
  ],
  [
    "a dial of a command",
    ["expose", "--key-exchange", "hybrid-required", "--", "true"],
    /--key-exchange if it is https/,
  ],
  ["connect without a server", ["connect"], /Expected one server/],
  ["a port that is none", ["connect", "x", "--http", "eighty"], /--http takes a port/],
  ["expose without anything", ["expose"], /Expected either the URL/],
  ["a pipe that is to speak HTTP+SSE", ["expose", "--sse", "--", "server"], /Expected either the URL/],
  ["a join token for nobody", ["ca", "token"], /--for agent\/NAME/],
  ["nobody to be readmitted", ["ca", "readmit"], /Name the SPIFFE ID/],
];
for (const [what, args, expected] of mistakes) {
  test(`${what} ends with 2 and says what was expected`, async () => {
    const ended = await cli(args);
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, expected);
    assert.doesNotMatch(ended.stderr, /\n\s+at /, "no stack");
  });
}

test("config check accepts the whole connection document, and reads the API's", async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "latticegate.yaml");
  await writeFile(file, mission);
  const without = await cli(["config", "check", "--config", file]);
  assert.equal(without.code, 2);
  assert.match(without.stderr, /pharmacy-inventory-sync: .*swagger\.json can't be read/);
  await mkdir(path.join(folder, "api"));
  await writeFile(path.join(folder, "api/swagger.json"), JSON.stringify(swagger));
  const ended = await cli(["config", "check", "--config", file]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(
    ended.stdout,
    /^API: +pharmacy-inventory-sync: 1 tool, 1 resource at https:\/\/api\.pharmacy\.test$/m,
  );
});

test("config check names the key nobody knows, and where it stands", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, "listen: 127.0.0.1:0\nlimits: { request: 64MiB, reqest: 1MiB }\n");
  const ended = await cli(["config", "check", "--config", file]);
  assert.equal(ended.code, 2);
  assert.match(ended.stderr, /limits.*reqest/s);
});

describe("a gateway that has served a few calls", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let gateway: GatewayProcess;
  let copy: string;

  before(async () => {
    const stub = await stubServer(t);
    gateway = await gatewayProcess(t, `servers: { stub: { url: "${stub.url}" } }`);
    const { url } = await loopbackSidecar(t, gateway, "stub", "cli");
    for (let id = 1; id <= 3; id++) {
      const body = JSON.stringify({
        jsonrpc: "2.0",
        id,
        method: "tools/call",
        params: { name: `tool${id}` },
      });
      const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
      assert.equal((await fetch(url, { method: "POST", headers, body })).status, 200);
    }
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test("a log that is being written can be copied, and the copy verifies", async () => {
    const log = path.join(gateway.folder, "state", "log");
    await eventually("a head", async () => (await readdir(log)).includes("checkpoint"));
    await cp(log, path.join(gateway.folder, "early"), { recursive: true });
    const key = path.join(gateway.folder, "state", "log-key.txt");
    const verified = await cli([
      "audit",
      "verify",
      "--log",
      path.join(gateway.folder, "early"),
      "--key",
      key,
    ]);
    assert.equal(verified.code, 0, verified.stdout);
  });

  const run = (...args: string[]): Promise<Ended> => cli([...args, "--config", gateway.configFile]);

  test("connect --http also says where clients of HTTP+SSE connect", async (inner) => {
    const args = await sidecarArguments(gateway, "stub", "cli");
    const second = /^For clients of HTTP\+SSE, .*: (http:\S+)$/;
    const { groups } = await startCli(inner, [...args, "--http", "0"], second);
    const stream = await fetch(groups[0] ?? "");
    assert.equal(stream.status, 200);
    const chunk = await stream.body?.getReader().read();
    assert.match(Buffer.from(chunk?.value ?? []).toString(), /^event: endpoint\ndata: \/[\w-]+\/messages\//);
  });

  test("status says where it listens, doctor finds nothing wrong, ca list shows who was let in", async () => {
    assert.match((await run("status")).stdout, new RegExp(gateway.address));
    const doctor = await run("doctor");
    assert.equal(doctor.code, 0, doctor.stdout);
    assert.match(doctor.stdout, /ok +listener +\S+ refuses classical key exchange/);
    assert.match(doctor.stdout, /ok +cryptography +encapsulated and confirmed, .*: ML-KEM-768 \d/);
    assert.match(doctor.stdout, /Everything works\./);
    assert.match(
      (await run("ca", "list")).stdout,
      /client +valid +spiffe:\/\/latticegate\.local\/agent\/cli/,
    );
  });

  test("audit tail shows each call in one line, and audit show all that is known of one", async () => {
    const tail = await run("audit", "tail", "--lines", "500");
    const line = tail.stdout
      .split("\n")
      .find((text) => text.includes("call.decision") && text.includes("stub/tool2"));
    assert.match(line ?? "", /allowed.*spiffe:\/\/latticegate\.local\/agent\/cli.*rule=test-agents/);
    const callId = line?.trim().split(/\s+/).at(-1) ?? "";
    const shown = await run("audit", "show", callId);
    assert.equal(shown.code, 0);
    assert.equal(shown.stdout.match(/"event_type": "call\.(decision|outcome)"/g)?.length, 2);
    assert.equal((await run("audit", "show", "no-such-call")).code, 1);
  });

  test("audit tail --json prints entries as they stand in the log", async () => {
    const { stdout } = await run("audit", "tail", "--lines", "2", "--json");
    for (const line of stdout.trim().split("\n")) assert.ok("event_hash" in (JSON.parse(line) as object));
  });

  test("a revoked identity is named, and its next call is refused", async () => {
    const { url } = await loopbackSidecar(t, gateway, "stub", "soon-gone");
    const revoked = await run("ca", "revoke", "spiffe://latticegate.local/agent/soon-gone");
    assert.match(
      revoked.stdout,
      /^revoked spiffe:\/\/latticegate\.local\/agent\/soon-gone: 2 certificates$/m,
    );
    assert.equal(
      (await run("ca", "revoke", "spiffe://latticegate.local/agent/soon-gone")).code,
      1,
      "nothing is left to revoke",
    );
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const call = async (): Promise<number> => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x" } });
      return (await fetch(url, { method: "POST", headers, body })).status;
    };
    const deadline = performance.now() + 5000;
    let status = await call();
    while (status === 200 && performance.now() < deadline) status = await call();
    assert.notEqual(status, 200);
    const id = "spiffe://latticegate.local/agent/soon-gone";
    assert.equal((await run("ca", "readmit", id)).stdout, `readmitted ${id}\n`);
    assert.equal((await run("ca", "readmit", id)).code, 1, "it is no longer shut out");
  });

  test("ca anchor names where the gateway is and the digest of its root, as any tool computes it", async () => {
    const pem = await readFile(path.join(gateway.folder, "state", "server-root.pem"), "utf8");
    const digest = createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
    assert.equal((await run("ca", "anchor")).stdout, `${gateway.address}@sha256:${digest}\n`);
    const elsewhere = await run("ca", "anchor", "--address", "gateway.example:8443");
    assert.equal(elsewhere.stdout, `gateway.example:8443@sha256:${digest}\n`);
    assert.equal((await run("ca", "anchor", "--address", "nowhere")).code, 2);
  });

  test("a copied log verifies with nothing but the public key", async () => {
    assert.equal(await gateway.stop(), 0);
    const state = path.join(gateway.folder, "state");
    copy = path.join(gateway.folder, "evidence");
    await mkdir(copy);
    await cp(path.join(state, "log"), path.join(copy, "log"), { recursive: true });
    await copyFile(path.join(state, "log-key.txt"), path.join(copy, "log-key.txt"));
    await rename(state, `${state}.away`);
    const verified = await verify("log");
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    assert.match(verified.stdout, /^intact: \d+ entries under the head of .*, signed by .*ml-dsa-65/);
  });

  const tamperings: readonly (readonly [string, (entries: Buffer[]) => Buffer[], RegExp])[] = [
    [
      "a changed entry",
      (entries) => entries.with(2, replaced(entries[2], "allowed", "refused")),
      /^changed: .*2/m,
    ],
    ["a removed entry", (entries) => entries.toSpliced(2, 1), /^removed: .*2/m],
    [
      "two entries in another order",
      (entries) => entries.with(2, entries[3] ?? empty).with(3, entries[2] ?? empty),
      /^reordered: /m,
    ],
    ["a log cut below its head", (entries) => entries.slice(0, -2), /^cut: /m],
  ];
  for (const [what, tamper, expected] of tamperings) {
    test(`${what} in a copy is found and named`, async () => {
      const folder = path.join(copy, what.replaceAll(" ", "-"));
      await cp(path.join(copy, "log"), folder, { recursive: true });
      const bundles = (await readdir(folder, { recursive: true })).filter((name) =>
        /(^|\/)(open\/\d+|entries\/.*\d)$/.test(name),
      );
      for (const bundle of bundles) {
        const file = path.join(folder, bundle);
        const bytes = await readFile(file).catch(() => undefined);
        if (bytes !== undefined) await writeFile(file, framed(tamper(unframed(bytes))));
      }
      const verified = await verify(path.basename(folder));
      assert.equal(verified.code, 1);
      assert.match(verified.stdout, expected);
    });
  }

  test("a log that was rolled back verifies, and is found out by a checkpoint kept elsewhere", async () => {
    const seen = path.join(copy, "log", "checkpoint");
    assert.equal((await verify("log", "--seen", seen)).code, 0);
    const early = path.relative(copy, path.join(gateway.folder, "early"));
    assert.equal((await verify(early)).code, 0, "of itself it is whole");
    const verified = await verify(early, "--seen", seen);
    assert.equal(verified.code, 1);
    assert.match(verified.stdout, /^rolled back: /m);
  });

  async function verify(log: string, ...more: string[]): Promise<Ended> {
    const key = path.join(copy, "log-key.txt");
    return await cli(["audit", "verify", "--log", path.join(copy, log), "--key", key, ...more]);
  }
});

const empty = Buffer.alloc(0);

function replaced(entry: Buffer | undefined, from: string, to: string): Buffer {
  assert.ok(entry !== undefined && entry.includes(from));
  return Buffer.from(entry.toString().replace(from, to));
}

/** A C2SP entry bundle: each entry behind its length in two bytes, big-endian. */
function unframed(bytes: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

function framed(entries: readonly Buffer[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}
