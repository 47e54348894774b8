/** What is in force after a history of changes, and until when what was before it is still taken. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import {
  type Applied,
  inForceAfter,
  inForceSchema,
  joined,
  nextDeadline,
  readInForce,
  termsAt,
  writtenInForce,
} from "./in-force.ts";
import { type ProfileName, profileNames, resolveProfile } from "./profiles.ts";

function applied(name: ProfileName, atUnixMs: number, outgoingUntilUnixMs: number): Applied {
  return { atUnixMs, profile: resolveProfile(name).document, outgoingUntilUnixMs };
}

const ids = (rows: readonly { readonly id: string }[]): readonly string[] => rows.map(({ id }) => id);

const history = [applied("hybrid", 0, 0), applied("cnsa-2.0", 100, 200)];

test("what is new comes first, and what only the old one has stays until the deadline", () => {
  const during = termsAt(inForceAfter(history, 150), 150);
  assert.deepEqual(ids(during.groups), ["SecP384r1MLKEM1024", "X25519MLKEM768", "SecP256r1MLKEM768"]);
  assert.deepEqual(ids(during.identities), ["ML-DSA-87", "ML-DSA-65"]);
  assert.deepEqual(during.ciphers.split(":"), ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]);
  for (const now of [200, 201, 1e12]) {
    const after = termsAt(inForceAfter(history, now), now);
    assert.deepEqual([ids(after.groups), ids(after.identities)], [["SecP384r1MLKEM1024"], ["ML-DSA-87"]]);
  }
});

test("a value made before the deadline knows by itself when it has passed", () => {
  const made = inForceAfter(history, 150);
  assert.equal(nextDeadline(made, 150), 200);
  assert.deepEqual(ids(termsAt(made, 200).identities), ["ML-DSA-87"]);
  assert.equal(nextDeadline(made, 200), undefined);
});

test("what a change ends at once, no earlier deadline keeps", () => {
  const emergency = [...history, applied("transition", 150, 150)];
  assert.deepEqual(inForceAfter(emergency, 151).outgoing, []);
  const patient = [...history, applied("transition", 150, 500)];
  const { outgoing } = inForceAfter(patient, 151);
  assert.deepEqual(
    outgoing.map(({ profile, untilUnixMs }) => [profile.name, untilUnixMs]),
    [
      ["cnsa-2.0", 500],
      ["hybrid", 200],
    ],
  );
});

test("nothing is in force without a history", () => {
  assert.throws(() => inForceAfter([], 0), /no profile/);
});

test("only the transition has groups without ML-KEM, and a deadline takes them away", () => {
  const over = [applied("transition", 0, 0), applied("hybrid", 100, 200)];
  assert.deepEqual(ids(termsAt(inForceAfter(over, 150), 150).classicalGroups), ["X25519", "P-256"]);
  assert.deepEqual(termsAt(inForceAfter(over, 200), 200).classicalGroups, []);
});

const changes = fc
  .array(fc.record({ name: fc.constantFrom(...profileNames), gap: fc.nat(1000), overlap: fc.nat(3000) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((steps) => {
    let at = 0;
    return steps.map(({ name, gap, overlap }) => {
      at += gap;
      return applied(name, at, at + overlap);
    });
  });

test("whatever the history: the newest profile's own is always taken first, and nothing no profile has had", () => {
  fc.assert(
    fc.property(changes, fc.nat(9000), (steps, later) => {
      const last = steps.at(-1);
      assert.ok(last);
      const now = last.atUnixMs + later;
      const terms = termsAt(inForceAfter(steps, now), now);
      assert.deepEqual(ids(terms.groups).slice(0, last.profile.groups.length), last.profile.groups);
      const had = new Set(steps.flatMap(({ profile }) => profile.identities));
      assert.ok(terms.identities.every(({ id }) => [...had].some((each) => each === id)));
      if (now >= last.outgoingUntilUnixMs) assert.deepEqual(ids(terms.groups), last.profile.groups);
    }),
  );
});

test("a sidecar reads what its gateway wrote", () => {
  const made = inForceAfter([...history, applied("transition", 150, 500)], 160);
  const text = JSON.stringify(writtenInForce(made));
  assert.deepEqual(readInForce(inForceSchema.parse(JSON.parse(text))), made);
});

test("a gateway can't make a sidecar offer groups without ML-KEM or algorithms that aren't in the tables", () => {
  const { document } = resolveProfile("hybrid");
  const since = "2026-11-21T12:00:00.000Z";
  for (const change of [
    { groups: ["X25519"] },
    { groups: ["MLKEM512"] },
    { identities: ["Ed25519"] },
    { ciphers: ["TLS_AES_128_CCM_8_SHA256"] },
    { groups: [] },
    { name: "../../etc" },
  ]) {
    const profile = { ...document, ...change };
    assert.equal(inForceSchema.safeParse({ profile, since, outgoing: [] }).success, false);
  }
});

test("joining terms with themselves changes nothing", () => {
  const { groups, classicalGroups, identities, ciphers } = resolveProfile("transition");
  const terms = { groups, classicalGroups, identities, ciphers };
  assert.deepEqual(joined(terms, terms), terms);
});
