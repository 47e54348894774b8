// Runs steps one after another, times them, and stops at the first that fails.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

import { node26, program, root } from "./setup.mjs";

/** A step that runs Node 26 with these arguments. */
export function node(name, ...args) {
  return { name, command: node26(), args };
}

/** A step that runs a tool of node_modules/.bin. */
export function tool(name, binary, ...args) {
  return { name, command: path.join(root, "node_modules", ".bin", binary), args };
}

/** One step of several that run at the same time. */
export function together(name, ...steps) {
  return { name, steps };
}

/**
 * @param tries how often a step is run that fails, of its tests those that failed: what passes only then is called
 * unsteady, and shown with what failed
 * @returns the exit code
 */
export async function runSteps(steps, { keepGoing = false, tries = 1 } = {}) {
  const began = Date.now();
  const results = [];
  for (const step of steps) {
    console.log(`\n— ${step.name}`);
    const stepBegan = Date.now();
    const failures = [];
    const each = (step.steps ?? [step]).map((one, i) => ({ ...one, args: rerunnable(one.args, i, tries) }));
    let [ok, runs] = [false, 0];
    while (!ok && runs < tries) {
      if (runs++ > 0) console.log(`\n— ${step.name}: once more, since it failed`);
      const ended = await Promise.all(each.map(run));
      ok = ended.every((one) => one.ok);
      failures.push(...ended.flatMap((one) => (one.ok ? [] : one.failures)));
    }
    const how = !ok ? "FAIL" : runs > 1 ? "unsteady" : "ok";
    results.push({ name: step.name, how, seconds: (Date.now() - stepBegan) / 1000, failures });
    if (!ok && !keepGoing) break;
  }
  for (const { name, failures } of results)
    if (failures.length > 0) console.log(`\n— what failed of ${name}\n${failures.join("\n")}`);
  console.log("");
  for (const { name, how, seconds } of results)
    console.log(`${how.padEnd(8)} ${seconds.toFixed(1).padStart(7)} s  ${name}`);
  console.log(`         ${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  in all`);
  return results.length === steps.length && results.every(({ how }) => how !== "FAIL") ? 0 : 1;
}

/** Node's test runner notes what passed, so that it isn't run again. */
function rerunnable(args, i, tries) {
  if (tries === 1 || !args.includes("--test")) return args;
  const state = path.join(root, "node_modules", ".cache", `tests-that-passed-${i}.json`);
  mkdirSync(path.dirname(state), { recursive: true });
  rmSync(state, { force: true });
  return [`--test-rerun-failures=${state}`, ...args];
}

/** What is said again of a step that failed, at the end, where it is looked for. */
const maxFailureLines = 80;
const beginsFailures = /fail(?:ing|ed) tests:/i;

/** What a suite leaves in its temporary files at most, and then some. */
const roomBytes = 6 * 2 ** 30;

/**
 * Where tests keep their temporary files: in memory where there is room, since each gateway waits for the disk a
 * hundred times. What kill -9 leaves is the same there; what a power cut leaves, no test can see on a disk either.
 */
function scratchFolder() {
  const memory = "/dev/shm";
  try {
    const { type, bavail, bsize } = statfsSync(memory);
    const isInMemory = type === 0x01021994;
    if (process.env.TMPDIR === undefined && isInMemory && bavail * bsize >= roomBytes)
      return passable(mkdtempSync(path.join(memory, "lg-")));
  } catch {
    // There is none on this system.
  }
  return passable(mkdtempSync(path.join(tmpdir(), "lg-")));
}

/** Processes of other users, which tests start where they may, reach their own folders in it. */
function passable(folder) {
  chmodSync(folder, 0o711);
  return folder;
}

/** @returns whether it succeeded, and what its test runner says of what failed */
async function run({ command, args }) {
  const scratch = scratchFolder();
  const env = {
    // A suite starts hundreds of processes; each reads what the first one compiled.
    NODE_COMPILE_CACHE: path.join(root, "node_modules", ".cache", "node"),
    // They start it from one file, as users of the package do.
    LATTICEGATE_PROGRAM: program,
    ...process.env,
    TMPDIR: scratch,
    PATH: `${path.join(root, "node_modules", ".bin")}${path.delimiter}${process.env.PATH}`,
  };
  if (process.stdout.isTTY) env.FORCE_COLOR ??= "1";
  const failures = [];
  try {
    const child = spawn(command, args, { cwd: root, stdio: ["inherit", "pipe", "inherit"], env });
    child.stdout.on("data", (bytes) => process.stdout.write(bytes));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const isFailure = failures.length > 0 || beginsFailures.test(line);
      if (isFailure && failures.length < maxFailureLines) failures.push(line);
    });
    const [code] = await once(child, "close");
    return { ok: code === 0, failures };
  } catch (error) {
    console.error(error.message);
    return { ok: false, failures };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
