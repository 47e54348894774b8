/** Message signatures at the end that serves: promises kept and broken, and answers of each kind. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { approvePin, listPins } from "../../src/app/signatures/pin-operations.ts";
import { systemClock } from "../../src/host/system.ts";
import { outgoingBatch } from "../../src/integrity/batch.ts";
import { type Client, eventually, toolCall } from "../support/gateway.ts";
import { freshKeys, refusalOf, signingCaller } from "../support/signing-caller.ts";
import { errors, long, member, progress, signingScene as scene } from "../support/signing-scene.ts";

test("what was promised and isn't signed within a second suspends the way, until it is", async (t) => {
  const { seen, caller, entries, id } = await scene(t);
  const own = caller();
  await own.introduce();
  await own.call(toolCall("look"), "batched");
  const isCut = async (): Promise<boolean> =>
    (refusalOf((await own.call(toolCall("write"), "direct")).json) ?? "").startsWith("route_cut unattested");
  await eventually("the way is suspended", isCut);
  const before = seen().length;
  assert.equal(await isCut(), true);
  assert.equal(seen().length, before);
  await eventually("it is recorded", async () => (await entries("signature.fault")).length === 1);
  const [fault] = await entries("signature.fault");
  assert.deepEqual(
    [fault?.facts["fault"], fault?.facts["how"], fault?.principal],
    ["unattested", "found", id],
  );
  assert.equal((await own.attest()).fault, undefined);
  assert.equal((await own.call(toolCall("write"), "direct")).mode, "direct");
});

test("who begins anew isn't held to what it can't sign any more", async (t) => {
  const { caller } = await scene(t);
  const keys = freshKeys();
  const own = caller("stub", keys);
  await own.introduce();
  await own.call(toolCall("look"), "batched");
  await eventually("the way is suspended", async () =>
    (refusalOf((await own.call(toolCall("look"), "batched")).json) ?? "").startsWith("route_cut"),
  );
  const restarted = caller("stub", keys);
  await restarted.introduce();
  assert.equal((await restarted.call(toolCall("write"), "direct")).mode, "direct");
});

test("two that begin within one second are two: the second isn't held to what the first promised", async (t) => {
  const { caller } = await scene(t);
  const keys = freshKeys();
  const first = caller("stub", keys);
  await first.introduce();
  await first.call(toolCall("look"), "batched");
  const second = caller("stub", keys);
  await second.introduce();
  await setTimeout(1500); // What the first promised is overdue after a second.
  assert.equal((await second.call(toolCall("write"), "direct")).mode, "direct");
});

test("a statement that contradicts what came cuts the way, until a person approves the keys again", async (t) => {
  const { seen, gateway, caller, entries, id } = await scene(t);
  const keys = freshKeys();
  const own = caller("stub", keys);
  await own.introduce();
  await own.call(toolCall("look", 1, { is: "good" }), "batched");
  const elsewhere = outgoingBatch(randomBytes(16));
  elsewhere.add("another payload", Date.now());
  const lying = { ...elsewhere, take: () => ({ ...elsewhere.take(), batch: own.batch.id }) };
  const attested = await own.attest({ batch: lying });
  assert.equal(attested.fault, "wrong_batch", attested.text);
  const before = seen().length;
  const refused = await own.call(toolCall("write"), "direct");
  assert.equal(refusalOf(refused.json), "route_cut wrong_batch");
  assert.equal(seen().length, before);
  const pin = listPins(gateway.config.state).pins.find(({ name }) => name === id);
  assert.deepEqual([pin?.state, pin?.because], ["cut", "wrong_batch"]);
  const faults = await entries("signature.fault");
  assert.ok(faults.some(({ facts }) => facts["fault"] === "wrong_batch"));
  await own.introduce();
  assert.match(refusalOf((await own.call(toolCall("write"), "direct")).json) ?? "", /^route_cut/);
  const { fingerprint } = keys.keySet;
  await approvePin(gateway.config.state, { name: id, fingerprint }, systemClock);
  await eventually(
    "it is open again",
    async () => (await own.call(toolCall("write"), "direct")).mode === "direct",
  );
});

test("what is promised of answers is said once, and again to who asks again", async (t) => {
  const { caller } = await scene(t);
  const own = caller();
  await own.introduce();
  for (let i = 0; i < 3; i += 1) await own.call(toolCall("look", i), "batched");
  const range = own.batch.take();
  const held = { ...own.batch, take: () => range };
  const first = await own.attest({ batch: held });
  await own.call(toolCall("look", 9), "batched");
  const second = await own.attest({ batch: held });
  assert.deepEqual([first.leaves.length, second.leaves.length], [3, 4]);
  assert.deepEqual(second.leaves.slice(0, 3), first.leaves);
  const third = await own.attest();
  assert.deepEqual(third.leaves, []);
});

test("what the end that called found wrong is recorded", async (t) => {
  const { caller, entries, id } = await scene(t);
  const own = caller();
  await own.introduce();
  await own.attest({ faults: ["tampered"] });
  await eventually("it is recorded", async () => (await entries("signature.fault")).length > 0);
  const [fault] = await entries("signature.fault");
  assert.deepEqual(
    [fault?.facts["fault"], fault?.facts["how"], fault?.facts["server"], fault?.principal],
    ["tampered", "reported", "stub", id],
  );
});

test("an answer in a stream is signed where it ends it, and what comes before it passes as it is", async (t) => {
  const own = (await scene(t)).caller();
  await own.introduce();
  const answer = await own.call(toolCall("stream"), "direct");
  assert.ok(answer.text.startsWith(`data: ${progress}\n\n`));
  assert.deepEqual([answer.mode, answer.checked?.fault], ["direct", undefined]);
});

test("a long answer is attested by a digest of its bytes, once it has ended", async (t) => {
  const own = (await scene(t)).caller();
  await own.introduce();
  const answer = await own.call(toolCall("long"), "direct");
  assert.ok(answer.text === long);
  const digest = `raw-sha-256:${createHash("sha256").update(long).digest("base64url")}`;
  const attested = await own.attest({ long: [answer.nonce, randomBytes(16).toString("base64url")] });
  assert.deepEqual([...attested.long], [[answer.nonce, digest]]);
  assert.equal((await own.attest({ long: [answer.nonce] })).long.size, 0);
});

test("what is attested of a long answer is that of one's own call, whoever else uses its nonce", async (t) => {
  const [own, other] = [(await scene(t)).caller(), (await scene(t)).caller()];
  await own.introduce();
  await other.introduce();
  const { nonce, text } = await own.call(toolCall("long"), "direct");
  const posing = await other.call(toolCall("fail", 1, { error: "text" }), "direct", { claims: { nonce } });
  const digestOf = (said: string): string =>
    `raw-sha-256:${createHash("sha256").update(said).digest("base64url")}`;
  for (const [caller, said] of [
    [own, text],
    [other, posing.text],
  ] as const)
    assert.deepEqual([...(await caller.attest({ long: [nonce] })).long], [[nonce, digestOf(said)]]);
});

test("an error is signed where its data has a place for it, and else left as it is", async (t) => {
  const own = (await scene(t)).caller();
  await own.introduce();
  const modes = [];
  for (const error of Object.keys(errors)) {
    const answer = await own.call(toolCall("fail", 1, { error }), "direct");
    assert.equal(answer.checked?.fault, undefined);
    modes.push([error, answer.mode, answer.json.error?.code]);
  }
  assert.deepEqual(modes, [
    ["bare", "direct", -32001],
    ["rich", "direct", -32001],
    ["text", undefined, -32001],
    ["reserved", undefined, -32021],
  ]);
});

test("through a virtual server calls are verified before they are routed, and answers signed for the caller", async (t) => {
  const { seen, client, id } = await scene(t);
  const initialize = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "x", version: "1" },
  };
  const hello = { jsonrpc: "2.0", id: 1, method: "initialize", params: initialize };
  const session = await client.post("all", hello);
  const inSession = withSession(client, String(session.headers["mcp-session-id"]));
  const own = signingCaller({ client: inSession, server: "all", id }, freshKeys());
  assert.ok((await own.introduce()).checked?.ok);
  const answer = await own.call(toolCall("one_echo", 2, { text: "hi" }), "direct");
  assert.deepEqual([answer.mode, answer.checked?.fault], ["direct", undefined], answer.text.slice(0, 300));
  assert.equal(seen().at(-1), JSON.stringify(toolCall("echo", 2, { text: "hi" })));
  const listed = await own.call({ jsonrpc: "2.0", id: 3, method: "tools/list" }, "batched");
  assert.deepEqual([listed.mode, listed.checked?.fault], ["batched", undefined]);
  const changed = await own.call(toolCall("one_echo", 4, { text: "good" }), "direct", {
    bytes: (text) => text.replace("good", "evil"),
  });
  assert.match(refusalOf(changed.json) ?? "", /^signature_refused tampered/);
  const stripped = await inSession.post("all", toolCall("one_echo", 5));
  assert.match(stripped.text, /"fault":"stripped"/);
});

test("the offer is taken out before the server sees it, and announced to who makes it", async (t) => {
  const { seen, client } = await scene(t);
  const key = "dev.latticegate/message-signature";
  const offered = {
    roots: {},
    extensions: { [key]: { v: 1, own: true } },
    experimental: { [key]: { v: 1, own: false }, mine: {} },
  };
  const params = {
    protocolVersion: "2025-06-18",
    capabilities: offered,
    clientInfo: { name: "x", version: "1" },
  };
  const hello = { jsonrpc: "2.0", id: 1, method: "initialize", params };
  const answer = await client.request("one", { headers: posted, body: JSON.stringify(hello) });
  const bare = { roots: {}, experimental: { mine: {} } };
  assert.equal(seen()[0], JSON.stringify({ ...hello, params: { ...params, capabilities: bare } }));
  const { result } = JSON.parse(answer.text) as {
    result: { capabilities: Record<string, Record<string, { v?: number }>> };
  };
  const { extensions, experimental } = result.capabilities;
  assert.deepEqual([extensions?.[key]?.v, experimental?.[key]?.v], [1, 1]);
  const plain = { ...hello, params: { ...params, capabilities: bare } };
  const unannounced = await client.request("one", { headers: posted, body: JSON.stringify(plain) });
  assert.deepEqual(JSON.parse(unannounced.text), { jsonrpc: "2.0", id: 1, result: member["initialize"] });
});

test("a modern call reaches its server without signature and offer", async (t) => {
  const { seen, caller } = await scene(t);
  const own = caller();
  await own.introduce();
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { roots: {} },
  };
  const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "write", _meta: meta } };
  const offer = '{"extensions":{"dev.latticegate/message-signature":{"v":1,"own":true}},"roots":{}}';
  const answer = await own.call(message, "direct", {
    bytes: (text) => text.replace('{"roots":{}}', offer),
  });
  assert.deepEqual([answer.mode, answer.checked?.fault], ["direct", undefined]);
  assert.deepEqual(seen(), [JSON.stringify(message)]);
});

test("what a server over stdio answers is signed", async (t) => {
  const { client, id } = await scene(t);
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } };
  const session = await client.post("pipe", { jsonrpc: "2.0", id: 1, method: "initialize", params });
  const inSession = withSession(client, String(session.headers["mcp-session-id"]));
  const own = signingCaller({ client: inSession, server: "pipe", id }, freshKeys());
  await own.introduce();
  const answer = await own.call(toolCall("progress", 2), "direct");
  assert.deepEqual([answer.mode, answer.checked?.fault], ["direct", undefined], answer.text.slice(0, 300));
});

const posted = { "content-type": "application/json", accept: "application/json, text/event-stream" };

function withSession(client: Client, id: string): Client {
  const request: Client["request"] = (server, options) =>
    client.request(server, { ...options, headers: { ...options.headers, "mcp-session-id": id } });
  return {
    ...client,
    request,
    post: (server, message) =>
      request(server, {
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
        body: JSON.stringify(message),
      }),
  };
}
