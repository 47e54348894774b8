/** The files of this repository as git has them, the new ones included. */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export const repositoryRoot = fileURLToPath(new URL("../../", import.meta.url));

export function repositoryPaths(): readonly string[] {
  const options = { cwd: repositoryRoot, encoding: "utf8" } as const;
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], options);
  return listed.split("\n").filter((name) => name !== "");
}

/** Those that are text. */
export async function repositoryFiles(): Promise<
  readonly { readonly path: string; readonly text: string }[]
> {
  const texts = repositoryPaths()
    .filter((name) => /\.(ts|tsx|mjs|json|md|yaml|css|html|txt)$/.test(name))
    .map(async (name) => ({
      path: name,
      text: await readFile(repositoryRoot + name, "utf8").catch(() => undefined),
    }));
  return (await Promise.all(texts)).flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]));
}
