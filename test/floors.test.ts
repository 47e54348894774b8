/** The architecture: each file imports its own folder and lower floors only, and nothing below host/ reaches the machine. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";

import { breaches, floors, type Source } from "./support/floors.ts";
import { repositoryFiles } from "./support/repository.ts";

const clean: readonly Source[] = [
  { path: "src/kernel/units.ts", text: "export const second = 1000;" },
  {
    path: "src/crypto/hash.ts",
    text: 'import { hash } from "node:crypto"; import { second } from "../kernel/units.ts";',
  },
  {
    path: "src/host/net/tls.ts",
    text: 'import net from "node:net"; import { x } from "../../gate/handle.ts";',
  },
  { path: "src/gate/handle.ts", text: 'export { x } from "../policy/decide.ts";' },
  { path: "src/policy/decide.ts", text: "export const x = 1;" },
];

test("sources that keep the rules break none", () => assert.deepEqual(breaches(clean), []));

const plants: readonly (readonly [string, Source, RegExp])[] = [
  [
    "an import from above",
    { path: "src/kernel/a.ts", text: 'import "../gate/handle.ts";' },
    /gate\/ stands above kernel\//,
  ],
  [
    "an import of a type from above",
    { path: "src/wire/a.ts", text: 'import type { A } from "../gate/call.ts";' },
    /stands above/,
  ],
  [
    "an export from above",
    { path: "src/model/a.ts", text: 'export * from "../host/system.ts";' },
    /stands above/,
  ],
  [
    "a dynamic import from above",
    { path: "src/model/a.ts", text: 'await import("../host/system.ts");' },
    /stands above/,
  ],
  [
    "neighbours",
    { path: "src/policy/a.ts", text: 'import { b } from "../audit/entry.ts";' },
    /stand on one floor/,
  ],
  [
    "a folder nobody placed",
    { path: "src/gate/a.ts", text: 'import { b } from "../misc/b.ts";' },
    /no floor/,
  ],
  ["a socket below host/", { path: "src/gate/a.ts", text: 'import net from "node:net";' }, /below host/],
  [
    "chance outside crypto/",
    { path: "src/wire/a.ts", text: 'import { randomBytes } from "node:crypto";' },
    /below host/,
  ],
  [
    "a test",
    { path: "src/app/a.ts", text: 'import { b } from "../../test/support/b.ts";' },
    /nothing of its tests/,
  ],
  [
    "the page",
    { path: "src/control/a.ts", text: 'import { b } from "../../web/src/b.ts";' },
    /never imported/,
  ],
];

for (const [what, source, why] of plants) {
  test(`${what} is found and explained`, () => {
    const found = breaches([...clean, source]);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", why);
  });
}

test("an entry point that reaches host/ through others is found", () => {
  const found = breaches([
    { path: "src/public/verify.ts", text: 'export { a } from "../app/a.ts";' },
    { path: "src/app/a.ts", text: 'import { b } from "../host/b.ts";' },
    { path: "src/host/b.ts", text: "export const b = 1;" },
  ]);
  assert.ok(
    found.some((line) => /reaches src\/host\/b\.ts/.test(line)),
    found.join("\n"),
  );
});

test("this repository keeps the rules, and each folder of src/ stands on a floor", async () => {
  const sources = (await repositoryFiles()).filter(
    ({ path }) => path.startsWith("src/") && path.endsWith(".ts") && !path.endsWith(".test.ts"),
  );
  assert.ok(sources.length > 80);
  assert.deepEqual(breaches(sources), []);
  const folders = await readdir(new URL("../src/", import.meta.url));
  assert.deepEqual(folders.toSorted(), floors.flat().toSorted());
});
