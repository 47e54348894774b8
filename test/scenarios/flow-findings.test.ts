/** Flows of live links: a burst out is seen by its size alone, on each hop, also where the gateway only passes it on. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { targetHeader } from "../../src/wire/target-url.ts";
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
import { entriesOf, recorded } from "../support/records.ts";

const agent = "spiffe://latticegate.local/agent/test";
const watching = 'detect: { flows: { exchanges: 8, burst: "64KiB" } }\n';

interface House {
  readonly gateway: TestGateway;
  readonly client: Client;
  readonly origin: string;
}

async function house(t: TestContext, detect = watching): Promise<House> {
  const { url } = await stubServer(t, (_request, response, body) => {
    const { id } = JSON.parse(body) as { readonly id: number };
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "done" }] } }));
  });
  const { origin } = new URL(url);
  const servers = `servers: { lab: { url: "${url}" }, web: { forward: ["${origin}"] } }`;
  const gateway = await testGateway(t, `${servers}\n${detect}${openPolicy}`);
  return { gateway, client: clientOf(t, gateway, await enrol(gateway)), origin };
}

async function call({ client }: Pick<House, "client">, id: number, text: string): Promise<void> {
  const { status } = await client.post("lab", toolCall("put", id, { text }));
  assert.equal(status, 200);
}

async function ordinaryWork(at: House): Promise<void> {
  for (let id = 0; id < 100; id++) await call(at, id, "a note of some words ".repeat(1 + (id % 20)));
}

test("ordinary calls raise nothing, however fast they come", async (t) => {
  const at = await house(t);
  await ordinaryWork(at);
  await at.gateway.stop();
  assert.deepEqual(await entriesOf(at.gateway, "flow.finding"), []);
  assert.deepEqual(
    at.gateway.log.filter((line) => line.includes('"flow')),
    [],
  );
});

test("a burst of an agent that worked quietly until then is told with what was usual, and its calls go on", async (t) => {
  const at = await house(t);
  await ordinaryWork(at);
  for (let id = 100; id < 104; id++) await call(at, id, "secret".repeat(50_000));
  await eventually(
    "both hops are on record",
    async () => (await entriesOf(at.gateway, "flow.finding")).length >= 2,
  );
  const found = await entriesOf(at.gateway, "flow.finding");
  assert.deepEqual(
    found
      .map(({ principal, outcome, facts }) => [principal, outcome, facts["direction"], facts["kind"]])
      .toSorted((a, b) => (a < b ? -1 : 1)),
    [
      [agent, "allowed", "incoming", "flow.exfiltration-burst"],
      ["lab", "allowed", "outgoing", "flow.exfiltration-burst"],
    ].toSorted((a, b) => (a < b ? -1 : 1)),
    "each hop once, however often it happens",
  );
  for (const { facts } of found) {
    assert.match(
      facts["says"] ?? "",
      /^3\d\d kB went out at once, more than came back\. None of its last 12 flows was like that\.$/,
    );
    assert.ok(Number(facts["risk"]) > 0.3);
    assert.ok(Number(facts["up"]) > 300_000);
  }
  assert.ok(!JSON.stringify(found).includes("secret"));
  const calls = await recorded(at.gateway);
  assert.ok(calls.every(({ outcome }) => outcome === "allowed"));
});

test("a burst to an address that is only passed on to is told too, of an agent of which nothing is known", async (t) => {
  const at = await house(t);
  const answer = await at.client.request("web", {
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      [targetHeader]: `${at.origin}/collect`,
    },
    body: JSON.stringify(toolCall("put", 1, { text: "secret".repeat(50_000) })),
  });
  assert.equal(answer.status, 200);
  await eventually(
    "both hops are on record",
    async () => (await entriesOf(at.gateway, "flow.finding")).length === 2,
  );
  const found = await entriesOf(at.gateway, "flow.finding");
  assert.deepEqual(
    found.map(({ principal }) => principal).toSorted((a, b) => (a < b ? -1 : 1)),
    [agent, `web ${at.origin}`].toSorted((a, b) => (a < b ? -1 : 1)),
  );
  for (const { facts } of found) {
    assert.match(facts["says"] ?? "", /Nothing is known yet of what is usual for it/);
    assert.equal(facts["risk"], undefined);
  }
});

test("where flows aren't watched, nothing is told", async (t) => {
  const at = await house(t, "detect: { flows: off }\n");
  await call(at, 1, "secret".repeat(500_000));
  await at.gateway.stop();
  assert.deepEqual(await entriesOf(at.gateway, "flow.finding"), []);
});

test("one identity that two TLS clients use in turn is told, and its calls go on", async (t) => {
  const { gateway } = await house(t);
  const enrolment = await enrol(gateway);
  for (let turn = 0; turn < 6; turn++) {
    const client = clientOf(
      t,
      gateway,
      enrolment,
      turn % 2 === 0
        ? {}
        : { ciphers: "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256" },
    );
    await call({ client }, turn, "hello");
  }
  await eventually("it is on record", async () => (await entriesOf(gateway, "flow.finding")).length > 0);
  const found = await entriesOf(gateway, "flow.finding");
  assert.deepEqual(
    found.map(({ principal, outcome, facts }) => [principal, outcome, facts["kind"], facts["direction"]]),
    [[agent, "allowed", "handshake.clients", "incoming"]],
  );
  assert.match(
    found[0]?.facts["says"] ?? "",
    /^It came as the TLS clients \w{12}_\w{12} and \w{12}_\w{12} in turn, 3 times within the hour: /,
  );
});
