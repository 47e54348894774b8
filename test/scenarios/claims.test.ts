/** What messages say in `_meta` of who sent them, against what the sender's certificate proves. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { startExpose } from "../../src/app/expose.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Client,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  type StubServer,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { checkLog, logged } from "../support/records.ts";
import { stdioClient } from "../support/stdio-client.ts";

const stdioServer = fileURLToPath(new URL("../support/stdio-server.ts", import.meta.url));
const self = "spiffe://latticegate.local/agent/test";
const other = "spiffe://latticegate.local/agent/admin";

const modern = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};
const modernHeaders = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "a" };

function claiming(meta: object): object {
  return { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "a", arguments: {}, _meta: meta } };
}

interface SetUp {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
  readonly client: Client;
}

async function setUp(t: TestContext, extra = ""): Promise<SetUp> {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${extra}\n${openPolicy}`);
  return { gateway, stub, client: clientOf(t, gateway, await enrol(gateway)) };
}

/** One refused call is on record as such, and nothing else is. */
async function assertRecorded(gateway: TestGateway, claim: object): Promise<void> {
  const entries = await checkLog(gateway);
  assert.deepEqual(
    entries.map(({ event, outcome, facts }) => [event, outcome, facts["reason"], facts["status"]]),
    [["call.outcome", "denied", "false_claim", "403"]],
  );
  const [line, ...more] = logged(gateway, "call.refused");
  assert.deepEqual(more, []);
  const { code, caller, server, claim: key, claimed } = line ?? {};
  assert.deepEqual({ code, caller, server }, { code: "false_claim", caller: self, server: "stub" });
  assert.deepEqual({ claim: key, ...(claimed !== undefined && { claimed }) }, claim);
}

const refused: readonly (readonly [what: string, message: object, id: number | null, claim: object])[] = [
  ["request", claiming({ caller: other }), 7, { claim: "caller", claimed: other }],
  ["modern request", claiming({ ...modern, "x/sub": other }), 7, { claim: "x/sub", claimed: other }],
  [
    "notification",
    { jsonrpc: "2.0", method: "notifications/x", params: { _meta: { act: { sub: other } } } },
    null,
    { claim: "act", claimed: other },
  ],
  [
    "client's answer",
    { jsonrpc: "2.0", id: 1, result: { roots: [], _meta: { "dev.latticegate/caller": "canary" } } },
    null,
    { claim: "dev.latticegate/caller" },
  ],
];
for (const [what, message, id, claim] of refused) {
  test(`a ${what} that claims to be from somebody else is refused, told to the operator, and reaches no server`, async (t) => {
    const { gateway, stub, client } = await setUp(t);
    const headers = JSON.stringify(message).includes("2026-07-28") ? modernHeaders : {};
    const answer = await client.post("stub", message, headers);
    assert.equal(answer.status, 403, "no client takes a 403 for a sign of the other era");
    const key = Object.values(claim)[0] as string;
    const error = { code: -31403, message: `"${key}" in _meta contradicts what the caller has proven.` };
    assert.deepEqual(JSON.parse(answer.text), { jsonrpc: "2.0", id, error });
    assert.equal(stub.seen.length, 0);
    await assertRecorded(gateway, claim);
    assert.doesNotMatch(gateway.log.join(""), /canary/);
  });
}

test("claims that are true, or can't be compared, pass as the bytes they were", async (t) => {
  const { stub, client } = await setUp(t);
  const meta = `{ "caller":"${self}", "agent-id" : "a-7f3a","user":"${other}", "n":1.0,"act":{"sub":"${self}"} }`;
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":${meta}}}`;
  const answer = await client.request("stub", { headers: { "content-type": "application/json" }, body });
  assert.equal(answer.status, 200);
  assert.equal(stub.seen[0]?.body, body);
});

