/** Keys for tests, by the type that node:crypto gives them. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

import { type SigningKey, signingKey } from "../../src/crypto/keys.ts";
import {
  algorithmOfKeyType,
  signatureSuite,
  type SignatureSuiteId,
} from "../../src/crypto/suites/signatures.ts";

export function newSigningKey(keyType: string): SigningKey {
  return signingKeyOf(generateKeyPairSync(keyType as "ed25519").privateKey);
}

export function signingKeyOf(privateKey: KeyObject): SigningKey {
  const id = algorithmOfKeyType(privateKey.asymmetricKeyType) as SignatureSuiteId;
  return signingKey({ suite: signatureSuite(id), privateKey, publicKey: createPublicKey(privateKey) });
}
