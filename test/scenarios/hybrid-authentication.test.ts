/** Links that prove a classical identity beside the ML-DSA one: what they are needed for, and how they come about. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test, type TestContext } from "node:test";

import { listCertificates } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, openTunnel } from "../../src/app/connect.ts";
import { type Exposed, startExpose } from "../../src/app/expose.ts";
import { openKeys, statePaths } from "../../src/app/state-folder.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { enrolledSchema, join } from "../../src/host/net/enrol-client.ts";
import { valueOf } from "../../src/host/net/headers.ts";
import { writePrivateFile } from "../../src/host/store/files.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { falseGateway } from "../support/forger.ts";
import {
  type Answering,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import {
  agent,
  call,
  editIdentity,
  hybrid,
  linkAuths,
  sidecar,
  tunnelOf,
  withoutClassical,
} from "../support/hybrid.ts";
import { checkLog, logged } from "../support/records.ts";
import { authorizationServer, protectedServer } from "../support/upstream-authorization-server.ts";

const both = "ML-DSA-65+Ed25519";

test("a sidecar proves both identities by itself, and the record says so", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}", ${hybrid} } }\n${openPolicy}`);
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "stub"));
  for (let calls = 0; calls < 6; calls++) assert.equal((await call(tunnel)).status, 200);
  assert.equal(stub.seen.length, 6);
  assert.deepEqual(await linkAuths(gateway), Array(6).fill(both));
  const proofs = logged(gateway, "link.proven").length;
  assert.ok(proofs >= 1 && proofs <= 3, `once for each connection, not for each call: ${proofs}`);
});

test("a server that asks for both identities refuses a link with one, says why, and records it", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers: { dear: { url: "${stub.url}", ${hybrid} }, plain: { url: "${stub.url}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const refused = await client.post("dear", toolCall("echo"));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /"dear\\" asks for a link that proves a classical identity .*use a sidecar of/);
  assert.equal(stub.seen.length, 0);
  assert.equal((await client.post("plain", toolCall("echo"))).status, 200);
  assert.deepEqual(await linkAuths(gateway), ["ML-DSA-65"]);
  const [outcome] = (await checkLog(gateway)).filter(({ facts }) => facts["server"] === "dear");
  assert.deepEqual([outcome?.outcome, outcome?.facts["reason"]], ["denied", "link_too_weak"]);
});

/** A server of one tool, as a virtual server asks for it. */
const oneTool: Answering = (_request, response, body) => {
  const { id, method } = JSON.parse(body === "" ? "{}" : body) as { id?: number; method?: string };
  if (id === undefined) {
    response.writeHead(202).end();
    return;
  }
  const serverInfo = { name: "stub", version: "1" };
  const results: Record<string, object> = {
    initialize: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo },
    "tools/list": { tools: [{ name: "echo", inputSchema: { type: "object" } }] },
  };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id, result: results[method ?? ""] ?? { content: [] } }));
};

test("a session that began on a link with both identities is worth nothing on one without, through a virtual server too", async (t) => {
  const stub = await stubServer(t, oneTool);
  const servers = `servers: { dear: { url: "${stub.url}", ${hybrid} } }`;
  const virtual = "virtual_servers: { all: { servers: [dear] } }";
  const gateway = await testGateway(t, `${servers}\n${virtual}\n${openPolicy}`);
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "all"));
  const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } };
  const begun = await call(tunnel, { jsonrpc: "2.0", id: 1, method: "initialize", params: hello });
  const session = valueOf(begun.headers, "mcp-session-id") ?? assert.fail(begun.text);
  const inSession = ["mcp-session-id", session];
  await call(tunnel, { jsonrpc: "2.0", id: 2, method: "tools/list", params: {} }, inSession);
  assert.match((await call(tunnel, toolCall("echo", 3), inSession)).text, /"content"/);
  const before = stub.seen.length;
  const other = clientOf(t, gateway, await enrol(gateway));
  const refused = await other.post("all", toolCall("echo", 4), { "mcp-session-id": session });
  assert.equal(refused.status, 403);
  assert.match(refused.text, /"dear\\" asks for a link/);
  assert.equal(stub.seen.length, before);
  const last = (await checkLog(gateway)).at(-1);
  assert.deepEqual([last?.outcome, last?.facts["reason"]], ["denied", "link_too_weak"]);
});

