/**
 * Operators' commands as clients of the control API: on the gateway's machine by its socket, and on another by an
 * identity of the person's own (`--remote`). All by real processes.
 */
import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import type { Cleanup } from "../support/cleanup.ts";
import { cli, type Ended, latticegate, startProcess } from "../support/cli.ts";
import { freePort } from "../support/free-port.ts";
import { eventually, stubServer, temporaryFolder } from "../support/gateway.ts";
import { directLink, type GatewayProcess, gatewayProcess } from "../support/gateway-process.ts";
import { webCertificate } from "../support/web-certificate.ts";
import { json, modernHeaders, modernMeta } from "../support/ways.ts";

const rules = `  - { name: payments-wait, callers: ["*"], tools: ["stub/pay"], effect: hold, because: Somebody looks first., approval: { from: ["operator", "person:*"] } }
`;

interface Scene {
  readonly gateway: GatewayProcess;
  readonly url: string;
}

async function scene(t: Cleanup): Promise<Scene> {
  const [stub, port, folder] = [await stubServer(t), await freePort(), await temporaryFolder(t)];
  const { certificate, key } = webCertificate("ecdsa", "localhost");
  await writeFile(path.join(folder, "room.pem"), certificate);
  await writeFile(path.join(folder, "room.key"), key, { mode: 0o600 });
  const url = `https://localhost:${port}`;
  const gateway = await gatewayProcess(
    t,
    `servers: { stub: { url: "${stub.url}" } }
control:
  people:
    vera: { roles: [viewer] }
    olga: { roles: [operator, approver] }
    anna: { roles: [admin] }
  remote: { address: "127.0.0.1:${port}", url: "${url}", certificates: [{ certificate: ${folder}/room.pem, key: ${folder}/room.key }] }`,
    rules,
  );
  return { gateway, url };
}

const undo: (() => unknown)[] = [];
const t: Cleanup = { after: (step) => void undo.push(step) };
let one: Scene;
/** State folder of somebody's laptop. */
let laptop: string;

before(async () => {
  one = await scene(t);
  laptop = await temporaryFolder(t);
  await hold();
  for (const name of ["vera", "olga", "anna"]) assert.equal((await join(one, name, name)).code, 0);
});
after(async () => {
  for (const step of undo.toReversed()) await step();
});

/** Has a call held, of a server whose tools were listed. */
async function hold(): Promise<void> {
  const link = await directLink(t, one.gateway, "payer");
  for (const [method, params] of [
    ["tools/list", {}],
    ["tools/call", { name: "pay", arguments: { amount: 3 } }],
  ] as const) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: modernMeta } });
    const headers = { ...json, ...modernHeaders(method, "name" in params ? params.name : undefined) };
    await (await link.request({ path: "/mcp/stub", method: "POST", headers, body })).body.text();
  }
}

async function token({ gateway }: Scene, id: string): Promise<string> {
  const made = await cli(["ca", "token", "--config", gateway.configFile, "--for", id]);
  assert.equal(made.code, 0, made.stderr);
  return made.stdout.trim();
}

async function join(at: Scene, person: string, name: string, state = laptop): Promise<Ended> {
  const joinToken = await token(at, `person/${person}`);
  return await cli(["remote", "join", name, at.url], "", {
    LATTICEGATE_STATE: state,
    LATTICEGATE_JOIN: joinToken,
  });
}

/** From another machine, as that one there. */
async function remotely(name: string, ...args: readonly string[]): Promise<Ended> {
  return await cli([...args, "--remote", name], "", { LATTICEGATE_STATE: laptop });
}

async function locally(...args: readonly string[]): Promise<Ended> {
  return await cli([...args, "--config", one.gateway.configFile]);
}

