/** Which claims in `_meta` contradict the caller's proof, and which are let be. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import { everyMember, scanJson } from "../wire/json-scan.ts";
import { boundKey, type FalseClaim, falseClaim } from "./claims.ts";

const self = "spiffe://acme.test/agent/billing";
const other = "spiffe://acme.test/agent/admin";

function found(
  meta: string | object,
  spiffeId = self,
  bound: readonly string[] = [],
): FalseClaim | undefined {
  const bytes = utf8(typeof meta === "string" ? meta : JSON.stringify(meta));
  const { members = new Map() } = scanJson(bytes, { [everyMember]: true });
  return falseClaim({ bytes, members }, spiffeId, new Set(bound.map(boundKey)));
}

const names = [
  "caller",
  "callerid",
  "calleridentity",
  "callerspiffeid",
  "principal",
  "principalid",
  "identity",
  "spiffeid",
  "subject",
  "subjectid",
  "sub",
  "actor",
  "actorid",
  "act",
  "agentid",
  "agentidentity",
  "agentspiffeid",
  "clientid",
  "clientidentity",
  "clientspiffeid",
  "workload",
  "workloadid",
  "workloadidentity",
  "workloadspiffeid",
];
for (const name of names) {
  test(`"${name}" claims who sends, behind any prefix and however it is spelled`, () => {
    const spread = name.split("").join("_");
    const spellings = [name, `com.acme/${name}`, name.toUpperCase(), `a.b/${spread}`, `x/y/-${spread}.`];
    for (const key of spellings) {
      assert.deepEqual(found({ a: 1, [key]: other }), { key, claimed: other });
      assert.deepEqual(found({ [key]: { id: "x", uri: other } }), { key, claimed: other });
      assert.equal(found({ [key]: self }), undefined);
      assert.equal(found({ [key]: "agent-7f3a" }), undefined, "an id of a vendor's can't be compared");
    }
  });
}

const contradicting: readonly (readonly [
  what: string,
  meta: string | object,
  key: string,
  claimed?: string,
])[] = [
  ["another identity of the domain", { caller: other }, "caller", other],
  ["the same path in another domain", { caller: "spiffe://evil.test/agent/billing" }, "caller"],
  ["an identity that begins like the caller's", { caller: `${self}2` }, "caller"],
  ["the caller's identity with a slash behind", { caller: `${self}/` }, "caller"],
  ["a scheme in capitals", { caller: self.replace("spiffe", "SPIFFE") }, "caller"],
  ["a scheme and nothing else", { caller: "spiffe://" }, "caller"],
  ["an escaped value", '{"caller":"spiffe:\\/\\/acme.test\\/agent\\/\\u0061dmin"}', "caller", other],
  ["an escaped key", '{"c\\u0061ller":"spiffe://acme.test/agent/admin"}', "caller", other],
  ["letters that fold to ASCII", { "\u017Fub": other }, "\u017Fub", other],
  ["a claim behind a true one", { caller: self, "x/Caller": other }, "x/Caller", other],
  ["an actor's subject", { act: { sub: other } }, "act", other],
  ["a principal's id, behind a true one", { principal: { id: self, uri: other } }, "principal", other],
  [
    "our own key with the path alone",
    { "dev.latticegate/caller": "agent/billing" },
    "dev.latticegate/caller",
  ],
  ["our own key with nothing", { "dev.latticegate/caller": "" }, "dev.latticegate/caller"],
  ["our own key, spelled otherwise", { "Dev.LatticeGate/Caller": "x" }, "Dev.LatticeGate/Caller"],
  ["our own key with an object", { "dev.latticegate/caller": { id: "x" } }, "dev.latticegate/caller"],
];
for (const [what, meta, key, claimed] of contradicting) {
  test(`${what} contradicts`, () => {
    const claim = found(meta);
    assert.equal(claim?.key, key);
    if (claimed !== undefined) assert.equal(claim.claimed, claimed);
  });
}

const letBe: readonly (readonly [what: string, meta: object])[] = [
  ["nothing", {}],
  [
    "the protocol's own keys",
    { progressToken: other, "io.modelcontextprotocol/clientInfo": { name: other } },
  ],
  [
    "somebody else who is spoken of",
    { user: other, userId: other, on_behalf_of: other, "x/delegate": other },
  ],
  ["who is behind a claim", { principal: { id: self, onBehalfOf: other, user_id: other } }],
  [
    "who vouches for a claim",
    { identity: { id: self, issuer: other, "trust-domain": "spiffe://acme.test" } },
  ],
  ["two levels within a claim", { act: { sub: self, act: { sub: other } } }],
  ["a list", { caller: [other] }],
  ["a number, a boolean, nothing", { caller: 1, principal: true, sub: null }],
  ["an object without text", { caller: { id: 7, more: [other] } }],
  ["a key that goes on", { "caller/x": other, callers: other, "my-caller-x": other }],
  ["an address of another scheme", { caller: "https://spiffe://acme.test", sub: " spiffe" }],
  ["our own key that is true", { "dev.latticegate/caller": self }],
  ["our own prefix with another name", { "dev.latticegate/note": "x" }],
  [
    "our own name behind another's prefix",
    { "dev.latticegate.evil/caller": "x", "a/dev.latticegate/caller": "x" },
  ],
];
for (const [what, meta] of letBe) {
  test(`${what}: let be`, () => assert.equal(found(meta), undefined));
}

test("a configured key must name the caller whenever it is there, by its SPIFFE ID or its path", () => {
  const key = "com.acme/agent";
  for (const value of [self, "agent/billing"]) assert.equal(found({ [key]: value }, self, [key]), undefined);
  assert.equal(found({ other: "x" }, self, [key]), undefined);
  assert.deepEqual(found({ [key]: other }, self, [key]), { key, claimed: other });
  for (const value of ["", "agent", "agent/admin", "/agent/billing", "Agent/Billing", "billing"])
    assert.deepEqual(
      found({ [key]: value }, self, [key]),
      { key },
      `a path is no secret, a value may be: ${value}`,
    );
  for (const value of [1, true, null, [self], { id: self }, { sub: "agent/billing" }])
    assert.deepEqual(found({ [key]: value }, self, [key]), { key });
  assert.deepEqual(found({ "COM.acme/Agent": "x" }, self, [key]), { key: "COM.acme/Agent" });
  assert.equal(found({ [key]: "x" }, self, []), undefined, "a key nobody configured");
});

test("a gateway hands on what its callers say of themselves", () => {
  assert.equal(found({ caller: other }, "spiffe://acme.test/gateway"), undefined);
  assert.notEqual(found({ caller: other }, "spiffe://acme.test/server/gateway"), undefined);
});

test("whatever stands in _meta, the outcome is a claim of its or none", () => {
  const key = fc.oneof(fc.string(), fc.constantFrom(...names));
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(self, other), fc.dictionary(key, fc.jsonValue()));
  fc.assert(
    fc.property(fc.dictionary(key, value), (meta) => {
      const claim = found(meta);
      assert.ok(claim === undefined || Object.hasOwn(meta, claim.key));
    }),
  );
});

test("a very long key or value is compared like any other", () => {
  const long = "-".repeat(1_000_000);
  assert.equal(found({ [`caller${long}`]: other })?.claimed, other);
  assert.equal(found({ [`c${long}x`]: other, ["/".repeat(1_000_000)]: other }), undefined);
  assert.equal(found({ caller: self + long })?.key, "caller");
});
