/** What the pages of rules and of cryptography make of answers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { clockTone, linkKinds, planSays, readLive, readPlan, readSuites, serverPosture } from "./crypto.ts";
import { indentAt, lineSpan, marksOf, readPolicy, readReplayed, rulesMatching, wayOf } from "./policy.ts";

test("rules are found by every word, wherever it stands, and by their effect", () => {
  const rule = {
    on: "call",
    mode: "enforce",
    because: "Nobody wipes.",
    callers: ["*"],
    targets: [],
    reads: [],
  };
  const { rules } = readPolicy({
    rules: [
      { ...rule, name: "no-wipes", effect: "deny", inWords: "Denies", when: null },
      { ...rule, name: "agents", effect: "allow", inWords: "Allows", when: "args.amount > 3" },
    ],
  });
  const names = (sought: string, effect = ""): readonly string[] =>
    rulesMatching(rules, sought, effect).map(({ name }) => name);
  assert.deepEqual(names("nobody AMOUNT"), ["agents"]);
  assert.deepEqual(names("", "deny"), ["no-wipes"]);
  assert.deepEqual(names("nobody nothing"), []);
});

test("a line with a mistake is marked by the worst on it, and is found in the text", () => {
  const about = { column: 1, rule: "", kind: "", wrong: "", mend: "" };
  const marks = marksOf([
    { ...about, line: 2, isError: true },
    { ...about, line: 2, isError: false },
    { ...about, line: 3, isError: false },
  ]);
  assert.deepEqual(
    [...marks],
    [
      [2, "error"],
      [3, "warning"],
    ],
  );
  assert.deepEqual(lineSpan("a\nbcd\ne", 2), [2, 5]);
  assert.deepEqual(lineSpan("a", 9), [2, 2]);
});

test("a new line begins where the one before does, below a rule's first word", () => {
  assert.equal(indentAt("policies:\n  - name: x", 21), "    ");
  assert.equal(indentAt("policies:\n    effect: deny", 26), "    ");
  assert.equal(indentAt("policies:", 9), "");
});

test("what a replay changes opens, closes, or is decided otherwise", () => {
  const { groups } = readReplayed({
    groups: [
      { before: { verdict: "deny", rule: "a" }, after: { verdict: "allow", rule: "b" } },
      { before: { verdict: "allow", rule: "b" }, after: { verdict: "hold", rule: "c" } },
      { before: { verdict: "deny", rule: "a" }, after: { verdict: "hold", rule: "c" } },
      { before: null, after: { verdict: "allow", rule: "b" } },
    ],
  });
  assert.deepEqual(groups.map(wayOf), ["opens", "closes", "other", "other"]);
});

test("links that are alike are one row, the weak ones first", () => {
  const link = { listener: "l", callers: ["a"], remote: "r", certificate: null, classical: null };
  const strong = { ...link, group: "X25519MLKEM768", key_exchange: "hybrid" };
  const { links, servers } = readLive({
    links: [strong, { ...strong, callers: ["b"] }, { ...link, group: "X25519", key_exchange: "classical" }],
    servers: [
      { name: "a", how: "http", local: false },
      { name: "b", how: "https", negotiated: { version: "TLSv1.3", group: "X25519" } },
      { name: "c", how: "https", negotiated: null },
    ],
  });
  assert.deepEqual(
    linkKinds(links).map(({ group, count, callers }) => [group, count, callers.length]),
    [
      ["X25519", 1, 1],
      ["X25519MLKEM768", 2, 2],
    ],
  );
  assert.deepEqual(servers.map(serverPosture), ["plain", "classical", "unknown"]);
});

test("a clock is looked at before it is over, a root a month before", () => {
  const day = 86_400_000;
  const clock = {
    kind: "root",
    who: "",
    what: "",
    algorithm: "",
    until: new Date(20 * day).toISOString(),
    renewal: "",
  };
  assert.equal(clockTone(clock, 0), "warn");
  assert.equal(clockTone({ ...clock, kind: "issued" }, 0), "plain");
  assert.equal(clockTone(clock, 21 * day), "bad");
  assert.equal(clockTone({ ...clock, until: "" }, 0), "plain");
});

test("a plan in a sentence counts what breaks and what may", () => {
  const changes = [{ what: "log", gone: ["a"], added: [] }];
  const says = (plan: object): string =>
    planSays(readPlan({ from: "a", to: "b", isPossible: true, changes, ...plan }));
  assert.equal(
    says({
      rows: [
        { verdict: "breaks", count: 3 },
        { verdict: "may break", count: 1 },
      ],
    }),
    "3 would break, 1 may break.",
  );
  assert.equal(says({ rows: [{ verdict: "renews", count: 3 }] }), "Nothing breaks.");
  assert.equal(says({ changes: [] }), "b has what a has: nothing changes.");
  assert.equal(says({ isPossible: false }), "b can't be applied.");
});

test("suites over time: the most used each, the rest together", () => {
  const suites = Object.fromEntries(["a", "b", "c", "d", "e", "f", "g"].map((name, at) => [name, 70 - at]));
  const { times, series } = readSuites({ points: [{ atUnixMs: 5000, suites }], totals: { suites } });
  assert.deepEqual(times, [5]);
  assert.deepEqual(
    series.map(({ group }) => group),
    ["a", "b", "c", "d", "e", "others"],
  );
  assert.deepEqual(series.at(-1)?.values, [65 + 64]);
});
