/** The facts as conditions see them: what the reference promises compiles, over facts as the gate builds them. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { compileCondition, type FactValues, type Outcome } from "../expr/condition.ts";
import { factDeclarations, type Facts, factTypes, helloDeclaration, linkFactTypes } from "./facts.ts";
import { nothingRead } from "../../test/support/nothing-read.ts";

const nothing: Facts = {
  caller: {
    id: "",
    kind: "workload",
    chain: [],
    groups: [],
    scopes: [],
    binding: "",
    claims: {},
    issuer: "",
    age: 0,
    expires_in: 0,
  },
  call: { server: "", tool: "", kind: "", name: "", method: "", size: 0, era: "" },
  args: {},
  tool: { read_only: false, labels: [], pinned: false, signed: false, drifted: false },
  link: {
    group: "",
    level: 0,
    pq: false,
    certificate: "none",
    profile: "",
    version: "",
    ja4: "",
    path: "none",
  },
  place: { address: "", networks: [] },
  now: 0,
  time: { hour: 0, weekday: 0, minute: 0 },
  session: { id: "", began: 0 },
  flow: nothingRead,
  resource: { class: "", shelf_life: 0 },
  quantum: { earliest: 0 },
  risk: { call: 0, session: 0, source: "" },
  findings: [],
  intent: { purpose: "" },
};

const paths = Object.entries(factDeclarations).flatMap(([name, declared]) =>
  "members" in declared ? Object.keys(declared.members).map((member) => `${name}.${member}`) : [name],
);

const evaluate = (text: string): Outcome => {
  const compiled = compileCondition(text, factTypes);
  assert.ok(compiled.kind === "condition", `${text}: ${JSON.stringify(compiled)}`);
  return compiled.evaluate({ ...nothing } satisfies FactValues);
};

test("every declared fact can be read where nothing is known", () => {
  // History is asked, and has no value of its own; nor has flow.
  for (const path of paths.filter((each) => each !== "history" && each !== "flow"))
    assert.deepEqual(evaluate(`${path} == ${path}`), { kind: "true" }, path);
  assert.deepEqual(evaluate('flow.seen("pii") || flow.carries("pii")'), { kind: "false" });
});

test("every group the gate builds has exactly the declared members", () => {
  for (const [name, declared] of Object.entries(factDeclarations)) {
    if (!("members" in declared)) continue;
    const built = nothing[name as keyof Facts];
    assert.deepEqual(Object.keys(built as object).toSorted(), Object.keys(declared.members).toSorted(), name);
  }
});

test("Mosca's inequality reads as one writes it", () => {
  const compiled = compileCondition("now + resource.shelf_life > quantum.earliest", factTypes);
  assert.ok(compiled.kind === "condition");
  const at = (years: number): Outcome["kind"] =>
    compiled.evaluate({
      now: Date.UTC(2026, 0, 1),
      resource: { class: "x", shelf_life: years * 31_557_600_000 },
      quantum: { earliest: Date.UTC(2035, 0, 1) },
    }).kind;
  assert.deepEqual([at(30), at(1)], ["true", "false"]);
});

test("the guide names every fact, and each of its examples compiles", async () => {
  const guide = await readFile(new URL("../../docs/guide/conditions.md", import.meta.url), "utf8");
  const ofHello = "members" in helloDeclaration ? Object.keys(helloDeclaration.members) : [];
  for (const path of [...paths, ...ofHello.map((member) => `hello.${member}`)]) {
    const [group, member] = path.split(".");
    assert.ok(guide.includes(member === undefined ? `\`${group}\`` : `\`${group}.${member}\``), path);
  }
  const examples = [...guide.matchAll(/```cel\n([\s\S]*?)```/g)].map(([, text]) => text ?? "");
  assert.ok(examples.length >= 10);
  for (const text of examples) {
    const compiled = compileCondition(text, text.includes("hello.") ? linkFactTypes.connection : factTypes);
    assert.equal(compiled.kind, "condition", `${text}: ${JSON.stringify(compiled)}`);
  }
});
