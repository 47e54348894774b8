/**
 * The one table of algorithms. Everything else holds a resolved row and never spells a name.
 * Names: FIPS 203/204/205, RFC 9881 and 9909 (X.509), RFC 9964 (JOSE), RFC 10024 and the IANA TLS
 * registry (groups), draft-ietf-tls-mldsa (signature schemes).
 */
import { Refusal } from "../kernel/refusal.ts";

type Kind = "classical" | "hybrid" | "pq";
type Status = "allowed" | "deprecated" | "forbidden";

export interface SignatureSuite {
  readonly id: string;
  readonly kind: Kind;
  readonly nistLevel: 1 | 2 | 3 | 5;
  /** `asymmetricKeyType` in node:crypto. */
  readonly keyType: "ml-dsa-44" | "ml-dsa-65" | "ml-dsa-87" | "ed25519" | "slh-dsa-sha2-128s" | "ec";
  /** OpenSSL's name of the curve, where the key type has several. */
  readonly curve?: "secp384r1";
  /** What the message is hashed with before it is signed; null where that is part of the algorithm. */
  readonly digest: "sha384" | null;
  /** How the secret is exported at its smallest. */
  readonly secretFormat: "raw-seed" | "raw-private";
  readonly oid: string;
  /** OpenSSL's name in `sigalgs`; null where TLS 1.3 can't use it here. */
  readonly tlsName: string | null;
  readonly publicKeyBytes: number;
  /** At most, where it isn't always the same: ECDSA's is DER. */
  readonly signatureBytes: number;
  readonly status: Status;
}

export interface KeyExchangeSuite {
  /** OpenSSL's and IANA's group name. */
  readonly id: string;
  readonly kind: Kind;
  readonly nistLevel: 1 | 3 | 5;
  readonly groupId: number;
  /** The KEM inside, by its FIPS 203 name. */
  readonly kem: string | null;
  readonly status: Status;
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
    secretFormat: "raw-private",
    tlsName: null,
  },
  {
    ...signature("Ed25519", "ed25519", "1.3.101.112", { level: 1, sizes: [32, 64] }),
    kind: "classical",
    secretFormat: "raw-private",
    tlsName: "ed25519",
  },
  {
    ...signature("ECDSA-P384", "ec", "1.2.840.10045.4.3.3", { level: 3, sizes: [97, 104] }),
    kind: "classical",
    curve: "secp384r1",
    digest: "sha384",
    secretFormat: "raw-private",
    tlsName: "ecdsa_secp384r1_sha384",
  },
] as const satisfies readonly SignatureSuite[];

const keyExchangeSuites = [
  {
    id: "X25519MLKEM768",
    kind: "hybrid",
    nistLevel: 3,
    groupId: 0x11ec,
    kem: "ML-KEM-768",
    status: "allowed",
  },
  {
    id: "SecP384r1MLKEM1024",
    kind: "hybrid",
    nistLevel: 5,
    groupId: 0x11ed,
    kem: "ML-KEM-1024",
    status: "allowed",
  },
  {
    id: "SecP256r1MLKEM768",
    kind: "hybrid",
    nistLevel: 3,
    groupId: 0x11eb,
    kem: "ML-KEM-768",
    status: "allowed",
  },
] as const satisfies readonly KeyExchangeSuite[];

/**
 * Signature algorithms of tokens that others issue, by their JOSE names (RFC 7518, RFC 8037, RFC 9864, RFC 9964).
 * Asymmetric ones only: with a shared secret, whoever verifies could issue.
 */
export const joseAlgorithms = [
  "ML-DSA-44",
  "ML-DSA-65",
  "ML-DSA-87",
  "Ed25519",
  "EdDSA",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
] as const;

/**
 * Of those, the ones a client may prove the possession of its key with (RFC 9449). No RSA: such keys are made for the
 * purpose, and a hostile one is dear to check.
 */
export const proofAlgorithms: readonly string[] = joseAlgorithms.filter((name) => !/^[PR]S/.test(name));

/** Groups without ML-KEM: for links that are let in where an operator says so, and to servers that aren't ours. */
export const classicalGroups = [
  { id: "X25519", kind: "classical", nistLevel: 1, groupId: 0x001d, kem: null, status: "deprecated" },
  { id: "P-256", kind: "classical", nistLevel: 1, groupId: 0x0017, kem: null, status: "deprecated" },
] as const satisfies readonly KeyExchangeSuite[];
/** How a JWT of ours is signed (RFC 7518 §3, RFC 8037, RFC 9964), and what WebCrypto wants to know of such a key. */
export interface JwtSuite {
  /** As oauth4webapi and jose name it. */
  readonly id: string;
  readonly keyType: string;
  /** Of an elliptic key, as node:crypto names it. */
  readonly curve?: string;
  readonly webCrypto: { readonly name: string; readonly namedCurve?: string; readonly hash?: string };
}

