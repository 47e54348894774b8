/** The library of policies: nothing is wrong with it, its cases pass, and each effect has one that does and one that doesn't. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { caseFilesIn, readCaseFile, runCaseFile } from "./case-file.ts";
import { caseFileOf, checkFile } from "./check-files.ts";
import { loadPolicies } from "./case-file.ts";

const folder = path.resolve(import.meta.dirname, "../../../policies");
const loadRules = (file: string): readonly { readonly name: string }[] => {
  const { calls, links } = loadPolicies(file);
  return [...calls, ...links.connection, ...links.link];
};
const files = readdirSync(folder).filter((name) => /^[\w-]+\.yaml$/.test(name));

test("each policy of the library has its cases and its page", () => {
  assert.ok(files.length >= 8);
  assert.deepEqual(
    caseFilesIn([folder]),
    files.map((name) => caseFileOf(path.join(folder, name))),
  );
  const entry = readFileSync(path.join(folder, "../docs/guide/policies.md"), "utf8");
  for (const name of files) {
    const page = `policies/${name.replace(".yaml", ".md")}`;
    assert.ok(entry.includes(`](${page})`), page);
    const text = readFileSync(path.join(folder, "../docs/guide", page), "utf8");
    for (const rule of loadRules(path.join(folder, name)))
      assert.ok(text.includes(`\`${rule.name}\``), rule.name);
  }
});

for (const name of files) {
  const file = path.join(folder, name);

  test(`nothing is wrong with ${name}`, () => {
    const { findings, withoutTools } = checkFile(file, undefined);
    assert.deepEqual(findings, []);
    assert.deepEqual(withoutTools, []);
  });

  test(`the cases of ${name} pass, and each of its rules decides one or is watched in one`, () => {
    const cases = caseFileOf(file);
    const results = runCaseFile(cases);
    assert.deepEqual(
      results.filter((each) => each.kind === "bad-case" || !each.passed),
      [],
    );
    const text = JSON.stringify(readCaseFile(cases).cases);
    for (const rule of loadRules(file)) assert.ok(text.includes(`"${rule.name}"`), rule.name);
    const expected = new Set(readCaseFile(cases).cases.map((each) => each["expect"] === "allow"));
    assert.equal(expected.size, 2, "cases that pass and cases that don't");
  });
}
