/** Explanations agree with the judge: what decided counts, and what doesn't count decided nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { explainDecision } from "./explain.ts";
import { compileRules, effects, type RuleDocument } from "./rules.ts";
import { nothingSaid } from "./surroundings.ts";
import { describedCall, questionOf, type TrialWorld } from "./trial/described-call.ts";

const world: TrialWorld = { trustDomain: "acme.test", surroundings: nothingSaid, isReadOnly: () => false };
const rule = (part: Partial<RuleDocument>): RuleDocument => ({
  name: "r",
  callers: ["*"],
  effect: "allow",
  because: "A test says so.",
  mode: "enforce",
  tools: ["s/*"],
  ...part,
});
const question = (given: Readonly<Record<string, unknown>>): ReturnType<typeof questionOf> =>
  questionOf(describedCall.parse({ caller: "spiffe://acme.test/a", call: "s/a", ...given }), world, []);

const parts = fc.record({
  effect: fc.constantFrom(...effects),
  callers: fc.constantFrom<string[]>(["*"], ["spiffe://acme.test/a"], ["spiffe://acme.test/b*"]),
  on_behalf_of: fc.constantFrom<string[] | undefined>(undefined, undefined, ["*"], ["spiffe://acme.test/c"]),
  tools: fc.constantFrom<string[]>(["*"], ["s/a"], ["s/b"], ["t/*"]),
  link: fc.constantFrom(undefined, undefined, { pq: true }, { pq: false }),
  mode: fc.constantFrom("enforce" as const, "enforce" as const, "shadow" as const),
  when: fc.constantFrom(undefined, "link.pq", "!link.pq", "args.n > 1", "size(caller.chain) > 0"),
});
const documents = fc.array(parts, { maxLength: 6 }).map((list) =>
  list.map((part, at) =>
    rule({
      ...part,
      name: `r${at}`,
      ...(part.effect === "redact" && { redact: { arguments: ["/n"], replace_by: "x" } }),
      ...(part.effect === "step_up" && { step_up: { link: { min_level: 5 as const } } }),
    }),
  ),
);
const calls = fc.record({
  caller: fc.constantFrom("spiffe://acme.test/a", "spiffe://acme.test/b"),
  chain: fc.constantFrom([], ["spiffe://acme.test/c"], ["spiffe://acme.test/c", "spiffe://acme.test/d"]),
  call: fc.constantFrom("s/a", "s/b"),
  args: fc.constantFrom({}, { n: 1 }, { n: 2 }, { n: "2" }),
  link: fc.constantFrom({ group: "X25519" }, { group: "X25519MLKEM768" }),
});

test("what decided counts, all that is watched counts, and an allow that counts for everybody isn't missed", () => {
  let denied = 0;
  fc.assert(
    fc.property(documents, calls, (list, given) => {
      const asked = question(given);
      const { decision, rules, others } = explainDecision(asked, compileRules(list));
      assert.ok(decision !== undefined);
      const counting = (name: string): boolean =>
        rules.some((each) => each.rule === name && each.counts === "yes");
      if (decision.rule !== null) assert.ok(counting(decision.rule), decision.rule);
      assert.deepEqual(
        decision.shadows.map((each) => each.rule).toSorted(),
        list.filter((each) => each.mode === "shadow" && counting(each.name)).map((each) => each.name),
      );
      const enforced = rules.filter((each) => !each.isShadow && each.counts === "yes");
      const isDenied = enforced.some(({ effect }) => effect === "deny" || effect === "cut");
      denied += Number(isDenied);
      if (isDenied) assert.ok(decision.kind === "denial" && ["deny", "cut"].includes(decision.effect ?? ""));
      const parties = [...asked.caller.chain, asked.caller.id];
      const isAllowed = parties.every((party) =>
        enforced.some((each) => each.party === party && each.effect === "allow"),
      );
      if (!isDenied) assert.equal(decision.rule === null, !isAllowed);
      assert.equal(new Set(rules.map((each) => each.rule)).size + others, list.length);
    }),
    { numRuns: 2000 },
  );
  assert.ok(denied > 100);
});

test("an explanation says what keeps a rule from counting, and each value its condition read", () => {
  const rules = compileRules([
    rule({ name: "all" }),
    rule({ name: "others", callers: ["spiffe://acme.test/b"] }),
    rule({ name: "hybrid", effect: "deny", link: { pq: true } }),
    rule({ name: "large", effect: "hold", when: "args.n > 5 && link.level < 3" }),
    rule({ name: "delegated", effect: "deny", on_behalf_of: ["*"] }),
    rule({ name: "absent", when: 'args.mode == "x"' }),
    rule({ name: "elsewhere", tools: ["t/*"] }),
  ]);
  const asked = question({ args: { n: 7 }, link: { group: "X25519" } });
  const { rules: explained, others } = explainDecision(asked, rules);
  assert.equal(others, 1);
  assert.deepEqual(
    explained.map(({ rule: name, counts, why }) => [name, counts, ...why]),
    [
      ["all", "yes"],
      ["large", "yes", "its condition is true"],
      ["others", "no", "it isn't about spiffe://acme.test/a"],
      ["hybrid", "no", "it isn't about links of X25519 (level 0, ML-DSA-65)"],
      ["delegated", "no", "it is about calls on behalf of others"],
      ["absent", "no", "its condition can't be told, so it allows nothing: args.mode isn't there."],
    ],
  );
  assert.deepEqual(explained[1]?.condition?.values, [
    { path: "args.n", value: "7" },
    { path: "link.level", value: "0" },
  ]);
});

test("of a call whose arguments aren't known, what reads them is unknown, what the rest decides is told, and nothing is decided", () => {
  const rules = compileRules([
    rule({ name: "large", effect: "hold", when: "args.n > 5" }),
    rule({ name: "never", effect: "deny", when: "args.n > 5 && !link.pq" }),
  ]);
  const isKnown = (path: string): boolean => !path.startsWith("args");
  const { decision, rules: explained } = explainDecision(question({ args: { n: 7 } }), rules, isKnown);
  assert.equal(decision, undefined);
  assert.deepEqual(
    explained.map(({ rule: name, counts }) => [name, counts]),
    [
      ["large", "unknown"],
      ["never", "no"],
    ],
  );
  assert.ok(!JSON.stringify(explained).includes("7"), "no value of theirs is shown");
});
