/** `audit query`, `audit receipt`, `audit verify-receipt` as an operator types them, while the gateway runs. */
import assert from "node:assert/strict";
import { copyFile, cp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { cli, type Ended, startCli } from "../support/cli.ts";
import { echoResult, eventually, stubServer, temporaryFolder, toolCall } from "../support/gateway.ts";
import { directLink, type GatewayProcess, gatewayProcess } from "../support/gateway-process.ts";

const policies = `policies:
  - { name: no-writing, callers: ["*"], tools: ["files/write_file"], effect: deny, because: Nobody writes. }
`;
const stub = await stubServer({ after }, echoResult);
const servers = `servers: { files: { url: "${stub.url}" }, notes: { url: "${stub.url}" } }`;
const open = await gatewayProcess({ after }, servers);
await open.stop();
const config = await readFile(open.configFile, "utf8");
await writeFile(open.configFile, config.replace("policies:\n", policies));
const started = await startCli(
  { after },
  ["up", "--config", open.configFile],
  /^Latticegate is up at (\S+)$/,
);
const gateway: GatewayProcess = { ...open, ...started, address: started.groups[0] ?? "" };
const state = (...names: readonly string[]): string => path.join(gateway.folder, "state", ...names);
const headBeforeCalls = await readFile(state("log", "checkpoint"));
const pool = await directLink({ after }, gateway, "researcher");
const call = async (server: string, tool: string): Promise<string> => {
  const answer = await pool.request({
    method: "POST",
    path: `/mcp/${server}`,
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(toolCall(tool)),
  });
  return await answer.body.text();
};
assert.match(await call("files", "write_file"), /Denied by policy/);
for (const tool of ["read_file", "list_files", "read_file"])
  assert.match(await call("files", tool), /"result"/);
assert.match(await call("notes", "add"), /"result"/);
const researcher = "spiffe://latticegate.local/agent/researcher";

const query = (...args: readonly string[]): Promise<Ended> =>
  cli(["audit", "query", "--config", gateway.configFile, ...args]);

// It waits for a head, so it begins here, and the other tests go on meanwhile.
const uncovered = receiptWithoutHead();

interface Found {
  readonly call: string;
  readonly verdict: string;
  readonly caller: string;
  readonly decision: { readonly index: number; readonly entry: { readonly tool_name: string } };
  readonly outcome: { readonly index: number };
}

async function receiptWithoutHead(): Promise<Ended> {
  const folder = await temporaryFolder({ after });
  const { call: id } = await receiptOf("notes/add");
  await cp(state("log"), folder, { recursive: true });
  await writeFile(path.join(folder, "checkpoint"), headBeforeCalls);
  return await cli(["audit", "receipt", id, "--log", folder]);
}

async function found(...args: readonly string[]): Promise<readonly Found[]> {
  const { stdout, stderr } = await query("--format", "jsonl", ...args);
  assert.equal(stderr, "");
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Found]));
}

test("calls are found by caller, tool, server, verdict, rule and time, newest first", async () => {
  const tools = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await found("--event", "call.decision", ...args)).map(({ decision }) => decision.entry.tool_name);
  assert.deepEqual(await tools("--caller", researcher, "--verdict", "allowed", "--limit", "4"), [
    "notes/add",
    "files/read_file",
    "files/list_files",
    "files/read_file",
  ]);
  assert.deepEqual(await tools("--tool", "files/read_file", "--oldest-first"), [
    "files/read_file",
    "files/read_file",
  ]);
  assert.deepEqual(await tools("--tool", "notes/*"), ["notes/add"]);
  assert.deepEqual(await tools("--server", "notes"), ["notes/add"]);
  const denied = await found("--rule", "no-writing", "--verdict", "denied", "--since", "1h");
  assert.ok(denied.length >= 1);
  assert.ok(denied.every(({ caller, outcome }) => caller === researcher && outcome.index > 0));
  const [one] = denied;
  assert.deepEqual(await found("--call", one?.call ?? ""), [one]);
  assert.equal((await query("--until", "1h")).code, 1);
  assert.equal((await query("--since", "2099-01-01")).stdout, "");
  assert.equal((await query("--verdict", "error")).code, 1);
  assert.equal((await stat(state("audit-index.sqlite"))).mode & 0o777, 0o600);
});

