/** The files of this repository as git has them, the new ones included. */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

export async function repositoryFiles(): Promise<
  readonly { readonly path: string; readonly text: string }[]
> {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  const texts = listed
    .split("\n")
    .filter((name) => /\.(ts|tsx|mjs|json|md|yaml|css|html|txt)$/.test(name))
    .map(async (name) => ({ path: name, text: await readFile(root + name, "utf8").catch(() => undefined) }));
  return (await Promise.all(texts)).flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]));
}
