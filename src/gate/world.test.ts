/** The world's digest: whatever a call is judged by changes it, the order of things doesn't. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeWorld } from "./world.ts";

type Parts = Parameters<typeof makeWorld>[0];

const parts: Parts = {
  trust: { domain: "acme.test", identityAlgorithm: "ML-DSA-65", revokedSerials: new Set(["01"]) },
  rules: [],
  servers: ["a", "b"],
  claims: ["com.acme/agent", "x"],
};
const digestWith = (other: Partial<Parts>): string => makeWorld({ ...parts, ...other }).digest;

const changes: readonly (readonly [string, Partial<Parts>])[] = [
  ["a revocation", { trust: { ...parts.trust, revokedSerials: new Set(["01", "02"]) } }],
  ["a server", { servers: ["a"] }],
  ["a key that must name the caller", { claims: ["com.acme/agent"] }],
];
test("each change of what calls are judged by is another world", () => {
  const digests = [digestWith({}), ...changes.map(([, other]) => digestWith(other))];
  assert.equal(new Set(digests).size, digests.length);
});

test("the order of servers and keys makes no other world", () => {
  assert.equal(digestWith({ servers: ["b", "a"], claims: ["x", "com.acme/agent"] }), digestWith({}));
});
