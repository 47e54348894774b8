/**
 * Our log files, read by others: a second reading of the formats that shares no code with `src/` (test/second-reading),
 * and golang.org/x/mod/sumdb, which Go's checksum database is read with. Over the vectors, over a log that the product
 * has just written, and over copies of it with one byte changed, on which the product itself has to agree.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

import {
  cosignerKey,
  ed25519Key,
  type ForeignKey,
  foreignEntries,
  mlDsaKey,
  strangersLine,
  writeForeignLog,
} from "../second-reading/foreign-log.ts";
import { latticegate } from "../support/cli.ts";
import { eventually } from "../support/gateway.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const vectors = path.join(root, "test/vectors");
const scratch = mkdtempSync(path.join(tmpdir(), "latticegate-third-party-"));

const started: ChildProcess[] = [];
after(() => {
  for (const child of started) if (child.exitCode === null) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

interface Verdict {
  readonly ok: boolean;
  readonly origin: string | null;
  readonly size: number | null;
  readonly root: string | null;
  readonly signedBy: readonly string[];
  readonly findings: readonly string[];
}

/** Of the Go program alone: how often each of the library's checks was made. */
interface Counted extends Verdict {
  readonly entries: number;
  readonly inclusions: number;
  readonly treeProofs: number;
  readonly notInScope: number;
}

type Files = Readonly<Record<string, string | null>>;

interface LogVector {
  readonly keys: Readonly<Record<string, string>>;
  readonly files: Files;
  readonly heads: readonly string[];
  readonly bad: Readonly<Record<string, { readonly what: string; readonly files: Files }>>;
}

const xmod = buildXmod();
const needsXmod = xmod.kind === "there" ? {} : { skip: xmod.why };
if (xmod.kind === "absent") console.log(`x/mod is left out: ${xmod.why}`);

const logVectors = readdirSync(path.join(vectors, "log"))
  .filter((name) => name.endsWith(".json"))
  .map(
    (name) => [name, JSON.parse(readFileSync(path.join(vectors, "log", name), "utf8")) as LogVector] as const,
  );

test("the second reading agrees with every log vector, whichever generation's keys it has", () => {
  let read = 0;
  for (const [name, vector] of logVectors) {
    for (const [generation, keys] of keySets(vector)) {
      const keyFile = written(`${name}.${generation}.txt`, keys);
      const good = secondReading(unpacked(`${name}.good`, vector.files), keyFile);
      assert.deepEqual(good.findings, [], `${name}, keys ${generation}`);
      for (const [what, bad] of Object.entries(vector.bad)) {
        const folder = unpacked(`${name}.bad`, { ...vector.files, ...bad.files });
        assert.equal(secondReading(folder, keyFile).ok, false, `${name}: ${what}, keys ${generation}`);
        read += 1;
      }
      for (const [at, head] of vector.heads.entries()) {
        const kept = writtenBytes(`${name}.head${at}`, head);
        const folder = unpacked(`${name}.good`, vector.files);
        assert.deepEqual(secondReading(folder, keyFile, "--head", kept).findings, [], `${name}: head ${at}`);
        read += 1;
      }
      read += 1;
    }
  }
  console.log(`${read} readings of ${logVectors.length} log vectors`);
  assert.ok(read > 0);
});

test("every crossing of the log vectors is a tlog-proof that either tool verifies by itself", () => {
  let read = 0;
  for (const [name, vector] of logVectors) {
    const keyFile = written(`${name}.all.txt`, Object.values(vector.keys).join(""));
    const folder = unpacked(`${name}.good`, vector.files);
    for (const file of crossingsOf(folder)) {
      assert.deepEqual(secondReading("--proof", file, keyFile).findings, [], file);
      if (xmod.kind === "there") assert.deepEqual(go("-proof", file, keyFile).findings, [], file);
      const changed = written(
        "changed.tlog-proof",
        readFileSync(file, "utf8").replace(/^index \d+$/m, "index 1"),
      );
      assert.equal(secondReading("--proof", changed, keyFile).ok, false);
      if (xmod.kind === "there") assert.equal(go("-proof", changed, keyFile).ok, false);
      read += 1;
    }
  }
  console.log(`${read} crossings`);
  assert.ok(read > 0);
});

