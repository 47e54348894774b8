/** The world's digest: whatever a call is judged by changes it, the order of things doesn't. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { ProtocolVersion } from "../wire/protocol-version.ts";
import { makeWorld, type PinnedTools } from "./world.ts";

type Parts = Parameters<typeof makeWorld>[0];

const ofServers = (...entries: readonly (readonly [string, ProtocolVersion])[]) => ({
  versions: { ofServers: new Map(entries) },
});
const pinned = (tools: Partial<PinnedTools>): Partial<Parts> => ({
  tools: new Map([["a", { blocked: new Map(), pinned: new Map(), readOnly: new Map(), ...tools }]]),
});
const parts: Parts = {
  trust: {
    domain: "acme.test",
    identityAlgorithms: ["ML-DSA-65"],
    groups: ["X25519MLKEM768"],
    revokedSerials: new Set(["01"]),
    issuers: new Set(["root"]),
  },
  rules: [],
  servers: ["a", "b"],
  claims: ["com.acme/agent", "x"],
  versions: { minimum: "2025-06-18", ofServers: new Map([["a", "2025-11-25"]]) },
};
const digestWith = (other: Partial<Parts>): string => makeWorld({ ...parts, ...other }).digest;

const changes: readonly (readonly [string, Partial<Parts>])[] = [
  ["a revocation", { trust: { ...parts.trust, revokedSerials: new Set(["01", "02"]) } }],
  ["a server", { servers: ["a"] }],
  ["a key that must name the caller", { claims: ["com.acme/agent"] }],
  ["no minimum", { versions: { ofServers: new Map([["a", "2025-11-25"]]) } }],
  ["another minimum", { versions: { minimum: "2025-11-25", ofServers: new Map([["a", "2025-11-25"]]) } }],
  ["a minimum of a server's own", ofServers(["a", "2025-11-25"], ["b", "2025-11-25"])],
  ["a server that asks for hybrid links", { hybridLinks: ["a"] }],
  ["another server that does", { hybridLinks: ["b"] }],
  ["a root that is trusted", { trust: { ...parts.trust, issuers: new Set(["root", "more"]) } }],
  ["a client that was shut out", { shutOut: ["oauth:corp/client/app"] }],
  ["delegation", { delegation: { maxDepth: 1, maxLifetimeMs: 1 } }],
  ["more delegation", { delegation: { maxDepth: 2, maxLifetimeMs: 1 } }],
  ["a tool that is pinned", pinned({ pinned: new Map([["t", "h"]]) })],
  ["another form of it", pinned({ pinned: new Map([["t", "i"]]) })],
  ["a tool that isn't called", pinned({ blocked: new Map([["t", "new"]]) })],
  ["another reason", pinned({ blocked: new Map([["t", "changed"]]) })],
  ["a tool that only reads", pinned({ readOnly: new Map([["t", 1]]) })],
  ["for good", pinned({ readOnly: new Map([["t", Infinity]]) })],
  ["what no list named", pinned({ otherwise: "unapproved" })],
  ["another server's minimum", ofServers(["b", "2025-11-25"])],
];
test("each change of what calls are judged by is another world", () => {
  const digests = [digestWith({}), ...changes.map(([, other]) => digestWith(other))];
  assert.equal(new Set(digests).size, digests.length);
});

test("the order of servers, keys and minimums makes no other world", () => {
  assert.equal(digestWith({ servers: ["b", "a"], claims: ["x", "com.acme/agent"] }), digestWith({}));
  const [one, two] = [["a", "2025-11-25"] as const, ["b", "2025-06-18"] as const];
  assert.equal(digestWith(ofServers(one, two)), digestWith(ofServers(two, one)));
});
