/** The classical roots of this state folder, made when they are first needed. */
import type { Profile } from "../crypto/suites/profiles.ts";
import { readIfThere, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { Purpose } from "../identity/authority.ts";
import { type ClassicalAuthority, createClassicalRoot } from "../identity/classical-authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { statePaths } from "./state-folder.ts";

/** @throws Refusal `bad_state` if they are there and can't be read */
export async function openClassicalAuthority(
  at: { readonly state: string; readonly keys: KeyFolder },
  config: { readonly trustDomain: string; readonly profile: Profile },
  clock: Clock,
): Promise<ClassicalAuthority> {
  const { trustDomain, profile } = config;
  const paths = statePaths(at.state);
  const root = async (purpose: Purpose, file: string): Promise<ClassicalAuthority["roots"][Purpose]> => {
    const key = await at.keys.signing(`${purpose}-root-classical`, profile.classical.id);
    const stored = await readIfThere(file);
    const certificate = stored ?? (await createClassicalRoot(trustDomain, purpose, key, clock.nowUnixMs()));
    if (stored === undefined) await writePrivateFile(file, certificate);
    return { key, certificate };
  };
  return {
    trustDomain,
    roots: {
      server: await root("server", paths.classicalServerRoot),
      client: await root("client", paths.classicalClientRoot),
    },
  };
}
