/** Message signatures at the end that serves: which calls count, by whose keys, and what is said to the others. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { approvePin, forgetPin, listPins } from "../../src/app/signatures/pin-operations.ts";
import { systemClock } from "../../src/host/system.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { freshKeys, type Otherwise, refusalOf, signingCaller } from "../support/signing-caller.ts";
import { signingScene as scene } from "../support/signing-scene.ts";

const gatewayId = "spiffe://latticegate.local/gateway";

test("signed calls reach the server as their client wrote them, and answers come back signed", async (t) => {
  const { seen, caller, entries, id } = await scene(t);
  const own = caller();
  assert.ok((await own.introduce()).checked?.ok);
  assert.equal(own.audience(), `${gatewayId}?server=stub`);
  const written = [toolCall("write", 7, { text: "é\n" }), { jsonrpc: "2.0", id: 8, method: "tools/list" }];
  const [write = {}, list = {}] = written;
  const direct = await own.call(write, "direct");
  assert.deepEqual([direct.mode, direct.checked?.fault], ["direct", undefined]);
  const listed = await own.call(list, "batched");
  assert.deepEqual([listed.mode, listed.checked?.fault], ["batched", undefined]);
  const looked = await own.call(toolCall("look"), "batched");
  assert.equal(looked.mode, "batched");
  assert.deepEqual(
    seen(),
    [...written, toolCall("look")].map((message) => JSON.stringify(message)),
  );
  const attested = await own.attest();
  assert.deepEqual([attested.fault, attested.leaves.length], [undefined, 2]);
  const [keys, first, second, third, attest] = await entries("call.decision");
  assert.deepEqual([keys?.facts["signature"], attest?.facts["signature"]], [undefined, undefined]);
  assert.deepEqual([first?.facts["signature"], first?.facts["signer"]], ["direct ML-DSA-65", id]);
  assert.deepEqual([second?.facts["signature"], third?.facts["signature"]], ["batched", "batched"]);
  const outcomes = await entries("call.outcome");
  assert.deepEqual(
    outcomes.map(({ facts }) => facts["answer_signature"]),
    [undefined, "direct", "batched", "batched", undefined],
  );
  assert.equal(outcomes[1]?.facts["answer_signed"], gatewayId);
  assert.deepEqual([outcomes[4]?.facts["batch"], outcomes[4]?.facts["leaves"]], [own.batch.id, "2"]);
  assert.match(outcomes[4]?.facts["root"] ?? "", /^sha-256:[\w-]{43}$/);
});

test("who doesn't sign gets what the server said, byte for byte, and is told nothing", async (t) => {
  const { seen, client } = await scene(t);
  const answer = await client.post("stub", toolCall("write"));
  assert.deepEqual([answer.status, answer.text], [200, '{"jsonrpc":"2.0","id":1,"result":{}}']);
  assert.equal(seen()[0], JSON.stringify(toolCall("write")));
});

/** What an attacker on the way, or a careless end, may make of a call; and what it is called. */
const forged: readonly (readonly [string, "direct" | "batched", Otherwise, string])[] = [
  ["an argument changed", "direct", { bytes: (text) => text.replace("good", "evil") }, "tampered"],
  [
    "an argument changed in a batch",
    "batched",
    { bytes: (text) => text.replace("good", "evil") },
    "tampered",
  ],
  [
    "a signature's byte changed",
    "direct",
    {
      bytes: (text) =>
        text.replace(/"signature":"(.)/, (_, c: string) => `"signature":"${c === "A" ? "B" : "A"}`),
    },
    "bad_signature",
  ],
  [
    "claims changed",
    "direct",
    { bytes: (text) => changedPart(text, "payload", { nonce: "A".repeat(22) }) },
    "bad_signature",
  ],
  [
    "another algorithm named",
    "direct",
    { bytes: (text) => changedPart(text, "protected", { alg: "ES256" }) },
    "weak_algorithm",
  ],
  [
    "no algorithm at all",
    "direct",
    { bytes: (text) => changedPart(text, "protected", { alg: "none" }) },
    "weak_algorithm",
  ],
  [
    "an envelope of another version",
    "direct",
    { bytes: (text) => text.replace('"dev.latticegate/sig":{"v":1', '"dev.latticegate/sig":{"v":2') },
    "malformed",
  ],
  [
    "an envelope that is none",
    "direct",
    {
      bytes: (text) => text.replace(/"dev.latticegate\/sig":\{.*?\}[,}]/, '"dev.latticegate/sig":"x","y":{'),
    },
    "malformed",
  ],
  ["a stranger's keys", "direct", { signer: freshKeys().signers[0] }, "unknown_key"],
  [
    "another server's call",
    "direct",
    { claims: { audience: `${gatewayId}?server=other` } },
    "wrong_audience",
  ],
  [
    "another caller's call",
    "direct",
    { claims: { issuer: "spiffe://latticegate.local/agent/other" } },
    "wrong_issuer",
  ],
  [
    "an answer for a call",
    "direct",
    { claims: { direction: "res", request: `sha-256:${"A".repeat(43)}` } },
    "wrong_direction",
  ],
  ["another method's signature", "direct", { claims: { method: "tools/list" } }, "tampered"],
  ["an old one", "direct", { atUnixMs: Date.now() - 400_000 }, "expired"],
  ["one from before the gateway began", "direct", { atUnixMs: Date.now() - 60_000 }, "stale"],
  ["one from the future", "direct", { atUnixMs: Date.now() + 400_000 }, "not_yet_valid"],
];

function changedPart(text: string, part: "protected" | "payload", change: object): string {
  return text.replace(new RegExp(`"${part}":"([^"]*)"`), (_, before: string) => {
    const fields = JSON.parse(Buffer.from(before, "base64url").toString()) as object;
    return `"${part}":"${Buffer.from(JSON.stringify({ ...fields, ...change })).toString("base64url")}"`;
  });
}

