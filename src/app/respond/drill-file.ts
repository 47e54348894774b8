/** The kill file, as a drill writes it and takes it away again: its own, and nobody else's. */
import type { BigIntStats } from "node:fs";
import { link, lstat, readFile, rename, rm, writeFile } from "node:fs/promises";

/**
 * @returns what takes it away; @throws if a file is there already
 */
export async function writeDrillFile(file: string, text: string): Promise<() => Promise<void>> {
  // INVARIANT: it never takes the place of somebody's own.
  await writeFile(file, text, { flag: "wx", mode: 0o600 });
  const written = await lstat(file, { bigint: true });
  const aside = `${file}.drill`;
  return async () => {
    if (!(await isStill(file, written, text))) return;
    // INVARIANT: what somebody wrote between that look and the removal is put back.
    await rename(file, aside);
    if (!(await isStill(aside, written, text))) await link(aside, file).catch(isThere);
    await rm(aside, { force: true });
  };
}

async function isStill(file: string, { ino, mtimeNs }: BigIntStats, text: string): Promise<boolean> {
  const now = await lstat(file, { bigint: true }).catch(() => undefined);
  if (now?.ino !== ino || now.mtimeNs !== mtimeNs) return false;
  return (await readFile(file, "utf8")) === text;
}

/** Whoever made another meanwhile stops all calls with that one. */
function isThere(error: unknown): void {
  if (error instanceof Error && "code" in error && error.code === "EEXIST") return;
  throw error;
}
