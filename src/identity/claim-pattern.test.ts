/** Patterns and templates: what a claim may become, and what it never becomes. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { Refusal } from "../kernel/refusal.ts";
import { claimText, compilePattern, compileTemplate } from "./claim-pattern.ts";

const domain = "acme.test";

const matches: readonly (readonly [string, string, Readonly<Record<string, string>> | undefined])[] = [
  ["main", "main", {}],
  ["main", "Main", undefined],
  ["main", "main\n", undefined],
  ["a.c", "abc", undefined],
  ["system:serviceaccount:agents:*", "system:serviceaccount:agents:builder", {}],
  ["system:serviceaccount:agents:*", "system:serviceaccount:agents-2:builder", undefined],
  ["system:serviceaccount:agents:{account}", "system:serviceaccount:agents:builder", { account: "builder" }],
  ["system:serviceaccount:agents:mcp-{account}", "system:serviceaccount:agents:mcp-a-b", { account: "a-b" }],
  ["acme/{repository}", "acme/deploy-bot", { repository: "deploy-bot" }],
  ["acme/{repository}", "acme/deploy/bot", undefined],
  ["acme/{repository}", "acme/", undefined],
  ["acme/{repository}", "evil/acme/bot", undefined],
  ["acme/{repository}", "acme/..", undefined],
  ["acme/{repository}", "acme/.", undefined],
  ["acme/{repository}", "acme/%2e%2e", undefined],
  ["acme/{repository}", "acme/a%2Fb", undefined],
  ["acme/{repository}", "acme/a\\b", undefined],
  ["acme/{repository}", "acme/a b", undefined],
  ["acme/{repository}", "acme/\u0430bc", undefined],
  ["acme/{repository}", `acme/${"a".repeat(254)}`, undefined],
  ["acme/{repository}", `acme/${"a".repeat(253)}`, { repository: "a".repeat(253) }],
  ["*", "x".repeat(2049), undefined],
  ["*/{project}", "acme/tools/linter", { project: "linter" }],
  ["{group}/*/{project}", "acme/tools/x/linter", { group: "acme", project: "linter" }],
  ["spiffe://prod.acme.test/ns/{ns}/sa/{sa}", "spiffe://prod.acme.test/ns/a/sa/b", { ns: "a", sa: "b" }],
  ["spiffe://prod.acme.test/ns/{ns}/sa/{sa}", "spiffe://PROD.acme.test/ns/a/sa/b", undefined],
];
for (const [pattern, text, expected] of matches) {
  const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 20)}… (${text.length})` : text);
  test(`"${pattern}" ${expected === undefined ? "doesn't match" : "matches"} ${shown}`, () => {
    const parts = compilePattern(pattern).match(text);
    assert.deepEqual(parts && Object.fromEntries(parts), expected);
  });
}

for (const pattern of ["{a}{b}", "{a}-{b}", "{a}*", "*{a}", "*-{a}", "*/{a}/*", "{a}/{a}", "***", "*a*b*c"]) {
  test(`the pattern "${pattern}" is refused, since a text could match it in two ways or cost too much`, () =>
    assert.throws(() => compilePattern(pattern), isBadConfig));
}

for (const pattern of ["{", "}", "{A}", "{}", "a{b", "{a/b}", "{a}}"]) {
  test(`the pattern "${pattern}" is refused, since it can't be read`, () =>
    assert.throws(() => compilePattern(pattern), isBadConfig));
}

test("a text matches a pattern with parts in one way only, so its parts put back are the text", () => {
  const piece = fc.constantFrom("a", "-", "/", ":", ".", "b", "");
  const texts = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  const patterns = fc.constantFrom("{x}/{y}", "{x}:{y}", "a/{x}", "{x}/-{y}", "{x}:*:{y}", "*:{x}", "{x}-a");
  fc.assert(
    fc.property(patterns, texts, (text, candidate) => {
      const parts = compilePattern(text).match(candidate);
      if (parts === undefined) return;
      for (const part of parts.values()) assert.match(part, /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/);
      const [before = "", after] = text.split("*");
      const put = (half: string): string =>
        half.replace(/\{(\w+)\}/g, (_, name: string) => parts.get(name) ?? "");
      assert.ok(after === undefined ? put(before) === candidate : candidate.startsWith(put(before)));
      assert.ok(candidate.endsWith(put(after ?? "")));
    }),
    { numRuns: 2000 },
  );
});