interface ReceiptVector {
  readonly keys: Readonly<Record<string, string>>;
  readonly good: Readonly<Record<string, { readonly receipt: string }>>;
  readonly bad: Readonly<Record<string, { readonly receipt: string }>>;
}

test("the second reading agrees with every receipt, which is a tlog-proof", () => {
  const vector = JSON.parse(
    readFileSync(path.join(vectors, "receipt/receipts.json"), "utf8"),
  ) as ReceiptVector;
  const keyFile = written("receipt-keys.txt", vector.keys["1 and 2"] ?? "");
  const [good, bad] = [Object.entries(vector.good), Object.entries(vector.bad)];
  for (const [name, { receipt }] of good) {
    const file = written("good.tlog-proof", receipt);
    const verdict = secondReading("--proof", file, keyFile);
    assert.deepEqual(verdict.findings, [], name);
    // What is wrong with the others may lie beyond Ed25519 and the tree.
    if (xmod.kind === "there") assert.deepEqual(go("-proof", file, keyFile).findings, [], name);
  }
  for (const [name, { receipt }] of bad) {
    assert.equal(secondReading("--proof", written("bad.tlog-proof", receipt), keyFile).ok, false, name);
  }
  console.log(`${good.length} good receipts, ${bad.length} bad ones`);
  assert.ok(good.length > 0 && bad.length > 0);
});

test("x/mod agrees with the log vectors, as far as Ed25519 and the tree go", needsXmod, () => {
  for (const [name, vector] of logVectors) {
    const keyFile = written(`${name}.all.txt`, Object.values(vector.keys).join(""));
    const folder = unpacked(`${name}.good`, vector.files);
    const heads = vector.heads.map((head, at) => writtenBytes(`${name}.head${at}`, head));
    const ours = secondReading(folder, keyFile);
    const theirs = go(folder, keyFile, ...heads);
    assert.deepEqual(theirs.findings, [], name);
    assert.deepEqual([theirs.origin, theirs.size, theirs.root], [ours.origin, ours.size, ours.root]);
    assert.equal(theirs.entries, ours.size);
    assert.ok(theirs.inclusions > 0 && theirs.treeProofs > 0);
    console.log(`${name}: ${JSON.stringify(theirs)}`);
  }
});

describe("a log that somebody else wrote, from the texts alone", () => {
  const hybrid = [ed25519Key(1), mlDsaKey(65, 2), cosignerKey(3)];
  const cnsa = [mlDsaKey(87, 4), cosignerKey(5)];
  const witnesses = Array.from({ length: 13 }, (_, at) =>
    strangersLine(`witness.example/${at}`, 8 + 2420),
  ).join("");
  const cases: readonly (readonly [string, readonly ForeignKey[], number, string])[] = [
    ["no entry", hybrid, 0, ""],
    ["one entry", hybrid, 1, ""],
    ["five entries under ML-DSA-87", cnsa, 5, ""],
    ["256 entries", hybrid, 256, ""],
    ["600 entries and thirteen strangers' cosignatures", hybrid, 600, witnesses],
  ];
  for (const [what, keys, size, furtherLines] of cases) {
    test(`of ${what} holds for the product and for both tools`, () => {
      const folder = path.join(scratch, "foreign");
      rmSync(folder, { recursive: true, force: true });
      writeForeignLog(folder, keys, foreignEntries(size), furtherLines);
      const keyFile = written("foreign-key.txt", keys.map(({ line }) => line).join(""));
      assert.deepEqual(secondReading(folder, keyFile).findings, []);
      assert.equal(product(folder, keyFile), 0);
      if (xmod.kind === "there" && keys === hybrid) assert.deepEqual(go(folder, keyFile).findings, []);
    });
  }
});

