/** The message keys of one end: one of each algorithm (docs/formats/message-signature.md). */
import type { NamedKey } from "../crypto/jws.ts";
import type { SigningKey } from "../crypto/keys.ts";
import { messageSuiteIds } from "../crypto/suites/signatures.ts";
import { jwkSets, thumbprint } from "./jwk-set.ts";

export type { KeySet } from "./jwk-set.ts";

/** A message key that signs. */
export type MessageSigner = NamedKey & Pick<SigningKey, "sign">;

export const { of: keySetOf, read: readKeySet, write: writeKeySet } = jwkSets(messageSuiteIds);

/** The key as one of its end's set. */
export function messageSigner({ suite, publicKey, sign }: SigningKey): MessageSigner {
  const id = messageSuiteIds.find((name) => name === suite.id);
  if (id === undefined) throw new Error(`${suite.id} signs no messages`);
  return { suite, publicKey, sign, kid: thumbprint(id, publicKey) };
}

/** Whether a text looks like the fingerprint of a key set. */
export function isKeySetFingerprint(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}
