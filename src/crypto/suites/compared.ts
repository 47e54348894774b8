/**
 * What costs are compared between: rows of the tables, and beside them the classical algorithms that everybody knows.
 * Those beside are for measuring alone: no profile has them, and no key or certificate is taken because they stand here.
 */
import { kemSuite, type KemSuite } from "./kem.ts";
import { builtInProfiles, profileOf, resolveProfile } from "./profiles.ts";
import { signatureSuite, type SignatureSuite } from "./signatures.ts";

export type Kind = "classical" | "hybrid" | "pq";

/** One half of a key exchange, or all of it. */
interface Agreement {
  /** `asymmetricKeyType` in node:crypto. */
  readonly keyType: "x25519" | "ec";
  /** OpenSSL's name of the curve, where the key type has several. */
  readonly curve?: "prime256v1" | "secp384r1";
}

/** A secret that is encrypted to a public key, as TLS did until 1.2. */
interface Transport {
  readonly modulusBits: number;
  readonly digest: "sha256";
  /** Whether the key is made for this one exchange; what was recorded is then safe from its theft. */
  readonly isEphemeral: boolean;
}

/** How two ends come to one secret. */
export interface ComparedExchange {
  readonly id: string;
  readonly kind: Kind;
  /** Of an exchange with a key of its own, the same with one that lasts. */
  readonly withLastingKey?: string;
  readonly how:
    | { readonly kind: "transport"; readonly transport: Transport }
    | { readonly kind: "agreement"; readonly agreement?: Agreement; readonly kem?: KemSuite };
}

/** How an end proves who it is. */
export interface ComparedSignature extends Pick<
  SignatureSuite,
  "id" | "oid" | "tlsName" | "publicKeyBytes" | "signatureBytes"
> {
  readonly kind: Kind;
  /** `asymmetricKeyType` in node:crypto. */
  readonly keyType: SignatureSuite["keyType"] | "rsa";
  readonly curve?: string;
  readonly modulusBits?: number;
  readonly digest: string | null;
  /** In `signatureAlgorithm` of certificates: NULL, where RFC 4055 asks for it. */
  readonly hasNullParameters?: boolean;
}

export interface ComparedHandshake {
  readonly identity: ComparedSignature;
  /** OpenSSL's and IANA's name. */
  readonly group: string;
  readonly groupKind: Kind;
}

const x25519 = { keyType: "x25519" } as const satisfies Agreement;
const p256 = { keyType: "ec", curve: "prime256v1" } as const satisfies Agreement;
const p384 = { keyType: "ec", curve: "secp384r1" } as const satisfies Agreement;
const mlkem768 = kemSuite("ML-KEM-768");
const mlkem1024 = kemSuite("ML-KEM-1024");
const rsa3072 = { modulusBits: 3072, digest: "sha256" } as const;

export const comparedExchanges: readonly ComparedExchange[] = [
  transport("RSA-3072", { ...rsa3072, isEphemeral: false }),
  {
    ...transport("RSA-3072, key made for it", { ...rsa3072, isEphemeral: true }),
    withLastingKey: "RSA-3072",
  },
  { id: "X25519", kind: "classical", how: { kind: "agreement", agreement: x25519 } },
  { id: "P-256", kind: "classical", how: { kind: "agreement", agreement: p256 } },
  { id: mlkem768.id, kind: "pq", how: { kind: "agreement", kem: mlkem768 } },
  { id: mlkem1024.id, kind: "pq", how: { kind: "agreement", kem: mlkem1024 } },
  hybrid("X25519MLKEM768", x25519, mlkem768),
  hybrid("SecP256r1MLKEM768", p256, mlkem768),
  hybrid("SecP384r1MLKEM1024", p384, mlkem1024),
];

/** What the others are compared with. */
export const referenceExchange = "X25519";