test("a listener that asks for both identities takes no call on a link with one", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers: { stub: { url: "${stub.url}" } }`;
  const listen = `{ address: "127.0.0.1:0", authentication: hybrid-mtls }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { listen });
  const refused = await clientOf(t, gateway, await enrol(gateway)).post("stub", toolCall("echo"));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /This listener asks for a link/);
  assert.equal(stub.seen.length, 0);
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "stub", { name: "agent/new" }));
  assert.equal((await call(tunnel)).status, 200);
});

for (const [where, open] of [
  ["listener", []],
  ["server", ["GET /grants"]],
] as const) {
  test(`a ${where} that asks for both identities takes no question about grants on a link with one`, async (t) => {
    const as = await authorizationServer(t);
    const { url } = await protectedServer(t, as);
    const link = where === "server" ? `, ${hybrid}` : "";
    const servers = `servers: { s: { url: "${url}", auth: { kind: authorization_code }${link} } }`;
    const listen = `{ address: "127.0.0.1:0", authentication: hybrid-mtls }`;
    const gateway = await testGateway(t, `${servers}\n${openPolicy}`, where === "listener" ? { listen } : {});
    const begin = { server: "s", redirect_uri: "http://127.0.0.1:5555/callback" };
    const questions: Readonly<Record<string, object | undefined>> = {
      "GET /grants": undefined,
      "POST /grants/begin": begin,
      "POST /grants/finish": { server: "s", parameters: "state=x" },
      "POST /grants/revoke": { server: "s" },
    };
    const client = clientOf(t, gateway, await enrol(gateway));
    const taken: string[] = [];
    for (const [question, body] of Object.entries(questions)) {
      const [method = "", at = ""] = question.split(" ");
      const headers = { "content-type": "application/json" };
      const text = body && { headers, body: JSON.stringify(body) };
      const answer = await client.request("s", { method, path: at, ...text });
      if (answer.status === 200) taken.push(question);
      else assert.match(answer.text, /"error":"link_too_weak"/);
    }
    assert.deepEqual(taken, open);
    assert.equal(as.seen.length, 0);
    const tunnel = await tunnelOf(t, await sidecar(t, gateway, "s"));
    const body = Buffer.from(JSON.stringify(begin));
    const headers = ["content-type", "application/json"];
    const begun = await tunnel.send({ path: "/grants/begin", method: "POST", headers, body });
    assert.equal(begun.status, 200, "with both it is taken");
  });
}

interface Behind {
  readonly exposed: Exposed;
  readonly options: ConnectOptions;
  /** The gateway that gave out the exposed server's identity; its successor serves `behind`. */
  readonly first: TestGateway;
}

async function behind(
  t: TestContext,
  choices: { readonly authentication?: "hybrid-mtls"; readonly isOld?: boolean; readonly allow?: string },
): Promise<Behind> {
  const stub = await stubServer(t);
  const first = await testGateway(t, openPolicy);
  const options = await sidecar(t, first, "", { name: "server/pipe" });
  const { authentication, isOld = false, allow } = choices;
  const start = (): Promise<Exposed> =>
    startExpose({
      ...options,
      server: { url: stub.url },
      listen: "127.0.0.1:0",
      allow: allow === undefined ? [] : [allow],
      ...(authentication && { authentication }),
    });
  if (!isOld) {
    const exposed = await start();
    atEnd(t, exposed.stop);
    await first.stop();
    return { exposed, options, first };
  }
  await (await start()).stop();
  await editIdentity(options, withoutClassical);
  await first.stop(); // So that it can't renew into one that has both.
  const exposed = await start();
  atEnd(t, exposed.stop);
  return { exposed, options, first };
}

