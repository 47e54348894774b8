/** Hashes (FIPS 180-4, FIPS 202) and the AEADs of TLS 1.3 (RFC 8446 §B.4). */
import type { Dated } from "./standing.ts";

export interface HashSuite extends Dated {
  readonly id: string;
  /** As node:crypto names it. */
  readonly digest: "sha256" | "sha384" | "sha512" | "sha3-512";
  readonly digestBytes: number;
  /** NIST's category for finding collisions. */
  readonly nistLevel: 2 | 4 | 5;
}

export interface AeadSuite extends Dated {
  /** IANA's and OpenSSL's name of the cipher suite. */
  readonly id: string;
  /** As node:crypto names the AEAD in it. */
  readonly cipher: "aes-256-gcm" | "chacha20-poly1305";
  readonly keyBytes: number;
  readonly tagBytes: number;
  /** NIST's category for finding the key. */
  readonly nistLevel: 1 | 5;
}

const hashes = [
  { id: "SHA-256", digest: "sha256", digestBytes: 32, nistLevel: 2, status: "allowed" },
  { id: "SHA-384", digest: "sha384", digestBytes: 48, nistLevel: 4, status: "allowed" },
  { id: "SHA-512", digest: "sha512", digestBytes: 64, nistLevel: 5, status: "allowed" },
  { id: "SHA3-512", digest: "sha3-512", digestBytes: 64, nistLevel: 5, status: "allowed" },
] as const satisfies readonly HashSuite[];

const aeads = [
  {
    id: "TLS_AES_256_GCM_SHA384",
    cipher: "aes-256-gcm",
    keyBytes: 32,
    tagBytes: 16,
    nistLevel: 5,
    status: "allowed",
  },
  {
    id: "TLS_CHACHA20_POLY1305_SHA256",
    cipher: "chacha20-poly1305",
    keyBytes: 32,
    tagBytes: 16,
    nistLevel: 5,
    status: "allowed",
  },
] as const satisfies readonly AeadSuite[];

export type HashId = (typeof hashes)[number]["id"];
/** What a log's entries and heads are hashed with (docs/formats/log.md). */
export const logHash: HashId = "SHA-256";
/**
 * What an audit log's history may be wrapped under, the default first: of another design than SHA-256 (a sponge), so
 * that what breaks the one needn't break the other, and as wide as what NIST has.
 */
export const renewalHashes = ["SHA3-512", "SHA-512"] as const satisfies readonly HashId[];
export type RenewalHash = (typeof renewalHashes)[number];
/** What a profile may name. */
export const profileHashes = ["SHA-256", "SHA-384", "SHA-512"] as const satisfies readonly HashId[];
export type AeadId = (typeof aeads)[number]["id"];

export const hashSuites: readonly HashSuite[] = hashes;
export const aeadSuites: readonly AeadSuite[] = aeads;
export const hashIds: readonly HashId[] = hashes.map(({ id }) => id);

export function hashSuite(id: HashId): HashSuite {
  const suite = hashes.find((row) => row.id === id);
  if (suite === undefined) throw new Error(`no hash ${id}`);
  return suite;
}
export const aeadIds: readonly AeadId[] = aeads.map(({ id }) => id);
