/**
 * `npm run mutants`: breaks the data path in the nine ways that conformance suites don't notice, one at a time in
 * a copy of the sources, and shows that the tests of the class it belongs to turn red. A mutant that survives fails
 * the run.
 */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { type Mutant, mutants } from "./mutants.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The sources and tests, where they may be broken; dependencies are the ones that are installed. */
async function copyOfSources(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-mutants-"));
  for (const name of ["src", "test", "models", "playbooks", "package.json"])
    await cp(path.join(root, name), path.join(folder, name), { recursive: true });
  await symlink(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  return folder;
}

/** Whether its tests are green, or red as they should be. @throws if they are neither: nothing of that name ran */
function isGreen(folder: string, { name, killedBy, tests }: Mutant): boolean {
  const flags = [
    "--test-reporter=tap",
    "--test-force-exit",
    "--test-timeout=20000",
    "--test-name-pattern",
    tests,
  ];
  const args = ["--test", ...flags, `test/faithful/${killedBy}.test.ts`];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 120_000 });
  const results = stdout.split("\n").filter((line) => /^(not )?ok /.test(line) && line.includes(tests));
  if (results.length === 0)
    throw new Error(`${name}: nothing of ${killedBy} named "${tests}" came to an end`);
  return results.every((line) => line.startsWith("ok "));
}

const folder = await copyOfSources();
let survivors = 0;
try {
  for (const mutant of mutants) {
    if (!isGreen(folder, mutant)) throw new Error(`${mutant.name}: its tests are red without it`);
  }
  for (const mutant of mutants) {
    const { name, file, from, to } = mutant;
    const target = path.join(folder, file);
    const original = await readFile(target, "utf8");
    if (original.split(from).length !== 2)
      throw new Error(`${name}: what it changes must stand once in ${file}`);
    await writeFile(
      target,
      original.replace(from, () => to),
    );
    const survived = isGreen(folder, mutant);
    await writeFile(target, original);
    if (survived) survivors += 1;
    console.log(`${survived ? "SURVIVED" : "killed  "}  ${name}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(
  survivors === 0
    ? `All ${mutants.length} mutants are killed.`
    : `${survivors} of ${mutants.length} survive.`,
);
process.exitCode = survivors === 0 ? 0 : 1;
