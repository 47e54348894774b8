/** Facts of a call: what is read of it, for whom, and what isn't known before it comes. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { nothingSaid, surroundingsOf } from "../policy/surroundings.ts";
import { readFrame } from "../wire/frame.ts";
import type { Located } from "./call.ts";
import { callerFacts, facing, facingLists } from "./facts.ts";
import type { World } from "./world.ts";

const now = Date.UTC(2026, 10, 22, 23, 30);
const agent = "spiffe://a.test/agent/a";
const user = "oauth:web/user/ada";

// What isn't asked for isn't there.
const world = {
  surroundings: surroundingsOf({
    ...nothingSaid,
    zone: "Europe/Berlin",
    groups: { agents: ["spiffe://a.test/agent/*"] },
  }),
  tools: new Map(),
  signatures: new Map(),
} as unknown as World;

function callOf(params: object, more: object = {}): Located {
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }));
  const call = {
    caller: {
      id: agent,
      chain: [user],
      proof: {
        kind: "svid",
        serial: "1",
        issuer: "root",
        issuedAtUnixMs: now - 1000,
        notAfterUnixMs: now + 500,
      },
    },
    channel: {
      group: "X25519MLKEM768",
      keyExchange: "hybrid",
      level: 3,
      version: "TLSv1.3",
      profile: "hybrid",
      peer: { kind: "anonymous" },
      remote: "[2001:db8::7]:4711",
    },
    server: "bank",
    atUnixMs: now,
    body,
    frame: readFrame(body),
    clientSession: "s1",
    sessionBeganUnixMs: 0,
    ...more,
  };
  return call as unknown as Located;
}

const target = { kind: "tools", name: "pay" } as const;

test("a call's arguments, place, time and caller are what they are", () => {
  const params = {
    name: "pay",
    arguments: { amount: 12.5, to: ["ada"] },
    _meta: { "dev.latticegate/intent": { v: 1, purpose: "Pay Ada" } },
  };
  const facts = facing(callOf(params), target, world).of(agent);
  assert.deepEqual(facts["args"], params.arguments);
  assert.deepEqual(facts["intent"], { purpose: "Pay Ada" });
  assert.deepEqual(facts["place"], { address: "2001:db8::7", networks: [] });
  assert.deepEqual(facts["time"], { hour: 0, weekday: 1, minute: 30 });
  const { id, chain, groups, age, expires_in } = facts["caller"] as Record<string, unknown>;
  assert.deepEqual([id, chain, groups, age, expires_in], [agent, [user], ["agents"], 1000, 500]);
  assert.deepEqual(facing(callOf(params), target, world).missing, undefined);
});

test("each party is judged as if it had called, on behalf of those before it", () => {
  const { caller } = facing(callOf({ name: "pay" }), target, world).of(user) as {
    caller: Record<string, unknown>;
  };
  assert.deepEqual([caller["id"], caller["chain"], caller["groups"]], [user, [], []]);
});

test("a call without arguments has none; one of a resource has its address", () => {
  assert.deepEqual(facing(callOf({ name: "pay" }), target, world).of(agent)["args"], {});
  const resource = facing(callOf({ uri: "ehr://7" }), { kind: "resources", name: "ehr://7" }, world).of(
    agent,
  );
  assert.deepEqual(resource["args"], { uri: "ehr://7" });
});

test("what names nothing has no arguments, tool or data yet; of what is listed, the call isn't known", () => {
  const housekeeping = facing(callOf({}), undefined, world).missing ?? new Set();
  assert.deepEqual([...housekeeping], ["args", "tool", "resource", "history", "flow", "risk", "findings"]);
  assert.deepEqual(
    [...(facingLists(callOf({}), target, world).missing ?? [])],
    ["args", "call", "intent", "history", "flow", "risk", "findings"],
  );
});

test("a token that doesn't say when it was issued has no age", () => {
  const proof = { kind: "token", issuer: "web", binding: "dpop", scopes: ["a"], notAfterUnixMs: now + 1 };
  const of = (claims: object) =>
    facing(callOf({}, { caller: { id: agent, chain: [], proof: { ...proof, claims } } }), target, world).of(
      agent,
    )["caller"] as Record<string, unknown>;
  assert.ok(!("age" in of({ iat: "soon" })));
  assert.equal(of({ iat: now / 1000 - 5 })["age"], 5000);
  assert.deepEqual(
    [of({ tier: 1 })["claims"], of({})["kind"], of({})["binding"]],
    [{ tier: 1 }, "client", "dpop"],
  );
});

test("of a party that a call is on behalf of, the name counts and nothing of who acts for it", () => {
  const [client, planner] = ["oauth:corp/client/c", "spiffe://a.test/agent/planner"];
  const proof = { kind: "token", issuer: "corp", binding: "dpop", scopes: ["s"], claims: { iat: 1 } };
  const caller = { id: client, chain: [planner], proof: { ...proof, notAfterUnixMs: 9000 } };
  const call = { caller, atUnixMs: 2000 } as unknown as Parameters<typeof callerFacts>[0];
  const of = (party: string) => callerFacts(call, party, surroundingsOf(nothingSaid));
  const { kind, issuer, scopes, claims, age } = of(planner);
  assert.deepEqual([kind, issuer, scopes, claims, age], ["workload", "a.test", [], {}, undefined]);
  assert.deepEqual([of(client).kind, of(client).issuer, of(client).age], ["client", "corp", 1000]);
});