test("what commands print is the same from another machine as beside the gateway", async () => {
  const [{ id = "" } = {}] = JSON.parse((await locally("approvals", "list", "--json")).stdout) as {
    id?: string;
  }[];
  assert.match(id, /^[0-9a-f]{16}$/);
  const [found = ""] = (
    await locally("audit", "query", "--tool", "stub/*", "--format", "jsonl")
  ).stdout.split("\n");
  const { call } = JSON.parse(found) as { call: string };
  await locally(
    "respond",
    "limit",
    "--caller",
    "agent/loud",
    "--calls",
    "3",
    "--per",
    "1m",
    "--because",
    "A test.",
  );
  for (const words of [
    ["approvals", "list"],
    ["approvals", "show", id, "--json"],
    ["response", "list", "--json"],
    ["incidents", "list", "--json"],
    ["incidents", "list", "--held-back"],
    ["incidents", "suppressions", "--json"],
    ["playbooks", "waiting", "--json"],
    ["kill", "status"],
    ["tools", "list", "--json"],
    ["tools", "history", "stub", "--json"],
    ["tools", "diff", "stub", "--json"],
    ["tools", "diff", "nowhere"],
    ["audit", "query"],
    ["audit", "query", "--format", "csv", "--oldest-first", "--limit", "3"],
    ["audit", "query", "--tool", "stub/*", "--format", "jsonl"],
    ["audit", "query", "--entries", "--event", "call.decision", "--since", "1h"],
    ["audit", "query", "--caller", "spiffe://latticegate.local/agent/payer"],
    ["audit", "query", "--text", "payments-wait"],
    ["audit", "query", "--verdict", "perhaps"],
    ["audit", "tail", "--lines", "5"],
    ["audit", "tail", "--lines", "3", "--json"],
    ["audit", "show", call],
    ["audit", "show", call, "--json"],
    ["audit", "show", call, "--pseudonyms"],
    ["audit", "show", "nothing"],
  ]) {
    const [here, there] = await Promise.all([locally(...words), remotely("anna", ...words)]);
    assert.deepEqual(there, here, words.join(" "));
    assert.ok((here.stdout + here.stderr).length > 0, words.join(" "));
  }
});

test("an operator acts from another machine, and it is on record as that person", async () => {
  const made = await remotely(
    "olga",
    "respond",
    "quarantine",
    "--caller",
    "agent/odd",
    "--for",
    "90m",
    "--because",
    "Odd.",
    "--json",
  );
  assert.equal(made.code, 0, made.stderr);
  const { id, by, until, since } = JSON.parse(made.stdout) as Record<"id" | "by" | "until" | "since", string>;
  assert.equal(by, "person:olga");
  assert.equal(Date.parse(until) - Date.parse(since), 90 * 60_000);
  assert.equal((await remotely("olga", "response", "renew", id, "--for", "2h")).code, 0);
  assert.match((await remotely("olga", "response", "lift", id, "--because", "Fine.")).stdout, /^lifted: /);
  const [{ id: waiting = "" } = {}] = JSON.parse(
    (await remotely("olga", "approvals", "list", "--json")).stdout,
  ) as { id?: string }[];
  const denied = await remotely("olga", "approvals", "deny", waiting, "--because", "Not today.", "--json");
  assert.equal((JSON.parse(denied.stdout) as { state: string }).state, "denied", denied.stderr);
  assert.equal((await remotely("olga", "kill", "on", "--because", "A drill.")).code, 0);
  assert.equal((await locally("kill", "status")).code, 1);
  assert.match((await remotely("olga", "status")).stdout, /^STOPPED .*person:olga/);
  assert.equal((await remotely("olga", "kill", "off", "--because", "Over.")).code, 0);
  const { stdout } = await locally("audit", "query", "--event", "control.action", "--format", "jsonl");
  assert.ok(stdout.includes("person:olga"));
});

