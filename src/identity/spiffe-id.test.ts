/** SPIFFE IDs: well-formed or refused, and the gateway's is like no other. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { isGatewayId, spiffeId, trustDomainOf } from "./spiffe-id.ts";

test("an id is made of a trust domain and segments, and read back", () => {
  assert.equal(spiffeId("acme.test", "agent/a"), "spiffe://acme.test/agent/a");
  assert.equal(trustDomainOf("spiffe://acme.test/agent/a"), "acme.test");
});

for (const path of ["", "/", "a//b", "../a", "a/./b", "a b", "ä", "a?b", "a#b", "x".repeat(2100)]) {
  test(`${JSON.stringify(path.slice(0, 20))} is no path`, () => {
    assert.throws(() => spiffeId("acme.test", path), Refusal);
    assert.equal(trustDomainOf(`spiffe://acme.test/${path}`), undefined);
  });
}

test("only the gateway itself has the gateway's id; a server of that name hasn't", () => {
  assert.equal(isGatewayId("spiffe://acme.test/gateway"), true);
  for (const id of ["server/gateway", "agent/gateway", "gateway/x", "gateways", ""])
    assert.equal(isGatewayId(`spiffe://acme.test/${id}`), false, id);
  assert.equal(isGatewayId("https://acme.test/gateway"), false);
});
