/** Acting for others: what a chain may do, and every way of making it more. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { revokeCertificates } from "../../src/app/certificate-authority.ts";
import { replaceCompromised } from "../../src/app/root-operations.ts";
import { signJws } from "../../src/crypto/jws.ts";
import { generateKeyPair, signingKey } from "../../src/crypto/keys.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { delegationType } from "../../src/identity/delegation.ts";
import { systemClock } from "../../src/host/system.ts";
import type { Cleanup } from "../support/cleanup.ts";
import {
  type Client,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, entriesOf, type Recorded } from "../support/records.ts";

const idOf = (name: string): string => `spiffe://latticegate.local/agent/${name}`;

/** A may read and write, B and C may do anything, D nothing that isn't for A. */
const policies = `
policies:
  - { name: a, callers: ["${idOf("a")}"], tools: ["files/read_*", "files/write_*", "mail/*"], effect: allow, because: A works here. }
  - { name: b-and-c, callers: ["${idOf("b")}", "${idOf("c")}"], tools: ["*"], effect: allow, because: They may. }
  - { name: d-for-a, callers: ["${idOf("d")}"], on_behalf_of: ["${idOf("a")}"], tools: ["files/*"], effect: allow, because: D helps A. }
  - { name: a-itself, callers: ["${idOf("a")}"], tools: ["files/sign_*"], delegated: never, effect: allow, because: A signs itself. }
  - { name: b-signs, callers: ["${idOf("b")}"], tools: ["files/sign_*"], effect: allow, because: B signs for anybody. }
  - { name: nobody-for-others, callers: ["*"], on_behalf_of: ["*"], tools: ["files/write_secret"], effect: deny, because: Secrets are written in person. }
`;

interface Scene {
  readonly gateway: TestGateway;
  readonly seen: readonly { readonly headers: Readonly<Record<string, unknown>>; readonly body: string }[];
  readonly agent: (name: string) => Promise<Client>;
}

async function scene(t: Cleanup, yaml = "", clock = systemClock): Promise<Scene> {
  const stub = await stubServer(t);
  const servers = `servers: { files: { url: "${stub.url}" }, mail: { url: "${stub.url}" } }\n`;
  const gateway = await testGateway(t, servers + yaml + policies, { clock });
  return {
    gateway,
    seen: stub.seen,
    agent: async (name) => clientOf(t, gateway, await enrol(gateway, `agent/${name}`)),
  };
}

interface Asked {
  readonly status: number;
  readonly token: string;
  readonly message: string;
}

async function delegate(client: Client, grant: object, holding?: string): Promise<Asked> {
  const answer = await client.request("", {
    path: "/identity/delegate",
    headers: { "content-type": "application/json", ...acting(holding) },
    body: JSON.stringify(grant),
  });
  const { access_token: token = "", message = "" } = JSON.parse(answer.text) as Record<string, string>;
  return { status: answer.status, token, message };
}

const acting = (token?: string): Record<string, string> =>
  token === undefined ? {} : { "latticegate-delegation": token };

/** "ok", or why not. */
async function call(client: Client, tool: string, token?: string, server = "files"): Promise<string> {
  const { text } = await client.post(server, toolCall(tool), acting(token));
  const { result, error } = JSON.parse(text) as {
    readonly result?: { readonly isError?: boolean; readonly content?: readonly { readonly text: string }[] };
    readonly error?: { readonly message: string };
  };
  if (error !== undefined) return error.message;
  return result?.isError === true ? (result.content?.[0]?.text ?? "") : "ok";
}

const lastDecision = (entries: readonly Recorded[]): Recorded | undefined =>
  entries.findLast(({ event }) => event === "call.decision");

