/** What counts as less than before, row by row, and what is our own doing and doesn't. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { resolveProfile } from "../crypto/suites/profiles.ts";
import type { Offer } from "../model/offer.ts";
import { type Observation, shown } from "./peer-memory.ts";
import { inShort, type PeerTerms, regressionsOf, termsOf, versionName } from "./regressions.ts";

const ids = { X25519MLKEM768: 0x11ec, SecP384r1MLKEM1024: 0x11ed, X25519: 0x001d } as const;
type Group = keyof typeof ids;

const since = Date.parse("2026-01-02T03:04:05.678Z");
const now = Date.parse("2026-01-03T00:00:00Z");
const terms = termsOf({ profile: resolveProfile("hybrid"), sinceUnixMs: 0, outgoing: [] }, now);
const cnsa = termsOf({ profile: resolveProfile("cnsa-2.0"), sinceUnixMs: 0, outgoing: [] }, now);

function offer(groups: readonly Group[], keyShares: readonly Group[] = groups, ja4 = "t13i0108"): Offer {
  return {
    versions: [0x0304],
    groups: groups.map((group) => ids[group]),
    keyShares: keyShares.map((group) => ids[group]),
    signatureSchemes: [],
    fingerprint: { ja4, groups: "0" },
  };
}

function link(group: Group, more: Partial<Observation> = {}): Observation {
  return { atUnixMs: now, group, version: 0x0304, certificate: "ML-DSA-65", offer: offer([group]), ...more };
}

const before = shown(link("X25519MLKEM768", { atUnixMs: since }));
const beforeStronger = shown(link("SecP384r1MLKEM1024", { atUnixMs: since, certificate: "ML-DSA-87" }));
const web = { groups: terms.groups, outgoing: terms.outgoing } satisfies PeerTerms;
const asServer = (group: string, more: Partial<Observation> = {}): Observation => {
  return { atUnixMs: now, group, version: 0x0304, ...more };
};

const rows: readonly (readonly [string, ReturnType<typeof shown>, Observation, PeerTerms, string])[] = [
  ["the same again", before, link("X25519MLKEM768"), terms, ""],
  ["a stronger group", before, link("SecP384r1MLKEM1024"), terms, ""],
  ["a peer that nobody knows", {}, link("X25519"), terms, ""],
  ["the hybrid group gone", before, link("X25519"), terms, "group_lost:high"],
  [
    "the hybrid group gone, and another TLS client",
    before,
    link("X25519", { offer: offer(["X25519"], ["X25519"], "t13i0109") }),
    terms,
    "group_lost:high fingerprint_changed:low",
  ],
  [
    "another TLS client alone",
    before,
    link("X25519MLKEM768", { offer: offer(["X25519MLKEM768"], ["X25519MLKEM768"], "t13i0109") }),
    terms,
    "",
  ],
  ["a hybrid group gone that our profile doesn't have any more", before, link("X25519"), cnsa, ""],
  [
    "a classical link though the hybrid group is offered: our door",
    before,
    link("X25519", { offer: offer(["X25519", "X25519MLKEM768"]) }),
    terms,
    "",
  ],
  [
    "a lower category",
    beforeStronger,
    link("X25519MLKEM768", { certificate: "ML-DSA-87" }),
    terms,
    "level_lowered:medium",
  ],
  [
    "a lower category, and another TLS client",
    beforeStronger,
    link("X25519MLKEM768", { certificate: "ML-DSA-87", offer: offer(["X25519MLKEM768"], [], "t13i0109") }),
    terms,
    "level_lowered:high fingerprint_changed:low",
  ],
  [
    "a lower category that our order picked",
    beforeStronger,
    link("X25519MLKEM768", {
      certificate: "ML-DSA-87",
      offer: offer(["X25519MLKEM768", "SecP384r1MLKEM1024"], ["X25519MLKEM768"]),
    }),
    terms,
    "",
  ],
  [
    "a weaker certificate where the stronger is given out",
    beforeStronger,
    link("SecP384r1MLKEM1024", { certificate: "ML-DSA-65" }),
    cnsa,
    "signature_weakened:medium",
  ],
  [
    "a weaker certificate under a profile that moved back",
    beforeStronger,
    link("SecP384r1MLKEM1024", { certificate: "ML-DSA-65" }),
    terms,
    "",
  ],
  [
    "the hybrid group no longer predicted",
    before,
    link("X25519MLKEM768", { offer: offer(["X25519", "X25519MLKEM768"], ["X25519"]) }),
    terms,
    "key_share_missing:low",
  ],
  [
    "another hybrid group predicted",
    before,
    link("X25519MLKEM768", {
      offer: offer(["SecP384r1MLKEM1024", "X25519MLKEM768"], ["SecP384r1MLKEM1024"]),
    }),
    terms,
    "",
  ],
  [
    "a classical link after a failed hybrid handshake",
    {},
    link("X25519", { offer: { ...offer(["X25519"]), follows: { groupId: 0x11ec, agoMs: 2000 } } }),
    terms,
    "fallback:medium",
  ],
  [
    "a server that lost its hybrid group",
    shown(asServer("X25519MLKEM768")),
    asServer("P-256"),
    web,
    "group_lost:high",
  ],
  [
    "a server that goes back to a group we prefer",
    shown(asServer("SecP384r1MLKEM1024")),
    asServer("X25519MLKEM768"),
    web,
    "",
  ],
  [
    "a server that doesn't take any more what we prefer",
    shown(asServer("SecP384r1MLKEM1024")),
    asServer("X25519MLKEM768"),
    { ...web, groups: terms.groups.toReversed() },
    "level_lowered:medium",
  ],
  [
    "a server with an older version",
    shown(asServer("X25519")),
    asServer("X25519", { version: 0x0303 }),
    web,
    "version_lowered:high",
  ],
  [
    "a server on the web whose certificate is classical again",
    shown(asServer("X25519", { certificate: "ML-DSA-65" })),
    asServer("X25519", { certificate: "ec" }),
    web,
    "signature_weakened:medium",
  ],
  [
    "one classical certificate for another",
    shown(asServer("X25519", { certificate: "ECDSA-P384" })),
    asServer("X25519", { certificate: "rsa" }),
    web,
    "",
  ],
];

for (const [what, best, seen, under, expected] of rows) {
  test(`${what}: ${expected === "" ? "no regression" : expected}`, () => {
    assert.equal(inShort(regressionsOf(best, seen, under)), expected);
  });
}

test("until a change of profile is over, who still uses the one before hasn't regressed", () => {
  const changing = { profile: resolveProfile("cnsa-2.0"), sinceUnixMs: now };
  const outgoing = [{ profile: resolveProfile("hybrid"), untilUnixMs: now + 1000 }];
  const seen = link("X25519MLKEM768");
  const during = termsOf({ ...changing, outgoing }, now);
  assert.deepEqual(regressionsOf(beforeStronger, seen, during), []);
  const after = termsOf({ ...changing, outgoing }, now + 1000);
  assert.equal(
    inShort(regressionsOf(beforeStronger, seen, after)),
    "level_lowered:medium signature_weakened:medium",
  );
});

test("a finding says what changed, from what, to what and since when it was so", () => {
  const [found] = regressionsOf(before, link("X25519"), terms);
  assert.deepEqual(found, {
    kind: "group_lost",
    confidence: "high",
    from: "X25519MLKEM768",
    to: "X25519",
    sinceUnixMs: since,
    says: "It used X25519MLKEM768 since 2026-01-02T03:04:05Z and doesn't any more: this link has X25519, without ML-KEM.",
  });
});

test("versions are called as people call them", () => {
  assert.deepEqual([0x0304, 0x0303, 0x0301].map(versionName), ["TLS 1.3", "TLS 1.2", "TLS 1.0"]);
});
