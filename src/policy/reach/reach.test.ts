/** What is said to be within reach is compared with the judge, over generated rules and calls: never less, and never more freely. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { possibleLinks } from "../check/possible-facts.ts";
import { decide, type Question } from "../decide.ts";
import { targetMatcher } from "../patterns.ts";
import { ruleCondition } from "../rule-condition.ts";
import { compileRules, type RuleDocument, ruleSchema } from "../rules.ts";
import { nothingSaid } from "../surroundings.ts";
import { type DescribedCall, describedCall, questionOf, type TrialWorld } from "../trial/described-call.ts";
import { type ReachedTarget, type ReachWorld, reachOf } from "./reach.ts";
import { isFree } from "./ways.ts";

const trial: TrialWorld = {
  trustDomain: "acme.test",
  surroundings: {
    ...nothingSaid,
    groups: { finance: ["spiffe://acme.test/f*"] },
    networks: { corporate: ["10.0.0.0/8"] },
    labels: { s: { egress: ["a"], pii: ["b"] } },
    data: [{ name: "record", shelfLifeMs: 1000, tools: ["s/b", "t/*"] }],
  },
  isReadOnly: (server, tool) => server === "s" && tool === "b",
};
/** Workloads have certificates. */
const links = possibleLinks.filter(({ certificate }) => certificate !== undefined);
const world: ReachWorld = {
  surroundings: trial.surroundings,
  servers: [
    {
      name: "s",
      tools: new Map([
        ["a", { onlyReads: false }],
        ["b", { onlyReads: true }],
      ]),
      readOnly: [],
    },
    { name: "t", tools: new Map(), readOnly: [] },
  ],
  linksTo: () => links,
  actsForOthers: true,
  lends: true,
};
const asked = (id: string) => ({
  caller: { id, issuer: "acme.test", isWorkload: true },
  narrowed: {},
});

const atom = fc.constantFrom(
  "args.n > 1",
  "args.n <= 1",
  "args.flag",
  "has(args.n)",
  "args.list.exists(x, x > 1)",
  "time.hour < 6",
  "time.hour >= 22",
  "link.pq",
  "link.level >= 5",
  'link.group == "X25519"',
  '"finance" in caller.groups',
  'caller.id == "spiffe://acme.test/a"',
  "size(caller.chain) > 0",
  'caller.kind == "client"',
  "caller.claims.role == 'x'",
  "caller.age < duration('1h') && \"finance\" in caller.groups",
  'call.tool == "a"',
  'call.name == "c"',
  'call.method == "tools/call"',
  "tool.read_only",
  '"pii" in tool.labels',
  "tool.pinned",
  'resource.class == "record"',
  '"corporate" in place.networks',
  "now > quantum.earliest",
  "true",
  "1 / 0 > args.n",
);
const condition = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { weight: 3, arbitrary: atom },
    fc
      .tuple(tie("tree"), fc.constantFrom("&&", "||"), tie("tree"))
      .map(([a, op, b]) => `(${a}) ${op} (${b})`),
    tie("tree").map((a) => `!(${a})`),
    fc.tuple(tie("tree"), tie("tree"), tie("tree")).map(([a, b, c]) => `((${a}) ? (${b}) : (${c}))`),
  ),
})).tree;

const callers = fc.constantFrom(
  ["*"],
  ["spiffe://acme.test/f*"],
  ["spiffe://acme.test/a"],
  ["spiffe://acme.test/*"],
);
const targets = fc.uniqueArray(
  fc.constantFrom("*", "s/*", "s/a", "s/b", "t/*", "t/c*", "t/c", "*/c", "s/c"),
  {
    minLength: 1,
    maxLength: 2,
  },
);
const demand = fc.constantFrom({ mode: "direct" }, { algorithm: "ML-DSA-87" }, { answer: "direct" });
const effect = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      effect: fc.constant("allow"),
      signature: fc.option(demand, { nil: undefined, freq: 5 }),
      delegated: fc.constantFrom(undefined, undefined, "never"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ effect: fc.constantFrom("deny", "cut", "hold", "read_only") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      effect: fc.constant("step_up"),
      step_up: fc.constantFrom(
        { signature: { mode: "direct" } },
        { link: { min_level: 5 } },
        { link: { pq: true }, signature: { algorithm: "ML-DSA-65" } },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({ effect: "redact", redact: { answer: ["/x"] } }),
  },
);
const written = (parts: object): RuleDocument =>
  ruleSchema.parse({
    because: "A test says so.",
    ...Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)),
  });
