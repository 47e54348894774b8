/** The rule document: what its schema takes, what a compiled rule is about, and what is refused, not ignored. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { Refusal } from "../kernel/refusal.ts";
import { compileRules, type Rule, type RuleDocument, ruleSchema } from "./rules.ts";

const document: RuleDocument = {
  name: "r",
  callers: ["*"],
  tools: ["files/*"],
  effect: "allow",
  because: "A test says so.",
  mode: "enforce",
};

function compiled(part: Partial<RuleDocument>): Rule {
  const [rule] = compileRules([{ ...document, ...part }]);
  assert.ok(rule);
  return rule;
}

/** Whether a rule on tools of one server, named by `pattern`, is about the tool `text`. */
const isAbout = (pattern: string, text: string): boolean =>
  compiled({ tools: [`s/${pattern}`] }).matches.tools("s", text);

test("a rule is enforced unless it says otherwise", () => {
  const { mode: _, ...unsaid } = document;
  assert.equal(ruleSchema.parse(unsaid).mode, "enforce");
});

const taken: readonly (readonly [string, object])[] = [
  ["one character's name", { name: "a" }],
  ["a name of 128 characters", { name: "a".repeat(128) }],
  ["a name of every character there is", { name: "0a.b_c-d" }],
  ["resources alone", { tools: undefined, resources: ["files/file:///x"] }],
  ["prompts alone", { tools: undefined, prompts: ["files/x"] }],
  ["a pattern of 2048 characters", { tools: [`s/${"a".repeat(2046)}`] }],
  ["a thousand patterns", { callers: Array.from({ length: 1000 }, (_, i) => `spiffe://a.test/${i}`) }],
];
for (const [what, part] of taken) {
  test(`a rule with ${what} is one`, () => assert.ok(ruleSchema.safeParse({ ...document, ...part }).success));
}

const notTaken: readonly (readonly [string, object, string])[] = [
  ["a key nobody knows", { Effect: "deny" }, ""],
  ["no name", { name: undefined }, "name"],
  ["an empty name", { name: "" }, "name"],
  ["a name in capitals", { name: "Deny" }, "name"],
  ["a name that begins with a dot", { name: ".r" }, "name"],
  ["a name with a line end", { name: "r\n" }, "name"],
  ["a name of 129 characters", { name: "a".repeat(129) }, "name"],
  ["no callers", { callers: undefined }, "callers"],
  ["a list of no callers", { callers: [] }, "callers"],
  ["an empty caller", { callers: [""] }, "callers.0"],
  ["a caller that is no list", { callers: "*" }, "callers"],
  ["a list of no tools", { tools: [] }, "tools"],
  ["a tool that is a number", { tools: ["files/a", 7] }, "tools.1"],
  ["a tool without a server", { tools: ["files"] }, "tools.0"],
  ["a tool that only ends alike", { tools: ["*s"] }, "tools.0"],
  ["a pattern of 2049 characters", { tools: [`s/${"a".repeat(2047)}`] }, "tools.0"],
  ["a thousand patterns and one", { tools: Array(1001).fill("files/a") }, "tools"],
  ["no tools, resources or prompts", { tools: undefined }, ""],
  ["no effect", { effect: undefined }, "effect"],
  ["an effect in capitals", { effect: "DENY" }, "effect"],
  ["no reason", { because: undefined }, "because"],
  ["an empty reason", { because: "" }, "because"],
  ["a reason of 501 characters", { because: "x".repeat(501) }, "because"],
  ["a mode nobody knows", { mode: "permissive" }, "mode"],
];
for (const [what, part, place] of notTaken) {
  test(`a rule with ${what} is none, and the complaint is at ${place === "" ? "the rule" : place}`, () => {
    const read = ruleSchema.safeParse({ ...document, ...part });
    assert.deepEqual(
      read.error?.issues.map((issue) => issue.path.join(".")),
      [place],
    );
  });
}

