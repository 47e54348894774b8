/** A folder of policies with one mistake each: it is found, with its kind and its words, and nothing else is. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { parse } from "yaml";
import { z } from "zod";

import { checkRules, type Finding, readRules } from "../../policy/check/check-rules.ts";
import { findingKinds } from "../../policy/check/finding.ts";
import { knownOf, worldMembers } from "./world-file.ts";

const folder = new URL("../../../test/policies/", import.meta.url);
const read = (name: string): unknown => parse(readFileSync(new URL(name, folder), "utf8"));

const worldFile = z.strictObject({ ...worldMembers, policies: z.array(z.unknown()) });
const brokenFile = z.strictObject({
  expect: z.strictObject({
    kind: z.enum(Object.keys(findingKinds) as [keyof typeof findingKinds]),
    severity: z.enum(["error", "warning"]),
    rule: z.string().nullable(),
    wrong: z.string().min(5),
    mend: z.string().min(2),
  }),
  alone: z.boolean().default(false),
  policies: z.array(z.unknown()),
});

const world = worldFile.parse(read("world.yaml"));
const files = readdirSync(new URL("broken/", folder)).filter((name) => name.endsWith(".yaml"));

const findingsIn = (list: readonly unknown[]): readonly Finding[] => {
  const { documents, findings } = readRules(list);
  return [
    ...findings,
    ...checkRules(
      documents.map(({ document }) => document),
      knownOf(world),
    ),
  ];
};

test("rules without a mistake have no finding", () => {
  assert.deepEqual(findingsIn(world.policies), []);
});

for (const file of files) {
  test(`the mistake of ${file} is found, and no other`, () => {
    const { expect, policies, alone } = brokenFile.parse(read(`broken/${file}`));
    const found = findingsIn(alone ? policies : [...world.policies, ...policies]);
    assert.deepEqual(
      found.map(({ kind, severity, rule }) => ({ kind, severity, rule })),
      [{ kind: expect.kind, severity: expect.severity, rule: expect.rule }],
      JSON.stringify(found, null, 2),
    );
    const [{ wrong, mend } = { wrong: "", mend: "" }] = found;
    assert.ok(wrong.includes(expect.wrong), wrong);
    assert.ok(mend.includes(expect.mend), mend);
  });
}

test("there is a broken policy for each kind of finding", () => {
  const kinds = files.map((file) => brokenFile.parse(read(`broken/${file}`)).expect.kind);
  assert.deepEqual(
    Object.keys(findingKinds).filter((kind) => !kinds.some((each) => each === kind)),
    [],
  );
});
