/** What is said of a call that is half known, against the judge who knows all of it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { decide } from "../decide.ts";
import { compileRules, effects, policySchema } from "../rules.ts";
import { nothingSaid } from "../surroundings.ts";
import { describedCall, questionOf } from "../trial/described-call.ts";
import { verdictOf } from "../verdict.ts";
import { judgeRecorded, ruleVariants } from "./judge-recorded.ts";

const world = { trustDomain: "acme.test", surroundings: nothingSaid, isReadOnly: () => false };

const condition = fc.constantFrom(
  undefined,
  "args.amount > 3",
  "args.amount > 3 && link.pq",
  'args.to == "x" || args.amount < 2',
  'args.to.startsWith("x")',
  "!link.pq",
  "has(args.to)",
  'place.address == "10.0.0.1" && args.amount == 1',
);

const rules = fc
  .array(
    fc.record({
      effect: fc.constantFrom(...effects.filter((each) => each !== "redact")),
      when: condition,
      mode: fc.constantFrom("enforce", "enforce", "shadow"),
      callers: fc.constantFrom(["*"], ["spiffe://acme.test/a"], ["spiffe://acme.test/b"]),
      tools: fc.constantFrom(["s/*"], ["s/t"], ["s/u"]),
    }),
    { maxLength: 6 },
  )
  .map((given) =>
    compileRules(
      given.map(({ when, effect, ...rest }, at) =>
        policySchema.parse({
          name: `r${at}`,
          because: "A test says so.",
          effect,
          ...rest,
          ...(when !== undefined && { when }),
          ...(effect === "step_up" && { step_up: { signature: { mode: "direct" } } }),
        }),
      ),
    ),
  );

const amount = fc.constantFrom(0, 1, 3, 4, "4", undefined);
const to = fc.constantFrom("x", "xy", "z", 7, undefined);
const address = fc.constantFrom("10.0.0.1", "192.0.2.1");
const hidden = ["args.amount", "args.to", "place.address"] as const;

const calls = fc.record({
  amount,
  to,
  address,
  group: fc.constantFrom("X25519", "X25519MLKEM768"),
  chain: fc.constantFrom([], ["spiffe://acme.test/b"]),
  call: fc.constantFrom("s/t", "s/u"),
});

type Call = typeof calls extends fc.Arbitrary<infer Of> ? Of : never;

function question(given: Call): ReturnType<typeof questionOf> {
  const { amount: one, to: other, group, ...rest } = given;
  const args = { ...(one !== undefined && { amount: one }), ...(other !== undefined && { to: other }) };
  return questionOf(
    describedCall.parse({ ...rest, caller: "spiffe://acme.test/a", args, link: { group } }),
    world,
    [],
  );
}

test("what is said of a call is so whatever isn't known of it, and where all is known it is what the judge says", () => {
  let [known, unknown] = [0, 0];
  fc.assert(
    fc.property(
      rules,
      calls,
      fc.subarray([...hidden]),
      fc.array(fc.record({ amount, to, address }), { minLength: 3, maxLength: 8 }),
      (given, call, unknownPaths, others) => {
        const isKnown = (path: string): boolean => !unknownPaths.some((each) => each === path);
        const judged = judgeRecorded(question(call), isKnown, ruleVariants(given));
        const whole = judgeRecorded(question(call), () => true, ruleVariants(given));
        const truth = decide(question(call), given);
        assert.equal(whole.kind === "known" && whole.verdict, verdictOf(truth));
        if (judged.kind === "unknown") {
          unknown += 1;
          assert.ok(unknownPaths.length > 0 && judged.rules.length > 0);
          return;
        }
        known += 1;
        assert.equal(judged.verdict, verdictOf(truth));
        for (const other of others) {
          const possible = {
            ...call,
            ...(!isKnown("args.amount") && { amount: other.amount }),
            ...(!isKnown("args.to") && { to: other.to }),
            ...(!isKnown("place.address") && { address: other.address }),
          };
          assert.equal(judged.verdict, verdictOf(decide(question(possible), given)));
        }
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(known > 500 && unknown > 100, `${known} known, ${unknown} unknown`);
});