const random = fc
  .array(
    fc.tuple(
      effect,
      fc.record({
        callers,
        targets,
        kind: fc.constantFrom("tools", "tools", "tools", "resources"),
        when: fc.option(condition, { nil: undefined, freq: 3 }),
        mode: fc.constantFrom(undefined, undefined, undefined, undefined, "shadow"),
        link: fc.option(fc.constantFrom({ pq: true }, { max_level: 3 }, { groups: ["X25519"] }), {
          nil: undefined,
          freq: 2,
        }),
        others: fc.option(fc.constantFrom(["*"], ["spiffe://acme.test/f*"]), { nil: undefined, freq: 2 }),
      }),
    ),
    { maxLength: 4 },
  )
  .map((parts) =>
    parts.map(([does, { targets: named, kind, others, ...rest }], at) => {
      const isNever = "delegated" in does && does.delegated === "never";
      const behalf = isNever ? undefined : others;
      return written({ name: `r${at}`, [kind]: named, ...does, ...rest, on_behalf_of: behalf });
    }),
  );
/** Often there is a rule that allows much, so that others have something to restrict. */
const broad = (name: string, does: object) =>
  fc.constant(written({ name, callers: ["*"], tools: ["*"], ...does }));
const documents = fc
  .tuple(
    fc.oneof(
      {
        weight: 2,
        arbitrary: condition.map((when) =>
          written({ name: "base", callers: ["*"], tools: ["*"], effect: "allow", when }),
        ),
      },
      { weight: 2, arbitrary: broad("base", { resources: ["s/*"], effect: "allow" }) },
    ),
    fc.option(broad("people", { effect: "hold" }), { nil: undefined, freq: 2 }),
    random,
    fc.boolean(),
  )
  .map(([base, people, rest, isBased]) => [
    ...(isBased ? [base] : []),
    ...(people === undefined ? [] : [people]),
    ...rest,
  ]);

const ids = ["spiffe://acme.test/a", "spiffe://acme.test/f1"];
const anything = fc.constantFrom(0, 1, 2, 3, true, false, "x", null);
const call = fc
  .record({
    caller: fc.constantFrom(...ids),
    chain: fc.constantFrom(
      [],
      [],
      [],
      ["spiffe://acme.test/f2"],
      ["spiffe://acme.test/f2", "spiffe://acme.test/z"],
    ),
    call: fc.constantFrom("s/a", "s/b", "s/c", "t/c", "t/cc", "t/d"),
    kind: fc.constantFrom("tools", "tools", "tools", "resources"),
    args: fc.record(
      { n: anything, flag: anything, list: fc.constantFrom([], [1], [2], "x") },
      { requiredKeys: [] },
    ),
    group: fc.constantFrom("X25519", "X25519MLKEM768", "SecP384r1MLKEM1024"),
    hour: fc.constantFrom("01", "12", "23"),
    address: fc.constantFrom("10.0.0.1", "192.0.2.1"),
    age: fc.constantFrom("10m", "3h"),
    tool: fc.constantFrom({}, { pinned: false }),
    signed: fc.constantFrom(undefined, undefined, { algorithm: "ML-DSA-87" }),
    isApproved: fc.boolean(),
  })
  .map(({ group, hour, isApproved, ...rest }) =>
    describedCall.parse({
      ...rest,
      link: { group },
      at: `2026-06-03T${hour}:00:00Z`,
      ...(isApproved && { approved: ["people", "r0", "r1", "r2", "r3"] }),
    }),
  );
const calls = fc.array(call, { minLength: 15, maxLength: 15 });

const rowsFor = (rows: readonly ReachedTarget[], { server, target }: Question): readonly ReachedTarget[] =>
  rows.filter(
    ({ kind, server: own, name, besides }) =>
      kind === target?.kind &&
      targetMatcher([`${own}/${name}`])(server, target.name) &&
      !besides.includes(target.name),
  );

