/** What a signer's key is for, by its name; a name that isn't here has no key. */
import type { SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import type { Purpose } from "../../identity/authority.ts";

export type KeyPurpose =
  | { readonly kind: "root"; readonly purpose: Purpose; readonly isClassical: boolean }
  | { readonly kind: "log"; readonly generation: number };

/**
 * `server-root`, `server-root.2`, `server-root-classical`, …; `log-ml-dsa-65`, …: the second generation and later
 * ones have a number.
 */
const rootName = /^(server|client)-root(-classical)?(\.[1-9][0-9]{0,3})?$/;
const logName = /^log-[a-z0-9][a-z0-9-]{0,31}(?:\.([1-9][0-9]{0,3}))?$/;

const rootSuites: readonly SignatureSuiteId[] = ["ML-DSA-65", "ML-DSA-87"];
const classicalSuites: readonly SignatureSuiteId[] = ["Ed25519", "ECDSA-P384"];

/** Undefined if no key of that name is a signer's. */
export function keyPurpose(name: string): KeyPurpose | undefined {
  const [, root, classical] = rootName.exec(name) ?? [];
  if (root === "server" || root === "client") {
    return { kind: "root", purpose: root, isClassical: classical !== undefined };
  }
  const log = logName.exec(name);
  return log === null ? undefined : { kind: "log", generation: Number(log[1] ?? 1) };
}

/** Whether a key for that purpose may be of that suite; roots are post-quantum, but for the classical ones beside them. */
export function maySignWith(purpose: KeyPurpose, suiteId: SignatureSuiteId): boolean {
  return purpose.kind === "log" || (purpose.isClassical ? classicalSuites : rootSuites).includes(suiteId);
}
