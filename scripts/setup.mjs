// Sets up a fresh clone: dependencies, and with them Node 26. Runs on any Node from 20 on.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The command line as one file, which starts sooner; `ensureInstalled` makes it anew when the source is newer. */
export const program = path.join(root, "dist", "cli", "main.js");

/** Node 26, as the pinned dependency brings it. */
export function node26() {
  return path.join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
}

export async function ensureInstalled() {
  const stamp = path.join(root, "node_modules", ".package-lock.json");
  const isStale =
    !existsSync(stamp) || statSync(stamp).mtimeMs < statSync(path.join(root, "package-lock.json")).mtimeMs;
  if (isStale && isLink(path.join(root, "node_modules"))) {
    // npm ci would empty the folder that the link leads to, under everybody else who uses it.
    console.log(
      "node_modules is a link and older than package-lock.json: used as it is, nothing is installed.",
    );
  } else if (isStale) {
    console.log("Installing dependencies (npm ci) …");
    run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  }
  // Where npm holds install scripts back, the one that fetches Node is run here.
  if (!existsSync(node26()))
    run(process.execPath, ["installArchSpecificPackage.js"], path.join(root, "node_modules", "node"));
  if (isOlder(page("index.html"), ["web/src"])) {
    console.log("Building the page …");
    buildPage();
  }
  // The verifier is made of the code that verifies elsewhere, too. It comes second: the page's build empties the folder.
  if (
    isOlder(page("verify.html"), ["web/src/verifier", "src/audit", "src/crypto", "src/kernel", "src/merkle"])
  ) {
    console.log("Building the offline verifier …");
    buildPage("--config", "vite.verify.config.ts");
  }
  if (isOlder(program, ["src"])) {
    console.log("Building the command line …");
    const rolldown = path.join(root, "node_modules", "rolldown", "bin", "cli.mjs");
    run(node26(), [rolldown, "--config", "rolldown.config.mjs", "--log-level", "warn"]);
  }
}

function isLink(file) {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function page(name) {
  return path.join(root, "web", "dist", name);
}

function isOlder(file, folders) {
  if (!existsSync(file)) return true;
  return folders.some((folder) => statSync(file).mtimeMs < newest(path.join(root, folder)));
}

function buildPage(...more) {
  const vite = path.join(root, "node_modules", "vite", "bin", "vite.js");
  run(node26(), [vite, "build", "--logLevel", "warn", ...more], path.join(root, "web"));
}

function newest(folder) {
  if (!existsSync(folder)) return 0;
  return Math.max(
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(path.join(entry.parentPath, entry.name)).mtimeMs),
  );
}

function run(command, args, cwd = root) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (status === 0) return;
  console.error(`${command} ${args.join(" ")} failed${error ? `: ${error.message}` : ""}`);
  process.exit(1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await ensureInstalled();
