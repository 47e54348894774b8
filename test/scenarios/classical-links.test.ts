/** Links without ML-KEM under `transition`: let in where a listener says so, marked, and to nothing but what it names. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { delegatePath, sessionPath } from "../../src/gate/identity-requests.ts";
import { enrolAlpn, revocationsAlpn } from "../../src/host/net/front-door.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import {
  type Client,
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  stubServer,
  type StubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { knock } from "../support/knock.ts";
import { checkLog, logged, recorded } from "../support/records.ts";

interface House {
  readonly gateway: TestGateway;
  readonly enrolment: Enrolment;
  readonly open: StubServer;
  readonly other: StubServer;
  readonly hybrid: Client;
  readonly classical: Client;
}

/** `open` may be reached by links without ML-KEM, `other` may not. */
async function house(t: TestContext, policies = openPolicy): Promise<House> {
  const [open, other] = [await stubServer(t), await stubServer(t)];
  const gateway = await testGateway(
    t,
    `profile: transition
crypto: { memory: "off" }
servers:
  open: { url: "${open.url}" }
  other: { url: "${other.url}" }
virtual_servers: { all: { servers: [open, other] } }
${policies}`,
    { listen: "{ address: 127.0.0.1:0, key_exchange: hybrid-preferred, classical_servers: [open] }" },
  );
  const enrolment = await enrol(gateway);
  const hybrid = clientOf(t, gateway, enrolment);
  const classical = clientOf(t, gateway, enrolment, { ecdhCurve: "X25519" });
  return { gateway, enrolment, open, other, hybrid, classical };
}

async function lastDecision(gateway: TestGateway): Promise<Readonly<Record<string, string>>> {
  const decisions = (await recorded(gateway)).filter(({ event }) => event === "call.decision");
  return decisions.at(-1)?.facts ?? {};
}

test("a sidecar's link without ML-KEM reaches what is named, says so on record, and reaches no more", async (t) => {
  const { gateway, open, other, classical } = await house(t);
  assert.equal((await classical.post("open", toolCall("read"))).status, 200);
  const facts = await lastDecision(gateway);
  assert.deepEqual(
    [
      facts["link.group"],
      facts["link.level"],
      facts["link.pq"],
      facts["link.kind"],
      facts["link.profile"],
      facts["link.version"],
      facts["peer.cert.alg"],
    ],
    ["X25519", "0", "false", "classical", "transition", "TLSv1.3", "ML-DSA-65"],
  );
  const refused = await classical.post("other", toolCall("read"));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /other\\" isn't open to links without post-quantum key exchange/);
  const last = (await checkLog(gateway)).at(-1);
  assert.deepEqual([last?.outcome, last?.facts["reason"]], ["denied", "classical_link"]);
  assert.deepEqual([open.seen.length, other.seen.length], [1, 0]);
});

test("on the same listener a link with ML-KEM is hybrid, and reaches everything", async (t) => {
  const { gateway, hybrid } = await house(t);
  for (const server of ["open", "other"]) {
    assert.equal((await hybrid.post(server, toolCall("read"))).status, 200);
    const facts = await lastDecision(gateway);
    assert.deepEqual(
      [facts["link.group"], facts["link.level"], facts["link.pq"], facts["link.kind"]],
      ["X25519MLKEM768", "3", "true", undefined],
    );
  }
});

test("of a virtual server, a link without ML-KEM has the members asked that it may reach, and no other", async (t) => {
  const { classical, hybrid, other, open } = await house(t);
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params };
  await classical.post("all", initialize);
  assert.ok(open.seen.length > 0);
  assert.equal(other.seen.length, 0);
  await hybrid.post("all", initialize);
  assert.ok(other.seen.length > 0);
});

test("over a link without ML-KEM the gateway hands out no session, no delegation and no grant", async (t) => {
  const { classical, hybrid } = await house(t);
  const asked = async (client: Client, path: string, body: string | undefined): Promise<string> => {
    const method = body === undefined ? "GET" : "POST";
    const headers = { "content-type": "application/json" };
    const answer = await client.request("", { method, path, headers, ...(body !== undefined && { body }) });
    return `${answer.status} ${answer.text}`;
  };
  const delegation = JSON.stringify({ to: "spiffe://latticegate.local/agent/b", tools: ["open/*"] });
  for (const [path, body] of [
    [sessionPath, "{}"],
    [delegatePath, delegation],
    ["/grants", undefined],
  ] as const) {
    assert.match(await asked(classical, path, body), /^403 .*post-quantum key exchange alone/, path);
    assert.doesNotMatch(await asked(hybrid, path, body), /post-quantum/, path);
  }
});

