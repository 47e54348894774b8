/**
 * The message keys of one end: one of each algorithm, as a JWK set (RFC 9964), known by a fingerprint that people
 * compare and approve (docs/formats/message-signature.md).
 */
import { sha256Base64url } from "../crypto/hash.ts";
import type { NamedKey } from "../crypto/jws.ts";
import { importRawPublicKey, type PublicKey, type SigningKey } from "../crypto/keys.ts";
import { type MessageSuiteId, messageSuiteIds, signatureSuite } from "../crypto/suites/signatures.ts";
import { fromBase64url, toBase64url } from "../kernel/bytes.ts";
import { objectIn } from "./fields.ts";

export interface KeySet {
  /** base64url of SHA-256 over the canonical form of the JWK set. */
  readonly fingerprint: string;
  /** One of each algorithm, in the order of their names. */
  readonly keys: readonly NamedKey[];
}

/** A message key that signs. */
export type MessageSigner = NamedKey & Pick<SigningKey, "sign">;

/** RFC 9964 §3, with nothing beside. Its members are in canonical order. */
export interface MessageJwk {
  readonly alg: MessageSuiteId;
  readonly kty: "AKP";
  readonly pub: string;
}

/** @throws Error if it isn't one of each algorithm */
export function keySetOf(keys: readonly Pick<SigningKey, "suite" | "publicKey">[]): KeySet {
  return named(
    messageSuiteIds.map((id) => {
      const key = keys.find(({ suite }) => suite.id === id);
      if (key === undefined) throw new Error(`a key set needs a key of ${id}`);
      return jwkOf(id, key.publicKey);
    }),
    keys.map(({ publicKey }) => publicKey),
  );
}

/** The key as one of its end's set. */
export function messageSigner({ suite, publicKey, sign }: SigningKey): MessageSigner {
  const id = messageSuiteIds.find((name) => name === suite.id);
  if (id === undefined) throw new Error(`${suite.id} signs no messages`);
  return { suite, publicKey, sign, kid: thumbprint(jwkOf(id, publicKey)) };
}

/** For JSON: as `message-keys` says them, and as pins keep them. */
export function writeKeySet({ keys }: KeySet): readonly MessageJwk[] {
  return messageSuiteIds.flatMap((id) =>
    keys.filter(({ suite }) => suite.id === id).map(({ publicKey }) => jwkOf(id, publicKey)),
  );
}

/** @returns undefined if `value` isn't exactly one public key of each algorithm, in any order */
export function readKeySet(value: unknown): KeySet | undefined {
  if (!Array.isArray(value) || value.length !== messageSuiteIds.length) return undefined;
  const rows: readonly unknown[] = value;
  const jwks: MessageJwk[] = [];
  const publicKeys: PublicKey[] = [];
  for (const id of messageSuiteIds) {
    const row = objectIn(rows.find((candidate) => objectIn(candidate)?.["alg"] === id));
    const pub = row?.["pub"];
    if (row === undefined || row["kty"] !== "AKP" || typeof pub !== "string") return undefined;
    if (Object.keys(row).length !== 3) return undefined;
    const bytes = fromBase64url(pub);
    const key = bytes && importRawPublicKey(signatureSuite(id), bytes);
    if (key === undefined) return undefined;
    jwks.push({ alg: id, kty: "AKP", pub });
    publicKeys.push(key);
  }
  return named(jwks, publicKeys);
}

/** Whether a text looks like the fingerprint of a key set. */
export function isKeySetFingerprint(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

/** @param publicKeys of any order */
function named(jwks: readonly MessageJwk[], publicKeys: readonly PublicKey[]): KeySet {
  const keys = jwks.map((jwk): NamedKey => {
    const suite = signatureSuite(jwk.alg);
    const publicKey = publicKeys.find((key) => key.asymmetricKeyType === suite.keyType);
    if (publicKey === undefined) throw new Error(`no key of ${jwk.alg}`);
    return { suite, publicKey, kid: thumbprint(jwk) };
  });
  return { fingerprint: sha256Base64url(JSON.stringify({ keys: jwks })), keys };
}

/** RFC 7638 §3, RFC 9964 §6: all three members, in canonical order, as they stand. */
function thumbprint(jwk: MessageJwk): string {
  return sha256Base64url(JSON.stringify(jwk));
}

function jwkOf(alg: MessageSuiteId, publicKey: PublicKey): MessageJwk {
  return { alg, kty: "AKP", pub: toBase64url(publicKey.export({ format: "raw-public" })) };
}
