/** What is remembered only grows, in any order, and ends when it wasn't seen for long enough. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { groupNamed, keyExchangeSuites } from "../crypto/suites/key-exchange.ts";
import { signatureSuiteIds } from "../crypto/suites/signatures.ts";
import {
  accepted,
  type Best,
  isWeaker,
  joined,
  type Observation,
  remember,
  shown,
  unexpired,
} from "./peer-memory.ts";

const forever = { evidence: "proven", memoryMs: Number.MAX_SAFE_INTEGER } as const;
const names = [...keyExchangeSuites.map(({ id }) => id), "brainpoolP256r1", "none"];
const groupIds = keyExchangeSuites.map(({ groupId }) => groupId);

const offer = fc.record({
  versions: fc.constant([0x0304]),
  groups: fc.subarray(groupIds),
  keyShares: fc.subarray(groupIds),
  signatureSchemes: fc.constant([]),
  fingerprint: fc.record({ ja4: fc.constantFrom("a", "b"), groups: fc.constantFrom("c", "d") }),
});

const observation: fc.Arbitrary<Observation> = fc
  .record(
    {
      atUnixMs: fc.integer({ min: 1, max: 1000 }),
      group: fc.constantFrom(...names),
      version: fc.constantFrom(0x0303, 0x0304),
      certificate: fc.constantFrom(...signatureSuiteIds, "rsa"),
      offer,
    },
    { requiredKeys: ["atUnixMs", "group", "version"] },
  )
  .map((seen) => seen as Observation);

const observations = fc.array(observation, { minLength: 1, maxLength: 12 });

function bestOf(seen: readonly Observation[]): Best {
  return (
    seen.reduce(
      (record, each) => remember(record, each, forever),
      remember(undefined, seen[0] ?? fail(), forever),
    )?.best ?? fail()
  );
}

function fail(): never {
  throw new Error("nothing was seen");
}

test("the best doesn't depend on the order in which it was seen, nor on how often", () => {
  fc.assert(
    fc.property(observations, fc.infiniteStream(fc.nat()), (seen, order) => {
      const shuffled = seen
        .map((each) => ({ each, at: order.next().value }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ each }) => each);
      const { fingerprint: _one, ...one } = bestOf([...shuffled, ...seen]);
      const { fingerprint: _other, ...other } = bestOf(seen);
      assert.deepEqual(one, other);
    }),
  );
});

test("what is remembered is never weaker than any link that was seen", () => {
  fc.assert(
    fc.property(observations, (seen) => {
      const best = bestOf(seen);
      for (const each of seen.map(shown)) {
        assert.deepEqual(
          { ...joined(best, each), fingerprint: best.fingerprint },
          { fingerprint: undefined, ...best },
        );
        if (best.keyExchange && each.keyExchange) assert.ok(!isWeaker(best.keyExchange, each.keyExchange));
        if (each.certificate) assert.ok(best.certificate && !isWeaker(best.certificate, each.certificate));
        if (each.keyShare) assert.ok(best.keyShare !== undefined);
        assert.ok((best.version?.version ?? 0) >= (each.version?.version ?? 0));
      }
    }),
  );
});

test("what nobody proved changes nothing, and is never the first that is remembered", () => {
  fc.assert(
    fc.property(observations, observation, (seen, unproven) => {
      const record = seen.reduce<ReturnType<typeof remember>>(
        (so, each) => remember(so, each, forever),
        undefined,
      );
      const after = remember(record, unproven, { ...forever, evidence: "unproven" });
      assert.equal(after, record);
      assert.equal(remember(undefined, unproven, { ...forever, evidence: "unproven" }), undefined);
    }),
  );
});

test("each part is there until its time is over, and not from then on", () => {
  fc.assert(
    fc.property(
      observations,
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 0, max: 2000 }),
      (seen, memoryMs, now) => {
        const best = bestOf(seen);
        const left = unexpired(best, now, memoryMs);
        for (const [name, part] of Object.entries(best)) {
          const isLeft = part !== undefined && now < part.lastUnixMs + memoryMs;
          assert.deepEqual(left[name as keyof Best], isLeft ? part : undefined, name);
        }
      },
    ),
  );
});

test("a peer that was only seen with less since its best expired is remembered by that", () => {
  const strong = { atUnixMs: 1000, group: "X25519MLKEM768", version: 0x0304 };
  const weak = { atUnixMs: 1500, group: "X25519", version: 0x0304 };
  const keep = { evidence: "proven", memoryMs: 1000 } as const;
  const before = remember(remember(undefined, strong, keep), weak, keep);
  assert.equal(before?.best.keyExchange?.group, "X25519MLKEM768");
  assert.equal(remember(before, { ...weak, atUnixMs: 2000 }, keep)?.best.keyExchange?.group, "X25519");
});

test("accepting a change makes the newest link what counts, whatever came before", () => {
  fc.assert(
    fc.property(observations, (seen) => {
      const record = seen.reduce<ReturnType<typeof remember>>(
        (so, each) => remember(so, each, forever),
        undefined,
      );
      const newest = Math.max(...seen.map(({ atUnixMs }) => atUnixMs));
      assert.ok(record !== undefined);
      assert.deepEqual([record.links, record.lastUnixMs], [seen.length, newest]);
      const last = seen.findLast(({ atUnixMs }) => atUnixMs === newest) ?? fail();
      assert.deepEqual(accepted(record).best, shown(last));
    }),
  );
});

test("a link with less doesn't make its TLS client the one that is known: to come twice is no way around it", () => {
  const seen = (group: string, ja4: string): Observation => ({
    atUnixMs: 1000,
    group,
    version: 0x0304,
    offer: {
      versions: [0x0304],
      groups: [],
      keyShares: [],
      signatureSchemes: [],
      fingerprint: { ja4, groups: "" },
    },
  });
  const strong = remember(undefined, seen("SecP384r1MLKEM1024", "one"), forever);
  const weak = remember(strong, seen("X25519MLKEM768", "other"), forever);
  assert.equal(weak?.best.fingerprint?.ja4, "one");
  assert.equal(remember(weak, seen("SecP384r1MLKEM1024", "new"), forever)?.best.fingerprint?.ja4, "new");
});

test("categories count among groups with ML-KEM, and none of the others is better than another", () => {
  const [five, three, curve] = ["SecP384r1MLKEM1024", "X25519MLKEM768", "X25519"].map(
    (id) => groupNamed(id) ?? fail(),
  );
  const strength = (row: typeof five) => ({ kind: row?.kind ?? fail(), level: row?.nistLevel ?? fail() });
  assert.ok(isWeaker(strength(three), strength(five)) && isWeaker(strength(curve), strength(three)));
  assert.ok(!isWeaker(strength(curve), { kind: "classical", level: 3 }));
});
