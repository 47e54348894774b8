/** What a link is worth now: a classical identity counts while its certificate does, and no longer. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import type { Channel, SvidPeer } from "../model/channel.ts";
import { checkHybrid, linkAuthentication } from "./link-authentication.ts";

const trust = {
  domain: "acme.test",
  identityAlgorithms: ["ML-DSA-65"],
  groups: ["X25519MLKEM768"],
  revokedSerials: new Set(["0bad"]),
  issuers: new Set(["root"]),
};
const now = 1_000_000;
const peer = {
  kind: "svid",
  keyAlgorithm: "ML-DSA-65",
  spiffeId: "spiffe://acme.test/agent/a",
  serial: "01",
  issuer: "root",
  notAfterUnixMs: now + 10,
} as const;
const peerWith = (classical?: { readonly serial: string; readonly notAfterUnixMs: number }): SvidPeer => ({
  ...peer,
  ...(classical && { classical: { keyAlgorithm: "Ed25519", ...classical } }),
});

const linkOf = (peer: SvidPeer): Channel => ({
  group: "X25519MLKEM768",
  keyExchange: "hybrid",
  level: 3,
  version: "TLSv1.3",
  profile: "hybrid",
  remote: "127.0.0.1:1",
  peer,
});

const table: readonly (readonly [string, SvidPeer, string, RegExp | undefined])[] = [
  ["no classical identity", peerWith(), "ML-DSA-65", /this one has none/],
  ["one", peerWith({ serial: "02", notAfterUnixMs: now + 1 }), "ML-DSA-65+Ed25519", undefined],
  [
    "one that ends now",
    peerWith({ serial: "02", notAfterUnixMs: now }),
    "ML-DSA-65",
    /has ended or was revoked/,
  ],
  [
    "one that was revoked",
    peerWith({ serial: "0bad", notAfterUnixMs: now + 1 }),
    "ML-DSA-65",
    /has ended or was/,
  ],
];
for (const [what, link, name, reason] of table) {
  test(`a link with ${what} is called ${name}`, () =>
    assert.equal(linkAuthentication(link, trust, now), name));

  test(`a link with ${what} ${reason === undefined ? "passes" : "is refused"} where both are asked for`, () => {
    if (reason === undefined) {
      checkHybrid(linkOf(link), "This listener", trust, now);
      return;
    }
    assert.throws(
      () => checkHybrid(linkOf(link), "This listener", trust, now),
      (error: unknown) =>
        error instanceof Refusal && error.code === "link_too_weak" && reason.test(error.message),
    );
  });
}
