/** What authors naturally write and mean otherwise is found when it is loaded, with its place and what to write. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { compileCondition } from "./condition.ts";
import type { Mistake } from "./mistake.ts";
import { variables } from "../../test/support/condition-variables.ts";

const mistakeIn = (text: string): Mistake => {
  const compiled = compileCondition(text, variables);
  assert.ok(compiled.kind === "mistake", `${text} was compiled`);
  return compiled;
};

/** The text, the column, what the message says and what is suggested. */
const mistakes: readonly (readonly [string, number, RegExp, string?])[] = [
  ['args.amount > "500"', 1, /args\.amount \(a number\) and "500" \(a string\)/, "args.amount > 500"],
  ['"500" < args.amount', 1, /can't compare/, "500 < args.amount"],
  ['caller.id = "x"', 11, /two signs/, "=="],
  ["args.amount === 5", 15, /two signs/, "=="],
  ['link.level >= "3"', 1, /link\.level \(a whole number\)/, "link.level >= 3"],
  ['tool == "x"', 1, /tool \(an object\)/, 'call.tool == "x"'],
  ['caller == "x"', 1, /caller \(an object\)/, 'caller.id == "x"'],
  ['calller.id == "x"', 1, /no variable "calller"/, "caller"],
  ["args.amout > 5", 6, /args has no member "amout"/, "args.amount"],
  ["args.amout > 5", 6, /isn't declared is written args\["amout"\]/, "args.amount"],
  ['caller.name == "x"', 8, /caller has no member "name"/],
  ["link.hour > 3", 6, /link has no member "hour"/, "time.hour"],
  ['link["levl"] > 3', 1, /link has no member "levl"/, "link.level"],
  ["amount > 5", 1, /no variable "amount"/, "args.amount"],
  ["has(args.amout)", 10, /no member "amout"/, "args.amount"],
  ["has(args)", 1, /has\(\) takes a member/],
  ["has(args.items.all(x, true))", 1, /has\(\) takes a member/],
  ['"amout" in link', 1, /link has no member "amout"/],
  ['args.mode == "wirte"', 14, /never "wirte": it is "read" or "write"/, '"write"'],
  ['"reed" != args.mode', 1, /never "reed"/, '"read"'],
  ['args.mode in ["read", "wrte"]', 23, /never "wrte"/, '"write"'],
  ['args.sort == "dwon"', 14, /never "dwon"/, '"down"'],
  ["caller.id", 1, /a condition takes what is true or false, but caller\.id is a string/],
  ["args.amount", 1, /is a number/],
  ["!args.amount", 2, /"!" takes what is true or false/],
  ["args.amount && true", 1, /"&&" takes what is true or false/],
  ["true || args.note", 9, /"\|\|" takes what is true or false/],
  ["args.note ? true : false", 1, /"\?" takes what is true or false/],
  ['(true ? 1 : "a") == 1', 2, /gives a whole number or a string/],
  ["args.items.all(i, i.price)", 19, /all\(\) takes what is true or false/],
  ['args.items.price > "3"', 1, /args\.items is a list/, "args.items.exists(x, x.price == …)"],
  ["args.items.all(i, i.prise > 3)", 21, /no member "prise"/, "i.price"],
  ["args.items > 5", 1, /a list/, "size(args.items) > 5"],
  ['caller.groups == "x"', 1, /a list/, '"x" in caller.groups'],
  ['"x" in caller.id', 8, /looks into a list, not into a string/, 'caller.id.contains("x")'],
  ["5 in caller.groups", 1, /5 is a whole number, but an element of caller\.groups is a string/],
  ["5 in args", 1, /names are strings/],
  ["5 in 6", 6, /a list or an object/],
  ['contains(caller.id, "x")', 1, /written otherwise/, 'caller.id.contains("x")'],
  ['caller.id.inNetwork("10.0.0.0/8")', 1, /written otherwise/, 'inNetwork(caller.id, "10.0.0.0/8")'],
  ['caller.id.contain("x")', 11, /no function "contain"/, "contains"],
  ["length(caller.id) > 3", 1, /no function "length"/, "size"],
  ["frobnicate(1)", 1, /no function "frobnicate"; there are size, contains/],
  ["size() > 1", 1, /size\(\) takes 1/],
  ["now.getHours(1, 2) > 1", 1, /takes nothing or 1|takes 0 or 1/],
  ["size(5) > 1", 6, /a string or a list or an object, but 5 is a whole number/],
  ['caller.id.matches("(a")', 19, /RE2 can't read the pattern: missing closing/],
  ['caller.id.matches("(?=a)")', 19, /RE2 can't read/],
  ['caller.id.matches("(a)\\\\1")', 19, /RE2 can't read/],
  ["caller.id.matches(args.note)", 19, /must be written out/],
  ["now.getHours(args.note) > 3", 14, /must be written out/],
  ['now.getHours("Mars/Olympus") > 3', 14, /no time zone "Mars\/Olympus"/],
  ['inNetwork(place.address, "10.0.0.1/8")', 26, /must be the network's first one/],
  ['inNetwork(place.address, "corporate")', 26, /is no network/],
  ['duration("10 years") > session.age', 10, /a duration is a number and a unit/],
  ['timestamp("2030-01-01") > now', 11, /written like "2030-01-01T00:00:00Z"/],
  ['session.age > "10m"', 1, /a duration/, 'session.age > duration("10m")'],
  ['now > "2030-01-01T00:00:00Z"', 1, /point in time/, 'now > timestamp("2030-01-01T00:00:00Z")'],
  ["session.age > 600", 1, /a duration/],
  ["args.note == 5", 1, /a string/, 'args.note == "5"'],
  ['tool.read_only == "true"', 1, /true or false/, "tool.read_only == true"],
  ["caller.id == null", 1, /null/],
  ['1 + "a" == "b"', 1, /"\+" doesn't take 1 \(a whole number\)/],
  ['caller.groups + ["x"] == ["x"]', 1, /"\+" doesn't take/],
  ["any + true == 1", 1, /"\+" doesn't take any \(a value of any type\) and true/],
  ["true - any == 1", 1, /"-" doesn't take true/],
  ["any < true", 1, /"<" can't compare any/],
  ["args.owner == 5", 1, /args\.owner \(an object\)/, "size(args.owner) == 5"],
  ['args.owner == "x"', 1, /args\.owner \(an object\)/],
  ["link == true", 1, /link \(an object\)/],
  ["now + now > now", 1, /"\+" doesn't take/],
  ['-caller.id == "x"', 1, /"-" doesn't take a string/],
  ['caller.groups.exists(now, now == "x")', 22, /already the name/, "x"],
  ['caller.groups.exists("x")', 1, /written list\.exists\(x, …\)/, "caller.groups.exists(x, …)"],
  ["exists(caller.groups, x)", 1, /exists\(\) is written list\.exists\(x, …\)/, "list.exists(x, …)"],
  ["link.level.all(x, true)", 1, /runs over a list, but link\.level is a whole number/],
  ['caller.groups["x"] == "y"', 1, /is a list and has no member "x"/],
  ['caller.groups[caller.id] == "y"', 15, /named by its number/],
  ['link[5] == "y"', 6, /no element under a whole number/],
  ['[1, "a"] == [1]', 5, /of one type, but 1 is a whole number and "a" is a string/],
  ["{1: 2} == {1: 2}", 2, /names in an object are strings/],
  ['caller.id == "x" and true', 18, /"and" is written &&/, "&&"],
  ['caller.id == "x" or true', 18, /"or" is written/, "||"],
  ["not tool.read_only", 5, /"not" is written !/, "!"],
  ['caller.id <> "x"', 12, /written !=/, "!="],
  ["true &&& false", 8, /one "&"/, "&&"],
  ["true | false", 6, /one "\|"/, "||"],
  ["“x” == caller.id", 1, /straight quotes/, '"'],
  ['caller.id =~ "x"', 11, /\.matches/, '.matches("…")'],
  ["true; false", 5, /nothing to end/],
  ["args.amount > 500 &&", 21, /the end/],
  ["(true", 6, /expected "\)", got the end/],
  ["", 1, /empty/, "true"],
  ["5u == 5", 1, /leave the "u" out/],
  ['b"x" == b"x"', 1, /bytes/],
  ["99999999999999999999 > 1", 1, /too large/],
  ["type(1) == type(2)", 1, /no function "type"/],
  ["cel.bind(x, 1, x == 1)", 5, /no function "bind"/],
  ["int == int", 1, /no variable "int"/],
  ['args?.note == "x"', 6, /unexpected token/],
];

for (const [text, column, says, suggestion] of mistakes) {
  test(`${text || "an empty text"} is a mistake that says so`, () => {
    const mistake = mistakeIn(text);
    assert.match(mistake.message, says);
    assert.deepEqual([mistake.line, mistake.column], [1, column], mistake.message);
    assert.equal(mistake.suggestion, suggestion);
  });
}

test("a mistake on a later line is placed there", () => {
  const { line, column } = mistakeIn('caller.id == "x" &&\n\n  args.amout > 5');
  assert.deepEqual([line, column], [3, 8]);
});

test("what a tool's schema calls its arguments can't write on a terminal", () => {
  const name = `a\u001b[2J\u202e\n${"x".repeat(5000)}`;
  const args = { kind: "object", members: { [name]: "string", amount: "int" }, others: "none" } as const;
  const mistake = compileCondition("args.amont > 1", { args });
  assert.ok(mistake.kind === "mistake");
  assert.doesNotMatch(mistake.message, /[\p{C}]/u);
  assert.ok(mistake.message.length <= 1001, String(mistake.message.length));
  assert.equal(mistake.suggestion, "args.amount");
});

test("what is suggested for a slip compiles", () => {
  let tried = 0;
  for (const [text, , , suggestion] of mistakes) {
    if (suggestion === undefined || !/ (?:[<>=!]+|in) /.test(suggestion) || suggestion.includes("…"))
      continue;
    tried += 1;
    assert.equal(compileCondition(suggestion, variables).kind, "condition", `${text}: ${suggestion}`);
  }
  assert.ok(tried > 10);
});
