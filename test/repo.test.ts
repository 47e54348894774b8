/** What holds for every file: how it begins, what it exports, what it depends on. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { parseSync } from "oxc-parser";

import { repositoryFiles, repositoryPaths } from "./support/repository.ts";
import { mutants } from "./mutants/mutants.ts";

const files = await repositoryFiles();
const typescript = files.filter(({ path: name }) => /\.tsx?$/.test(name));

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

test("each source file begins by saying what it is", () => {
  const silent = typescript
    .filter(({ path: name }) => name.startsWith("src/") && !name.endsWith(".test.ts"))
    .filter(({ text }) => !/^\/\*\*[\s\S]+?\*\//.test(text));
  assert.deepEqual(
    silent.map(({ path: name }) => name),
    [],
  );
});

test("nobody in the product is handed a KEM's secret that wasn't confirmed", () => {
  const bare =
    /decapsulateUnconfirmed|\bcrypto\.(en|de)capsulate|import \{[^}]*\b(en|de)capsulate\b[^}]*\} from "node:crypto"/;
  // The KEM itself, its self-test, and what measures it without TLS around it and hands the secret to nobody.
  const allowed = ["kem.ts", "self-test.ts", "compared-exchange.ts"].map((name) => `src/crypto/${name}`);
  const users = typescript
    .filter(({ path: name }) => name.startsWith("src/") && !name.endsWith(".test.ts"))
    .filter(({ path: name, text }) => bare.test(text) && !allowed.includes(name));
  assert.deepEqual(
    users.map(({ path: name }) => name),
    [],
  );
});

test("no file leaves work behind as a comment", () => {
  const marker = /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/; // Brackets, so that this line is none itself.
  const found = files.filter(({ path: name, text }) => name !== "package-lock.json" && marker.test(text));
  assert.deepEqual(
    found.map(({ path: name }) => name),
    [],
  );
});

test("every file parses", () => {
  for (const { path: name, text } of typescript) assert.deepEqual(parseSync(name, text).errors, [], name);
});

test("dependencies have exact versions, and each runtime one its line in docs/decisions.md", () => {
  const decisions = files.find(({ path: name }) => name === "docs/decisions.md")?.text ?? "";
  for (const name of ["package.json", "web/package.json"]) {
    const text = files.find((file) => file.path === name)?.text;
    assert.ok(text !== undefined, name);
    const { dependencies = {}, devDependencies = {} } = JSON.parse(text) as Manifest;
    for (const [dependency, version] of Object.entries({ ...dependencies, ...devDependencies }))
      assert.match(version, /^(npm:@?[\w/-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/, `${name}: ${dependency}`);
    if (name === "package.json")
      for (const dependency of Object.keys(dependencies))
        assert.ok(decisions.includes(`\`${dependency}\``), dependency);
  }
});

test("the lock file has every platform's packages, so that npm ci works everywhere", async () => {
  const lock = JSON.parse(await readFile(new URL("../package-lock.json", import.meta.url), "utf8")) as {
    readonly packages: Readonly<
      Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>
    >;
  };
  const missing: string[] = [];
  for (const [place, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const folders = place
        .split("/node_modules/")
        .map((_, i, parts) => parts.slice(0, i + 1).join("/node_modules/"));
      const isThere = ["", ...folders].some(
        (folder) => path.join(folder, "node_modules", name) in lock.packages,
      );
      if (!isThere) missing.push(`${name} of ${place}`);
    }
  }
  assert.deepEqual(missing, []);
});

test("links within the docs lead somewhere", () => {
  const known = new Set(repositoryPaths());
  const dead: string[] = [];
  for (const { path: name, text } of files.filter((file) => file.path.endsWith(".md"))) {
    for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const full = path.posix.join(path.posix.dirname(name), target);
      if (!known.has(full) && ![...known].some((file) => file.startsWith(`${full.replace(/\/$/, "")}/`)))
        dead.push(`${name}: ${target}`);
    }
  }
  assert.deepEqual(dead, []);
});

test("each promise that docs/attacks.md quotes is a test of the file it names", () => {
  const attacks = files.find(({ path: name }) => name === "docs/attacks.md")?.text ?? "";
  const quotes = [...attacks.matchAll(/`([\w-]+\.test\.ts)`(?:: ([^|;`]+))?/g)];
  assert.ok(quotes.length > 20);
  const absent = quotes.flatMap(([, name = "", promise = ""]) => {
    const named = files.filter(({ path: other }) => path.basename(other) === name);
    if (named.length === 0) return [name];
    // A title may have a part for each row of its table: its beginning or its end stands as it is.
    const words = promise
      .trim()
      .split(" ")
      .filter((word) => word !== "");
    const ends = [words.slice(0, 4).join(" "), words.slice(-4).join(" ")];
    return named.some(({ text }) => ends.some((end) => text.includes(end))) ? [] : [`${name}: ${promise}`];
  });
  assert.deepEqual(absent, []);
});

for (const { name, file, from } of mutants) {
  test(`the mutant "${name}" still knows the one place it changes`, () => {
    const source = typescript.find(({ path: each }) => each === file);
    assert.equal(source?.text.split(from).length, 2, file);
  });
}
