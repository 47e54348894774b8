/**
 * The keys that sign a server's manifests: one of each required algorithm, as a JWK set (RFC 7517, 8037, 9964), known
 * by a fingerprint that people compare and approve (docs/formats/manifest.md).
 */
import { sha256Base64url } from "../../crypto/hash.ts";
import type { NamedKey } from "../../crypto/jws.ts";
import { importRawPublicKey, type PublicKey, type SigningKey } from "../../crypto/keys.ts";
import { signatureSuite, type SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import { fromBase64url, toBase64url } from "../../kernel/bytes.ts";
import { objectIn } from "../fields.ts";

export interface PublisherKeys {
  /** base64url of SHA-256 over the canonical form of the JWK set. */
  readonly fingerprint: string;
  /** One of each algorithm, in the order of their names. */
  readonly keys: readonly NamedKey[];
}

/** A manifest counts with a signature of each: the one stands if the other falls. */
export const manifestSuiteIds = ["Ed25519", "ML-DSA-65"] as const satisfies readonly SignatureSuiteId[];

type ManifestSuiteId = (typeof manifestSuiteIds)[number];

type PublicJwk = Readonly<Record<string, string>>;

/** @throws Error if it isn't one of each algorithm */
export function publisherKeysOf(keys: readonly Pick<SigningKey, "suite" | "publicKey">[]): PublisherKeys {
  return named(
    manifestSuiteIds.map((id) => {
      const key = keys.find(({ suite }) => suite.id === id);
      if (key === undefined) throw new Error(`a publisher needs a key of ${id}`);
      return { id, publicKey: key.publicKey };
    }),
  );
}

/** For JSON. */
export function writePublisherKeys({ keys }: PublisherKeys): readonly PublicJwk[] {
  return manifestSuiteIds.flatMap((id) =>
    keys.filter(({ suite }) => suite.id === id).map(({ publicKey }) => jwkOf(id, publicKey)),
  );
}

/** @returns undefined if `value` isn't exactly one public key of each algorithm, in any order */
export function readPublisherKeys(value: unknown): PublisherKeys | undefined {
  if (!Array.isArray(value) || value.length !== manifestSuiteIds.length) return undefined;
  const rows: readonly unknown[] = value;
  const found: { readonly id: ManifestSuiteId; readonly publicKey: PublicKey }[] = [];
  for (const id of manifestSuiteIds) {
    const row = objectIn(rows.find((each) => objectIn(each)?.["alg"] === id));
    const text = row?.[id === "Ed25519" ? "x" : "pub"];
    const bytes = typeof text === "string" ? fromBase64url(text) : undefined;
    const publicKey = bytes && importRawPublicKey(signatureSuite(id), bytes);
    // Nothing beside what it would be written as.
    if (row === undefined || publicKey === undefined) return undefined;
    const jwk = jwkOf(id, publicKey);
    const isThat = Object.keys(jwk).every((name) => row[name] === jwk[name]);
    if (!isThat || Object.keys(row).length !== Object.keys(jwk).length) return undefined;
    found.push({ id, publicKey });
  }
  return named(found);
}

/** Whether a text looks like the fingerprint of a publisher's keys. */
export function isPublisherFingerprint(text: string): boolean {
  return /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text);
}

function named(
  found: readonly { readonly id: ManifestSuiteId; readonly publicKey: PublicKey }[],
): PublisherKeys {
  const jwks = found.map(({ id, publicKey }) => jwkOf(id, publicKey));
  return {
    fingerprint: sha256Base64url(JSON.stringify({ keys: jwks })),
    keys: found.map(({ id, publicKey }) => ({
      suite: signatureSuite(id),
      publicKey,
      kid: thumbprint(jwkOf(id, publicKey)),
    })),
  };
}

/** Members in canonical order. */
function jwkOf(id: ManifestSuiteId, publicKey: PublicKey): PublicJwk {
  const raw = toBase64url(publicKey.export({ format: "raw-public" }));
  return id === "Ed25519"
    ? { alg: id, crv: "Ed25519", kty: "OKP", x: raw }
    : { alg: id, kty: "AKP", pub: raw };
}

/** RFC 7638 §3: the members that RFC 8037 §2 and RFC 9964 §6 name. */
function thumbprint(jwk: PublicJwk): string {
  const { crv, kty, x } = jwk;
  return sha256Base64url(JSON.stringify(kty === "OKP" ? { crv, kty, x } : jwk));
}