test("what is found comes as a table, as CSV, as records, and from a copy as well", async () => {
  const table = await query("--tool", "notes/add");
  assert.equal(table.code, 0);
  assert.match(table.stdout, /^index +time +event +verdict +caller +tool +rule/);
  assert.match(table.stdout, /\d+ +\S+Z +call +allowed +spiffe:\S+ +notes\/add +test-agents/);
  const csv = await query("--tool", "notes/add", "--format", "csv");
  const [head, row, end, ...more] = csv.stdout.split("\r\n");
  assert.equal(head, "index,time,event,verdict,caller,tool,rule,reason,status,duration_ms,session,call");
  assert.match(
    row ?? "",
    /^\d+,[^,]+Z,call,allowed,spiffe:[^,]+,notes\/add,test-agents,,200,\d+,[^,]+,[0-9a-f-]{36}$/,
  );
  assert.deepEqual([end, more], ["", []]);
  const entries = await query("--tool", "notes/add", "--entries");
  assert.deepEqual(
    entries.stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event_type: string }).event_type),
    ["call.decision", "call.outcome"],
  );
  const copy = path.join(gateway.folder, "copy");
  await cp(state("log"), copy, { recursive: true });
  const ofCopy = await cli(["audit", "query", "--log", copy, "--tool", "notes/add"]);
  const bare = await query("--tool", "notes/add", "--pseudonyms");
  assert.equal(ofCopy.stdout, bare.stdout);
  assert.match(bare.stdout, / pseudonym:\S{22} /);
  assert.doesNotMatch(bare.stdout, /spiffe:/);
  assert.ok(!(await readdir(copy)).some((name) => name.includes("sqlite")));
});

test("a caller is asked for by name, and a session by the id that its client has", async () => {
  const caller = "spiffe://latticegate.local/agent/researcher";
  const found = await query("--caller", caller, "--tool", "notes/add", "--format", "csv");
  assert.equal(found.code, 0);
  const session = found.stdout.split("\r\n")[1]?.split(",").at(-2) ?? "";
  assert.match(session, /^[A-Za-z0-9_-]{22}$/);
  const ofSession = await query("--session", session, "--tool", "notes/add", "--format", "csv");
  assert.equal(ofSession.stdout, found.stdout);
  assert.equal((await query("--caller", `${caller}x`)).code, 1);
});

test("several who ask at once of an index that isn't there yet are all answered", async () => {
  const index = path.join(gateway.folder, "shared.sqlite");
  const asked = await Promise.all(
    Array.from({ length: 4 }, () => query("--index", index, "--tool", "files/*")),
  );
  for (const { code, stdout, stderr } of asked)
    assert.deepEqual([code, stdout, stderr], [0, asked[0]?.stdout, ""]);
});

test("an index that is damaged is made anew, with a word about it", async () => {
  await writeFile(state("audit-index.sqlite"), "no database at all".repeat(100));
  const { code, stderr, stdout } = await query("--tool", "notes/add");
  assert.equal(code, 0);
  assert.equal(stderr, "audit query: the index was made anew: it is damaged\n");
  assert.equal((await query("--tool", "notes/add", "--rebuild")).stdout, stdout);
});

async function receiptOf(
  tool: string,
  ...args: readonly string[]
): Promise<{ readonly file: string; readonly call: string }> {
  const [one] = await found("--tool", tool, "--limit", "1");
  const call = one?.call ?? assert.fail("no call");
  const file = path.join(gateway.folder, `${call}.tlog-proof`);
  const made = await cli(["audit", "receipt", call, "--config", gateway.configFile, "-o", file, ...args]);
  assert.equal(made.code, 0, made.stderr);
  return { file, call };
}

const check = (file: string, ...args: readonly string[]): Promise<Ended> =>
  cli(["audit", "verify-receipt", file, ...args]);

