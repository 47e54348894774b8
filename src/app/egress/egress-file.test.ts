import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { temporaryFolder } from "../../../test/support/gateway.ts";
import { egressSettings } from "./egress-file.ts";

async function file(t: TestContext, text: string): Promise<string> {
  const named = path.join(await temporaryFolder(t), "egress.yaml");
  await writeFile(named, text);
  return named;
}

test("without a word there are no rules, and little to learn with", () => {
  const { rules, budgetBytes, newPerDay, zone } = egressSettings({ allow: [] });
  assert.deepEqual([rules.length, budgetBytes, newPerDay, zone], [0, 256 * 1024, 20, "UTC"]);
});

test("options of the command line are rules, beside those of the file", async (t) => {
  const named = await file(
    t,
    "zone: Europe/Berlin\nlearning: { budget: 1MiB, new_per_day: 3 }\nrules: [{ name: a, hosts: [a.example], effect: deny, because: No. }]\n",
  );
  const settings = egressSettings({ file: named, allow: ["b.example:443", "*.c.example"] });
  assert.deepEqual(
    settings.rules.map(({ name, effect }) => [name, effect]),
    [
      ["a", "deny"],
      ["allow-egress", "allow"],
    ],
  );
  assert.deepEqual(
    [settings.budgetBytes, settings.newPerDay, settings.zone],
    [1024 ** 2, 3, "Europe/Berlin"],
  );
  assert.equal(settings.clock(Date.UTC(2026, 0, 4, 3)).hour, 4);
  const learning = egressSettings({ allow: [], learn: "64KiB" });
  assert.deepEqual([learning.rules[0]?.effect, learning.budgetBytes], ["learn", 64 * 1024]);
});

const wrong: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ["no YAML", "rules: [", /egress\.yaml/],
  ["an unknown key", "rule: []", /[Uu]nrecognized key/],
  ["a rule without a reason", "rules: [{ name: a, hosts: [a], effect: allow }]", /because/],
  [
    "a host that is a URL",
    'rules: [{ name: a, hosts: ["https://a"], effect: allow, because: x }]',
    /expected HOST/,
  ],
  [
    "a wrong condition",
    "rules: [{ name: a, hosts: [a], when: args.x, effect: allow, because: x }]",
    /egress rule "a"/,
  ],
  ["a zone that is none", "zone: Mars", /expected a zone/],
  ["a budget without a unit", "learning: { budget: '12' }", /expected a size/],
];
for (const [what, text, says] of wrong) {
  test(`a file is refused, with where and why: ${what}`, async (t) => {
    const named = await file(t, text);
    assert.throws(() => egressSettings({ file: named, allow: [] }), says);
  });
}

test("options are refused, with what they take", () => {
  assert.throws(() => egressSettings({ allow: ["https://a.example"] }), /--allow-egress takes HOST/);
  assert.throws(() => egressSettings({ allow: [], learn: "much" }), /--learn-egress: expected a size/);
  assert.throws(() => egressSettings({ allow: [], file: "/nowhere/at/all" }), /can't be read/);
});