test("a call that isn't what was signed never reaches the server, and its fault is named and recorded", async (t) => {
  const { seen, caller, entries } = await scene(t);
  const own = caller();
  await own.introduce();
  for (const [what, mode, otherwise, fault] of forged) {
    const name = mode === "direct" ? "write" : "look";
    const answer = await own.call(toolCall(name, 1, { is: "good" }), mode, otherwise);
    assert.match(refusalOf(answer.json) ?? "", new RegExp(`^signature_refused ${fault}`), what);
    assert.deepEqual([answer.status, answer.json.result?.["isError"]], [200, true], what);
    const last = (await entries("call.outcome")).at(-1);
    assert.deepEqual([last?.outcome, last?.facts["reason"]], ["denied", "signature_refused"], what);
    assert.equal(last?.facts["signature_fault"], fault, what);
  }
  assert.equal(seen().length, 0);
  assert.equal((await own.call(toolCall("write"), "direct")).mode, "direct", "the honest call passes");
});

test("a message counts once, in a batch too, however many come at once", async (t) => {
  const { seen, caller } = await scene(t);
  const own = caller();
  await own.introduce();
  for (const [name, mode] of [
    ["write", "direct"],
    ["look", "batched"],
  ] as const) {
    const before = seen().length;
    const first = await own.call(toolCall(name), mode);
    const again = await Promise.all([own.send(first.sent), own.send(first.sent)]);
    for (const { json } of again) assert.match(refusalOf(json) ?? "", /^signature_refused replayed/);
    assert.equal(seen().length, before + 1);
  }
});

test("who has signed once goes on, and is told how; after it was forgotten it needn't", async (t) => {
  const { seen, gateway, client, caller, entries, id } = await scene(t);
  const own = caller();
  await own.introduce();
  const stripped = await client.post("stub", toolCall("write"));
  const said = JSON.parse(stripped.text) as Parameters<typeof refusalOf>[0];
  assert.equal(refusalOf(said), 'signature_refused stripped needs {"mode":"direct"}');
  const listing = await client.post("stub", { jsonrpc: "2.0", id: 2, method: "tools/list" });
  assert.match(
    refusalOf(JSON.parse(listing.text) as typeof said) ?? "",
    /stripped needs \{"mode":"batched"\}/,
  );
  assert.equal(listing.status, 200);
  assert.equal(seen().length, 0);
  const hello = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } };
  const opened = await client.post("stub", { jsonrpc: "2.0", id: 3, method: "initialize", params: hello });
  assert.equal(opened.status, 200, "a handshake is never signed");
  assert.equal(forgetPin(gateway.config.state, id, systemClock), true);
  await eventually("it is forgotten", async () =>
    (await client.post("stub", toolCall("write"))).text.includes('"result":{}'),
  );
  const changes = await entries("pin.change");
  assert.deepEqual(
    changes.map(({ facts }) => [facts["what"], facts["peer"]]),
    [
      ["first-use", id],
      ["forgotten", id],
    ],
  );
});

test("who keeps no state comes with new keys: those of before count no more, as long as nobody approved them", async (t) => {
  const { gateway, caller, id } = await scene(t);
  const [old, fresh] = [freshKeys(), freshKeys()];
  const [before, after] = [caller("stub", old), caller("stub", fresh)];
  await before.introduce();
  await after.introduce();
  assert.equal((await after.call(toolCall("write"), "direct")).mode, "direct");
  assert.match(refusalOf((await before.call(toolCall("write"), "direct")).json) ?? "", /refused unknown_key/);
  const pin = listPins(gateway.config.state).pins.find(({ name }) => name === id);
  assert.deepEqual([pin?.state, pin?.fingerprint], ["first-use", fresh.keySet.fingerprint]);
});

