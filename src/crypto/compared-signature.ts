/** Keys of a compared algorithm, and what is done with them: the same calls as for keys of our own. */
import { constants, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";

import type { IssuingKey } from "./certificate.ts";
import type { ComparedSignature } from "./suites/compared.ts";

export interface ComparedKey extends IssuingKey {
  readonly suite: ComparedSignature;
  readonly privateKey: KeyObject;
  /** PKCS #8, as TLS takes it. */
  readonly pem: () => string;
}

/** A fresh key that signs certificates, as the algorithm has it there. */
export function comparedKey(suite: ComparedSignature): ComparedKey {
  const { publicKey, privateKey } = made(suite);
  return {
    suite,
    publicKey,
    privateKey,
    pem: () => privateKey.export({ format: "pem", type: "pkcs8" }),
    sign: (message) => Promise.resolve(sign(suite.digest, message, privateKey)),
  };
}

/** What a handshake does with a key: one end signs, the other verifies. RSA is padded as TLS 1.3 has it. */
export function handshakeSignature({ suite, privateKey, publicKey }: ComparedKey): {
  readonly sign: (message: Uint8Array) => Uint8Array;
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean;
} {
  const pss = suite.keyType === "rsa" && {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  };
  const [signing, verifying] = [
    { key: privateKey, ...pss },
    { key: publicKey, ...pss },
  ];
  return {
    sign: (message) => sign(suite.digest, message, signing),
    verify: (message, signature) => verify(suite.digest, message, verifying, signature),
  };
}

function made({ keyType, curve, modulusBits }: ComparedSignature): {
  publicKey: KeyObject;
  privateKey: KeyObject;
} {
  if (keyType === "rsa") return generateKeyPairSync(keyType, { modulusLength: modulusBits ?? 0 });
  if (keyType === "ec") return generateKeyPairSync(keyType, { namedCurve: curve ?? "" });
  // The overloads name each key type; a row's type is one of them.
  return generateKeyPairSync(keyType as "ed25519");
}