test("entries and tiles that agree, under a head that was signed over others, hold for none of them", () => {
  const folder = path.join(scratch, "exchanged");
  const keys = [ed25519Key(1), mlDsaKey(65, 2), cosignerKey(3)];
  const keyFile = written("exchanged-key.txt", keys.map(({ line }) => line).join(""));
  writeForeignLog(folder, keys, foreignEntries(300));
  const signed = readFileSync(path.join(folder, "checkpoint"));
  writeForeignLog(folder, keys, foreignEntries(300, "others"));
  assert.equal(secondReading(folder, keyFile).ok, true);
  writeFileSync(path.join(folder, "checkpoint"), signed);
  assert.equal(secondReading(folder, keyFile).ok, false);
  assert.notEqual(product(folder, keyFile), 0);
  if (xmod.kind === "there") assert.equal(go(folder, keyFile).ok, false);
});

describe("a log that the product has just written", () => {
  const state = path.join(scratch, "live", "state");
  const log = path.join(state, "log");
  const keys = path.join(state, "log-key.txt");
  let early: string;

  before(async () => {
    const config = liveConfig();
    const first = await up(config);
    await calls(first.token, 140);
    early = path.join(scratch, "early");
    cpSync(path.join(log, "checkpoint"), early);
    cpSync(keys, path.join(scratch, "early-key.txt"));
    await eventually("the day has its first head", () => firstHeads(log).length > 0);
    assert.equal(
      spawnSync(process.execPath, latticegate(["crypto", "rotate", "log", "--config", config])).status,
      0,
    );
    await first.stop();
    const second = await up(config);
    await second.stop();
  });

  test("holds for the product, for the second reading and for x/mod, with the keys of before and of after", () => {
    for (const keyFile of [keys, path.join(scratch, "early-key.txt")]) {
      assert.equal(product(log, keyFile, "--seen", early), 0);
      const ours = secondReading(log, keyFile, "--head", early);
      assert.deepEqual(ours.findings, []);
      assert.deepEqual(ours.signedBy, ["ed25519", "ml-dsa-65", "ml-dsa-44"]);
      assert.ok((ours.size ?? 0) > 256, `${ours.size} entries`);
      console.log(JSON.stringify(ours));
    }
    if (xmod.kind === "absent") return;
    const theirs = go(log, keys, early);
    assert.deepEqual(theirs.findings, []);
    assert.equal(theirs.entries, theirs.size);
    assert.ok(theirs.treeProofs >= 3, "the early head, the day's, the crossing's");
    console.log(JSON.stringify(theirs));
  });

  const changes: readonly Change[] = [
    { what: "a full bundle", file: () => "tile/entries/000", at: middle, xmod: true },
    { what: "the partial bundle", file: () => newest(log, "tile/entries/001.p"), at: middle, xmod: true },
    { what: "the open bundle", file: () => "open/1", at: middle, xmod: false },
    { what: "a full tile of level 0", file: () => "tile/0/000", at: middle, xmod: true },
    { what: "the partial tile of level 0", file: () => newest(log, "tile/0/001.p"), at: middle, xmod: true },
    { what: "the tile of level 1", file: () => "tile/1/000.p/1", at: middle, xmod: true },
    { what: "the size in the checkpoint", file: () => "checkpoint", at: inLine(1), xmod: true },
    { what: "the root in the checkpoint", file: () => "checkpoint", at: inLine(2), xmod: true },
    { what: "the Ed25519 signature", file: () => "checkpoint", at: inLine(4), xmod: true },
    { what: "the ML-DSA-65 signature", file: () => "checkpoint", at: inLine(5), xmod: false },
    { what: "the ML-DSA-44 signature", file: () => "checkpoint", at: inLine(6), xmod: false },
    { what: "the root in the day's head", file: () => firstHead(log), at: inLine(2), xmod: true },
    { what: "the SLH-DSA signature of the day", file: () => firstHead(log), at: inLine(7), xmod: false },
    { what: "the index in a crossing", file: () => "crossings/2.tlog-proof", at: inLine(2), xmod: true },
    { what: "a hash in a crossing", file: () => "crossings/2.tlog-proof", at: inLine(3), xmod: true },
    { what: "the end of a full bundle", file: () => "tile/entries/000", at: end, xmod: true },
    { what: "the end of a full tile", file: () => "tile/0/000", at: end, xmod: true },
    { what: "the end of the tile of level 1", file: () => "tile/1/000.p/1", at: end, xmod: true },
    { what: "the keys in a crossing", file: () => "crossings/2.tlog-proof", at: inLine(1), xmod: false },
  ];

  for (const change of changes) {
    test(`with one byte changed in ${change.what}, holds for none that reads it`, () => {
      const copy = path.join(scratch, "changed");
      rmSync(copy, { recursive: true, force: true });
      cpSync(log, copy, { recursive: true });
      flip(path.join(copy, change.file()), change.at);
      const ours = secondReading(copy, keys);
      assert.equal(ours.ok, false, "the second reading");
      assert.notEqual(product(copy, keys), 0, "the product");
      if (change.xmod && xmod.kind === "there") assert.equal(go(copy, keys).ok, false, "x/mod");
    });
  }
});

