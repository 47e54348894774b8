// Runs steps one after another, times them, and stops at the first that fails.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

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

/** @returns the exit code */
export async function runSteps(steps, { keepGoing = false } = {}) {
  const began = Date.now();
  const results = [];
  for (const step of steps) {
    console.log(`\n— ${step.name}`);
    const stepBegan = Date.now();
    const ended = await Promise.all((step.steps ?? [step]).map(run));
    const ok = ended.every(Boolean);
    results.push({ name: step.name, ok, seconds: (Date.now() - stepBegan) / 1000 });
    if (!ok && !keepGoing) break;
  }
  console.log("");
  for (const { name, ok, seconds } of results)
    console.log(`${ok ? "ok  " : "FAIL"} ${seconds.toFixed(1).padStart(7)} s  ${name}`);
  console.log(`     ${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  in all`);
  return results.length === steps.length && results.every(({ ok }) => ok) ? 0 : 1;
}

/** @returns whether it succeeded */
async function run({ command, args }) {
  const env = {
    // A suite starts hundreds of processes; each reads what the first one compiled.
    NODE_COMPILE_CACHE: path.join(root, "node_modules", ".cache", "node"),
    // They start it from one file, as users of the package do.
    LATTICEGATE_PROGRAM: program,
    ...process.env,
    PATH: `${path.join(root, "node_modules", ".bin")}${path.delimiter}${process.env.PATH}`,
  };
  try {
    const [code] = await once(spawn(command, args, { cwd: root, stdio: "inherit", env }), "exit");
    return code === 0;
  } catch (error) {
    console.error(error.message);
    return false;
  }
}