const jwtSuites = [
  { id: "ML-DSA-44", keyType: "ml-dsa-44", webCrypto: { name: "ML-DSA-44" } },
  { id: "ML-DSA-65", keyType: "ml-dsa-65", webCrypto: { name: "ML-DSA-65" } },
  { id: "ML-DSA-87", keyType: "ml-dsa-87", webCrypto: { name: "ML-DSA-87" } },
  { id: "Ed25519", keyType: "ed25519", webCrypto: { name: "Ed25519" } },
  {
    id: "ES256",
    keyType: "ec",
    curve: "prime256v1",
    webCrypto: { name: "ECDSA", namedCurve: "P-256" },
  },
  { id: "PS256", keyType: "rsa", webCrypto: { name: "RSA-PSS", hash: "SHA-256" } },
] as const satisfies readonly JwtSuite[];

/** How JWTs are signed with a key of that type; undefined if we don't. */
export function jwtSuiteOf(keyType: string | undefined, curve?: string): JwtSuite | undefined {
  return jwtSuites.find((row: JwtSuite) => row.keyType === keyType && row.curve === curve);
}

/** The `alg` of a JWT that is signed with a key of that suite. */
export function jwtAlgorithm({ id }: SignatureSuite): string {
  return id === "Ed25519" ? "EdDSA" : id;
}

/** What assertions about callers may be signed with; the first one is what authorization servers know today. */
export const assertionSuites = ["Ed25519", "ML-DSA-65"] as const satisfies readonly SignatureSuiteId[];

/** Proofs of possession (RFC 9449) are signed with what every authorization server has to know. */
export const dpopSuite: JwtSuite = jwtSuites[4];

/** A classical key of a workload that another authority vouches for: good for proving itself once, on a link of ours. */
export interface OutsideKeySuite {
  readonly id: string;
  /** `asymmetricKeyType` in node:crypto. */
  readonly keyType: "ec" | "rsa";
  /** OpenSSL's name of the curve. */
  readonly curve?: string;
  /** Bits of the modulus. A longer one would cost whoever verifies. */
  readonly modulus?: { readonly minBits: number; readonly maxBits: number };
  /** Digest of the signatures it makes for us. */
  readonly digest: "sha256" | "sha384";
}

export const outsideKeySuites = [
  { id: "ECDSA-P-256", keyType: "ec", curve: "prime256v1", digest: "sha256" },
  { id: "ECDSA-P-384", keyType: "ec", curve: "secp384r1", digest: "sha384" },
  { id: "RSASSA-PSS", keyType: "rsa", modulus: { minBits: 2048, maxBits: 8192 }, digest: "sha256" },
] as const satisfies readonly OutsideKeySuite[];

/** Signature algorithms that certificates of outside authorities may have (RFC 5758, RFC 4055); none with SHA-1. */
export const outsideSignatureOids: readonly string[] = [
  "1.2.840.10045.4.3.2", // ecdsa-with-SHA256
  "1.2.840.10045.4.3.3", // ecdsa-with-SHA384
  "1.2.840.10045.4.3.4", // ecdsa-with-SHA512
  "1.2.840.113549.1.1.11", // sha256WithRSAEncryption
  "1.2.840.113549.1.1.12", // sha384WithRSAEncryption
  "1.2.840.113549.1.1.13", // sha512WithRSAEncryption
];

/** What a deployment negotiates, by name; AEADs by IANA name, all in order of preference. */
const profiles = [
  {
    name: "hybrid",
    groups: ["X25519MLKEM768", "SecP384r1MLKEM1024", "SecP256r1MLKEM768"],
    identity: "ML-DSA-65",
    classical: "Ed25519",
    ciphers: ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  },
  {
    name: "cnsa-2.0",
    groups: ["SecP384r1MLKEM1024"],
    identity: "ML-DSA-87",
    classical: "ECDSA-P384",
    ciphers: ["TLS_AES_256_GCM_SHA384"],
  },
] as const satisfies readonly {
  readonly name: string;
  readonly groups: readonly (typeof keyExchangeSuites)[number]["id"][];
  readonly identity: (typeof signatureSuites)[number]["id"];
  readonly classical: (typeof signatureSuites)[number]["id"];
  readonly ciphers: readonly string[];
}[];

export type ProfileName = (typeof profiles)[number]["name"];

/** What a join token or a stored identity that names none was made under. */
export const defaultProfile = "hybrid" satisfies ProfileName;

export const profileNames: readonly [ProfileName, ...ProfileName[]] = [profiles[0].name, profiles[1].name];

export function isProfileName(name: string): name is ProfileName {
  return profiles.some((row) => row.name === name);
}

/** What a deployment negotiates: named, so that a change of algorithm is a change of one word. */
export interface Profile {
  readonly name: ProfileName;
  /** In order of preference. */
  readonly groups: readonly KeyExchangeSuite[];
  /** Algorithm of workload identities, and of the roots above them. */
  readonly identity: SignatureSuite & { readonly id: SignatureSuiteId };
  /** Algorithm of the second, classical identity that a link may prove beside it. */
  readonly classical: SignatureSuite & { readonly id: SignatureSuiteId };
  /** Colon-separated, for `ciphers`. */
  readonly ciphers: string;
}

/**
 * The profile of that name, narrowed to the algorithms an operator allows.
 * @param allowed FIPS names such as `ML-KEM-768` and `ML-DSA-65`; undefined allows what the profile has.
 * @throws Refusal `bad_config` if nothing is left, or there is no such profile.
 */
