/** Plain TCP and classical TLS between two places of a lab, to compare peers with. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { outsideAuthority } from "./certificates.ts";
import type { Cleanup } from "./cleanup.ts";
import { startProcess } from "./cli.ts";
import type { Space } from "./lab.ts";
import type { Site } from "./nat.ts";
import { homeOf } from "./peer-house.ts";
import type { PlainMeasured } from "./plain-ends.ts";

const script = fileURLToPath(new URL("./plain-ends.ts", import.meta.url));

/** @returns measures plain TCP and classical TLS from there to that site, as wires are just then */
export async function plainEnds(
  t: Cleanup,
  folder: string,
  { at, from }: { readonly at: Site | undefined; readonly from: Space },
): Promise<() => Promise<PlainMeasured>> {
  if (at === undefined) throw new Error("there is a public home");
  const authority = outsideAuthority("a classical authority");
  const issued = authority.issue("an end");
  const files = [issued.certificate, issued.key, authority.certificate].map((pem, i) => ({
    file: path.join(folder, `plain${i}.pem`),
    pem,
  }));
  for (const { file, pem } of files) await writeFile(file, pem);
  const args = [at.address, ...files.map(({ file }) => file)];
  await startProcess(t, [...homeOf(at).on, process.execPath, script, "serve", ...args], /^ready/);
  const [program, ...before] = from.on;
  return async () => {
    const command = [...before, process.execPath, script, "call", ...args];
    const { stdout } = await promisify(execFile)(program, command, { timeout: 120_000 });
    return JSON.parse(stdout) as PlainMeasured;
  };
}
