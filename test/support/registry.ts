/** Packages that only one long suite needs, fetched from the registry when it runs. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const cache = fileURLToPath(new URL("../../node_modules/.cache/test-packages", import.meta.url));

export interface Fetched {
  readonly folder: string;
  /** Loads what is installed there. */
  readonly from: NodeJS.Require;
  /** Why they aren't there: the registry can't be reached. */
  readonly missing: string | undefined;
}

/** @param packages with exact versions; kept between runs */
export async function fetched(...packages: readonly string[]): Promise<Fetched> {
  const folder = path.join(cache, packages.join("-").replaceAll(/[@/]/g, "-"));
  const from = createRequire(path.join(folder, "package.json"));
  const marker = path.join(folder, "complete");
  if ((await readFile(marker, "utf8").catch(() => "")) !== "") return { folder, from, missing: undefined };
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "package.json"), '{ "private": true }');
  try {
    const install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...packages];
    await promisify(execFile)("npm", install, { cwd: folder, timeout: 120_000 });
    await writeFile(marker, "yes");
    return { folder, from, missing: undefined };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : "unknown";
    return { folder, from, missing: `the registry can't be reached: ${why}` };
  }
}
