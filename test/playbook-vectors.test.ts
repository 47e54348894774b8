/** Playbooks plan what docs/formats/playbook.md says, and the page names all that a file can say. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { loadPlaybooks } from "../src/app/respond/playbook-file.ts";
import { actionNames } from "../src/respond/actions.ts";
import { plan, planMemory } from "../src/respond/plan.ts";
import { compilePlaybook, type Playbook } from "../src/respond/playbook.ts";
import { playbookSchema, stepScopes } from "../src/respond/playbook-schema.ts";
import type { Signal } from "../src/respond/signal.ts";

interface Case {
  readonly name: string;
  readonly playbooks: readonly unknown[];
  readonly signals: readonly (Pick<Signal, "kind" | "score" | "evidence" | "about"> & {
    readonly at: number;
    readonly rule?: string;
    readonly plans: readonly unknown[];
  })[];
}

const read = (file: string): string => readFileSync(new URL(file, import.meta.url), "utf8");
const { cases } = JSON.parse(read("vectors/playbook/plans.json")) as { readonly cases: readonly Case[] };

function compiled(document: unknown): Playbook {
  const made = compilePlaybook({ ...playbookSchema.parse(document), mode: "enforce" });
  if (made.kind === "mistake") throw new Error(made.message);
  return made.playbook;
}

for (const { name, playbooks, signals } of cases)
  test(`playbooks plan: ${name}`, () => {
    const memory = planMemory();
    const books = playbooks.map(compiled);
    for (const { at, plans, ...rest } of signals) {
      const signal = { ...rest, isHard: true, says: "", callId: "c", atUnixMs: at };
      const made = plan([signal], { playbooks: books, memory, nowUnixMs: at });
      const told = made.flatMap(({ playbook, steps }) =>
        steps.map(({ step, scope }) => [playbook.name, step.do, scope]),
      );
      assert.deepEqual(told, plans, `at ${at}`);
    }
  });

test("the page on playbooks names every field, trigger, scope and action", () => {
  const page = read("../docs/formats/playbook.md");
  const { on, steps } = playbookSchema.shape;
  const names = [
    ...Object.keys(playbookSchema.shape),
    ...Object.keys(on.shape).map((trigger) => `${trigger}:`),
    ...Object.keys(steps.element.shape),
    ...stepScopes,
    ...actionNames,
  ];
  for (const each of names) assert.ok(page.includes(`\`${each}`), each);
});

test("the guide has a line for each playbook that comes with the program, and says what it is set off by", () => {
  const guide = read("../docs/guide/playbooks.md");
  for (const { document } of loadPlaybooks("shipped", "/").all)
    assert.ok(guide.includes(`\`${document.name}\``), document.name);
});
