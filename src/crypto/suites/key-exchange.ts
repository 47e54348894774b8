/** Key exchange in TLS 1.3: the groups of RFC 10024 and RFC 8446, by their IANA names. */
import type { KemSuiteId } from "./kem.ts";
import { type Dated, classical2035 } from "./standing.ts";

export interface KeyExchangeSuite extends Dated {
  /** OpenSSL's and IANA's group name. */
  readonly id: string;
  readonly kind: "classical" | "hybrid";
  readonly nistLevel: 1 | 3 | 5;
  readonly groupId: number;
  /** The KEM inside, by its FIPS 203 name. */
  readonly kem: KemSuiteId | null;
  /** What a client and a server send of it, in bytes. */
  readonly shareBytes: readonly [client: number, server: number];
}

/** What `quantumLevel` says of a link. */
export type LinkLevel = 0 | KeyExchangeSuite["nistLevel"];

const rows = [
  {
    id: "X25519MLKEM768",
    kind: "hybrid",
    nistLevel: 3,
    groupId: 0x11ec,
    kem: "ML-KEM-768",
    shareBytes: [1216, 1120],
    status: "allowed",
  },
  {
    id: "SecP384r1MLKEM1024",
    kind: "hybrid",
    nistLevel: 5,
    groupId: 0x11ed,
    kem: "ML-KEM-1024",
    shareBytes: [1665, 1665],
    status: "allowed",
  },
  {
    id: "SecP256r1MLKEM768",
    kind: "hybrid",
    nistLevel: 3,
    groupId: 0x11eb,
    kem: "ML-KEM-768",
    shareBytes: [1249, 1153],
    status: "allowed",
  },
  {
    id: "X25519",
    kind: "classical",
    nistLevel: 1,
    groupId: 0x001d,
    kem: null,
    shareBytes: [32, 32],
    status: "deprecated",
    ...classical2035,
  },
  {
    id: "P-256",
    kind: "classical",
    nistLevel: 1,
    groupId: 0x0017,
    kem: null,
    shareBytes: [65, 65],
    status: "deprecated",
    ...classical2035,
  },
] as const satisfies readonly KeyExchangeSuite[];

type Row = (typeof rows)[number];
export type HybridGroupId = Extract<Row, { readonly kind: "hybrid" }>["id"];
export type ClassicalGroupId = Extract<Row, { readonly kind: "classical" }>["id"];

export const keyExchangeSuites: readonly KeyExchangeSuite[] = rows;

/** Groups with ML-KEM. */
export const hybridGroups: readonly KeyExchangeSuite[] = rows.filter(({ kind }) => kind === "hybrid");

/** Groups without ML-KEM: for links that are let in where an operator says so, and to servers that aren't ours. */
export const classicalGroups: readonly KeyExchangeSuite[] = rows.filter(({ kind }) => kind === "classical");

/**
 * NIST security category of the key exchange; 0 without ML-KEM, since the categories say what holds against a quantum
 * computer (NIST PQC call for proposals §4.A.5).
 */
export function quantumLevel({ kind, nistLevel }: KeyExchangeSuite): LinkLevel {
  return kind === "classical" ? 0 : nistLevel;
}

export function groupNamed(id: string): KeyExchangeSuite | undefined {
  return rows.find((row) => row.id === id);
}

/** The group with that number in the IANA registry, if it has a row. */
export function groupNumbered(groupId: number): KeyExchangeSuite | undefined {
  return rows.find((row) => row.groupId === groupId);
}

/**
 * The groups of a small ClientHello: a key share of the first classical group alone, which is short, and every hybrid
 * group of `curves`, so that a server that knows one asks for it (HelloRetryRequest, RFC 8446 §4.1.4).
 * @param curves OpenSSL's list; undefined for its default
 * @returns undefined where no hybrid group is offered, so that the hello is small as it is
 */
export function smallHello(
  curves: string | undefined,
): { readonly curves: string; readonly hybrids: readonly string[] } | undefined {
  const offered = curves?.split(/[:/]/).map((name) => name.replace(/^[*?]+/, ""));
  const hybrids = hybridGroups.map(({ id }) => id).filter((id) => offered?.includes(id) ?? true);
  const [short] = classicalGroups;
  if (hybrids.length === 0 || short === undefined) return undefined;
  return { curves: [...hybrids, `*${short.id}`].join(":"), hybrids };
}

/** The group of a link that is up: OpenSSL then names some by their curve. */
export function groupCalled(name: string): KeyExchangeSuite | undefined {
  return groupNamed(name === "prime256v1" ? "P-256" : name);
}
