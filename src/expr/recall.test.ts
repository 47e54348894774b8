/** What can be asked of calls before, how slips are told, and what is known when a condition is compiled. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { compileCondition, type Condition, type Outcome } from "./condition.ts";
import type { Recalling, Recollection } from "./recall.ts";

const variables = {
  history: "history",
  args: { kind: "object", members: { amount: "double", to: "string" }, others: "none" },
} as const;

function compiled(text: string): Condition {
  const condition = compileCondition(text, variables);
  assert.ok(condition.kind === "condition", JSON.stringify(condition));
  return condition;
}

/** Evaluated where each question is answered by `answer`. */
function outcome(
  text: string,
  answer: ReturnType<Recalling["recall"]>,
  args: object = { amount: 5, to: "x" },
): Outcome {
  return compiled(text).evaluate({ args, history: { recall: () => answer } });
}

test("what is asked is known when it is compiled, with whose calls and which", () => {
  const hour = 3_600_000;
  for (const [text, asked] of [
    ['history.count("1h") > 3', { whose: "caller", what: "count", windowMs: hour }],
    ["history.session.running() > 3", { whose: "session", what: "running", windowMs: 0 }],
    [
      'history.user.of("pay/*").sum("args.amount", "2h") > 3.5',
      { whose: "user", of: "pay/*", what: "sum", path: "args.amount", windowMs: 2 * hour },
    ],
    [
      'history.everybody.before("crm/export", "mail/send", "1h")',
      { whose: "everybody", of: "crm/export", what: "before", followedBy: "mail/send", windowMs: hour },
    ],
    [
      'history.seen("args.to", args.to, "1h")',
      { whose: "caller", what: "seen", path: "args.to", windowMs: hour },
    ],
  ] as const) {
    assert.deepEqual(compiled(text).recalls, [asked] satisfies Recollection[], text);
  }
});

test("answers are numbers and truth values, and what isn't known makes the condition err", () => {
  assert.equal(outcome('history.sum("args.amount", "1h") + args.amount > 10', 6).kind, "true");
  assert.equal(outcome('history.count("1h") >= 3', 2).kind, "false");
  assert.equal(outcome('!history.seen("args.to", args.to, "1h")', false).kind, "true");
  assert.deepEqual(outcome('history.max("args.amount", "1h") > 3', { why: "no such number" }), {
    kind: "error",
    why: "history.max(): no such number",
  });
  const condition = compiled('history.count("1h") > 3');
  assert.equal(condition.evaluate({}).kind, "error");
  assert.equal(condition.evaluate({ history: {} }).kind, "error");
  assert.deepEqual(condition.evaluate({}, new Set(["history"])), { kind: "unknown", missing: ["history"] });
});

test("a value that is compared is given as it is, and one that can't be had stops the question", () => {
  const given: unknown[] = [];
  const history: Recalling = {
    recall: (_, value) => {
      given.push(value);
      return true;
    },
  };
  const condition = compiled('history.seen("args.to", args.to, "1h")');
  assert.equal(condition.evaluate({ history, args: { amount: 1, to: "ann" } }).kind, "true");
  assert.equal(condition.evaluate({ history, args: {} }).kind, "error");
  assert.deepEqual(given, ["ann"]);
});

test("slips are told, with what is meant", () => {
  for (const [text, message, suggestion] of [
    ['history.cuont("1h") > 3', /history has no "cuont"; there are count, running/, "history.count"],
    ["history > 3", /history is asked something: count/, 'history.count("24h")'],
    ["history.session == 3", /history is asked something/, 'history.count("24h")'],
    ['history.sessoin.count("1h") > 3', /whose calls: caller, user, session/, "history.session"],
    ["history.count() > 3", /history\.count\("24h"\) is written so/, undefined],
    ['history.count("a day") > 3', /up to "31d"/, undefined],
    ['history.count("40d") > 3', /up to "31d"/, undefined],
    ['history.sum(args.amount, "1h") > 3', /the path of an argument is written out/, undefined],
    ['history.of(args.to).count("1h") > 3', /what was called is written out/, undefined],
    ['history.of("x/y").before("a/b", "c/d", "1h")', /takes no of/, undefined],
    ['history.seen("args.to", args, "1h")', /takes text, a number, true or false/, undefined],
    ['history.count("1h") == "3"', /./, undefined],
    ['history.sum("args.amuont", "1h") > 3.0', /args has no member "amuont"/, "args.amount"],
    ['history.sum("args.to", "1h") > 3.0', /takes numbers, but args.to is a string/, undefined],
  ] as const) {
    const mistake = compileCondition(text, variables);
    assert.ok(mistake.kind === "mistake", text);
    assert.match(mistake.message, message, text);
    if (suggestion !== undefined) assert.equal(mistake.suggestion, suggestion, text);
  }
});