const isLent = (what: string, { server, target }: Question): boolean => {
  const [kind, pattern = ""] = what.split(" ");
  return target !== undefined && kind === target.kind && targetMatcher([pattern])(server, target.name);
};

test("whatever the judge permits is within reach, and what is said to be free is permitted whatever the call", () => {
  const seen = { permitted: 0, free: 0, held: 0, forOthers: 0, lent: 0 };
  fc.assert(
    fc.property(documents, calls, (rules, described) => {
      const compiled = compileRules(rules);
      const reached = new Map(ids.map((id) => [id, reachOf(asked(id), rules, world).targets]));
      for (const each of described) {
        const rows = reached.get(each.caller) ?? [];
        const question = questionOf(each, trial, compiled);
        const found = rowsFor(rows, question);
        const decision = decide(question, compiled);
        if (decision.kind === "permit") {
          for (const party of each.chain) {
            const { lendable } = reachOf(asked(party), rules, world).lending;
            seen.lent += 1;
            assert.ok(
              lendable.some((what) => isLent(what, question)),
              `${party} is said not to lend it`,
            );
          }
          seen.permitted += 1;
          seen.forOthers += each.chain.length > 0 ? 1 : 0;
          assert.ok(found.length > 0, "it is permitted, and isn't within reach");
        }
        if (each.chain.length > 0) continue;
        for (const { ways, name } of found) {
          if (ways.some(isFree)) {
            seen.free += 1;
            assert.equal(decision.kind, "permit", `${name} is said to be free`);
          }
          const isPeopleAlone = ways.some(
            ({ level, conditions, link, signatures, onBehalfOf }) =>
              level === "held" &&
              conditions.length + signatures.length === 0 &&
              link === undefined &&
              onBehalfOf === undefined,
          );
          if (!isPeopleAlone || each.approved.length === 0) continue;
          seen.held += 1;
          assert.equal(decision.kind, "permit", `${name} is said to need people alone`);
        }
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(
    Object.values(seen).every((count) => count > 15),
    JSON.stringify(seen),
  );
});

const holds = (says: string, question: Question): boolean => {
  const compiled = ruleCondition(says);
  assert.equal(compiled.kind, "condition", says);
  return (
    compiled.kind === "condition" &&
    compiled.evaluate(question.facts?.of(question.caller.id) ?? {}).kind === "true"
  );
};

test("of a named thing on a given link, from anywhere or at a given time and place, the conditions are true exactly where an unsigned call is permitted", () => {
  const seen = { permitted: 0, denied: 0, conditional: 0 };
  fc.assert(
    fc.property(documents, calls, (rules, described) => {
      const compiled = compileRules(rules);
      for (const [at, given] of described.entries()) {
        const each: DescribedCall = { ...given, chain: [], approved: [], signed: undefined };
        const question = questionOf(each, trial, compiled);
        const own = { ...world, linksTo: () => [question.link] };
        const narrowed = at % 2 === 0 ? {} : { address: each.address, atUnixMs: each.at };
        const { targets: rows } = reachOf({ ...asked(each.caller), narrowed }, rules, own);
        const row = rows.find(
          ({ kind, server, name, isPattern }) =>
            !isPattern && kind === each.kind && `${server}/${name}` === each.call,
        );
        const ways = (row?.ways ?? []).filter(
          (way) => way.level === "allowed" && way.onBehalfOf === undefined,
        );
        const isPinned = each.kind === "tools" && ["s/a", "s/b"].includes(each.call);
        if (row === undefined && !isPinned) continue;
        const isTold = ways.every(({ conditions }) => conditions.every(({ isCel }) => isCel));
        if (isPinned) assert.ok(isTold, "of a pinned tool nothing is in words");
        if (!isTold) continue;
        const isOpen = ways.some(({ conditions }) => conditions.every(({ says }) => holds(says, question)));
        const isPermitted = decide(question, compiled).kind === "permit";
        assert.equal(isOpen, isPermitted, JSON.stringify(ways));
        seen[isPermitted ? "permitted" : "denied"] += 1;
        seen.conditional += ways.some(({ conditions }) => conditions.length > 0) ? 1 : 0;
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(
    Object.values(seen).every((count) => count > 10),
    JSON.stringify(seen),
  );
});