for (const [what, alpn, words] of [
  ["an identity", enrolAlpn, /asked for an identity without a post-quantum group/],
  ["what is revoked", revocationsAlpn, /asked for revocations without a post-quantum group/],
] as const) {
  test(`who has no ML-KEM is given alert 40 where it asks for ${what}`, async (t) => {
    const { gateway, enrolment } = await house(t);
    const [host = "", port = ""] = gateway.address.split(":");
    const options = clientTlsOptions({
      profile: gateway.config.profile,
      serverRoots: enrolment.identity.server_roots,
      peerSpiffeId: enrolment.identity.gateway,
      alpn,
    });
    const how = await knock({ ...options, ecdhCurve: "X25519", host, port: Number(port) }, "/");
    assert.deepEqual(how, { kind: "alert", alert: 40 });
    assert.match(String(logged(gateway, "link.refused")[0]?.["reason"]), words);
  });
}

test("a peer that supports ML-KEM but predicts X25519 is led to ML-KEM, whatever classical doors there are", async (t) => {
  const { gateway, enrolment } = await house(t);
  const client = clientOf(t, gateway, enrolment, { ecdhCurve: "*X25519:P-256:X25519MLKEM768" });
  assert.equal((await client.post("other", toolCall("read"))).status, 200);
  assert.equal((await lastDecision(gateway))["link.group"], "X25519MLKEM768");
});

test("without hybrid-preferred the profile transition lets nobody in without ML-KEM", async (t) => {
  const gateway = await testGateway(t, `profile: transition\n${openPolicy}`);
  const { identity, credentials } = await enrol(gateway);
  const [host = "", port = ""] = gateway.address.split(":");
  const options = clientTlsOptions({
    profile: gateway.config.profile,
    serverRoots: identity.server_roots,
    peerSpiffeId: identity.gateway,
    credentials,
  });
  const how = await knock({ ...options, ecdhCurve: "X25519", host, port: Number(port) }, "/mcp/open");
  assert.deepEqual(how, { kind: "alert", alert: 40 });
  assert.match(
    String(logged(gateway, "link.refused")[0]?.["reason"]),
    /no post-quantum group offered \(X25519\)/,
  );
});

const byLink = `
policies:
  - name: all
    callers: ["*"]
    tools: ["*"]
    effect: allow
    because: Anybody may.
    link: { groups: [X25519, X25519MLKEM768, SecP384r1MLKEM1024] }
  - name: payments-at-level-5
    callers: ["*"]
    tools: ["*/pay"]
    effect: deny
    because: Payments need category 5.
    link: { max_level: 3 }
`;

test("rules by link mean what they say on real links", async (t) => {
  const { gateway, enrolment, hybrid, classical } = await house(t, byLink);
  const status = async (client: Client, tool: string): Promise<string> => {
    const answer = await client.post("open", toolCall(tool));
    return /Denied by policy: [^"\\]*/.exec(answer.text)?.[0] ?? String(answer.status);
  };
  const level5 = clientOf(t, gateway, enrolment, { ecdhCurve: "SecP384r1MLKEM1024" });
  const unnamed = clientOf(t, gateway, enrolment, { ecdhCurve: "SecP256r1MLKEM768" });
  assert.equal(await status(hybrid, "read"), "200");
  assert.equal(await status(classical, "read"), "200");
  assert.equal(await status(level5, "pay"), "200");
  for (const client of [hybrid, classical, unnamed]) {
    assert.equal(await status(client, "pay"), "Denied by policy: Payments need category 5.");
  }
  assert.match(await status(unnamed, "read"), /Denied by policy: No policy allows this caller/);
  const rules = (await recorded(gateway)).flatMap(({ facts }) => facts["rule"] ?? []);
  assert.deepEqual([...new Set(rules)].toSorted(), ["all", "default-deny", "payments-at-level-5"]);
});

test("a link without ML-KEM proves who it is like any other, or is cut", async (t) => {
  const { gateway, enrolment } = await house(t);
  const [host = "", port = ""] = gateway.address.split(":");
  const {
    cert: _,
    key: __,
    ...options
  } = clientTlsOptions({
    profile: gateway.config.profile,
    serverRoots: enrolment.identity.server_roots,
    peerSpiffeId: enrolment.identity.gateway,
  });
  const how = await knock({ ...options, ecdhCurve: "X25519", host, port: Number(port) }, "/mcp/open");
  assert.equal(how.kind, "cut");
  await eventually("the log says why", () => logged(gateway, "link.refused").length === 1);
  assert.match(
    String(logged(gateway, "link.refused")[0]?.["reason"]),
    /showed no certificate with ML-DSA-65/,
  );
});
