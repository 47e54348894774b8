/**
 * One public key of each of some algorithms, as a JWK set (RFC 7517, 8037, 9964), known by a fingerprint that people
 * compare and approve.
 */
import { sha256Base64url } from "../crypto/hash.ts";
import type { NamedKey } from "../crypto/jws.ts";
import { importRawPublicKey, type PublicKey, type SigningKey } from "../crypto/keys.ts";
import { signatureSuite, type SignatureSuiteId } from "../crypto/suites/signatures.ts";
import { fromBase64url, toBase64url } from "../kernel/bytes.ts";
import { objectIn } from "./fields.ts";

export interface KeySet {
  /** base64url of SHA-256 over the canonical form of the JWK set. */
  readonly fingerprint: string;
  /** One of each algorithm, in the order of their names. */
  readonly keys: readonly NamedKey[];
}

/** With nothing beside; its members are in canonical order. */
type PublicJwk = Readonly<Record<string, string>>;

export interface JwkSets {
  /** @throws Error if it isn't one of each algorithm */
  readonly of: (keys: readonly Pick<SigningKey, "suite" | "publicKey">[]) => KeySet;
  /** @returns undefined if `value` isn't exactly one public key of each algorithm, in any order */
  readonly read: (value: unknown) => KeySet | undefined;
  /** For JSON. */
  readonly write: (keySet: Pick<KeySet, "keys">) => readonly PublicJwk[];
}

/** Sets of one key of each of these, in this order. */
export function jwkSets(ids: readonly SignatureSuiteId[]): JwkSets {
  return {
    of: (keys) =>
      named(
        ids.map((id) => {
          const key = keys.find(({ suite }) => suite.id === id);
          if (key === undefined) throw new Error(`the set needs a key of ${id}`);
          return { id, publicKey: key.publicKey };
        }),
      ),
    read: (value) => readSet(value, ids),
    write: ({ keys }) =>
      ids.flatMap((id) =>
        keys.filter(({ suite }) => suite.id === id).map(({ publicKey }) => jwkOf(id, publicKey)),
      ),
  };
}

/** RFC 7638 §3: the members that RFC 8037 §2 and RFC 9964 §6 name. */
export function thumbprint(id: SignatureSuiteId, publicKey: PublicKey): string {
  const { alg, ...rest } = jwkOf(id, publicKey);
  return sha256Base64url(JSON.stringify(rest["kty"] === "OKP" ? rest : { alg, ...rest }));
}

interface Found {
  readonly id: SignatureSuiteId;
  readonly publicKey: PublicKey;
}

function readSet(value: unknown, ids: readonly SignatureSuiteId[]): KeySet | undefined {
  if (!Array.isArray(value) || value.length !== ids.length) return undefined;
  const rows: readonly unknown[] = value;
  const found: Found[] = [];
  for (const id of ids) {
    const row = objectIn(rows.find((each) => objectIn(each)?.["alg"] === id));
    const text = row?.[rawMember(id)];
    const bytes = typeof text === "string" ? fromBase64url(text) : undefined;
    const publicKey = bytes && importRawPublicKey(signatureSuite(id), bytes);
    if (row === undefined || publicKey === undefined) return undefined;
    // Nothing beside what it would be written as.
    const jwk = jwkOf(id, publicKey);
    const isThat = Object.keys(jwk).every((name) => row[name] === jwk[name]);
    if (!isThat || Object.keys(row).length !== Object.keys(jwk).length) return undefined;
    found.push({ id, publicKey });
  }
  return named(found);
}

function named(found: readonly Found[]): KeySet {
  const jwks = found.map(({ id, publicKey }) => jwkOf(id, publicKey));
  return {
    fingerprint: sha256Base64url(JSON.stringify({ keys: jwks })),
    keys: found.map(({ id, publicKey }) => ({
      suite: signatureSuite(id),
      publicKey,
      kid: thumbprint(id, publicKey),
    })),
  };
}

function rawMember(id: SignatureSuiteId): "x" | "pub" {
  return id === "Ed25519" ? "x" : "pub";
}

/** RFC 8037 §2; RFC 9964 §3. */
function jwkOf(id: SignatureSuiteId, publicKey: PublicKey): PublicJwk {
  const raw = toBase64url(publicKey.export({ format: "raw-public" }));
  return id === "Ed25519" ? { alg: id, crv: id, kty: "OKP", x: raw } : { alg: id, kty: "AKP", pub: raw };
}