test("a rule keeps its name, effect and reason, and the rules their order", () => {
  const rules = compileRules([
    { ...document, name: "b", effect: "deny", because: "First." },
    { ...document, name: "a", because: "Second." },
  ]);
  assert.deepEqual(
    rules.map(({ name, effect, because }) => [name, effect, because]),
    [
      ["b", "deny", "First."],
      ["a", "allow", "Second."],
    ],
  );
  assert.deepEqual(compileRules([]), []);
});

const wrongConditions: readonly (readonly [string, Partial<RuleDocument>, RegExp])[] = [
  ["of another type", { when: "caller.id" }, /"r" \(line 1, column \d+\)/],
  ["that names nothing there is", { when: "\ncallr.id == 'x'" }, /"r" \(line 2, column 1\): .*callr/],
  [
    "in which its client speaks for itself",
    { when: "intent.purpose == 'x'" },
    /reads `intent`.*rules that allow don't/,
  ],
];
for (const [what, part, said] of wrongConditions) {
  test(`a condition ${what} is refused, with where`, () => {
    assert.throws(
      () => compileRules([{ ...document, ...part }]),
      (error: unknown) => error instanceof Refusal && error.code === "bad_config" && said.test(error.message),
    );
  });
}

const misplaced: readonly (readonly [string, object, string])[] = [
  ["an approval of what isn't held", { approval: { approvers: 2 } }, "approval"],
  ["a redaction that says nothing of what goes", { effect: "redact" }, "redact"],
  ["a step up that says nothing of what to bring", { effect: "step_up" }, "step_up"],
  ["a redaction of what is denied", { effect: "deny", redact: { answer: ["/a"] } }, "redact"],
  ["a pointer that is none", { effect: "redact", redact: { answer: ["a"] } }, "redact.answer.0"],
  ["nobody who approves", { effect: "hold", approval: { approvers: 0 } }, "approval.approvers"],
  ["an approval that lasts for ever", { effect: "hold", approval: { expires: "8d" } }, "approval.expires"],
  ["an empty condition", { when: "" }, "when"],
];
for (const [what, part, at] of misplaced) {
  test(`a rule with ${what} isn't one`, () => {
    const { error } = ruleSchema.safeParse({ ...document, ...part });
    assert.deepEqual(
      error?.issues.map((issue) => issue.path.join(".")),
      [at],
    );
  });
}

test("a name twice is refused by that name, whatever stands between", () => {
  assert.throws(
    () => compileRules([document, { ...document, name: "other" }, { ...document, effect: "deny" }]),
    (error: unknown) =>
      error instanceof Refusal &&
      error.code === "bad_config" &&
      error.message === 'Two policies are named "r"; names are unique.',
  );
});

test("a rule is about what any of its patterns is about, and about nothing else", () => {
  const rule = compiled({
    callers: ["spiffe://a.test/x", "spiffe://b.test/*"],
    tools: ["files/read"],
    resources: ["files/file:///*", "mail/inbox"],
  });
  for (const caller of ["spiffe://a.test/x", "spiffe://b.test/x", "spiffe://b.test/"])
    assert.ok(rule.matchesCaller(caller), caller);
  for (const caller of ["spiffe://a.test/xy", "spiffe://a.test/", "spiffe://b.test", ""])
    assert.ok(!rule.matchesCaller(caller), caller);
  assert.ok(rule.matches.resources("files", "file:///etc/passwd") && rule.matches.resources("mail", "inbox"));
  assert.ok(!rule.matches.tools("mail", "inbox") && !rule.matches.resources("files", "read"));
  assert.ok(!rule.matches.prompts("files", "read"), "a kind that isn't named is not meant");
});

test("a pattern without a star is the text itself, whatever a regular expression would make of it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), (pattern, text) => {
      fc.pre(!pattern.includes("*"));
      assert.ok(isAbout(pattern, pattern));
      assert.equal(isAbout(pattern, text), pattern === text);
      assert.ok(!isAbout(pattern, `${pattern}x`) && !isAbout(pattern, `x${pattern}`));
    }),
  );
});