function served({ exposed }: Behind, more = ""): string {
  return `servers: { behind: { url: "${exposed.url}", peer: "${exposed.spiffeId}"${more} } }\n${openPolicy}`;
}

/** Of the calls of tools that were decided there. */
async function exposedAuths({ options }: Behind): Promise<readonly string[]> {
  const auths: string[] = [];
  for await (const { bytes } of openLogReader(statePaths(options.state).log).forwards()) {
    const entry = Buffer.from(bytes).toString();
    const [, auth] = /"link.auth":"([^"]+)"/.exec(entry) ?? [];
    if (auth !== undefined && entry.includes('"method":"tools/call"')) auths.push(auth);
  }
  return auths;
}

test("a gateway and an exposed server prove both identities to each other", async (t) => {
  const there = await behind(t, { authentication: "hybrid-mtls" });
  const gateway = await testGateway(t, served(there, `, ${hybrid}`), { folder: there.first.folder });
  const tunnel = await tunnelOf(t, await sidecar(t, gateway, "behind"));
  assert.match((await call(tunnel)).text, /"result"/);
  assert.deepEqual(await exposedAuths(there), [both]);
});

test("a gateway calls an exposed server without a classical identity, unless the config says it must have one", async (t) => {
  const there = await behind(t, { isOld: true });
  const tolerant = await testGateway(t, served(there), { folder: there.first.folder });
  const tunnel = await tunnelOf(t, await sidecar(t, tolerant, "behind"));
  assert.match((await call(tunnel)).text, /"result"/);
  await tolerant.stop();
  const strict = await testGateway(t, served(there, `, ${hybrid}`), { folder: there.first.folder });
  const refused = await call(await tunnelOf(t, await sidecar(t, strict, "behind")));
  assert.equal(refused.status, 502);
  assert.match(refused.text, /offers no proof of a classical identity/);
  assert.deepEqual(await exposedAuths(there), ["ML-DSA-65"], "nothing more was sent to it");
});

test("a sidecar and an exposed server prove both identities where each asks for them", async (t) => {
  const there = await behind(t, { authentication: "hybrid-mtls", allow: agent.spiffeId });
  const gateway = await testGateway(t, openPolicy, { folder: there.first.folder });
  const to = { peer: there.exposed.spiffeId, authentication: "hybrid-mtls" } as const;
  const tunnel = await tunnelOf(t, { ...(await sidecar(t, gateway, there.exposed.url)), ...to });
  assert.match((await call(tunnel)).text, /"result"/);
  assert.deepEqual(await exposedAuths(there), [both]);
});

test("an exposed server that asks for both identities takes no call on a link with one", async (t) => {
  const there = await behind(t, { authentication: "hybrid-mtls", allow: agent.spiffeId });
  const gateway = await testGateway(t, openPolicy, { folder: there.first.folder });
  const enrolment = await enrol(gateway);
  const identity = { ...enrolment.identity, gateway: there.exposed.spiffeId };
  const at = { ...gateway, address: new URL(there.exposed.url).host };
  const refused = await clientOf(t, at, { ...enrolment, identity }).post("pipe", toolCall("echo"));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /This listener asks for a link/);
  assert.deepEqual(await exposedAuths(there), []);
});

test("a sidecar that asks for both identities sends nothing to an exposed server with one", async (t) => {
  const there = await behind(t, { isOld: true, allow: agent.spiffeId });
  const gateway = await testGateway(t, openPolicy, { folder: there.first.folder });
  const to = { peer: there.exposed.spiffeId, authentication: "hybrid-mtls" } as const;
  const tunnel = await tunnelOf(t, { ...(await sidecar(t, gateway, there.exposed.url)), ...to });
  await assert.rejects(call(tunnel), /offers no proof of a classical identity/);
  assert.deepEqual(await exposedAuths(there), []);
});

