#!/usr/bin/env node
// Runs latticegate on Node 26: this one, or the one that comes with the package. Works from any Node 20 on.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "src", "cli", "main.ts");
const main = existsSync(source) ? source : join(root, "dist", "cli", "main.js");
const args = [main, ...process.argv.slice(2)];

if (Number(process.versions.node.split(".")[0]) >= 26) {
  process.argv.splice(1, 1, main);
  await import(main);
} else {
  const runtime = join(dirname(createRequire(import.meta.url).resolve("node/package.json")), "bin", "node");
  if (!existsSync(runtime)) {
    console.error(
      "latticegate needs Node 26, which comes as the npm package `node`: run npm install once more.",
    );
    process.exit(1);
  }
  const child = spawn(runtime, args, { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => (process.exitCode = code ?? (signal === null ? 1 : 128)));
}
