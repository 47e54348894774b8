/** Links to servers that aren't ours: hybrid or refused before a byte is sent, and on record. */
import assert from "node:assert/strict";
import type http from "node:http";
import { test, type TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type Exposed, type ExposeOptions, startExpose } from "../../src/app/expose.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Answering,
  type Client,
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { type HttpsServer, httpsServer, publicAuthority } from "../support/https-server.ts";
import { logged, recorded } from "../support/records.ts";

interface Scene {
  readonly gateway: TestGateway;
  readonly client: Client;
}

async function scene(t: TestContext, servers: string, top = ""): Promise<Scene> {
  const gateway = await testGateway(t, `${top}\nservers: { ${servers} }\n${openPolicy}`);
  return { gateway, client: clientOf(t, gateway, await enrol(gateway)) };
}

async function server(t: TestContext, ecdhCurve: string): Promise<HttpsServer> {
  const { certificate: cert, key } = publicAuthority(t).issue("server");
  return await httpsServer(t, { cert, key, ecdhCurve });
}

/** What the outcome of the last call says of the link to its server. */
async function lastLink(gateway: TestGateway): Promise<Readonly<Record<string, string>>> {
  const { facts = {} } = (await recorded(gateway)).findLast(({ event }) => event === "call.outcome") ?? {};
  return Object.fromEntries(Object.entries(facts).filter(([name]) => name.startsWith("upstream_")));
}

test("an https server is asked over ML-KEM, and the record says what was negotiated", async (t) => {
  const { url } = await server(t, "X25519MLKEM768:X25519");
  const { gateway, client } = await scene(t, `s: { url: "${url}" }`);
  assert.equal((await client.post("s", toolCall("read"))).status, 200);
  assert.deepEqual(await lastLink(gateway), {
    upstream_group: "X25519MLKEM768",
    upstream_level: "3",
    upstream_version: "TLSv1.3",
    upstream_cert: "ECDSA-P-256",
  });
});

for (const top of ["", "profile: transition", "profile: cnsa-2.0"]) {
  const where = top === "" ? "by default" : `under ${top}`;
  test(`an https server without ML-KEM is sent nothing, ${where}, and the reason says what it offers`, async (t) => {
    const { url, asked } = await server(t, "X25519");
    const { gateway, client } = await scene(t, `s: { url: "${url}" }`, top);
    const answer = await client.post("s", toolCall("read"));
    assert.equal(answer.status, 502);
    const reason = /offers TLS 1\.3 with X25519, and this link needs one of .*hybrid-preferred/;
    assert.match(answer.text, reason);
    assert.match(String(logged(gateway, "call.refused")[0]?.["reason"]), reason);
    assert.equal(asked(), 0);
    assert.deepEqual(await lastLink(gateway), {});
  });
}

const preferred = "link: { key_exchange: hybrid-preferred }";

test("where the config says so, a server without ML-KEM is asked without, and the record is marked", async (t) => {
  const { url } = await server(t, "X25519");
  const { gateway, client } = await scene(t, `s: { url: "${url}", ${preferred} }`, "profile: transition");
  assert.equal((await client.post("s", toolCall("read"))).status, 200);
  const facts = await lastLink(gateway);
  assert.deepEqual(
    [facts["upstream_link"], facts["upstream_group"], facts["upstream_level"]],
    ["classical", "X25519", "0"],
  );
});

test("what is asked of a server is the same over HTTP+SSE, and each call's record says what it went over", async (t) => {
  for (const [ecdhCurve, expected] of [
    ["X25519MLKEM768:X25519", ["X25519MLKEM768", undefined]],
    ["X25519", ["X25519", "classical"]],
  ] as const) {
    const { certificate: cert, key } = publicAuthority(t).issue("server");
    const { url } = await httpsServer(t, { cert, key, ecdhCurve }, sseAnswers());
    const { gateway, client } = await scene(
      t,
      `s: { url: "${url}", transport: http+sse, ${preferred} }`,
      "profile: transition",
    );
    const answer = await client.post("s", initialize);
    assert.equal(answer.status, 200, answer.text);
    const facts = await lastLink(gateway);
    assert.deepEqual([facts["upstream_group"], facts["upstream_link"]], expected);
  }
});

