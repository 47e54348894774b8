/** Streams of clients with access tokens: they end with what the client was let in by, and nobody else's do. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { revokeCertificates } from "../../src/app/certificate-authority.ts";
import { systemClock } from "../../src/host/system.ts";
import { eventually, stubServer } from "../support/gateway.ts";
import { entriesOf, logged, type Recorded } from "../support/records.ts";
import { proofKey, webClient, type WebScene, webScene } from "../support/web-gateway.ts";

interface Scene extends WebScene {
  /** From now on the gateway's clock is ahead by that. */
  readonly passTime: (ms: number) => void;
  /** How many of its clients the server has seen go. */
  readonly left: () => number;
}

/** A gateway whose server answers each request with a stream that has no end. */
async function scene(t: TestContext): Promise<Scene> {
  let ahead = 0;
  let left = 0;
  const stub = await stubServer(t, (_request, response) => {
    response.once("close", () => (left += 1));
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n");
  });
  const made = await webScene(t, {
    listener: "dpop_nonce: false",
    filesUrl: stub.url,
    clock: { nowUnixMs: () => Date.now() + ahead },
  });
  return { ...made, files: stub, passTime: (ms) => (ahead += ms), left: () => left };
}

interface Stream {
  /** "open" until it has ended, in whatever way. */
  readonly state: () => string;
}

const ways = {
  GET: { method: "GET", headers: { accept: "text/event-stream" } },
  "subscriptions/listen": {
    method: "POST",
    headers: { "mcp-method": "subscriptions/listen", "mcp-protocol-version": "2026-07-28" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "subscriptions/listen",
      params: {
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "x", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
        notifications: { toolsListChanged: true },
      },
    }),
  },
} as const;

/** Opened by a client with a connection and a key of its own, once the server has it. */
async function stream(
  t: TestContext,
  all: Scene,
  claims: Readonly<Record<string, unknown>> = {},
  way: keyof typeof ways = "GET",
): Promise<Stream> {
  const key = await proofKey();
  const token = await all.token({ cnf: { jkt: key.thumbprint }, ...claims });
  const { headers, ...request } = ways[way];
  const proven = await key.headers(token, { htm: request.method });
  const before = all.files.seen.length;
  let state = "open";
  webClient(
    t,
    all,
  )({ ...request, headers: { ...headers, ...proven } }).then(
    ({ status, text }) => (state = `answered ${status} ${text}`),
    () => (state = "cut"),
  );
  await eventually(`the server has it; it is ${state}`, () => all.files.seen.length > before);
  return { state: () => state };
}

const outcomes = ({ gateway }: Scene): Promise<readonly Recorded[]> => entriesOf(gateway, "call.outcome");

const seconds = (): number => Math.floor(Date.now() / 1000);

for (const way of ["GET", "subscriptions/listen"] as const) {
  test(`a stream that was opened with ${way} ends with its access token, and those of others go on`, async (t) => {
    const all = await scene(t);
    const short = await stream(t, all, { exp: seconds() + 300 }, way);
    const long = await stream(t, all, { exp: seconds() + 3000 }, way);
    all.passTime(301_000);
    await eventually("it is cut", () => short.state() === "cut");
    await eventually("the server sees its client go", () => all.left() === 1);
    await eventually("its outcome", async () => (await outcomes(all)).length === 1);
    const [outcome] = await outcomes(all);
    assert.deepEqual([outcome?.outcome, outcome?.facts["reason"]], ["error", "identity_expired"]);
    assert.equal(outcome?.principal, "oauth:corp/client/app");
    assert.deepEqual(
      logged(all.gateway, "call.ended").map(({ reason }) => reason),
      ["identity_expired"],
    );
    assert.equal(long.state(), "open");
  });
}

for (const [what, name] of [
  ["client", "oauth:corp/client/app"],
  ["user", "oauth:corp/user/alice"],
] as const) {
  test(`a stream of a ${what} that was revoked is cut, and those of others go on`, async (t) => {
    const all = await scene(t);
    const hostile = await stream(t, all);
    const other = await stream(t, all, { client_id: "other", sub: "bob" });
    assert.ok(revokeCertificates(all.gateway.config, name, systemClock));
    await eventually("it is cut", () => hostile.state() === "cut");
    await eventually("its outcome", async () => (await outcomes(all)).length === 1);
    const [outcome] = await outcomes(all);
    assert.deepEqual([outcome?.outcome, outcome?.facts["reason"]], ["error", "identity_revoked"]);
    assert.deepEqual([all.left(), other.state()], [1, "open"]);
  });
}
