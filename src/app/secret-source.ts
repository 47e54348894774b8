/** Secrets that the config names: each in a file or an environment variable. */
import { readFileSync } from "node:fs";
import path from "node:path";

import { Refusal } from "../kernel/refusal.ts";

type SecretSource = { readonly file: string } | { readonly env: string };

/**
 * @param at where the config names it; @param folder relative paths count from here
 * @throws Refusal `bad_config` if there is nothing
 */
export function secretFrom(source: SecretSource, at: string, folder: string): string {
  const value =
    "env" in source ? process.env[source.env] : readSecretFile(path.resolve(folder, source.file), at);
  if (value === undefined || value.trim() === "") {
    throw new Refusal("bad_config", `${at}: nothing found in ${"env" in source ? source.env : source.file}.`);
  }
  return value.trim();
}

function readSecretFile(file: string, at: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Refusal("bad_config", `${at}: ${file} can't be read.`, { cause });
  }
}
