/** Secrets at rest: argon2id (RFC 9106) from a passphrase to a key, AES-256-GCM over each secret. */
import { argon2, createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

import { concat, fromBase64url, toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";

/** Cost of one guess at the passphrase; stored beside the salt so that it can be raised later. */
export interface KdfParameters {
  readonly salt: string;
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface SealedSecret {
  readonly nonce: string;
  readonly sealed: string;
}

const nonceBytes = 12;
const tagBytes = 16;

/** RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes. */
export function freshKdfParameters(): KdfParameters {
  return { salt: toBase64url(randomBytes(16)), memoryKiB: 65_536, passes: 3, lanes: 4 };
}

/** The 32-byte key under which secrets are sealed. */
export async function unlockKey(passphrase: Uint8Array, kdf: KdfParameters): Promise<Uint8Array> {
  const nonce = fromBase64url(kdf.salt);
  if (nonce === undefined) throw new Refusal("bad_state", "The key folder's salt can't be read.");
  return await new Promise((resolve, reject) => {
    argon2(
      "argon2id",
      {
        message: passphrase,
        nonce,
        parallelism: kdf.lanes,
        tagLength: 32,
        memory: kdf.memoryKiB,
        passes: kdf.passes,
      },
      (error, key) => (error === null ? resolve(key) : reject(error)),
    );
  });
}

/** @param name what the secret is; bound to it, so that two sealed files can't be swapped. */
export function sealSecret(key: Uint8Array, name: string, secret: Uint8Array): SealedSecret {
  const { nonce, sealed } = sealBytes(key, utf8(name), secret);
  return { nonce: toBase64url(nonce), sealed: toBase64url(sealed) };
}

/** @throws Refusal `bad_state` if the passphrase is another or the file was changed. */
export function openSecret(key: Uint8Array, name: string, secret: SealedSecret): Uint8Array {
  const nonce = fromBase64url(secret.nonce);
  const sealed = fromBase64url(secret.sealed);
  if (nonce?.length !== nonceBytes || sealed === undefined || sealed.length < tagBytes) {
    throw new Refusal("bad_state", `The sealed key "${name}" can't be read.`);
  }
  try {
    return openBytes(key, utf8(name), { nonce, sealed });
  } catch (cause) {
    throw new Refusal(
      "bad_state",
      `The sealed key "${name}" doesn't open: wrong unlock secret, or it was changed.`,
      {
        cause,
      },
    );
  }
}

/** @param bound what is bound to the sealed bytes without being in them; `sealed` ends in the 16-byte tag */
export function sealBytes(
  key: Uint8Array,
  bound: Uint8Array,
  bytes: Uint8Array,
): { readonly nonce: Uint8Array; readonly sealed: Uint8Array } {
  const nonce = randomBytes(nonceBytes);
  return { nonce, sealed: sealUnder(key, nonce, bound, bytes) };
}

/** The same under a nonce that was drawn before, because it is part of what is bound: never twice with one key. */
export function sealUnder(
  key: Uint8Array,
  nonce: Uint8Array,
  bound: Uint8Array,
  bytes: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(bound);
  return concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** @throws Error if key, bound bytes or sealed bytes are others */
export function openBytes(
  key: Uint8Array,
  bound: Uint8Array,
  { nonce, sealed }: { readonly nonce: Uint8Array; readonly sealed: Uint8Array },
): Uint8Array {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(bound);
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const secret = decipher.update(sealed.subarray(0, -tagBytes));
  try {
    // Of a stream cipher nothing is left for the end, which only checks the tag.
    decipher.final();
    return Uint8Array.from(secret);
  } finally {
    secret.fill(0);
  }
}
