/** Programs of Debian's that a test or a bench needs: installed here, where root allows it. */
import { spawnSync } from "node:child_process";

/** An environment whose path has what is for administrators, too, which users' often lacks. */
export function withDaemons(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
}

/** @returns why `program` can't be had, or undefined if it is there now */
export function installed(program: string, debianPackage: string): string | undefined {
  const isThere = (): boolean =>
    spawnSync("sh", ["-c", `command -v ${program}`], { env: withDaemons() }).status === 0;
  if (isThere()) return undefined;
  if (process.getuid?.() !== 0) return `${program} isn't installed and installing it needs root`;
  const apt = (...args: string[]): boolean =>
    spawnSync("apt-get", ["-y", "-q", ...args], { stdio: "ignore" }).status === 0;
  const worked = apt("update") && apt("install", "--no-install-recommends", debianPackage);
  return worked && isThere() ? undefined : `${program} can't be installed`;
}
