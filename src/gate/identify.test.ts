/** Who a call is from, judged again when it comes: what its listener found out may be older. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import type { Received, TokenCaller } from "./call.ts";
import { identify } from "./stages.ts";
import { makeWorld } from "./world.ts";

const world = makeWorld({
  trust: {
    domain: "acme.test",
    identityAlgorithms: ["ML-DSA-65"],
    groups: ["X25519MLKEM768"],
    revokedSerials: new Set(),
    issuers: new Set(["root"]),
  },
  rules: [],
  servers: ["files"],
});

const presented: TokenCaller = {
  id: "oauth:corp/client/app",
  chain: [],
  proof: {
    kind: "token",
    issuer: "corp",
    binding: "dpop",
    listener: "https://mcp.acme.test",
    scopes: [],
    notAfterUnixMs: 1000,
  },
};

const received: Received = {
  id: "1",
  atUnixMs: 999,
  channel: {
    group: "X25519MLKEM768",
    keyExchange: "hybrid",
    level: 3,
    version: "TLSv1.3",
    profile: "hybrid",
    peer: { kind: "anonymous" },
    remote: "r",
  },
  server: "files",
  verb: "POST",
  header: () => undefined,
  headers: [],
  body: new Uint8Array(0),
  reply: {
    whole: () => undefined,
    open: () => undefined,
    write: () => Promise.resolve(),
    close: () => undefined,
    cut: () => undefined,
    gone: new AbortController().signal,
  },
};

const refused = (error: unknown): boolean => error instanceof Refusal && error.code === "no_identity";

test("a token counts no more once its client, or whom it acts for, was revoked", () => {
  const user = "oauth:corp/user/alice";
  const forAlice = { ...received, presented: { ...presented, chain: [user] } };
  for (const name of [presented.id, user]) {
    const parts = { trust: world.trust, rules: [], servers: ["files"], shutOut: [name] };
    assert.throws(() => identify(forAlice, makeWorld(parts)), refused);
  }
  identify(
    forAlice,
    makeWorld({ trust: world.trust, rules: [], servers: ["files"], shutOut: ["oauth:corp/user/a"] }),
  );
});

test("a call is from whom its token proves, for as long as that lasts", () => {
  const call = identify({ ...received, presented }, world);
  assert.equal(call.caller.id, "oauth:corp/client/app");
  assert.throws(() => identify({ ...received, presented, atUnixMs: 1000 }, world), refused);
});

test("a call from nobody is refused", () => {
  assert.throws(() => identify(received, world), refused);
});