/** RFC 8017 and FIPS 186-5; a key's size is that of its RSAPublicKey, a signature's that of the modulus. */
const rsa = {
  id: "RSA-3072",
  kind: "classical",
  keyType: "rsa",
  modulusBits: 3072,
  digest: "sha256",
  oid: "1.2.840.113549.1.1.11",
  hasNullParameters: true,
  // Certificates in PKCS #1 v1.5, handshakes in PSS (RFC 8446 §4.2.3).
  tlsName: "rsa_pss_rsae_sha256:rsa_pkcs1_sha256",
  publicKeyBytes: 398,
  signatureBytes: 384,
} as const satisfies ComparedSignature;
const ecdsaP256 = {
  id: "ECDSA P-256",
  kind: "classical",
  keyType: "ec",
  curve: "prime256v1",
  digest: "sha256",
  oid: "1.2.840.10045.4.3.2",
  tlsName: "ecdsa_secp256r1_sha256",
  publicKeyBytes: 65,
  signatureBytes: 72,
} as const satisfies ComparedSignature;

export const comparedSignatures: readonly ComparedSignature[] = [
  rsa,
  ecdsaP256,
  signatureSuite("Ed25519"),
  signatureSuite("ML-DSA-44"),
  signatureSuite("ML-DSA-65"),
  signatureSuite("ML-DSA-87"),
  signatureSuite("SLH-DSA-SHA2-128s"),
];

/** A server's identity and a client's are of one algorithm, as they are under a profile. */
export const comparedHandshakes: readonly ComparedHandshake[] = [
  handshake(rsa, "X25519"),
  handshake(ecdsaP256, "X25519"),
  handshake(ecdsaP256, "X25519MLKEM768"),
  handshake(signatureSuite("ML-DSA-44"), "X25519MLKEM768"),
  handshake(signatureSuite("ML-DSA-65"), "X25519MLKEM768"),
  handshake(signatureSuite("ML-DSA-87"), "X25519MLKEM768"),
  handshake(signatureSuite("ML-DSA-65"), "X25519"),
  handshake(signatureSuite("ML-DSA-65"), "SecP256r1MLKEM768"),
  handshake(signatureSuite("ML-DSA-65"), "SecP384r1MLKEM1024"),
  handshake(signatureSuite("ML-DSA-87"), "SecP384r1MLKEM1024"),
];

/** What the others are compared with: as most TLS is today. */
export const referenceHandshake = handshakeName(handshake(ecdsaP256, "X25519"));

export function handshakeName({ identity, group }: ComparedHandshake): string {
  return `${identity.id} + ${group}`;
}

/**
 * Names of the profiles whose links have all of it. A profile for a transition isn't named: it is another one's
 * groups, and beside them classical ones.
 */
export function profilesWith(part: {
  readonly group?: string;
  readonly identity?: string;
}): readonly string[] {
  return builtInProfiles
    .map(({ document }) => profileOf(document))
    .filter(({ classicalGroups }) => classicalGroups.length === 0)
    .filter(
      ({ groups, identity }) =>
        (part.group === undefined || groups.some(({ id }) => id === part.group)) &&
        (part.identity === undefined || identity.id === part.identity),
    )
    .map(({ name }) => name);
}

/** AEADs of the measured handshakes: those of our own, for all alike. */
export const comparedCiphers: string = resolveProfile("hybrid").ciphers;

function transport(id: string, of: Transport): ComparedExchange {
  return { id, kind: "classical", how: { kind: "transport", transport: of } };
}

function hybrid(id: string, agreement: Agreement, kem: KemSuite): ComparedExchange {
  return { id, kind: "hybrid", how: { kind: "agreement", agreement, kem } };
}

function handshake(identity: ComparedSignature, group: string): ComparedHandshake {
  const row = comparedExchanges.find(({ id }) => id === group);
  if (row === undefined) throw new Error(`no key exchange ${group}`);
  return { identity, group, groupKind: row.kind };
}
