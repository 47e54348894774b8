/** A refund that doesn't fit those before, found by a rule among 1,000 that do. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as fc from "fast-check";
import { parse } from "yaml";

import { decide } from "../decide.ts";
import { compileRules, policySchema } from "../rules.ts";
import { describedCall, questionOf } from "../trial/described-call.ts";
import { nothingSaid } from "../surroundings.ts";
import { pastCalls } from "./past-calls.ts";

const library = new URL("../../../policies/refund-history.yaml", import.meta.url);
const { policies } = parse(readFileSync(library, "utf8")) as { readonly policies: readonly unknown[] };
const rules = compileRules(
  policies
    .map((each) => policySchema.parse(each))
    .filter(({ name }) => ["support-refunds", "refunds-that-do-not-fit"].includes(name)),
);
const world = { trustDomain: "acme.test", surroundings: nothingSaid, isReadOnly: () => false };
const begin = Date.UTC(2026, 5, 1);
const everyMs = 40 * 60_000;

/** Amounts as refunds have them, in cents: many small ones, few large ones. */
function amounts(random: () => number, count: number): readonly number[] {
  return Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.round(4000 * Math.exp(0.8 * normal)) / 100;
  });
}

function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @returns which of the refunds were held, by their place */
function heldOf(refunds: readonly number[]): readonly number[] {
  const past = pastCalls(
    rules.flatMap(({ when }) => when?.recalls ?? []),
    (text) => text,
  );
  const caller = "spiffe://acme.test/agent/support-1";
  return refunds.flatMap((amount, at) => {
    const atUnixMs = begin + at * everyMs;
    const call = describedCall.parse({ caller, call: "payments/process_refund", args: { amount } });
    const asker = {
      party: caller,
      user: caller,
      session: "s",
      issuer: "acme.test",
      target: call.call,
      atUnixMs,
    };
    const question = questionOf(call, world, rules);
    const facts = { of: (party: string) => ({ ...question.facts?.of(party), history: past.of(asker) }) };
    const isHeld = decide({ ...question, facts }, rules).kind === "denial";
    if (isHeld) return [at];
    const callId = String(at);
    const features = past.featuresOf(() => ({ amount }));
    assert.ok(features !== undefined && features !== "too long");
    past.reserve({ ...asker, callId, parties: [caller], features });
    past.settle(callId, "stands");
    return [];
  });
}

test("of 1,000 honest refunds at most one is held, and the one that doesn't fit is, wherever it stands", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 100, max: 999 }), (seed, at) => {
      const honest = amounts(generator(seed), 1000);
      const isHeld = heldOf(honest);
      assert.ok(isHeld.length <= 1, `${isHeld.length} of 1,000 honest refunds are held`);
      const odd = honest.with(at, Math.round(5 * Math.max(...honest)));
      assert.ok(heldOf(odd).includes(at), "the odd one out is held");
    }),
    { numRuns: 10, seed: 7 },
  );
});