test("the log is followed from another machine, each entry once", async () => {
  const words = ["audit", "tail", "--follow", "--lines", "1", "--json", "--remote", "vera"];
  const env = { ...process.env, LATTICEGATE_STATE: laptop };
  const tail = await startProcess(t, [process.execPath, ...latticegate(words)], /^(\{.*)$/, { env });
  const [begun = ""] = tail.groups;
  let text = "";
  tail.process.stdout?.on("data", (more: Buffer) => (text += more.toString()));
  for (const caller of ["agent/one", "agent/two"]) {
    const order = ["respond", "quarantine", "--caller", caller, "--because", "A test."];
    assert.equal((await remotely("olga", ...order)).code, 0);
  }
  await eventually("what was added is printed, as the log has it", async () => {
    const log = (await locally("audit", "tail", "--lines", "1000", "--json")).stdout;
    const added = log.slice(log.indexOf(begun) + begun.length + 1);
    return added.split("\n").length > 2 && text === added;
  });
  await tail.stop();
});

test("what is meant for another machine isn't done on this one", async () => {
  const env = { LATTICEGATE_STATE: laptop, LATTICEGATE_REMOTE: "vera" };
  const kill = ["kill", "on", "--because", "No."];
  assert.match((await cli(kill, "", env)).stderr, /needs the role operator/);
  assert.equal((await cli(["kill", "status", "--config", one.gateway.configFile], "", env)).code, 0);
  const nowhere = { ...env, LATTICEGATE_REMOTE: "nowhere" };
  assert.match((await cli(kill, "", nowhere)).stderr, /There is no control room "nowhere"/);
  for (const [words, said] of [
    [["audit", "verify", "--remote", "vera"], /"latticegate audit verify" works on this machine only/],
    [["ca", "revoke", "agent/x", "--remote=vera"], /"latticegate ca revoke" works on this machine only/],
    [["audit", "tail", "--log", "log", "--remote", "vera"], /Expected --log or --remote, not both/],
    [["audit", "query", "--rebuild", "--remote", "vera"], /--rebuild without --remote/],
    [["audit", "query", "--limit", "5001", "--remote", "vera"], /--limit takes up to 5000/],
  ] as const) {
    const { code, stdout, stderr } = await cli(words, "", env);
    assert.equal(code, 2, words.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, said);
  }
});

test("a viewer reads and changes nothing, and is told which role it takes", async () => {
  for (const words of [
    ["kill", "on", "--because", "No."],
    ["respond", "quarantine", "--caller", "agent/x", "--because", "No."],
    ["api", "POST", "/kill", '{"on":true,"because":"No."}'],
  ]) {
    const { code, stderr } = await remotely("vera", ...words);
    assert.notEqual(code, 0, words.join(" "));
    assert.match(stderr, /operator/, words.join(" "));
  }
  assert.equal((await locally("kill", "status")).code, 0);
});

test("whatever the API answers can be asked, here and from another machine", async () => {
  const here = JSON.parse((await locally("api", "GET", "/status")).stdout) as Record<string, unknown>;
  const there = JSON.parse((await remotely("vera", "api", "get", "/api/v1/status")).stdout) as Record<
    string,
    unknown
  >;
  assert.deepEqual(there["listener"], here["listener"]);
  const missing = await remotely("vera", "api", "GET", "/nowhere");
  assert.notEqual(missing.code, 0);
  for (const words of [
    ["api"],
    ["api", "PATCH", "/status"],
    ["api", "GET", "status"],
    ["api", "POST", "/kill", "{"],
  ])
    assert.equal((await remotely("vera", ...words)).code, 2, words.join(" "));
});

test("names that can't be, tokens of others, and a second use of a token are refused", async () => {
  const env = { LATTICEGATE_STATE: laptop };
  for (const [words, said] of [
    [["remote", "join", "../up", one.url, "--join", "x"], /can't be a name/],
    [["remote", "join", "vera", one.url, "--join", "x"], /is known already/],
    [["remote", "join", "late", "http://127.0.0.1:1", "--join", "x"], /Expected the address/],
    [["remote", "join", "late", one.url], /--join TOKEN/],
    [["remote", "join", "late", one.url, "--join", await token(one, "agent/late")], /person\/NAME/],
    [["approvals", "list", "--remote", "nowhere"], /known are anna, olga, vera/],
    [["approvals", "list", "--remote", "vera", "--config", one.gateway.configFile], /not both/],
  ] as const) {
    const { code, stderr } = await cli(words, "", env);
    assert.notEqual(code, 0, words.join(" "));
    assert.match(stderr, said);
  }
  const spent = await token(one, "person/vera");
  const twice = async (name: string): Promise<Ended> =>
    await cli(["remote", "join", name, one.url, "--join", spent], "", env);
  assert.equal((await twice("once")).code, 0);
  assert.notEqual((await twice("again")).code, 0);
  assert.equal((await cli(["remote", "forget", "once"], "", env)).code, 0);
  assert.deepEqual(
    (JSON.parse((await cli(["remote", "list", "--json"], "", env)).stdout) as { name: string }[]).map(
      ({ name }) => name,
    ),
    ["anna", "olga", "vera"],
  );
});

test("the key stays with its person, and nothing of it or of a token is printed", async () => {
  const folder = path.join(laptop, "remotes", "vera");
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const { mode } = await stat(path.join(entry.parentPath, entry.name));
    assert.equal(mode & 0o077, 0, entry.name);
  }
  const { stdout, stderr } = await join(one, "vera", "quiet");
  assert.ok(!/PRIVATE|BEGIN/.test(stdout + stderr));
  assert.doesNotMatch(await readFile(path.join(folder, "control-room.json"), "utf8"), /PRIVATE|token/);
});

test("another gateway at the same address isn't asked, whatever it would answer", async () => {
  const other = await scene(t);
  const file = path.join(laptop, "remotes", "vera", "control-room.json");
  const before = await readFile(file, "utf8");
  await writeFile(file, before.replace(one.url, other.url));
  const { code, stdout, stderr } = await remotely("vera", "status");
  await writeFile(file, before);
  assert.notEqual(code, 0);
  assert.equal(stdout, "");
  assert.match(stderr, /isn't spiffe:.* any more/);
});

test("who was revoked asks nothing any more", async () => {
  assert.equal((await join(one, "olga", "leaver")).code, 0);
  assert.equal((await remotely("leaver", "status")).code, 0);
  await locally("ca", "revoke", "spiffe://latticegate.local/person/olga");
  await eventually("its commands are refused", async () => (await remotely("leaver", "status")).code !== 0);
  assert.match(
    (await remotely("leaver", "status")).stderr,
    /may be revoked: "latticegate remote forget leaver"/,
  );
});
