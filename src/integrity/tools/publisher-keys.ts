/** The keys that sign a server's manifests: one of each required algorithm (docs/formats/manifest.md). */
import type { SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import { jwkSets } from "../jwk-set.ts";

/** A manifest counts with a signature of each: the one stands if the other falls. */
export const manifestSuiteIds = ["Ed25519", "ML-DSA-65"] as const satisfies readonly SignatureSuiteId[];

export const {
  of: publisherKeysOf,
  read: readPublisherKeys,
  write: writePublisherKeys,
} = jwkSets(manifestSuiteIds);

/** Whether a text looks like the fingerprint of a publisher's keys. */
export function isPublisherFingerprint(text: string): boolean {
  return /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text);
}