test("a star is any run of characters, as the same pattern written as a regular expression says", () => {
  const letters = fc.stringMatching(/^[ab/.\n😀]{0,10}$/u);
  const patterns = fc
    .array(fc.stringMatching(/^[ab/.]{0,2}$/), { minLength: 2, maxLength: 5 })
    .map((pieces) => pieces.join("*"));
  fc.assert(
    fc.property(patterns, letters, (pattern, text) => {
      const pieces = pattern.split("*").map((piece) => piece.replaceAll(".", "\\."));
      assert.equal(isAbout(pattern, text), new RegExp(`^${pieces.join("[^]*")}$`).test(text));
    }),
    { numRuns: 2000 },
  );
});

test("a star never reaches across the slash between server and name", () => {
  const { tools } = compiled({ tools: ["*s/x"] }).matches;
  assert.deepEqual([tools("files", "x"), tools("data", "as/x"), tools("files", "y/x")], [true, false, false]);
  assert.equal(compiled({ tools: ["*"] }).matches.tools("any", "thing/at/all"), true);
});

test("a star takes nothing, too; and the pieces beside it never share a character", () => {
  for (const [pattern, text] of [
    ["*", ""],
    ["**", ""],
    ["a*b", "ab"],
    ["*a*", "a"],
    ["a**a", "aa"],
  ] as const)
    assert.ok(isAbout(pattern, text), `${pattern} ${text}`);
  for (const [pattern, text] of [
    ["a*a", "a"],
    ["aba*aba", "ababa"],
    ["*ab*b", "ab"],
    ["a*a*a", "aa"],
  ] as const)
    assert.ok(!isAbout(pattern, text), `${pattern} ${text}`);
});

test("stars don't make a search: ten thousand characters against many stars are decided", () => {
  const text = "a".repeat(10_000);
  for (const stars of [4, 40, 1000]) assert.equal(isAbout(`${"*a".repeat(stars)}*b`, text), false);
  assert.equal(isAbout(`${"*a".repeat(1000)}*`, text), true);
});

const servers: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["files/read", ["files"], ["file", "filess", "mail", ""]],
  ["files/*", ["files"], ["filesystem", "mail"]],
  ["files/a/b", ["files"], ["a", "files/a"]],
  ["*", ["files", "mail", "x"], []],
  ["*/read", ["files", "mail"], []],
  ["fi*/x", ["files", "fi"], ["mail"]],
  ["fi*/read", ["files", "fi"], ["mail"]],
  ["files/file:///etc/*", ["files"], ["etc", "file"]],
];
for (const [target, named, unnamed] of servers) {
  for (const kind of ["tools", "resources", "prompts"] as const) {
    test(`${kind}: "${target}" names ${named.join(", ")}${unnamed.length > 0 ? " and nothing beside" : ""}`, () => {
      const { namesServer } = compiled({ tools: undefined, [kind]: [target] });
      for (const server of named) assert.ok(namesServer(server), server);
      for (const server of unnamed) assert.ok(!namesServer(server), server);
    });
  }
}

test("a server is named if anything of it can be meant, whichever pattern and kind means it", () => {
  const server = fc.stringMatching(/^[ab]{1,3}$/);
  const name = fc.stringMatching(/^[ab/]{0,3}$/);
  const pattern = fc.tuple(fc.stringMatching(/^[ab*]{1,3}$/), name).map((parts) => parts.join("/"));
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 3 }), server, name, (targets, server, name) => {
      const [tools, ...resources] = targets;
      const rule = compiled({ tools: [tools!], ...(resources.length > 0 && { resources }) });
      const isMeant = rule.matches.tools(server, name) || rule.matches.resources(server, name);
      if (isMeant) assert.ok(rule.namesServer(server));
    }),
    { numRuns: 2000 },
  );
});