test("A lets B, and B lets C, do a part of what A may; each call is on record with its chain", async (t) => {
  const { gateway, agent, seen } = await scene(t);
  const [a, b, c] = [await agent("a"), await agent("b"), await agent("c")];
  const toB = await delegate(a, { to: "agent/b", tools: ["files/*"], depth: 1 });
  assert.equal(toB.status, 200, toB.message);
  assert.equal(await call(b, "read_file", toB.token), "ok");
  const toC = await delegate(b, { to: idOf("c"), tools: ["files/read_*"], lifetime: 60 }, toB.token);
  assert.equal(toC.status, 200, toC.message);
  assert.equal(await call(c, "read_file", toC.token), "ok");
  assert.match(
    await call(c, "write_file", toC.token),
    /The delegation doesn't cover "write_file" on "files"/,
  );
  assert.equal(lastDecision(await checkLog(gateway))?.facts["rule"], "delegation-scope");
  assert.ok(!seen.some(({ headers }) => JSON.stringify(headers).includes("latticegate-")));
  const entries = await checkLog(gateway);
  const ofC = entries.find(({ principal, outcome }) => principal === idOf("c") && outcome === "allowed");
  assert.deepEqual(JSON.parse(ofC?.facts["chain"] ?? ""), [idOf("a"), idOf("b")]);
  const given = (await entriesOf(gateway)).filter(({ event }) => event === "identity.delegate");
  assert.deepEqual(
    given.map(({ principal, facts }) => [principal, facts["to"], facts["asked"], facts["depth"]]),
    [
      [idOf("a"), idOf("b"), "tools:files/*", "1"],
      [idOf("b"), idOf("c"), "tools:files/read_*", "0"],
    ],
  );
  assert.equal(ofC?.facts["delegation"], given[1]?.callId);
  assert.equal(given[1]?.facts["delegation"], given[0]?.callId);
});

test("each party of the chain must be allowed what is asked, and a denial names who isn't", async (t) => {
  const { gateway, agent } = await scene(t);
  const [a, b, d] = [await agent("a"), await agent("b"), await agent("d")];
  const toB = await delegate(a, { to: "agent/b", tools: ["*"] });
  assert.equal(await call(b, "delete_file"), "ok", "B itself may");
  assert.match(
    await call(b, "delete_file", toB.token),
    /No policy allows "spiffe:.*agent\/a", on whose behalf/,
  );
  assert.equal(lastDecision(await checkLog(gateway))?.facts["rule.party"], idOf("a"));
  assert.match(await call(b, "write_secret", toB.token), /Secrets are written in person/);
  assert.equal(await call(a, "write_secret"), "ok");
  assert.equal(await call(a, "sign_letter"), "ok");
  assert.match(await call(b, "sign_letter", toB.token), /No policy allows/, "never: not through others");
  const toD = await delegate(a, { to: "agent/d", tools: ["files/*"] });
  assert.equal(await call(d, "read_file", toD.token), "ok", "D may, for A");
  assert.match(await call(d, "read_file"), /No policy allows this caller/, "D itself may not");
  const bToD = await delegate(b, { to: "agent/d", tools: ["files/*"] });
  assert.match(await call(d, "read_file", bToD.token), /No policy allows this caller/, "nor for B");
});

test("housekeeping is open on the servers a delegation names, and on no other", async (t) => {
  const { agent } = await scene(t);
  const [a, b] = [await agent("a"), await agent("b")];
  const { token } = await delegate(a, { to: "agent/b", tools: ["files/read_*"] });
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  assert.equal((await b.post("files", list, acting(token))).status, 200);
  assert.equal((await b.post("mail", list, acting(token))).status, 403);
  assert.equal((await b.post("mail", list)).status, 200);
});

