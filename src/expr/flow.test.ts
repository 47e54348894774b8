/** `flow` in conditions: what is asked is checked when it is compiled, and what can't be told errs. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { compileCondition, type Outcome } from "./condition.ts";
import { limits } from "./limits.ts";
import { Flow, type KnownFlow } from "./values.ts";

const variables = { flow: "flow", args: "dyn", now: "timestamp" } as const;

const known = (given: Partial<KnownFlow> = {}): Flow =>
  new Flow({ labels: () => ["pii"], seen: (label) => label === "pii", carries: () => false, ...given });

function outcome(text: string, flow: unknown, missing?: ReadonlySet<string>): Outcome {
  const compiled = compileCondition(text, variables);
  assert.ok(compiled.kind === "condition", JSON.stringify(compiled));
  return compiled.evaluate({ flow, args: { body: "b", parts: ["x", "y"], deep: { a: 1 } }, now: 0 }, missing);
}

test("what was read is asked by its label", () => {
  assert.equal(outcome('flow.seen("pii") && !flow.seen("web")', known()).kind, "true");
});

test("a value, each element of a list, or all that is said is looked through", () => {
  const asked: unknown[] = [];
  const carries = (_: string, value: unknown): boolean => {
    asked.push(value);
    return false;
  };
  const text = [
    'flow.carries("pii")',
    'flow.carries("pii", args.body)',
    'flow.carries("pii", args.deep)',
    'args.parts.exists(part, flow.carries("pii", part))',
    'flow.carries("pii", [args.body, "more"])',
  ].join(" || ");
  assert.equal(outcome(text, known({ carries })).kind, "false");
  assert.deepEqual(asked, [undefined, "b", { a: 1 }, "x", "y", ["b", "more"]]);
});

test("what can't be told is an error that says why, unless the rest decides it", () => {
  const flow = known({ carries: () => ({ why: "it is too long." }), seen: () => ({ why: "it is gone." }) });
  assert.deepEqual(outcome('flow.carries("pii", args.body)', flow), {
    kind: "error",
    why: 'flow.carries("pii", args.body): it is too long.',
  });
  assert.equal(outcome('flow.seen("pii")', flow).kind, "error");
  assert.equal(outcome('flow.seen("pii") || args.body == "b"', flow).kind, "true");
  assert.equal(outcome('flow.seen("pii")', undefined).kind, "error");
});

test("where flow isn't known yet, neither is the condition", () => {
  assert.deepEqual(outcome('flow.seen("pii")', undefined, new Set(["flow"])), {
    kind: "unknown",
    missing: ["flow"],
  });
});

test("what is looked through costs steps", () => {
  const carries: KnownFlow["carries"] = (_, __, spend) => {
    spend(4 * limits.steps);
    return false;
  };
  const told = outcome('flow.carries("pii")', known({ carries }));
  assert.ok(told.kind === "error" && /too costly/.test(told.why), JSON.stringify(told));
});

const mistakes: readonly (readonly [string, RegExp])[] = [
  ['flow.seen("")', /can't be a label/],
  ['flow.seen("p i i")', /can't be a label/],
  ["flow.seen(args.label)", /must be written out/],
  ['flow.carries("pii", now)', /carries\(\) takes a string/],
  ['args.seen("pii") && now.seen("pii")', /seen\(\) takes what the session has read/],
  ["flow == flow", /can't compare/],
  ["flow", /a condition/],
  ['flow.labels == ["pii"]', /has no member "labels"/],
  ['flow.reads("pii")', /no function "reads"/],
  ["flow.seen()", /seen\(\) takes 1/],
];
for (const [text, why] of mistakes) {
  test(`${text} is a mistake`, () => {
    const compiled = compileCondition(text, variables);
    assert.ok(compiled.kind === "mistake", text);
    assert.match(compiled.message, why);
  });
}

test("an explanation says what was read", () => {
  const compiled = compileCondition('flow.seen("pii")', variables);
  assert.ok(compiled.kind === "condition");
  assert.deepEqual(compiled.explain({ flow: known() }), [{ path: "flow", value: "read: pii" }]);
  assert.deepEqual(compiled.explain({ flow: known({ labels: () => [] }) }), [
    { path: "flow", value: "nothing with a label was read" },
  ]);
});