interface Change {
  readonly what: string;
  /** Below the log's folder. */
  readonly file: () => string;
  readonly at: (bytes: Buffer) => number;
  /** Whether it is something that x/mod knows. */
  readonly xmod: boolean;
}

function middle(bytes: Buffer): number {
  return Math.floor(bytes.length / 2);
}

/** One byte more. */
function end(bytes: Buffer): number {
  return bytes.length;
}

/** Some way into the n-th line, but before its end. */
function inLine(line: number): (bytes: Buffer) => number {
  return (bytes) => {
    const lines = bytes.toString("latin1").split("\n");
    const start = lines.slice(0, line).join("\n").length + 1;
    return start + Math.floor(((lines[line] ?? "").length * 2) / 3);
  };
}

/** Letters and digits stay letters and digits, so that not the form alone is wrong. */
function flip(file: string, at: (bytes: Buffer) => number): void {
  const before = readFileSync(file);
  const place = at(before);
  const bytes = place === before.length ? Buffer.concat([before, Buffer.of(0)]) : before;
  const byte = bytes[place] ?? 0;
  const isText = /[0-9A-Za-z]/.test(String.fromCharCode(byte));
  bytes[place] = isText ? (byte === 0x31 ? 0x32 : 0x31) : byte ^ 1;
  writeFileSync(file, bytes);
}

/** The widest of the partial tiles in a folder. */
function newest(log: string, folder: string): string {
  const widths = readdirSync(path.join(log, folder)).map(Number);
  return path.join(folder, String(Math.max(...widths)));
}

function firstHead(log: string): string {
  const [name] = firstHeads(log);
  assert.ok(name);
  return path.join("checkpoints", name);
}

function firstHeads(log: string): readonly string[] {
  return readdirSync(path.join(log, "checkpoints")).filter((found) => found.endsWith(".first"));
}

// The product, as a user runs it

function liveConfig(): string {
  const folder = path.join(scratch, "live");
  mkdirSync(folder, { recursive: true });
  const config = path.join(folder, "latticegate.yaml");
  writeFileSync(
    config,
    `state: ./state
trust_domain: example.org
listen: 127.0.0.1:0
dashboard: "off"
servers:
  everything:
    command: [${process.execPath}, ${path.join(root, "node_modules/@modelcontextprotocol/server-everything/dist/index.js")}]
policies:
  - name: echo-only
    callers: ["spiffe://example.org/agent/*"]
    tools: ["everything/echo"]
    effect: allow
    because: The echo is for all.
`,
  );
  return config;
}

interface Running {
  /** A join token, for one agent. */
  readonly token: string;
  readonly stop: () => Promise<void>;
}

async function up(config: string): Promise<Running> {
  const gateway: ChildProcess = spawn(process.execPath, latticegate(["up", "--config", config]), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(gateway, "exit");
  started.push(gateway);
  let said = "";
  await new Promise<void>((resolve, reject) => {
    gateway.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("is up at")) resolve();
    });
    void exited.then(([code]) => reject(new Error(`up ended with ${String(code)}: ${said}`)));
  });
  const token = spawnSync(
    process.execPath,
    latticegate(["ca", "token", "--config", config, "--for", "agent/x"]),
    {
      encoding: "utf8",
    },
  );
  assert.equal(token.status, 0, token.stderr);
  const stop = async (): Promise<void> => {
    gateway.kill("SIGINT");
    assert.equal((await exited)[0], 0);
  };
  return { token: token.stdout.trim(), stop };
}

