/** One run of an official suite: a process of its own, and a folder for what it found. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where all of them write; `npm run conformance` leaves it there. */
export const out = path.join(root, "out", "conformance");

/** The pinned packages of the suites. */
export type Pin = "mcp-conformance-stable" | "mcp-conformance-next";

/** @returns the folder with what it found */
export async function runSuite(pin: Pin, args: readonly string[], folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const program = path.join(root, "node_modules", pin, "dist", "index.js");
  const child = spawn(process.execPath, [program, ...args, "-o", folder], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = createWriteStream(`${folder}.log`);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  // Its exit code is not asked: scenarios nobody implements fail, direct and proxied alike.
  await once(child, "close");
  log.end();
  return folder;
}