test("matching comes to an end with texts made to take long", () => {
  const pattern = compilePattern("*ab*c");
  assert.equal(pattern.match("ab".repeat(1024)), undefined);
  assert.equal(compilePattern("{x}:*:{y}").match(":".repeat(2048)), undefined);
});

test("a template is filled with the parts, and tells what the certificate is for", () => {
  const template = compileTemplate("agent/k8s/{ns}/mcp-{sa}", ["ns", "sa"]);
  const parts = new Map([
    ["ns", "agents"],
    ["sa", "builder"],
  ]);
  assert.equal(template.idOf(parts, domain), "spiffe://acme.test/agent/k8s/agents/mcp-builder");
  assert.equal(template.purpose, "client");
  assert.equal(compileTemplate("server/{sa}", ["sa"]).purpose, "server");
});

test("different parts never make one identity", () => {
  const part = fc.stringMatching(/^[a-b.-]{1,4}$/).filter((text) => text !== "." && text !== "..");
  const { idOf } = compileTemplate("agent/{x}/k8s-{y}", ["x", "y"]);
  const of = (x: string, y: string): string =>
    idOf(
      new Map([
        ["x", x],
        ["y", y],
      ]),
      domain,
    );
  fc.assert(
    fc.property(part, part, part, part, (a, b, c, d) => {
      assert.equal(of(a, b) === of(c, d), a === c && b === d);
    }),
  );
});

for (const [template, why] of [
  ["gateway", /must begin/],
  ["{x}", /must begin/],
  ["{x}/gateway", /must begin/],
  ["operator/doctor", /must begin/],
  ["agent/", /must begin/],
  ["agent/{x}-{y}", /two parts in one segment/],
  ["agent/{z}", /nothing under match names/],
  ["agent/*", /can't be read/],
  ["agent/../gateway", /no SPIFFE path/],
  ["agent/{x}/", /no SPIFFE path/],
  ["agent//{x}", /no SPIFFE path/],
  ["agent/%2e%2e/{x}", /no SPIFFE path/],
  ["agent/local", /the gateway's own/],
] as const) {
  test(`the identity "${template}" is refused in the config`, () =>
    assert.throws(
      () => compileTemplate(template, ["x", "y"]),
      (error) => isBadConfig(error) && why.test(String(error)),
    ));
}

test("parts that would make the identity of the gateway's own sidecar make none", () => {
  const template = compileTemplate("agent/{x}", ["x"]);
  assert.throws(() => template.idOf(new Map([["x", "local"]]), domain), isBadConfig);
  assert.throws(() => template.idOf(new Map([["x", ".."]]), domain), isBadConfig);
});

const claims = {
  sub: "a",
  "https://acme.test/team": "b",
  "kubernetes.io": { namespace: "c", "a/b": "d", "m~n": "e", pod: { name: "f" } },
  groups: ["g"],
  number: 7,
};
for (const [name, expected] of [
  ["sub", "a"],
  ["https://acme.test/team", "b"],
  ["/https:~1~1acme.test~1team", "b"],
  ["/kubernetes.io/namespace", "c"],
  ["/kubernetes.io/a~1b", "d"],
  ["/kubernetes.io/m~0n", "e"],
  ["/kubernetes.io/pod/name", "f"],
  ["kubernetes.io/namespace", undefined],
  ["kubernetes.io", undefined],
  ["/groups/0", undefined],
  ["groups", undefined],
  ["number", undefined],
  ["absent", undefined],
  ["toString", undefined],
  ["/__proto__/constructor", undefined],
  ["/sub/length", undefined],
] as const) {
  test(`the claim ${name} is ${expected === undefined ? "no text" : `"${expected}"`}`, () =>
    assert.equal(claimText(claims, name), expected));
}

function isBadConfig(error: unknown): error is Refusal {
  return error instanceof Refusal && error.code === "bad_config";
}