test("other keys than the approved ones are refused until a person approves them, and the old ones are from then on", async (t) => {
  const { gateway, caller, id } = await scene(t);
  const [old, fresh] = [freshKeys(), freshKeys()];
  await approvePin(gateway.config.state, { name: id, fingerprint: old.keySet.fingerprint }, systemClock);
  const before = caller("stub", old);
  await before.introduce();
  const after = caller("stub", fresh);
  assert.ok((await after.introduce()).checked?.ok, "the other end is told whom it speaks to all the same");
  assert.match(refusalOf((await after.call(toolCall("write"), "direct")).json) ?? "", /refused unknown_key/);
  assert.equal((await before.call(toolCall("write"), "direct")).mode, "direct");
  const { state } = gateway.config;
  assert.equal(listPins(state).pins.find(({ name }) => name === id)?.refused, fresh.keySet.fingerprint);
  await approvePin(state, { name: id, fingerprint: fresh.keySet.fingerprint }, systemClock);
  await eventually("it counts", async () => {
    await after.introduce();
    return (await after.call(toolCall("write"), "direct")).mode === "direct";
  });
  assert.match(refusalOf((await before.call(toolCall("write"), "direct")).json) ?? "", /refused unknown_key/);
});

test("where pins are to be approved, keys count when they are, before or after they were seen", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers: { stub: { url: "${stub.url}" } }`;
  const gateway = await testGateway(t, `${servers}\nsignatures: { pins: approved }\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const id = "spiffe://latticegate.local/agent/test";
  const keys = freshKeys();
  const own = signingCaller({ client, server: "stub", id }, keys);
  await own.introduce();
  assert.match(refusalOf((await own.call(toolCall("write"), "direct")).json) ?? "", /refused unknown_key/);
  const { fingerprint } = keys.keySet;
  await approvePin(gateway.config.state, { name: id, fingerprint }, systemClock);
  await eventually("it counts", async () => (await own.call(toolCall("write"), "direct")).mode === "direct");
});

test("where signatures are required nothing else is taken; where they are off nobody knows of them", async (t) => {
  const { seen, client, caller } = await scene(t);
  const refused = await client.post("strict", toolCall("write"));
  const said = JSON.parse(refused.text) as Parameters<typeof refusalOf>[0];
  assert.equal(refusalOf(said), 'signature_required needs {"mode":"direct"}');
  assert.deepEqual(seen(), []);
  const off = caller("off");
  assert.equal((await off.introduce()).json.error?.code, -32601);
  const signed = await off.call(toolCall("write"), "direct");
  assert.equal(signed.mode, undefined);
  assert.match(seen()[0] ?? "", /dev\.latticegate\/sig/, "it is none of this end's business");
  const own = caller("strict");
  await own.introduce();
  assert.equal((await own.call(toolCall("write"), "direct")).mode, "direct");
  const plain = await client.post("off", toolCall("write"));
  assert.equal(plain.text, '{"jsonrpc":"2.0","id":1,"result":{}}', "also to who signs elsewhere");
});

test("a tool nobody called read-only needs a signature of its own, and the refusal says so", async (t) => {
  const { seen, caller } = await scene(t);
  const own = caller();
  await own.introduce();
  const refused = await own.call(toolCall("write"), "batched");
  assert.equal(refusalOf(refused.json), 'signature_required needs {"mode":"direct"}');
  assert.equal(seen().length, 0);
});

test("a rule's demand is met, or the refusal says what would; the answer is signed as it asks", async (t) => {
  const { seen, client, caller, entries } = await scene(t, "rule");
  const unsigned = await client.post("stub", toolCall("look"));
  const said = JSON.parse(unsigned.text) as Parameters<typeof refusalOf>[0];
  assert.equal(refusalOf(said), 'signature_required needs {"mode":"batched"}');
  const keys = freshKeys();
  const own = caller("stub", keys);
  await own.introduce();
  const need = 'signature_required needs {"mode":"direct","alg":"ML-DSA-87","max_age_s":30}';
  assert.equal(refusalOf((await own.call(toolCall("write"), "direct")).json), need);
  const looked = await own.call(toolCall("look"), "batched");
  assert.deepEqual([looked.mode, looked.checked?.fault], ["direct", undefined]);
  const written = await own.call(toolCall("write"), "direct", { signer: keys.signers[1] });
  assert.ok(written.checked?.ok?.mode === "direct" && written.checked.ok.algorithm === "ML-DSA-87");
  assert.equal(seen().length, 2);
  const denied = (await entries("call.decision")).filter(({ outcome }) => outcome === "denied");
  assert.deepEqual(
    denied.map(({ facts }) => facts["rule"]),
    ["readers", "writers"],
  );
});
