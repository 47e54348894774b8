/** Key encapsulation by itself (FIPS 203, table 3), as it stands in the hybrid groups. */
import type { Dated } from "./standing.ts";

export interface KemSuite extends Dated {
  readonly id: string;
  readonly nistLevel: 1 | 3 | 5;
  /** `asymmetricKeyType` in node:crypto. */
  readonly keyType: "ml-kem-512" | "ml-kem-768" | "ml-kem-1024";
  readonly publicKeyBytes: number;
  readonly ciphertextBytes: number;
  readonly sharedSecretBytes: number;
  /** d and z of FIPS 203 §7.1, from which the key pair is made. */
  readonly seedBytes: number;
  /** Of what is derived from its secret, as strong as itself. */
  readonly digest: "sha256" | "sha384";
  /** SHA-256 of the public key that the self-test's seed makes; of Wycheproof's first vector for key generation. */
  readonly knownPublicKey: string;
}

/** The same in all of them. */
const common = { sharedSecretBytes: 32, seedBytes: 64, status: "allowed" } as const;

const rows = [
  {
    ...common,
    id: "ML-KEM-512",
    nistLevel: 1,
    keyType: "ml-kem-512",
    publicKeyBytes: 800,
    ciphertextBytes: 768,
    digest: "sha256",
    knownPublicKey: "852523749efd2b78d1074e5de629060312cd9397933a19ddb7482cfda5e92614",
  },
  {
    ...common,
    id: "ML-KEM-768",
    nistLevel: 3,
    keyType: "ml-kem-768",
    publicKeyBytes: 1184,
    ciphertextBytes: 1088,
    digest: "sha256",
    knownPublicKey: "86adbca81f4fee893e2fb58fb98aa2fe188f501fed268d7f4056f8c05c4e53c4",
  },
  {
    ...common,
    id: "ML-KEM-1024",
    nistLevel: 5,
    keyType: "ml-kem-1024",
    publicKeyBytes: 1568,
    ciphertextBytes: 1568,
    digest: "sha384",
    knownPublicKey: "61b95ec8c32ae85ad7a17ae5b9c2dfb083e05f767da3ba9a0a8092ea6b4cbf7a",
  },
] as const satisfies readonly KemSuite[];

export type KemSuiteId = (typeof rows)[number]["id"];

export const kemSuiteIds: readonly KemSuiteId[] = rows.map(({ id }) => id);

export function kemSuite(id: KemSuiteId): KemSuite {
  const suite = rows.find((row) => row.id === id);
  if (suite === undefined) throw new Error(`no KEM ${id}`);
  return suite;
}
