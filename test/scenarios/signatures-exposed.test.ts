/** Message signatures end to end: a caller that signs, a gateway between that checks both ways, a server behind `expose`. */
import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { startExpose } from "../../src/app/expose.ts";
import { approvePin, listPins } from "../../src/app/signatures/pin-operations.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import {
  type Client,
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  freshState,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { entriesOf } from "../support/records.ts";
import {
  freshKeys,
  type Keys,
  refusalOf,
  signingCaller,
  type SigningCaller,
} from "../support/signing-caller.ts";

const gatewayId = "spiffe://latticegate.local/gateway";
const silent = systemLog({ level: "error", form: "json", write: () => undefined });

const undoing: (() => unknown)[] = [];
/** What is opened within a test, and used by those after it. */
const file = { after: (undo: () => unknown) => void undoing.push(undo) };
after(async () => {
  for (const undo of undoing) await undo();
});

async function open() {
  const stub = await stubServer(file, (_request, response, body) => {
    const { id } = JSON.parse(body || "{}") as { id?: unknown };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result: { said: "good" } }));
  });
  const first = await testGateway(file, openPolicy, {});
  const state = await freshState(file);
  const joinToken = await makeJoinToken(
    first.config,
    { path: "server/files", address: first.address },
    systemClock,
  );
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: [gatewayId, "spiffe://latticegate.local/agent/*"],
    state,
    joinToken,
    readOnly: ["look"],
    clock: systemClock,
    log: silent,
  });
  file.after(exposed.stop);
  await first.stop();
  const servers = `servers: { files: { url: "${exposed.url}", peer: "${exposed.spiffeId}", read_only: [look] } }`;
  const gateway = await testGateway(file, `${servers}\n${openPolicy}`, { folder: first.folder });
  return { stub, state, exposed, gateway };
}

let shared: ReturnType<typeof open> | undefined;
let callers = 0;

async function scene(t: TestContext) {
  const house = await (shared ??= open());
  const { stub, gateway, exposed } = house;
  callers += 1;
  const enrolment = await enrol(gateway, `agent/${callers}`);
  const id = `spiffe://latticegate.local/agent/${callers}`;
  const client = clientOf(t, gateway, enrolment);
  const seen = stub.seen.length;
  return {
    ...house,
    id,
    client,
    enrolment,
    seen: () => stub.seen.slice(seen).map(({ body }) => body),
    caller: (keys: Keys = freshKeys()): SigningCaller => signingCaller({ client, server: "files", id }, keys),
    /** Past the gateway, straight to the exposed server. */
    straight: () => straightTo(t, gateway, exposed, enrolment),
  };
}

function straightTo(
  t: TestContext,
  gateway: TestGateway,
  { url, spiffeId }: { readonly url: string; readonly spiffeId: string },
  enrolment: Enrolment,
): Client {
  const identity = { ...enrolment.identity, gateway: spiffeId };
  return clientOf(t, { ...gateway, address: new URL(url).host }, { ...enrolment, identity });
}

test("both ends and the gateway between them agree on who signed what", async (t) => {
  const { gateway, exposed, seen, caller, id } = await scene(t);
  const keys = freshKeys();
  const own = caller(keys);
  assert.ok((await own.introduce()).checked?.ok);
  assert.equal(own.audience(), exposed.spiffeId);
  assert.equal(own.servedBy().fingerprint, exposed.fingerprint);
  const direct = await own.call(toolCall("write"), "direct");
  assert.deepEqual([direct.mode, direct.checked?.fault], ["direct", undefined], direct.text.slice(0, 600));
  const batched = await own.call(toolCall("look"), "batched");
  assert.deepEqual([batched.mode, batched.checked?.fault], ["batched", undefined]);
  const attested = await own.attest();
  assert.deepEqual([attested.fault, attested.leaves.length], [undefined, 1]);
  assert.deepEqual(
    seen(),
    [toolCall("write"), toolCall("look")].map((each) => JSON.stringify(each)),
  );
  const pins = listPins(gateway.config.state).pins.map(({ name, fingerprint }) => [name, fingerprint]);
  assert.deepEqual(Object.fromEntries(pins)[id], keys.keySet.fingerprint);
  assert.deepEqual(Object.fromEntries(pins)[exposed.spiffeId], exposed.fingerprint);
  const decisions = (await entriesOf(gateway, "call.decision")).filter(({ principal }) => principal === id);
  assert.deepEqual(
    decisions.map(({ facts }) => facts["signature"]),
    [undefined, "direct ML-DSA-65", "batched", undefined],
  );
  const outcomes = (await entriesOf(gateway, "call.outcome")).filter(({ principal }) => principal === id);
  assert.deepEqual(
    outcomes.map(({ facts }) => facts["answer_signed"]),
    [undefined, exposed.spiffeId, exposed.spiffeId, undefined],
  );
});