/** What a sidecar of before joined with: its state folder has one identity, and the gateway gave it one. */
async function sidecarOfBefore(
  t: TestContext,
  gateway: TestGateway,
  target: string,
): Promise<ConnectOptions> {
  const { joinToken = "", ...options } = await sidecar(t, gateway, target);
  const key = await (await openKeys(options.state, undefined)).key("identity", "ML-DSA-65");
  const identity = await join(readJoinToken(joinToken), createSigningRequest(key), gateway.config.profile);
  await writePrivateFile(
    statePaths(options.state).identity,
    JSON.stringify({ ...identity, address: gateway.address }),
  );
  return options;
}

test("an identity from before there were classical ones is renewed into one that has both", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}", ${hybrid} } }\n${openPolicy}`);
  assert.equal((await call(await tunnelOf(t, await sidecarOfBefore(t, gateway, "stub")))).status, 200);
});

test("an identity that lost its classical part gets no other by its ML-DSA key alone, and goes on without", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers: { dear: { url: "${stub.url}", ${hybrid} }, plain: { url: "${stub.url}" } }`;
  const gateway = await testGateway(t, `${servers}\n${openPolicy}`);
  const options = await sidecar(t, gateway, "dear");
  await (await openTunnel(options)).close();
  await editIdentity(options, withoutClassical);
  assert.equal((await call(await tunnelOf(t, options))).status, 403);
  assert.equal((await call(await tunnelOf(t, { ...options, target: "plain" }))).status, 200);
  assert.match(gateway.log.join(""), /this identity had one, which must be shown/);
});

test("both certificates are renewed at half-life, together, and end together", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const later: Clock = { nowUnixMs: () => Date.now() + 31 * 60_000 };
  await tunnelOf(t, { ...options, clock: later });
  const listed = () => listCertificates(gateway.config).filter(({ spiffeId }) => spiffeId === agent.spiffeId);
  await eventually("four certificates", () => listed().length === 4);
  const mine = listed();
  const purposes = mine.map(({ purpose }) => purpose).toSorted();
  assert.deepEqual(purposes, ["classical client", "classical client", "client", "client"]);
  const { certificate, classical } = enrolledSchema.parse(await editIdentity(options, (same) => same));
  const endOf = (pem = ""): number => Date.parse(new X509Certificate(pem).validTo);
  assert.equal(endOf(classical?.certificate), endOf(certificate));
});

test("a sidecar that must have a classical identity and can't get one says what to do", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  await editIdentity(options, withoutClassical);
  await gateway.stop();
  await assert.rejects(
    openTunnel({ ...options, authentication: "hybrid-mtls" }),
    (error: unknown) =>
      error instanceof Refusal && error.code === "bad_state" && /must be up/.test(error.message),
  );
});

test("a sidecar renews at a gateway of before, without a classical identity", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const options = await sidecar(t, gateway, "stub");
  await (await openTunnel(options)).close();
  const identity = withoutClassical(await editIdentity(options, withoutClassical));
  const refusal = JSON.stringify({ error: "bad_message", message: "unknown member" });
  const bodies: string[] = [];
  const old = await falseGateway(t, gateway, (_link, path, body) => {
    if (path === "/identity/profile") return Promise.resolve({ status: 405, body: refusal });
    bodies.push(body.toString());
    const isKnown = !body.includes("classical_csr");
    const { address: _address, ...answer } = identity;
    return Promise.resolve(
      isKnown ? { status: 200, body: JSON.stringify(answer) } : { status: 400, body: refusal },
    );
  });
  await editIdentity(options, (each) => ({ ...each, address: old.address }));
  await (await openTunnel(options)).close();
  assert.deepEqual(
    bodies.map((body) => Object.keys(JSON.parse(body) as object)),
    [
      ["certificate", "csr", "classical_csr"],
      ["certificate", "csr"],
    ],
  );
});