test("a translated answer's record says what it went over to the server", async (t) => {
  const { certificate: cert, key } = publicAuthority(t).issue("server");
  const server = { cert, key, ecdhCurve: "X25519MLKEM768:X25519" };
  const { url } = await httpsServer(t, server, (_request, response, body) => {
    const { id } = JSON.parse(body) as { id?: number };
    const result = { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: {} };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
  const { gateway, client } = await scene(t, `s: { url: "${url}", bridge: modern }`);
  const answer = await client.post("s", initialize);
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await lastLink(gateway))["upstream_group"], "X25519MLKEM768");
});

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};

/** A stream that names where to post, and has the answers on it. */
function sseAnswers(): Answering {
  let stream: http.ServerResponse | undefined;
  return (request, response, body) => {
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("event: endpoint\ndata: /messages\n\n");
      stream = response;
      return;
    }
    response.writeHead(202).end();
    const { id } = JSON.parse(body) as { id?: number };
    if (id === undefined) return;
    const result = {
      protocolVersion: "2024-11-05",
      capabilities: {},
      serverInfo: { name: "s", version: "1" },
    };
    stream?.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`);
  };
}

test("plain HTTP is marked where it leaves this machine, and only there", async (t) => {
  const stub = await stubServer(t);
  const elsewhere = stub.url.replace("127.0.0.1", "0.0.0.0"); // The one name of this machine that isn't loopback's.
  const { gateway, client } = await scene(t, `near: { url: "${stub.url}" }, far: { url: "${elsewhere}" }`);
  assert.equal((await client.post("near", toolCall("read"))).status, 200);
  assert.deepEqual(await lastLink(gateway), {});
  assert.equal((await client.post("far", toolCall("read"))).status, 200);
  assert.deepEqual(await lastLink(gateway), { upstream_link: "plain" });
});

test("a server behind expose is on record like any other", async (t) => {
  const stub = await stubServer(t);
  const first = await testGateway(t, openPolicy);
  const exposed = await exposedAt(t, first, { url: stub.url });
  await first.stop();
  const servers = `s: { url: "${exposed.url}", peer: "${exposed.spiffeId}" }`;
  const gateway = await testGateway(t, `servers: { ${servers} }\n${openPolicy}`, { folder: first.folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("s", toolCall("read"))).status, 200);
  assert.deepEqual(await lastLink(gateway), {
    upstream_group: "X25519MLKEM768",
    upstream_level: "3",
    upstream_version: "TLSv1.3",
    upstream_cert: "ML-DSA-65",
  });
});

async function exposedAt(
  t: TestContext,
  gateway: TestGateway,
  exposing: Extract<ExposeOptions["server"], { url: string }>,
): Promise<Exposed> {
  const asking = { path: "server/s", address: gateway.address };
  const exposed = await startExpose({
    server: exposing,
    joinToken: await makeJoinToken(gateway.config, asking, systemClock),
    state: await freshState(t),
    listen: "127.0.0.1:0",
    allow: [],
    clock: systemClock,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
  });
  atEnd(t, exposed.stop);
  return exposed;
}

test("what is exposed at an https URL is hybrid-required, unless it is said and the profile has it", async (t) => {
  const { url } = await server(t, "X25519");
  const hybrid = await testGateway(t, openPolicy);
  await assert.rejects(
    exposedAt(t, hybrid, { url, keyExchange: "hybrid-preferred" }),
    (error: unknown) => error instanceof Refusal && /profile "hybrid"/.test(error.message),
  );
  for (const [keyExchange, status] of [
    [undefined, 502],
    ["hybrid-preferred", 200],
  ] as const) {
    const first = await testGateway(t, `profile: transition\n${openPolicy}`);
    const exposed = await exposedAt(t, first, { url, ...(keyExchange && { keyExchange }) });
    await first.stop();
    const servers = `s: { url: "${exposed.url}", peer: "${exposed.spiffeId}" }`;
    const yaml = `profile: transition\nservers: { ${servers} }\n${openPolicy}`;
    const gateway = await testGateway(t, yaml, { folder: first.folder });
    const client = clientOf(t, gateway, await enrol(gateway));
    assert.equal((await client.post("s", toolCall("read"))).status, status);
  }
});