test("the gateway between refuses what isn't what was signed, and changes nothing of what is", async (t) => {
  const { seen, caller, client } = await scene(t);
  const own = caller();
  await own.introduce();
  const changed = await own.call(toolCall("write", 1, { is: "good" }), "direct", {
    bytes: (text) => text.replace("good", "evil"),
  });
  assert.match(refusalOf(changed.json) ?? "", /^signature_refused tampered/);
  const other = { claims: { audience: "spiffe://latticegate.local/server/other" } };
  const aimed = await own.call(toolCall("write"), "direct", other);
  assert.match(refusalOf(aimed.json) ?? "", /^signature_refused wrong_audience/);
  const good = await own.call(toolCall("write"), "direct");
  assert.equal(good.mode, "direct");
  assert.match(refusalOf((await own.send(good.sent)).json) ?? "", /^signature_refused replayed/);
  const weak = await own.call(toolCall("write"), "batched");
  assert.equal(refusalOf(weak.json), 'signature_required needs {"mode":"direct"}');
  assert.match((await client.post("files", toolCall("write"))).text, /"fault":"stripped"/);
  assert.equal(seen().length, 1);
});

test("an exposed server verifies by itself, whoever stands before it", async (t) => {
  const { seen, caller, straight, state, id } = await scene(t);
  const keys = freshKeys();
  const through = caller(keys);
  await through.introduce();
  const passed = await through.call(toolCall("write"), "direct");
  assert.equal(passed.mode, "direct");
  const audience = through.audience();
  const own = signingCaller({ client: straight(), server: "files", id, audience }, keys);
  const again = await own.send(passed.sent);
  assert.match(refusalOf(again.json) ?? "", /^signature_refused replayed/);
  assert.match((await straight().post("files", toolCall("write"))).text, /"fault":"stripped"/);
  await own.introduce();
  const changed = await own.call(toolCall("look", 1, { is: "good" }), "batched", {
    bytes: (text) => text.replace("good", "evil"),
  });
  assert.match(refusalOf(changed.json) ?? "", /^signature_refused tampered/);
  const stranger = signingCaller({ client: straight(), server: "files", id, audience }, freshKeys());
  const forged = await stranger.call(toolCall("write"), "direct");
  assert.match(refusalOf(forged.json) ?? "", /^signature_refused unknown_key/);
  const minted = { claims: { issuer: "spiffe://latticegate.local/agent/minted" } };
  const lied = await own.call(toolCall("write"), "direct", minted);
  assert.match(refusalOf(lied.json) ?? "", /^signature_refused wrong_issuer/);
  assert.equal(seen().length, 1);
  assert.ok((await own.call(toolCall("write"), "direct")).checked?.ok);
  assert.ok(listPins(state).pins.some(({ name }) => name === id));
});

test("keys approved at the exposed server count there at once, while it runs", async (t) => {
  const { caller, straight, state, id, gateway } = await scene(t);
  const [old, fresh] = [freshKeys(), freshKeys()];
  for (const place of [state, gateway.config.state])
    await approvePin(place, { name: id, fingerprint: old.keySet.fingerprint }, systemClock);
  await caller(old).introduce();
  const own = signingCaller({ client: straight(), server: "files", id }, fresh);
  await own.introduce();
  assert.match(refusalOf((await own.call(toolCall("write"), "direct")).json) ?? "", /unknown_key/);
  const { fingerprint } = fresh.keySet;
  await approvePin(state, { name: id, fingerprint }, systemClock);
  await eventually("they count", async () => {
    await own.introduce();
    return (await own.call(toolCall("write"), "direct")).mode === "direct";
  });
  const between = caller(fresh);
  await between.introduce();
  const refused = await between.call(toolCall("write"), "direct");
  assert.match(refusalOf(refused.json) ?? "", /unknown_key/, "the gateway has pins of its own");
  await approvePin(gateway.config.state, { name: id, fingerprint }, systemClock);
  await eventually("they count there too", async () => {
    await between.introduce();
    return (await between.call(toolCall("write"), "direct")).mode === "direct";
  });
});

test("a promise that nobody keeps suspends the way at both, and a statement opens it at both", async (t) => {
  const { caller, gateway, id } = await scene(t);
  const own = caller();
  await own.introduce();
  await own.call(toolCall("look"), "batched");
  await eventually("it is suspended", async () =>
    (refusalOf((await own.call(toolCall("write"), "direct")).json) ?? "").startsWith("route_cut unattested"),
  );
  const isOurs = ({ principal }: { readonly principal: string }): boolean => principal === id;
  await eventually("it is recorded", async () => (await entriesOf(gateway, "signature.fault")).some(isOurs));
  const attested = await own.attest();
  assert.deepEqual([attested.fault, attested.leaves.length], [undefined, 1]);
  assert.equal((await own.call(toolCall("write"), "direct")).mode, "direct");
});
