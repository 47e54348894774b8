/** Where findings stand: the line and the column in the file as it is written. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../../../test/support/gateway.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readCaseFile } from "./case-file.ts";
import { checkFile } from "./check-files.ts";
import { configWithoutRules } from "./known-config.ts";

const rows: readonly (readonly [what: string, when: string, line: number, column: number])[] = [
  ["plain", "when: link.levl > 3", 4, 16],
  ["in double quotes", 'when: "link.levl > 3"', 4, 17],
  ["in single quotes", "when: 'link.levl > 3'", 4, 17],
  ["in a block", "when: |\n      link.pq &&\n      link.levl > 3", 6, 12],
  ["in a block, folded", "when: >\n      link.pq &&\n      link.levl > 3", 4, 11],
  ["in quotes, with escapes", 'when: "link.profile == \\"x\\" && link.levl > 3"', 4, 11],
];
for (const [what, when, line, column] of rows) {
  test(`a mistake in a condition ${what} is placed where it stands, or where the condition begins`, async (t) => {
    const file = path.join(await temporaryFolder(t), "p.yaml");
    writeFileSync(
      file,
      `policies:\n  - name: a\n    callers: ["*"]\n    ${when}\n    tools: ["s/a"]\n    effect: hold\n    because: x\n`,
    );
    const [finding, ...more] = checkFile(file, undefined).findings;
    assert.deepEqual(more, []);
    assert.deepEqual([finding?.kind, finding?.line, finding?.column], ["bad-condition", line, column]);
  });
}

test("a list of rules in a file of its own is followed there, and a part of a rule is placed by itself", async (t) => {
  const folder = await temporaryFolder(t);
  writeFileSync(path.join(folder, "c.yaml"), "policies: ./p.yaml\n");
  writeFileSync(
    path.join(folder, "p.yaml"),
    'policies:\n  - { name: a, callers: ["*", "nobody"], tools: ["s/a"], effect: hold, because: x }\n',
  );
  const { file, findings } = checkFile(path.join(folder, "c.yaml"), undefined);
  assert.equal(file, path.join(folder, "p.yaml"));
  assert.deepEqual(
    findings.map(({ kind, line, column }) => [kind, line, column]),
    [["impossible-caller", 2, 31]],
  );
});

const unreadable: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ["no YAML", "policies: [\n", /p\.yaml: /],
  ["one with aliases", "policies: &a [{ name: x, callers: *b }]\ncases: *a\n", /alias/i],
  ["one without rules", "servers: {}\n", /has no list of rules|isn't right/],
];
for (const [what, text, says] of unreadable) {
  test(`a file that is ${what} is refused, as rules, as cases and as a config`, async (t) => {
    const file = path.join(await temporaryFolder(t), "p.yaml");
    writeFileSync(file, text);
    const refused = (error: unknown): boolean => error instanceof Refusal && says.test(error.message);
    assert.throws(() => checkFile(file, undefined), refused);
    assert.throws(() => readCaseFile(file), refused);
    if (what !== "one without rules") assert.throws(() => configWithoutRules(file), Refusal);
  });
}
