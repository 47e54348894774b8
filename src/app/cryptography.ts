/** The self-test of what a config uses: before a gateway opens its door, and for the doctor. */
import { selfTests, type SelfTest } from "../crypto/self-test.ts";
import { existsSync } from "node:fs";

import type { InForce } from "../crypto/suites/in-force.ts";
import { kemSuite } from "../crypto/suites/kem.ts";
import type { Profile } from "../crypto/suites/profiles.ts";
import { type SignatureSuite, signatureSuite } from "../crypto/suites/signatures.ts";
import { aeadSuites, hashSuites } from "../crypto/suites/symmetric.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Config } from "./config.ts";
import type { Finding } from "./doctor.ts";
import { profileInForce } from "./profile-in-force.ts";
import { statePaths } from "./state-folder.ts";

const headings: Readonly<Record<SelfTest["kind"], string>> = {
  "known-answer": "known answers, and what was changed is refused",
  signature: "signed and verified, and what was changed is refused",
  kem: "encapsulated and confirmed, and what was changed is refused",
};

/** @throws Refusal `self_test_failed` if an algorithm of these profiles' links doesn't do what its standard says */
export async function proveLinkCryptography(profiles: readonly Profile[]): Promise<void> {
  for (const { run } of testsOf(profiles, [])) await run();
}

/** Those of the profiles in force, see `cryptographyFindings`. */
export async function cryptographyInForce(config: Config, clock: Clock): Promise<readonly Finding[]> {
  // Before the first start there is no history of profiles, and the doctor makes none.
  if (!existsSync(statePaths(config.state).database)) return await cryptographyFindings([config.profile]);
  return await cryptographyFindings(profilesIn(profileInForce(config, clock)));
}

/** The one that was applied last, and those that are still taken. */
export function profilesIn({ profile, outgoing }: InForce): readonly Profile[] {
  return [profile, ...outgoing.map((each) => each.profile)];
}

/** All that is in use, the log's signatures too: what was tried, how long it took, and what failed. */
export async function cryptographyFindings(profiles: readonly Profile[]): Promise<readonly Finding[]> {
  const ofLogs = profiles.flatMap(({ log }) => [...log.required, log.cosignature, log.daily]);
  const tests = testsOf(profiles, [...new Set(ofLogs)].map(signatureSuite));
  const findings: Finding[] = [];
  for (const kind of ["known-answer", "signature", "kem"] as const) {
    const passed: string[] = [];
    for (const test of tests.filter((each) => each.kind === kind)) {
      const startedMs = performance.now();
      try {
        await test.run();
        passed.push(`${test.name} ${(performance.now() - startedMs).toFixed(1)} ms`);
      } catch (error) {
        findings.push(failure(error));
      }
    }
    if (passed.length > 0)
      findings.push({ level: "ok", what: "cryptography", text: `${headings[kind]}: ${passed.join(", ")}` });
  }
  return findings;
}

function failure(error: unknown): Finding {
  return {
    level: "wrong",
    what: "cryptography",
    text: error instanceof Error ? error.message : "unknown failure",
    remedy: "start nothing with it; run the Node that comes with this package (npm install)",
  };
}

function testsOf(profiles: readonly Profile[], further: readonly SignatureSuite[]): readonly SelfTest[] {
  const kems = new Set(profiles.flatMap(({ groups }) => groups.flatMap(({ kem }) => kem ?? [])));
  const ciphers = profiles.flatMap((profile) => profile.ciphers.split(":"));
  const identities = profiles.flatMap((profile) => [...profile.identities, profile.classical]);
  return selfTests({
    // Which hash is used where isn't the profile's choice alone, and they cost nothing.
    hashes: hashSuites,
    aeads: aeadSuites.filter(({ id }) => ciphers.includes(id)),
    signatures: once([...identities, ...further]),
    kems: [...kems].map(kemSuite),
  });
}

function once(suites: readonly SignatureSuite[]): readonly SignatureSuite[] {
  return suites.filter(({ id }, at) => suites.findIndex((each) => each.id === id) === at);
}
