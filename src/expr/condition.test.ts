/** What conditions evaluate to: the language, values of the wrong kind, and facts that are missing. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { type Condition, compileCondition, type FactValues, type Outcome } from "./condition.ts";
import { variables } from "../../test/support/condition-variables.ts";

const condition = (text: string): Condition => {
  const compiled = compileCondition(text, variables);
  assert.ok(compiled.kind === "condition", `${text}: ${JSON.stringify(compiled)}`);
  return compiled;
};
const day = 86_400_000;
const facts = {
  caller: {
    id: "spiffe://acme.test/agent/support-7",
    groups: ["support", "night"],
    claims: { dept: "payments", level: 3, admin: false, "x-y": "z" },
    age: 90_000,
  },
  call: { tool: "process_refund", size: 812 },
  tool: { read_only: false, labels: ["money"] },
  link: { level: 3, pq: true, group: "X25519MLKEM768" },
  place: { address: "10.20.30.40", networks: ["corporate"] },
  time: { hour: 23 },
  session: { age: 0, risk: 0.25 },
  resource: { shelf_life: 30 * 365.25 * day },
  quantum: { earliest: Date.UTC(2030, 0, 1) },
  intent: { purpose: "" },
  now: Date.UTC(2026, 10, 22, 23, 30, 15, 250),
  any: [1, "two", { three: 3 }],
  args: {
    amount: 500.5,
    count: 7,
    note: "Zürich 😀",
    flag: true,
    mode: "write",
    sort: null,
    limit: 10,
    tags: ["a", "b"],
    items: [
      { price: 5, name: "x" },
      { price: 700, name: "y" },
    ],
    extra: { deep: { list: [1, 2.5, "c"] }, "odd name": 1 },
    owner: { id: "me" },
  },
};
const evaluate = (text: string, given: FactValues = facts, missing?: ReadonlySet<string>): Outcome =>
  condition(text).evaluate(given, missing);
const withArgs = (args: unknown): FactValues => ({ ...facts, args });

const holding: readonly string[] = [
  "true",
  "args.amount > 500",
  "args.amount >= 500.5 && args.amount <= 500.5 && args.amount == 500.5",
  "args.count == 7 && args.count == 7.0 && args.count < 7.5 && 6.5 < args.count",
  "args.amount != 500",
  "args.count + 0.5 == 7.5 && args.count * 2 == 14 && 2 * args.amount == 1001",
  "args.count / 2 == 3 && args.count % 4 == 3 && args.count / 2.0 == 3.5 && 7.5 % 2 == 1.5",
  "-args.count == 0 - 7 && -args.amount < 0",
  "args.count - 10 == -3 && -(-3) == 3 && -7 / 2 == -3 && -7 % 2 == -1",
  '"a" + "b" == "ab" && "a" < "b" && "b" > "a" && "a" <= "a" && "a" >= "a"',
  'args.mode == "write" && args.mode != "read" && args.mode in ["read", "write"]',
  "args.flag && args.flag == true && args.flag != false",
  "args.sort == null && !(args.sort != null) && args.limit != null && args.limit == 10 && args.limit > 9",
  "null == null",
  "[[1], [2]][0] == [1] && [args.extra, args.extra.deep][1].list.size() == 3",
  "any[2].three + 1 == 4 && any[2].three < 4 && 4 > any[2].three && any[1] < 'u'",
  "now.getHours('Z') == 23",
  "args.tags == ['a', 'b'] && args.tags != ['a'] && args.tags != ['b', 'a']",
  '"a" in args.tags && !("c" in args.tags) && !("a" in [])',
  "args.tags[0] == 'a' && args.tags[args.count - 6] == 'b' && args.tags.size() == 2 && size(args.tags) == 2",
  "args.items[1].price == 700 && args.items[1]['name'] == 'y'",
  "args.items.exists(i, i.price > 500) && !args.items.all(i, i.price > 500)",
  "args.items.exists_one(i, i.price > 500) && !args.items.exists_one(i, i.price > 1)",
  "args.items.filter(i, i.price > 500).size() == 1 && args.items.filter(i, i.price > 500)[0].name == 'y'",
  "args.items.map(i, i.price) == [5, 700] && args.items.map(i, i.price > 500, i.name) == ['y']",
  "args.items.all(i, args.tags.all(t, t != i.name))",
  "args.tags.map(t, t + 'x').exists(u, u == 'ax')",
  "[].all(x, x > 1) && ![].exists(x, x > 1)",
  "args.extra.deep.list[1] == 2.5 && args.extra['odd name'] == 1 && args.extra.deep.list.size() == 3",
  "args.extra.exists(name, name == 'deep') && 'deep' in args.extra && !('x' in args.extra)",
  "args.extra.deep == args.extra['deep'] && args.extra.deep != {'list': []} && args.extra.deep != {'l': 1}",
  "{'a': 1, 'b': 2}['b'] == 2 && {'a': 1} != {'b': 1} && size({'a': 1}) == 1",
  "{'a': 1, 'b': 5}[args.tags[1]] < args.amount",
  "has(args.note) && !has(args.extra.x) && has(args['note']) && !has(args['nothing'])",
  "has(args.owner.id) && has(caller.claims['x-y'])",
  "any[0] == 1 && any[1] == 'two' && any[2].three == 3 && any[2]['three'] + 1 == 4",
  "caller.claims.level >= 3 && caller.claims.dept == 'payments' && !caller.claims.admin",
  "caller.claims.dept.startsWith('pay') && caller.claims.dept.size() == 8",
  "caller.id.startsWith('spiffe://') && caller.id.endsWith('-7') && caller.id.contains('/agent/')",
  "!caller.id.startsWith('x') && !caller.id.endsWith('x') && !caller.id.contains('xyz')",
  "caller.id.matches('^spiffe://acme[.]test/agent/support-[0-9]+$') && matches(caller.id, 'agent')",
  "!caller.id.matches('^agent') && 'ABC'.matches('(?i)abc')",
  "size(args.note) == 8 && args.note.size() == 8 && ''.size() == 0",
  "'AbÜ'.lowerAscii() == 'abÜ' && 'aBü'.upperAscii() == 'ABü' && ' a '.trim() == 'a'",
  "'a@b'.split('@')[1] == 'b' && 'a,b,c'.split(',').size() == 3",
  "inNetwork(place.address, '10.0.0.0/8') && !inNetwork(place.address, '192.168.0.0/16')",
  "inNetwork('::ffff:10.1.2.3', '10.0.0.0/8') && inNetwork('2001:db8::1', '2001:db8::/32')",
  "inNetwork(place.address, '10.' + '0.0.0/8')",
  "resource.shelf_life > duration('10y') && resource.shelf_life == duration('30y')",
  "now + resource.shelf_life > quantum.earliest && quantum.earliest - now < duration('4y')",
  "now - duration('1d') < now && duration('1d') + now > now && duration('1h') - duration('30m') == duration('1800s')",
  "duration('1d12h') == duration('36h') && duration('1w') == duration('7d') && duration('-1h') < duration('0s')",
  "duration('90m') + duration('30m') == duration('2h') && duration('90m').getHours() == 1",
  "duration('90m').getMinutes() == 90 && duration('1m').getSeconds() == 60 && duration('1s').getMilliseconds() == 1000",
  "now > timestamp('2026-01-01T00:00:00Z') && timestamp('2026-01-01T01:00:00+01:00') == timestamp('2026-01-01T00:00:00Z')",
  "timestamp(0) == timestamp('1970-01-01T00:00:00Z') && int(timestamp(60)) == 60",
  "now.getHours() == 23 && now.getMinutes() == 30 && now.getSeconds() == 15 && now.getMilliseconds() == 250",
  "now.getFullYear() == 2026 && now.getMonth() == 10 && now.getDate() == 22 && now.getDayOfMonth() == 21",
  "now.getDayOfWeek() == 0 && now.getDayOfYear() == 325",
  "now.getHours('Europe/Berlin') == 0 && now.getDayOfWeek('+01:00') == 1 && now.getDate('UTC') == 22",
  "int(7.9) == 7 && int('-12') == -12 && double('1.5') == 1.5 && double(3) == 3.0 && int(3) == 3",
  "string(5) == '5' && string(2.5) == '2.5' && string(true) == 'true' && string('a') == 'a'",
  "(args.amount > 500 ? 'big' : 'small') == 'big' && (args.flag ? 1 : 2.5) == 1",
  "(args.flag ? args.sort : null) == null",
  "session.risk < 0.5 && session.risk >= 0.25",
  "link.level >= 3 && link.pq || false",
  "time.hour >= 22 || time.hour < 6",
  "9007199254740993 > 9007199254740992",
];
for (const text of holding) {
  test(`${text} holds`, () => assert.deepEqual(evaluate(text), { kind: "true" }));
}

test("a condition that doesn't hold is false", () => {
  for (const text of ["false", "!true", "args.amount > 501", "args.amount < 500.5", "args.count != 7"]) {
    assert.deepEqual(evaluate(text), { kind: "false" }, text);
  }
});

/** What is read, and what the error says; none of them says a value. */
const errors: readonly (readonly [string, unknown, RegExp])[] = [
  ["args.amount > 500", { amount: "600" }, /^args\.amount should be a number, but is a string\.$/],
  ["args.amount > 500", { amount: [600] }, /but is a list/],
  ["args.amount > 500", { amount: true }, /but is true or false/],
  ["args.amount > 500", { amount: null }, /but is null/],
  ["args.amount > 500", { amount: { valueOf: 600 } }, /but is an object/],
  ["args.amount > 500", {}, /^args\.amount isn't there\.$/],
  ["args.amount > 500", { amount: 2 ** 53 }, /too large to be exact/],
  ["args.amount > 500", { amount: -(2 ** 60) }, /too large to be exact/],
  ["args.amount > 500", { amount: Number.NaN }, /finite/],
  ["args.count > 5", { count: 5.5 }, /should be a whole number, but has a fraction/],
  ["args.count > 5", { count: 2 ** 53 }, /too large to be exact/],
  ["args.count > 5", { count: 2n ** 63n }, /too large/],
  ["args.count > 5", { count: "7" }, /should be a whole number/],
  ['args.note == "x"', { note: 5 }, /should be a string, but is a number/],
  ['args.mode == "read"', { mode: "READ" }, /none of the values/],
  ["args.flag", { flag: "true" }, /should be true or false/],
  ["args.limit > 5", { limit: null }, /args\.limit.*null is neither more nor less/],
  ['args.tags == ["a"]', { tags: "a" }, /should be a list, but is a string/],
  ['"a" in args.tags', { tags: ["b", 5] }, /should be a string/],
  ["args.tags[2] == 'a'", { tags: ["a"] }, /^args\.tags\[2\] isn't there: the list has 1 elements\.$/],
  ["args.tags[-1] == 'a'", { tags: ["a"] }, /isn't there/],
  ["args.items.all(i, i.price > 1)", { items: [{ price: 2 }, { price: "3" }] }, /should be a number/],
  ["args.items.exists_one(i, i.price > 1)", { items: [{ price: 2 }, {}] }, /isn't there/],
  ["args.items.map(i, i.price).size() == 2", { items: [{ price: 2 }, {}] }, /isn't there/],
  ["args.owner.id == 'x'", { owner: "me" }, /args\.owner should be an object/],
  ["has(args.owner.id)", {}, /args\.owner isn't there/],
  [
    'args["undeclared"] > 500',
    { undeclared: "600" },
    /a string is neither more nor less than a whole number/,
  ],
  ['args["undeclared"] == 500', { undeclared: "500" }, /a string can't be compared with a whole number/],
  ['args["undeclared"] != "write"', { undeclared: ["write"] }, /a list can't be compared with a string/],
  ['args["undeclared"] != "write"', { undeclared: null }, /null can't be compared/],
  ['args["undeclared"] in ["a"]', { undeclared: 1 }, /can't be compared/],
  ['"a" in args["undeclared"]', { undeclared: "abc" }, /not into a string/],
  ['args["undeclared"]', { undeclared: 1 }, /should be true or false/],
  ['args["undeclared"] && true', { undeclared: "yes" }, /should be true or false/],
  ['args["undeclared"].all(x, true)', { undeclared: 3 }, /should be a list/],
  ['args["undeclared"].x == 1', { undeclared: 3 }, /it would be in a number/],
  ['args["undeclared"].startsWith("x")', { undeclared: 3 }, /startsWith\(\) doesn't take a number/],
  ['args["undeclared"] + 1 == 2', { undeclared: "1" }, /doesn't take a string and a whole number/],
  ['-args["undeclared"] == 2', { undeclared: "1" }, /a string has no negative/],
  ["args.count / 0 == 1", { count: 1 }, /division by zero/],
  ["args.count % 0 == 1", { count: 1 }, /division by zero/],
  ["args.amount / 0 > 1", { amount: 1 }, /division by zero/],
  ["args.amount % 0.0 > 1", { amount: 1 }, /division by zero/],
  ["args.count * 9007199254740992 > 1", { count: 9_007_199_254_740_991 }, /too large/],
  ["args.amount * 1e308 > 1", { amount: 1e10 }, /too large/],
  ["-(0 - 9223372036854775807 - args.count) > 0", { count: 1 }, /too large/],
  ["(0 - 9223372036854775807 - args.count) / -1 > 0", { count: 1 }, /too large/],
  ["9223372036854775807 + args.count > 0", { count: 1 }, /too large/],
  [
    'args["undeclared"][args.note] == 1',
    { undeclared: [1], note: "0" },
    /a list has no element under a string/,
  ],
  [
    'args["undeclared"][args.count] == 1',
    { undeclared: { 0: 1 }, count: 0 },
    /an object has no element under a whole/,
  ],
  ['args["undeclared"] == args.tags', { undeclared: "a", tags: ["a"] }, /can't be compared/],
  ["int(args.amount) > 1", { amount: "x" }, /should be a number/],
  ["int(args.note) > 1", { note: "1.5" }, /no whole number/],
  ["double(args.note) > 1", { note: "1e5" }, /no number/],
  ["duration(args.note) > duration('1s')", { note: "ten" }, /a duration is a number and a unit/],
  ["timestamp(args.note) > now", { note: "2026-02-30T00:00:00Z" }, /a timestamp is written/],
  ["inNetwork(args.note, '10.0.0.0/8')", { note: "" }, /no IP address/],
  ["inNetwork('10.0.0.1', args.note)", { note: "10.0.0.1/8" }, /no network/],
  ["now + duration('9000y') > now", {}, /outside of the years/],
  ["{args.note: 1}[args.note] == 1 && args['x'] == 1", { note: 5 }, /./],
];
for (const [text, args, why] of errors) {
  test(`${text} of ${JSON.stringify(args, (_, value) => (typeof value === "bigint" ? `${value}n` : (value as unknown)))} is an error`, () => {
    const outcome = evaluate(text, withArgs(args));
    assert.ok(outcome.kind === "error", JSON.stringify(outcome));
    assert.match(outcome.why, why);
  });
}

test("facts that aren't there or aren't of their type are errors", () => {
  for (const [text, given] of [
    ["caller.id == 'x'", {}],
    ["caller.id == 'x'", { caller: null }],
    ["caller.id == 'x'", { caller: { id: undefined } }],
    ["caller.id == 'x'", Object.create({ caller: { id: "x" } }) as FactValues],
    ["caller.id == 'x'", { caller: Object.create({ id: "x" }) as object }],
    ["now > timestamp(0)", { now: "2030" }],
    ["session.age > duration('1s')", { session: { age: Number.NaN } }],
    ["has(caller.id)", { caller: 5 }],
  ] as const) {
    assert.equal(evaluate(text, given).kind, "error", text);
  }
});

test("an error says no value of the facts", () => {
  const secret = "S3CRET";
  const args = {
    amount: secret,
    note: secret,
    mode: secret,
    tags: secret,
    undeclared: secret,
    owner: secret,
  };
  for (const text of [
    "args.amount > 1",
    "args.mode == 'read'",
    "args.tags == []",
    "args['undeclared'] > 1",
    "args.owner.id == ''",
    "int(args.note) > 1",
    "args.extra[args.note] == 1",
    "duration(args.note) > duration('1s')",
  ]) {
    const outcome = evaluate(text, withArgs(args));
    assert.ok(outcome.kind === "error", text);
    assert.ok(!outcome.why.includes(secret), outcome.why);
  }
});

test("what one side decides is decided whatever the other is, an error too", () => {
  const args = withArgs({ amount: "600", note: "x" });
  for (const text of ["args.note == 'y' && args.amount > 5", "args.amount > 5 && args.note == 'y'"]) {
    assert.deepEqual(evaluate(text, args), { kind: "false" });
  }
  for (const text of ["args.note == 'x' || args.amount > 5", "args.amount > 5 || args.note == 'x'"]) {
    assert.deepEqual(evaluate(text, args), { kind: "true" });
  }
  for (const text of [
    "args.note == 'x' && args.amount > 5",
    "args.amount > 5 || args.note == 'y'",
    "!(args.amount > 5)",
    "args.amount > 5 ? true : true",
  ]) {
    assert.equal(evaluate(text, args).kind, "error", text);
  }
  const items = withArgs({ items: [{ price: "x" }, { price: 7 }] });
  assert.equal(evaluate("args.items.exists(i, i.price > 5)", items).kind, "true");
  assert.equal(evaluate("args.items.all(i, i.price > 9)", items).kind, "false");
  assert.equal(evaluate("args.items.exists(i, i.price > 9)", items).kind, "error");
});

/** With `args` and `session` missing. */
const unknowns: readonly (readonly [string, Outcome["kind"], string?])[] = [
  ["args.amount > 5", "unknown", "args"],
  ["link.pq", "true"],
  ["link.pq && args.flag", "unknown", "args"],
  ["!link.pq && args.flag", "false"],
  ["args.flag && !link.pq", "false"],
  ["args.flag || link.pq", "true"],
  ["args.flag || session.risk > 0.5", "unknown", "args,session"],
  ["args.amount > session.risk", "unknown", "args,session"],
  ["args.amount > 5 || any[9] == 1", "unknown", "args"],
  ["any[9] == 1 && args.amount > 5", "unknown", "args"],
  ["any[9] > args.amount", "error"],
  ["args.amount > any[9]", "error"],
  ["!args.flag", "unknown", "args"],
  ["args.flag ? true : true", "unknown", "args"],
  ["args.items.all(i, true)", "unknown", "args"],
  ["any.exists(x, x == args.amount)", "unknown", "args"],
  ["any.all(x, x != 'never' || args.flag)", "unknown", "args"],
  ["[1, 2].exists(x, x == 2 || args.flag)", "true"],
  ["[1, 2].all(x, x == 2 && args.flag)", "false"],
  ["[1, 2].filter(x, args.flag).size() == 0", "unknown", "args"],
  ["has(args.note)", "unknown", "args"],
  ["inNetwork(args.note, '10.0.0.0/8')", "unknown", "args"],
  ["[args.amount, session.risk] == [1.0, 2.0]", "unknown", "args,session"],
  ["args.amount in [1, 2]", "unknown", "args"],
];
for (const [text, kind, missing] of unknowns) {
  test(`${text} is ${kind} while args and session are missing`, () => {
    const outcome = evaluate(text, facts, new Set(["args", "session"]));
    assert.equal(outcome.kind, kind, JSON.stringify(outcome));
    if (outcome.kind === "unknown") assert.equal(outcome.missing.toSorted().join(), missing);
  });
}

test("what is decided with facts missing stays so whatever they turn out to be", () => {
  const names = ["a", "b", "c"] as const;
  const bools = Object.fromEntries(names.map((name) => [name, "dyn" as const]));
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4, depthIdentifier: "e" },
      fc.constantFrom(...names, "true", "false", "(1 / 0 == 1)"),
      fc
        .tuple(tie("expression"), fc.constantFrom("&&", "||"), tie("expression"))
        .map(([l, op, r]) => `(${l} ${op} ${r})`),
      tie("expression").map((inner) => `!${inner}`),
      fc
        .tuple(tie("expression"), tie("expression"), tie("expression"))
        .map(([i, t, e]) => `(${i} ? ${t} : ${e})`),
      fc.tuple(tie("expression")).map(([inner]) => `[a, b].exists(x, x && ${inner})`),
    ),
  }));
  const value = fc.constantFrom<unknown>(true, false, "not a bool");
  let decided = 0;
  fc.assert(
    fc.property(
      expression,
      fc.record({ a: value, b: value, c: value }),
      fc.subarray([...names]),
      value,
      (text, given, missing, other) => {
        const compiled = compileCondition(text.replaceAll("!!", "! !"), bools);
        if (compiled.kind === "mistake") return;
        const early = compiled.evaluate(given, new Set(missing));
        if (early.kind === "unknown") {
          assert.ok(early.missing.every((name) => missing.some((each) => each === name)));
          return;
        }
        decided += 1;
        for (const late of [
          given,
          { ...given, ...Object.fromEntries(missing.map((name) => [name, other])) },
        ]) {
          assert.equal(compiled.evaluate(late).kind, early.kind, text);
        }
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(decided > 300, String(decided));
});

test("what a condition reads is known before it runs", () => {
  const reads = (text: string): readonly string[] => condition(text).reads;
  assert.deepEqual(reads("args.amount > 500 && caller.id == 'x'"), ["args.amount", "caller.id"]);
  assert.deepEqual(reads("args.items.exists(i, i.price > args.amount)"), [
    "args.items",
    "args.items.*.price",
    "args.amount",
  ]);
  assert.deepEqual(reads("args.tags.all(t, t in place.networks)"), [
    "args.tags",
    "args.tags.*",
    "place.networks",
  ]);
  assert.deepEqual(reads("has(args.owner.id)"), ["args.owner.id"]);
  assert.deepEqual(reads("args['odd name'] == 1 && args['plain'] == 2"), ['args["odd name"]', "args.plain"]);
  assert.deepEqual(reads("args.tags[0] == args.tags[args.count]"), [
    "args.tags[0]",
    "args.count",
    "args.tags.*",
  ]);
  assert.deepEqual(reads("now > quantum.earliest || true"), ["now", "quantum.earliest"]);
  assert.deepEqual(reads("1 == 1"), []);
  assert.deepEqual(
    [...condition("args.items.all(i, i.price > link.level) && now > timestamp(0)").variables],
    ["args", "link", "now"],
  );
});

test("it evaluates the same with nothing but the variables it names", () => {
  for (const text of holding) {
    const { variables: named, evaluate: run } = condition(text);
    const few = Object.fromEntries(Object.entries(facts).filter(([name]) => named.has(name)));
    assert.equal(run(few).kind, "true", text);
  }
});

test("facts that can't even be read are an error, not an exception", () => {
  const hostile = {
    get id(): string {
      throw new Error("no");
    },
  };
  assert.deepEqual(evaluate("caller.id == 'x'", { caller: hostile }), {
    kind: "error",
    why: "the facts can't be read.",
  });
  assert.deepEqual(condition("caller.id == 'x'").explain({ caller: hostile }), [
    { path: "caller.id == 'x'", value: "the facts can't be read." },
  ]);
});

test("whatever the facts are, it neither throws nor changes them", () => {
  const texts = [
    "args.amount > 500",
    "args.items.exists(i, i.price > 5)",
    "caller.id.startsWith('x') || args.extra.a.b == args.tags",
    "size(args.tags) > 2 && args.limit < 5",
    "args['x'] + args['y'] == args['z']",
    "any == args.extra",
  ];
  const compiled = texts.map(condition);
  const names = fc.constantFrom(
    "amount",
    "items",
    "tags",
    "extra",
    "limit",
    "x",
    "y",
    "z",
    "price",
    "__proto__",
    "constructor",
  );
  const { anything } = fc.letrec((tie) => ({
    anything: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(null, undefined, true, 0, -0, 1.5, 2 ** 60, "a", "600", 5n, Number.NaN),
      fc.array(tie("anything"), { maxLength: 3 }),
      fc.dictionary(names, tie("anything"), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(anything, anything, anything, (args, caller, any) => {
      const given = { args, caller, any };
      const before = structuredClone(given);
      for (const each of compiled) {
        assert.ok(["true", "false", "error"].includes(each.evaluate(given).kind));
        each.explain(given);
      }
      assert.deepEqual(given, before);
    }),
    { numRuns: 500 },
  );
});