export function resolveProfile(name: string, allowed?: readonly string[]): Profile {
  const profile = profiles.find((row) => row.name === name);
  if (profile === undefined) {
    throw new Refusal(
      "bad_config",
      `There is no profile "${name}"; there are ${profileNames.join(" and ")}.`,
    );
  }
  const known = new Set<string>([
    ...signatureSuites.map((suite) => suite.id),
    ...keyExchangeSuites.flatMap((suite) => [suite.id, suite.kem]),
  ]);
  const unknown = allowed?.find((id) => !known.has(id));
  if (unknown !== undefined) {
    throw new Refusal("bad_config", `Unknown algorithm "${unknown}"; known are ${[...known].join(", ")}.`);
  }
  const all = profile.groups.flatMap((id) => keyExchangeSuites.filter((suite) => suite.id === id));
  const groups = all.filter(
    (suite) => allowed === undefined || allowed.includes(suite.kem) || allowed.includes(suite.id),
  );
  const identity = signatureSuite(profile.identity);
  if (groups.length === 0 || (allowed !== undefined && !allowed.includes(identity.id))) {
    const kems = [...new Set(all.map((suite) => suite.kem))].sort().join(", ");
    throw new Refusal(
      "bad_config",
      `Profile "${name}" needs ${identity.id} and one of ${kems} among the allowed algorithms.`,
    );
  }
  const classical = signatureSuite(profile.classical);
  return { name: profile.name, groups, identity, classical, ciphers: profile.ciphers.join(":") };
}

/** What the log's signatures are made with: its format fixes them, whatever the profile (docs/formats/log.md). */
export const logSuites = {
  classical: "Ed25519",
  main: "ML-DSA-65",
  cosignature: "ML-DSA-44",
  daily: "SLH-DSA-SHA2-128s",
} as const satisfies Record<string, SignatureSuiteId>;

/** With what an outside authority may sign, by OID; RSA-PSS is judged by its hash, which stands in its parameters. */
const outsideSignatures = new Set([
  "1.2.840.113549.1.1.11", // sha256WithRSAEncryption
  "1.2.840.113549.1.1.12", // sha384WithRSAEncryption
  "1.2.840.113549.1.1.13", // sha512WithRSAEncryption
  "1.2.840.10045.4.3.2", // ecdsa-with-SHA256
  "1.2.840.10045.4.3.3", // ecdsa-with-SHA384
  "1.2.840.10045.4.3.4", // ecdsa-with-SHA512
  ...signatureSuites.map(({ oid }): string => oid),
]);
const rsaPss = "1.2.840.113549.1.1.10";
/** hashAlgorithm [0] of RSASSA-PSS-params (RFC 8017 A.2.3), SHA-256, SHA-384 or SHA-512; left out it means SHA-1. */
const strongPssHash = /^30..a0..30..060960864801650304020[123]/;
const outsideCurves = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const leastRsaBits = 3072;

/** Why an outside authority's signature doesn't count; undefined if it does. @param parameters DER, in hex */
export function weaknessOfSignature(oid: string, parameters: string): string | undefined {
  const isStrong = oid === rsaPss ? strongPssHash.test(parameters) : outsideSignatures.has(oid);
  return isStrong ? undefined : `is signed with an algorithm that doesn't count (${oid})`;
}

/** Why an outside authority's key doesn't count; undefined if it does. */
export function weaknessOfKey(key: {
  readonly type: string | undefined;
  readonly bits: number | undefined;
  readonly curve: string | undefined;
}): string | undefined {
  if (key.type === "rsa" || key.type === "rsa-pss") {
    const bits = key.bits ?? 0;
    return bits >= leastRsaBits
      ? undefined
      : `has an RSA key of ${bits} bits, expected ${leastRsaBits} or more`;
  }
  if (key.type === "ec") return outsideCurves.has(key.curve ?? "") ? undefined : `has a key on ${key.curve}`;
  return signatureSuites.some(({ keyType }) => keyType === key.type)
    ? undefined
    : `has a key of type ${key.type}`;
}

export type SignatureSuiteId = (typeof signatureSuites)[number]["id"];

export const signatureSuiteIds: readonly SignatureSuiteId[] = signatureSuites.map(({ id }) => id);

export function signatureSuite(id: SignatureSuiteId): Profile["identity"] {
  const suite = signatureSuites.find((row) => row.id === id);
  if (suite === undefined) throw new Error(`no signature suite ${id}`);
  return suite;
}

/** The suite of that name, if there is one; for names that come from a file. */
export function isSignatureSuiteId(id: string): id is SignatureSuiteId {
  return signatureSuites.some((row) => row.id === id);
}

/** The name of a key's algorithm as FIPS 204 and RFC 8032 spell it; the raw type if it has no row. */
export function algorithmOfKeyType(keyType: string | undefined, curve?: string): string {
  const rows: readonly SignatureSuite[] = signatureSuites;
  return rows.find((row) => row.keyType === keyType && row.curve === curve)?.id ?? keyType ?? "unknown";
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