/** Half of them allowed, half denied; each is two entries. */
async function calls(token: string, times: number): Promise<void> {
  const client = new Client({ name: "third-party", version: "1" });
  const args = latticegate([
    "connect",
    "everything",
    "--join",
    token,
    "--state",
    path.join(scratch, "live", "agent"),
  ]);
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [...args], stderr: "inherit" }),
  );
  for (let at = 0; at < times; at += 1) {
    const name = at % 2 === 0 ? "echo" : "get-sum";
    await client.callTool({ name, arguments: { message: "é — 漢字" } });
  }
  await client.close();
}

/** @returns the exit code of `audit verify` */
function product(log: string, keyFile: string, ...more: readonly string[]): number | null {
  return spawnSync(
    process.execPath,
    latticegate(["audit", "verify", "--log", log, "--key", keyFile, ...more]),
  ).status;
}

// The two tools

function secondReading(...args: readonly string[]): Verdict {
  return verdictOf(process.execPath, [path.join(root, "test/second-reading/verify.ts"), ...args]);
}

function go(...args: readonly string[]): Counted {
  assert.ok(xmod.kind === "there");
  return verdictOf(xmod.program, args) as Counted;
}

function verdictOf(program: string, args: readonly string[]): Verdict {
  const { stdout, stderr, status } = spawnSync(program, [...args], { encoding: "utf8" });
  assert.ok(stdout.startsWith("{"), stderr);
  const verdict = JSON.parse(stdout) as Verdict;
  assert.equal(status, verdict.ok ? 0 : 1);
  return verdict;
}

type Xmod =
  | { readonly kind: "there"; readonly program: string }
  | { readonly kind: "absent"; readonly why: string };

/** From Debian's packages, which root may install; Go in GOPATH mode, so that nothing is fetched. */
function buildXmod(): Xmod {
  const sources = "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog";
  const isThere = () => existsSync(sources) && spawnSync("go", ["version"]).status === 0;
  if (!isThere()) {
    if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
      return {
        kind: "absent",
        why: "golang-go and golang-golang-x-mod-dev aren't installed, and only root can",
      };
    const packages = ["golang-go", "golang-golang-x-mod-dev"];
    const quiet = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
    spawnSync("apt-get", ["update", "-qq"], quiet);
    spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], quiet);
    if (!isThere()) return { kind: "absent", why: `apt-get couldn't install ${packages.join(" and ")}` };
  }
  const program = path.join(scratch, "xmod");
  const built = spawnSync(
    "go",
    ["build", "-o", program, path.join(root, "test/second-reading/xmod/main.go")],
    {
      encoding: "utf8",
      env: {
        ...process.env,
        GO111MODULE: "off",
        GOPATH: "/usr/share/gocode",
        GOFLAGS: "",
        GOCACHE: path.join(scratch, "go"),
      },
    },
  );
  assert.equal(built.status, 0, built.stderr);
  return { kind: "there", program };
}

// Vectors as files

/** Each generation's keys alone, and all of them. */
function keySets({ keys }: LogVector): readonly (readonly [string, string])[] {
  return [...Object.entries(keys), ["all", Object.values(keys).join("")]];
}

function unpacked(name: string, files: Files): string {
  const folder = path.join(scratch, name);
  rmSync(folder, { recursive: true, force: true });
  for (const [file, content] of Object.entries(files)) {
    if (content === null) continue;
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), Buffer.from(content, "base64"));
  }
  return folder;
}

function written(name: string, content: string): string {
  const file = path.join(scratch, name);
  writeFileSync(file, content);
  return file;
}

function writtenBytes(name: string, base64: string): string {
  const file = path.join(scratch, name);
  writeFileSync(file, Buffer.from(base64, "base64"));
  return file;
}

function crossingsOf(folder: string): readonly string[] {
  return readdirSync(path.join(folder, "crossings")).map((name) => path.join(folder, "crossings", name));
}
