/** Signature algorithms: FIPS 204 and 205, RFC 8032, FIPS 186-5; X.509 by RFC 9881 and 9909, TLS by draft-ietf-tls-mldsa. */
import { type Dated, classical2035 } from "./standing.ts";
import type { HashId } from "./symmetric.ts";

type Kind = "classical" | "pq";

export interface SignatureSuite extends Dated {
  readonly id: string;
  readonly kind: Kind;
  readonly nistLevel: 1 | 2 | 3 | 5;
  /** `asymmetricKeyType` in node:crypto. */
  readonly keyType: "ml-dsa-44" | "ml-dsa-65" | "ml-dsa-87" | "ed25519" | "slh-dsa-sha2-128s" | "ec";
  /** OpenSSL's name of the curve, where the key type has several. */
  readonly curve?: "secp384r1";
  /** What the message is hashed with before it is signed; null where that is part of the algorithm. */
  readonly digest: "sha384" | null;
  /** A hash within it: the signature falls with it. ML-DSA's is SHAKE, which has no row of its own. */
  readonly restsOn?: HashId;
  /** How the secret is exported at its smallest. */
  readonly secretFormat: "raw-seed" | "raw-private";
  readonly oid: string;
  /** OpenSSL's name in `sigalgs`; null where TLS 1.3 can't use it here. */
  readonly tlsName: string | null;
  readonly publicKeyBytes: number;
  /** At most, where it isn't always the same: ECDSA's is DER. */
  readonly signatureBytes: number;
}

const signatureSuites = [
  signature("ML-DSA-44", "ml-dsa-44", "2.16.840.1.101.3.4.3.17", { level: 2, sizes: [1312, 2420] }),
  signature("ML-DSA-65", "ml-dsa-65", "2.16.840.1.101.3.4.3.18", { level: 3, sizes: [1952, 3309] }),
  signature("ML-DSA-87", "ml-dsa-87", "2.16.840.1.101.3.4.3.19", { level: 5, sizes: [2592, 4627] }),
  {
    ...signature("SLH-DSA-SHA2-128s", "slh-dsa-sha2-128s", "2.16.840.1.101.3.4.3.20", {
      level: 1,
      sizes: [32, 7856],
    }),
    restsOn: "SHA-256",
    secretFormat: "raw-private",
    tlsName: null,
  },
  {
    ...signature("Ed25519", "ed25519", "1.3.101.112", { level: 1, sizes: [32, 64] }),
    ...classical2035,
    kind: "classical",
    restsOn: "SHA-512",
    secretFormat: "raw-private",
    tlsName: "ed25519",
  },
  {
    ...signature("ECDSA-P384", "ec", "1.2.840.10045.4.3.3", { level: 3, sizes: [97, 104] }),
    ...classical2035,
    kind: "classical",
    curve: "secp384r1",
    digest: "sha384",
    restsOn: "SHA-384",
    secretFormat: "raw-private",
    tlsName: "ecdsa_secp384r1_sha384",
  },
] as const satisfies readonly SignatureSuite[];

const rows: readonly SignatureSuite[] = signatureSuites;

/** What signs the heads of an audit log (docs/formats/log.md). */
export interface LogSuites {
  /** A head counts with a signature of each of these. */
  readonly required: readonly SignatureSuiteId[];
  /** For C2SP's witnesses and verifiers, on each head. */
  readonly cosignature: SignatureSuiteId;
  /** On the first head of each day, and where one generation of keys follows another. */
  readonly daily: SignatureSuiteId;
}

/** What stands beside those a profile requires. */
export const logBeside = { cosignature: "ML-DSA-44", daily: "SLH-DSA-SHA2-128s" } as const satisfies Omit<
  LogSuites,
  "required"
>;

/** Verifiers take no generation of log keys that hasn't all of one of these sets, whatever profile made it. */
export const logFloors: readonly (readonly SignatureSuiteId[])[] = [["Ed25519", "ML-DSA-65"], ["ML-DSA-87"]];

/**
 * One of these is enough for what was signed before others fell: where Ed25519 fell, ML-DSA-65 stands alone; where
 * lattices did, what is hash-based stands. Never a classical one.
 */
export const standingFloors: readonly SignatureSuiteId[] = ["ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128s"];

/** What signs messages between the two ends of a call, the weaker one first (docs/formats/message-signature.md). */
export const messageSuiteIds = ["ML-DSA-65", "ML-DSA-87"] as const satisfies readonly SignatureSuiteId[];

export type MessageSuiteId = (typeof messageSuiteIds)[number];

export type SignatureSuiteId = (typeof signatureSuites)[number]["id"];

/** A row of the table. */
export type KnownSignatureSuite = SignatureSuite & { readonly id: SignatureSuiteId };

export const signatureSuiteIds: readonly SignatureSuiteId[] = signatureSuites.map(({ id }) => id);

export function signatureSuite(id: SignatureSuiteId): KnownSignatureSuite {
  const suite = signatureSuites.find((row) => row.id === id);
  if (suite === undefined) throw new Error(`no signature suite ${id}`);
  return suite;
}

/** Whether there is a suite of that name; for names that come from a file. */
export function isSignatureSuiteId(id: string): id is SignatureSuiteId {
  return signatureSuites.some((row) => row.id === id);
}

/** The name of a key's algorithm as FIPS 204 and RFC 8032 spell it; the raw type if it has no row. */
export function algorithmOfKeyType(keyType: string | undefined, curve?: string): string {
  return rows.find((row) => row.keyType === keyType && row.curve === curve)?.id ?? keyType ?? "unknown";
}

export const signatureOids: readonly string[] = signatureSuites.map(({ oid }) => oid);

export function isSignatureKeyType(keyType: string | undefined): boolean {
  return signatureSuites.some((row) => row.keyType === keyType);
}

function signature<const Id extends string>(
  id: Id,
  keyType: SignatureSuite["keyType"],
  oid: string,
  strength: { readonly level: SignatureSuite["nistLevel"]; readonly sizes: readonly [number, number] },
) {
  return {
    id,
    kind: "pq",
    nistLevel: strength.level,
    keyType,
    digest: null,
    secretFormat: "raw-seed",
    oid,
    tlsName: keyType.replaceAll("-", ""),
    publicKeyBytes: strength.sizes[0],
    signatureBytes: strength.sizes[1],
    status: "allowed",
  } as const satisfies SignatureSuite;
}
