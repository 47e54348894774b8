/** What a signer's key is for, by its name; a name that isn't here has no key. */
import type { SignatureSuiteId } from "../../crypto/suites.ts";
import type { Purpose } from "../../identity/authority.ts";

export type KeyPurpose = { readonly kind: "root"; readonly purpose: Purpose } | { readonly kind: "log" };

/** `server-root`, `server-root.2`, …; `log-ml-dsa-65`, …: the second generation and later ones have a number. */
const rootName = /^(server|client)-root(\.[1-9][0-9]{0,3})?$/;
const logName = /^log-[a-z0-9][a-z0-9-]{0,31}(\.[1-9][0-9]{0,3})?$/;

const rootSuites: readonly SignatureSuiteId[] = ["ML-DSA-65", "ML-DSA-87"];

/** Undefined if no key of that name is a signer's. */
export function keyPurpose(name: string): KeyPurpose | undefined {
  const root = rootName.exec(name)?.[1];
  if (root === "server" || root === "client") return { kind: "root", purpose: root };
  return logName.test(name) ? { kind: "log" } : undefined;
}

/** Whether a key for that purpose may be of that suite; roots are post-quantum. */
export function maySignWith({ kind }: KeyPurpose, suiteId: SignatureSuiteId): boolean {
  return kind === "log" || rootSuites.includes(suiteId);
}