test("a key the operator named must hold the caller's identity or its path whenever it is there", async (t) => {
  const { gateway, stub, client } = await setUp(t, 'caller_claims: ["com.acme/agent"]');
  for (const value of [self, "agent/test"]) {
    assert.equal((await client.post("stub", claiming({ "com.acme/agent": value }))).status, 200);
  }
  assert.equal((await client.post("stub", toolCall("a"))).status, 200, "it need not be there");
  for (const value of ["agent/admin", "canary", 7, null, { id: self }]) {
    const answer = await client.post("stub", claiming({ "com.acme/agent": value }));
    assert.equal(answer.status, 403);
    assert.doesNotMatch(answer.text, /canary|admin/);
  }
  assert.equal(stub.seen.length, 3);
  assert.doesNotMatch(gateway.log.join(""), /canary/, "what is no identity isn't logged");
});

test("what a stranger writes as an identity is cut and made printable for the log", async (t) => {
  const { gateway, client } = await setUp(t);
  const claimed = `spiffe://x/\u001b[31m\n${"y".repeat(10_000)}`;
  await client.post("stub", claiming({ [`${"k".repeat(10_000)}/caller`]: claimed }));
  const [line] = logged(gateway, "call.refused");
  assert.match(String(line?.["claimed"]), /^spiffe:\/\/x\/\?\[31m\?y{200,256}…\[cut\]$/);
  assert.match(String(line?.["claim"]), /^k{128}…\[cut\]$/);
});

test("a server behind a pipe sees no call with a false claim, and no answer with one", async (t) => {
  const gateway = await testGateway(
    t,
    `servers: { stub: { command: ["${process.execPath}", "${stdioServer}"] } }\n${openPolicy}`,
  );
  const client = clientOf(t, gateway, await enrol(gateway));
  const opened = await client.post("stub", { jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
  const headers = { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
  assert.equal((await client.post("stub", claiming({ principal: other }), headers)).status, 403);
  const asking = client.post("stub", toolCall("ask", 2), headers);
  const roots = (meta: object): object => ({
    jsonrpc: "2.0",
    id: "roots",
    result: { roots: [], _meta: meta },
  });
  assert.equal((await client.post("stub", roots({ principal: other }), headers)).status, 403);
  let said: string | undefined;
  void asking.then(({ text }) => (said = text));
  await eventually("the server asks, and gives back the first answer it gets", async () => {
    await client.post("stub", roots({ true: 1 }), headers);
    return said !== undefined;
  });
  assert.match(said ?? "", /\\"true\\":1/);
});

test("a client of the sidecar gets the refusal as the answer to its request, and may go on", async (t) => {
  const { gateway, stub } = await setUp(t);
  const client = await stdioClient(t, gateway, "stub");
  client.send(claiming({ ...modern, caller: other }));
  const message = '"caller" in _meta contradicts what the caller has proven.';
  assert.deepEqual(await client.next(), { jsonrpc: "2.0", id: 7, error: { code: -31403, message } });
  assert.equal(stub.seen.length, 0);
  client.send(claiming({ ...modern, caller: self }));
  assert.deepEqual(await client.next(), { jsonrpc: "2.0", id: 7, result: {} });
  await gateway.audit.journal.checkpoint();
  assert.equal(logged(gateway, "call.refused").length, 1);
});

test("a true claim passes through the gateway to an exposed server, for which the gateway is the caller", async (t) => {
  const stub = await stubServer(t);
  const first = await testGateway(t, openPolicy);
  const address = { path: "server/stub", address: first.address };
  const exposed = await startExpose({
    joinToken: await makeJoinToken(first.config, address, systemClock),
    state: await freshState(t),
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: [],
    clock: systemClock,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
  });
  atEnd(t, exposed.stop);
  await first.stop();
  const servers = `servers: { behind: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { folder: first.folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("behind", claiming({ caller: self }))).status, 200);
  assert.equal((await client.post("behind", claiming({ caller: other }))).status, 403);
  assert.equal(stub.seen.length, 1);
});