test("what is delegated on is never wider, deeper, longer, or for who delegated it", async (t) => {
  const { gateway, agent } = await scene(t);
  const [a, b] = [await agent("a"), await agent("b")];
  const held = await delegate(a, { to: "agent/b", tools: ["files/read_*"], depth: 1, lifetime: 60 });
  const last = await delegate(a, { to: "agent/b", tools: ["files/*"] });
  const grant = { to: "agent/c", tools: ["files/read_x"] };
  const refused: readonly (readonly [string, object, string | undefined, RegExp])[] = [
    [
      "another tool",
      { ...grant, tools: ["files/write_x"] },
      held.token,
      /"tools files\/write_x" isn't within/,
    ],
    ["another kind", { ...grant, resources: ["files/read_x"] }, held.token, /resources files\/read_x/],
    ["another server", { ...grant, tools: ["*/read_x"] }, held.token, /isn't within/],
    ["everything", { ...grant, tools: ["*"] }, held.token, /isn't within/],
    ["longer", { ...grant, lifetime: 3600 }, held.token, /may not outlast your own/],
    ["deeper", { ...grant, depth: 1 }, held.token, /0 times at most, not 1/],
    ["where none may follow", grant, last.token, /may not be delegated on/],
    ["to itself", { ...grant, to: "agent/b" }, held.token, /among those who delegated/],
    ["back", { ...grant, to: "agent/a" }, held.token, /among those who delegated/],
    ["to the gateway", { ...grant, to: "gateway" }, undefined, /acts for nobody/],
    [
      "to another domain",
      { ...grant, to: "spiffe://evil.test/agent/c" },
      undefined,
      /SPIFFE ID of latticegate/,
    ],
    ["to no path", { ...grant, to: "../c" }, undefined, /SPIFFE ID/],
    ["nothing", { to: "agent/c" }, undefined, /covers nothing/],
    ["no target", { ...grant, tools: ["read"] }, undefined, /isn't "server\/name"/],
    ["two patterns in one", { ...grant, tools: ["files/a tools:*"] }, undefined, /isn't "server\/name"/],
    ["too much", { ...grant, tools: Array(65).fill("files/x") }, undefined, /more than 64/],
    ["too long a while", { ...grant, lifetime: 3601 }, undefined, /3600 seconds at most/],
    ["too deep", { ...grant, depth: 3 }, undefined, /2 times at most, not 3/],
    ["too long", { ...grant, tools: range(40, (n) => `files/${n}${"x".repeat(490)}`) }, undefined, /header/],
  ];
  for (const [what, asked, token, reason] of refused) {
    const answer = await delegate(b, asked, token);
    assert.match(answer.message, reason, what);
    assert.deepEqual([answer.status, answer.token], [403, ""], what);
  }
  const denied = (await entriesOf(gateway)).filter(
    ({ event, outcome }) => event === "identity.delegate" && outcome === "denied",
  );
  assert.equal(denied.length, refused.length, "each refusal is on record");
  for (const body of [{ ...grant, scope: "*" }, { tools: ["*"] }, { ...grant, depth: -1 }, []]) {
    assert.equal((await delegate(b, body)).status, 400, "a body that isn't one");
  }
});

const range = (count: number, make: (n: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, n) => make(n));

test("a delegation is worth nothing to anybody but its holder, nor changed, nor signed by another", async (t) => {
  const { gateway, agent, seen } = await scene(t);
  const [a, b, c] = [await agent("a"), await agent("b"), await agent("c")];
  const { token } = await delegate(a, { to: "agent/b", tools: ["files/read_*"] });
  const [header = "", payload = "", signature = ""] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
  const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const own = signingKey(generateKeyPair(signatureSuite("ML-DSA-65")));
  const head = JSON.parse(Buffer.from(header, "base64url").toString()) as Record<string, unknown>;
  const jwk = { kty: "AKP", alg: "ML-DSA-65", pub: own.publicKey.export({ format: "jwk" }) };
  const wider = encoded({ ...claims, scope: "tools:*" });
  const bySelf = await signJws(delegationType, JSON.stringify({ ...claims, scope: "tools:*" }), own);
  const forged: readonly (readonly [string, string])[] = [
    ["another scope", `${header}.${wider}.${signature}`],
    ["no algorithm", `${encoded({ ...head, alg: "none" })}.${wider}.`],
    ["no signature", `${header}.${payload}.`],
    ["another algorithm", `${encoded({ ...head, alg: "HS256" })}.${payload}.${signature}`],
    ["a key of its own", `${encoded({ ...head, jwk })}.${bySelf.split(".").slice(1).join(".")}`],
    ["another's key", bySelf],
    ["another's key under our name", `${header}.${bySelf.split(".").slice(1).join(".")}`],
    ["another type", `${encoded({ ...head, typ: "JWT" })}.${payload}.${signature}`],
    ["a fourth part", `${token}.${signature}`],
    ["padding", `${token}=`],
    ["nothing", ""],
    ["a long one", "x".repeat(13_000)],
  ];
  const before = seen.length;
  for (const [what, text] of forged) assert.match(await call(b, "read_x", text), /isn't one of this/, what);
  assert.match(await call(c, "read_x", token), /for another caller/);
  assert.match(await call(a, "read_x", token), /for another caller/);
  assert.equal(seen.length, before, "none of it reached a server");
  assert.equal(await call(b, "read_x", token), "ok");
  const denied = (await checkLog(gateway)).filter(({ facts }) => facts["reason"] === "delegation_refused");
  assert.equal(denied.length, forged.length + 2);
  assert.ok(denied.every(({ outcome, facts }) => outcome === "denied" && facts["chain"] === undefined));
  assert.ok(!gateway.log.some((line) => line.includes(signature)), "no credential is logged");
});

test("a delegation ends when it says so, on links that are open", async (t) => {
  let nowUnixMs = Date.now();
  const { agent } = await scene(t, "", { nowUnixMs: () => nowUnixMs });
  const [a, b] = [await agent("a"), await agent("b")];
  const { token } = await delegate(a, { to: "agent/b", tools: ["files/*"], lifetime: 60 });
  assert.equal(await call(b, "read_x", token), "ok");
  nowUnixMs += 61_000;
  assert.match(await call(b, "read_x", token), /has ended/);
  assert.match((await delegate(b, { to: "agent/c", tools: ["files/*"] }, token)).message, /has ended/);
});

test("whoever is revoked takes along what was delegated from it", async (t) => {
  const { gateway, agent } = await scene(t);
  const [a, b, c] = [await agent("a"), await agent("b"), await agent("c")];
  const toB = await delegate(a, { to: "agent/b", tools: ["files/*"], depth: 1 });
  const toC = await delegate(b, { to: "agent/c", tools: ["files/*"] }, toB.token);
  const fromB = await delegate(b, { to: "agent/c", tools: ["files/*"] });
  assert.equal(await call(c, "read_x", toC.token), "ok");
  assert.equal(revokeCertificates(gateway.config, idOf("a"), systemClock)?.certificates, 1);
  await eventually("A's delegation counts no more", async () =>
    /revoked/.test(await call(c, "read_x", toC.token)),
  );
  assert.match(await call(b, "read_x", toB.token), /Somebody on whose behalf this is was revoked/);
  assert.equal(await call(c, "read_x", fromB.token), "ok", "what B gives itself goes on");
  await enrol(gateway, "agent/a"); // A comes back, what it gave before doesn't.
  assert.match(await call(b, "read_x", toB.token), /revoked/);
});

test("what was delegated under a root that is no longer trusted counts no more", async (t) => {
  const { gateway, agent } = await scene(t);
  const [a, b] = [await agent("a"), await agent("b")];
  const toB = await delegate(a, { to: "agent/b", tools: ["files/*"] });
  assert.equal(await call(b, "read_x", toB.token), "ok");
  await replaceCompromised(gateway.config, "client", systemClock);
  await eventually("a new beginning for B", async () => {
    const again = clientOf(t, gateway, await enrol(gateway, "agent/b"));
    const said = await call(again, "read_x", toB.token).catch(() => "cut");
    return /a root that isn't trusted any more/.test(said);
  });
});

test("a link that may not call a server may have nobody else call it either", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers:
  dear: { url: "${stub.url}", link: { authentication: hybrid-mtls } }
  mail: { url: "${stub.url}" }
`;
  const gateway = await testGateway(t, servers + openPolicy);
  const a = clientOf(t, gateway, await enrol(gateway, "agent/a"));
  for (const tools of [["dear/*"], ["mail/*", "dea*/read"], ["*"]]) {
    const { status, message } = await delegate(a, { to: "agent/b", tools });
    assert.equal(status, 403);
    assert.match(message, /"dear" asks for a link that proves a classical identity/);
  }
  assert.equal((await delegate(a, { to: "agent/b", tools: ["mail/*"] })).status, 200);
});

test("limits that become narrower count for delegations there are", async (t) => {
  const first = await scene(t, "delegation: { max_depth: 2, max_lifetime: 2h }\n");
  const names = ["a", "b", "c"];
  const [a, b, c] = await Promise.all(names.map((name) => enrol(first.gateway, `agent/${name}`)));
  assert.ok(a && b && c);
  const as = (gateway: TestGateway, who: typeof a): Client => clientOf(t, gateway, who);
  const grant = { tools: ["files/*"] };
  const long = await delegate(as(first.gateway, a), { ...grant, to: "agent/b", lifetime: 7200 });
  const deep = await delegate(as(first.gateway, a), { ...grant, to: "agent/b", depth: 1 });
  const toC = await delegate(as(first.gateway, b), { ...grant, to: "agent/c" }, deep.token);
  assert.equal(await call(as(first.gateway, c), "read_x", toC.token), "ok");
  await first.gateway.stop();
  const stub = await stubServer(t);
  const yaml = `servers: { files: { url: "${stub.url}" }, mail: { url: "${stub.url}" } }\ndelegation: { max_depth: 1 }\n${policies}`;
  const { folder } = first.gateway;
  const second = await testGateway(t, yaml, { folder });
  assert.match(await call(as(second, b), "read_x", long.token), /lasts longer than is allowed here/);
  assert.match(await call(as(second, c), "read_x", toC.token), /one of 2 in a row; 1 are allowed/);
  assert.equal(await call(as(second, b), "read_x", deep.token), "ok", "the same key goes on");
  await second.stop();
  const none = await testGateway(t, yaml.replace("max_depth: 1", "max_depth: 0"), { folder });
  assert.match(await call(as(none, b), "read_x", deep.token), /0 are allowed/);
  assert.match((await delegate(as(none, a), { ...grant, to: "agent/b" })).message, /max_depth is 0/);
});

test("what a message says of whom it is for gives it nothing", async (t) => {
  const { gateway, agent } = await scene(t);
  const d = await agent("d");
  const claims = { "dev.latticegate/onBehalfOf": idOf("a"), chain: [idOf("a")], onBehalfOf: idOf("a") };
  const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "read_x", _meta: claims } };
  assert.match((await d.post("files", message)).text, /No policy allows this caller/);
  assert.equal(lastDecision(await checkLog(gateway))?.facts["chain"], undefined);
});

test("a sender that acts for another is still compared as itself", async (t) => {
  const { agent } = await scene(t);
  const [a, b] = [await agent("a"), await agent("b")];
  const { token } = await delegate(a, { to: "agent/b", tools: ["files/*"] });
  const claiming = (caller: string): object => ({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "read_x", _meta: { caller } },
  });
  assert.equal((await b.post("files", claiming(idOf("b")), acting(token))).status, 200);
  assert.equal((await b.post("files", claiming(idOf("a")), acting(token))).status, 403);
});

test("a virtual server's members see the same chain and session", async (t) => {
  const { gateway, agent } = await scene(t, "virtual_servers: { all: { servers: [files, mail] } }\n");
  const [a, b] = [await agent("a"), await agent("b")];
  const { token } = await delegate(a, { to: "agent/b", tools: ["files/*"] });
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
  };
  await b.post("all", initialize, acting(token));
  const entries = (await checkLog(gateway)).filter(({ principal }) => principal === idOf("b"));
  const toMembers = entries.filter(({ facts }) => facts["via"] === "all");
  assert.ok(toMembers.some(({ facts }) => facts["server"] === "files"));
  assert.ok(!entries.some(({ facts }) => facts["server"] === "mail"), "what isn't delegated isn't asked");
  assert.equal(new Set(entries.map(({ facts }) => facts["chain"])).size, 1);
  assert.equal(new Set(entries.map(({ facts }) => facts["session"])).size, 1);
  assert.deepEqual(JSON.parse(toMembers[0]?.facts["chain"] ?? ""), [idOf("a")]);
});