test("a receipt is verified offline with the log's public key, and says what the log says", async () => {
  const { file, call } = await receiptOf("notes/add");
  const key = path.join(gateway.folder, "key.txt");
  await copyFile(state("log-key.txt"), key);
  const { code, stdout } = await check(file, "--key", key);
  assert.equal(code, 0, stdout);
  for (const line of [
    /^holds$/m,
    new RegExp(`^  call +${call}$`, "m"),
    /^ {2}event +call\.outcome$/m,
    /^ {2}caller +pseudonym:\S{22}$/m,
    /^ {2}tool +notes\/add$/m,
    /^ {2}verdict +allowed$/m,
    /^ {2}index +\d+ of \d+ entries$/m,
    /^ {2}head +\d{4}-.*Z$/m,
    /^ {2}signed by +ed25519, ml-dsa-65, ml-dsa-44.* \(generation 1 of the log's keys\)$/m,
  ]) {
    assert.match(stdout, line);
  }
  const decision = await receiptOf("notes/add", "--event", "call.decision");
  assert.match((await check(decision.file, "--key", key)).stdout, /rule +test-agents/);
  const printed = await cli([
    "audit",
    "receipt",
    call,
    "--config",
    gateway.configFile,
    "--event",
    "call.decision",
  ]);
  await writeFile(file, printed.stdout);
  assert.equal((await check(file, "--config", gateway.configFile)).code, 0);
  for (const where of [
    ["--config", gateway.configFile],
    ["--state", state()],
  ]) {
    const named = await check(file, ...where);
    assert.match(named.stdout, /^ {2}caller +spiffe:\/\/latticegate\.local\/agent\/researcher$/m);
    const bare = await check(file, ...where, "--pseudonyms");
    assert.deepEqual([bare.code, bare.stdout.includes("researcher")], [0, false]);
    assert.match(bare.stdout, /^ {2}caller +pseudonym:\S{22}$/m);
  }
});

test("a changed receipt, and one of another log, aren't trusted", async () => {
  const { file } = await receiptOf("files/read_file");
  const text = await readFile(file, "utf8");
  const [, extra = ""] = /^extra (.*)$/m.exec(text) ?? [];
  const entry = Buffer.from(extra, "base64").toString().replace("allowed", "denied");
  await writeFile(file, text.replace(extra, Buffer.from(entry).toString("base64")));
  const changed = await check(file, "--config", gateway.configFile);
  assert.equal(changed.code, 1);
  assert.match(changed.stdout, /^not to be trusted: its entry can't be read: its event_hash/);
  await writeFile(file, text);
  const other = await gatewayProcess({ after }, "");
  const wrong = await check(file, "--key", path.join(other.folder, "state", "log-key.txt"));
  assert.equal(wrong.code, 1);
  assert.match(wrong.stdout, /^not to be trusted: its head isn't to be trusted: it is of the log /);
});

test("a receipt of before a rotation holds for the newest keys with the crossings, and says so without", async () => {
  const { file } = await receiptOf("files/list_files");
  const old = path.join(gateway.folder, "old-key.txt");
  await copyFile(state("log-key.txt"), old);
  const rotated = await cli(["crypto", "rotate", "log", "--config", gateway.configFile]);
  assert.equal(rotated.code, 0, rotated.stderr);
  await eventually(
    "the keys rotated",
    async () => (await readdir(state("log", "crossings")).catch(() => [])).length > 0,
  );
  assert.equal((await check(file, "--key", old)).code, 0);
  await eventually("the key file has both", async () =>
    (await readFile(state("log-key.txt"), "utf8")).includes("# generation 2"),
  );
  const bare = await check(file, "--key", state("log-key.txt"));
  assert.equal(bare.code, 1);
  assert.match(bare.stdout, /signed by generation 1 .*crossings\/2\.tlog-proof of the log is needed/);
  for (const folder of [state("log"), state("log", "crossings")]) {
    const { code, stdout } = await check(file, "--key", state("log-key.txt"), "--crossings", folder);
    assert.equal(code, 0, stdout);
  }
  const later = await receiptOf("notes/add");
  const { stdout } = await check(later.file, "--key", old, "--crossings", state("log"));
  assert.match(stdout, /generation 1, 2 of the log's keys/);
});

test("a log whose gateway stopped before a head covers the entry says so", async () => {
  const { code, stderr } = await uncovered;
  assert.equal(code, 1);
  assert.match(stderr, /No head covers entry \d+ yet: the newest head covers \d+ entries/);
});

for (const [what, args, expected] of [
  [
    "a verdict there is none of",
    ["query", "--verdict", "maybe"],
    /--verdict takes allowed, denied, error; found "maybe"/,
  ],
  ["a time that is none", ["query", "--since", "yesterday"], /--since takes a time/],
  ["a limit of nothing", ["query", "--limit", "0"], /--limit takes a whole number/],
  ["another format", ["query", "--format", "xml"], /--format takes table, jsonl, csv/],
  ["entries as a table", ["query", "--entries", "--format", "table"], /jsonl only/],
  ["a word too many", ["query", "files"], /Expected options only/],
  ["a receipt of nothing", ["receipt"], /Name one call/],
  ["a receipt of another event", ["receipt", "x", "--event", "gateway.start"], /--event takes/],
  ["no receipt's file", ["verify-receipt"], /Name one receipt's file/],
  [
    "a receipt that isn't there",
    ["verify-receipt", "/nowhere/r", "--key", "/nowhere/k"],
    /\/nowhere\/k can't be read/,
  ],
] as const) {
  test(`${what} ends with 2 and says what was expected`, async () => {
    const ended = await cli(["audit", ...args]);
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, expected);
  });
}

test("a receipt of a call that isn't in the log says what the log has of it", async () => {
  const { code, stderr } = await cli(["audit", "receipt", "nobody", "--config", gateway.configFile]);
  assert.equal(code, 1);
  assert.match(stderr, /Expected the call\.outcome of nobody in the log; of this call it has nothing/);
});
