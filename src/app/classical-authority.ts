/** The classical roots of this state folder, made when they are first needed. */
import { parseCertificate } from "../crypto/certificate.ts";
import { algorithmOf } from "../crypto/keys.ts";
import { isSignatureSuiteId, type KnownSignatureSuite, signatureSuite } from "../crypto/suites/signatures.ts";
import { readIfThere, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { Purpose } from "../identity/authority.ts";
import { type ClassicalAuthority, createClassicalRoot } from "../identity/classical-authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { statePaths } from "./state-folder.ts";

export interface OpenClassicalAuthority {
  readonly authority: ClassicalAuthority;
  /** The algorithm of its roots, which stays what it was when they were made, whatever the profile. */
  readonly suite: KnownSignatureSuite;
}

/**
 * @param suite of roots that have yet to be made
 * @throws Refusal `bad_state` if they are there and can't be read
 */
export async function openClassicalAuthority(
  at: { readonly state: string; readonly keys: KeyFolder },
  { trustDomain, suite }: { readonly trustDomain: string; readonly suite: KnownSignatureSuite },
  clock: Clock,
): Promise<OpenClassicalAuthority> {
  const paths = statePaths(at.state);
  const files = { server: paths.classicalServerRoot, client: paths.classicalClientRoot };
  const made = suiteOf(await readIfThere(files.server)) ?? suite;
  const root = async (purpose: Purpose): Promise<ClassicalAuthority["roots"][Purpose]> => {
    const key = await at.keys.signing(`${purpose}-root-classical`, made.id);
    const stored = await readIfThere(files[purpose]);
    const certificate = stored ?? (await createClassicalRoot(trustDomain, purpose, key, clock.nowUnixMs()));
    if (stored === undefined) await writePrivateFile(files[purpose], certificate);
    return { key, certificate };
  };
  const roots = { server: await root("server"), client: await root("client") };
  return { authority: { trustDomain, roots }, suite: made };
}

function suiteOf(stored: string | undefined): KnownSignatureSuite | undefined {
  if (stored === undefined) return undefined;
  const certificate = parseCertificate(stored);
  const algorithm = certificate && algorithmOf(certificate.publicKey);
  if (algorithm !== undefined && isSignatureSuiteId(algorithm)) return signatureSuite(algorithm);
  throw new Refusal("bad_state", "The classical root certificate can't be read; restore it from a backup.");
}
