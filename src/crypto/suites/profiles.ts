/**
 * What a deployment negotiates: a named profile, so that a change of algorithms is a change of one word. Profiles are
 * documents of names first, as configs, state and peers hold them, and rows of the suite tables once they are resolved.
 */
import { z } from "zod";

import { Refusal } from "../../kernel/refusal.ts";
import {
  classicalGroups,
  groupNamed,
  type ClassicalGroupId,
  type HybridGroupId,
  hybridGroups,
  type KeyExchangeSuite,
} from "./key-exchange.ts";
import {
  type KnownSignatureSuite,
  logBeside,
  type LogSuites,
  signatureSuite,
  signatureSuiteIds,
} from "./signatures.ts";
import { statusAt } from "./standing.ts";
import { aeadIds, type HashId, profileHashes } from "./symmetric.ts";

const builtInNames = ["transition", "hybrid", "cnsa-2.0"] as const;
export type ProfileName = (typeof builtInNames)[number];

const identityIds = ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"] as const;
const classicalIds = ["Ed25519", "ECDSA-P384"] as const;
const names = <Name extends string>(all: readonly Name[]) =>
  z
    .array(z.enum(all as readonly [Name, ...Name[]]))
    .min(1)
    .max(16);

/** A profile by the names of its algorithms, each list in order of preference. */
export const profileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/),
  /** The built-in profile it is, or that an operator narrowed. */
  based_on: z.enum(builtInNames),
  /** TLS groups with ML-KEM. */
  groups: names(hybridGroups.map(({ id }) => id as HybridGroupId)),
  /** Groups of links that are let in without ML-KEM, marked, where an operator says so. */
  classical_groups: z.array(z.enum(classicalGroups.map(({ id }) => id as ClassicalGroupId))).max(8),
  /** Algorithms of workload identities that count; new ones, and the roots above them, have the first. */
  identities: names(identityIds),
  /** Algorithm of the second, classical identity that a link may prove beside it. */
  classical: z.enum(classicalIds),
  /** Cipher suites of TLS 1.3. */
  ciphers: names(aeadIds),
  hash: z.enum(profileHashes),
  /** What a head of the audit log has to be signed with, all of it. */
  log: names(["Ed25519", "ML-DSA-65", "ML-DSA-87"]),
});

export type ProfileDocument = Readonly<z.output<typeof profileSchema>>;

interface BuiltIn {
  readonly document: ProfileDocument;
  /** For people: what it is for. */
  readonly summary: string;
  /** UTC day from which it is what its source asks for. */
  readonly from?: string;
  /** UTC day from which its source asks for more. */
  readonly until?: string;
  readonly source?: string;
}

const hybridDocument = {
  name: "hybrid",
  based_on: "hybrid",
  groups: ["X25519MLKEM768", "SecP384r1MLKEM1024", "SecP256r1MLKEM768"],
  classical_groups: [],
  identities: ["ML-DSA-65", "ML-DSA-87"],
  classical: "Ed25519",
  ciphers: ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  hash: "SHA-256",
  log: ["Ed25519", "ML-DSA-65"],
} as const satisfies ProfileDocument;

const profiles = [
  {
    document: {
      ...hybridDocument,
      name: "transition",
      based_on: "transition",
      classical_groups: ["X25519", "P-256"],
    },
    summary: "Hybrid preferred; links without ML-KEM are let in, marked, where a listener or server says so.",
    until: "2031-01-01",
    source: "NIST IR 8547",
  },
  {
    document: hybridDocument,
    summary: "Hybrid or refused.",
    until: "2036-01-01",
    source: "NIST IR 8547",
  },
  {
    document: {
      name: "cnsa-2.0",
      based_on: "cnsa-2.0",
      groups: ["SecP384r1MLKEM1024"],
      classical_groups: [],
      identities: ["ML-DSA-87"],
      classical: "ECDSA-P384",
      ciphers: ["TLS_AES_256_GCM_SHA384"],
      hash: "SHA-384",
      log: ["ML-DSA-87"],
    },
    summary: "Category 5 alone.",
    from: "2027-01-01",
    source: "NSA CNSA 2.0",
  },
] as const satisfies readonly (BuiltIn & { readonly document: { readonly name: ProfileName } })[];

/** What a join token or a stored identity that names none was made under. */
export const defaultProfile = "hybrid" satisfies ProfileName;

export const profileNames = builtInNames;

export const builtInProfiles: readonly BuiltIn[] = profiles;

export function isProfileName(name: string): name is ProfileName {
  return builtInNames.some((each) => each === name);
}

/** A profile with the rows its names stand for. */
export interface Profile {
  readonly name: string;
  /** With ML-KEM, in order of preference. */
  readonly groups: readonly KeyExchangeSuite[];
  /** Without; none but under a profile for the time of a transition. */
  readonly classicalGroups: readonly KeyExchangeSuite[];
  /** Algorithm of the workload identities that are given out, and of the roots above them. */
  readonly identity: KnownSignatureSuite;
  /** Those that count, `identity` first. */
  readonly identities: readonly KnownSignatureSuite[];
  /** Algorithm of the second, classical identity that a link may prove beside it. */
  readonly classical: KnownSignatureSuite;
  /** Colon-separated, for `ciphers`. */
  readonly ciphers: string;
  readonly hash: HashId;
  /** What signs the audit log. */
  readonly log: LogSuites;
  readonly document: ProfileDocument;
}

/** The rows a document names. */
export function profileOf(document: ProfileDocument): Profile {
  const [first, ...more] = document.identities.map(signatureSuite);
  if (first === undefined) throw new Error("a profile without an identity algorithm");
  const rowsOf = (ids: readonly string[]): readonly KeyExchangeSuite[] =>
    ids.flatMap((id) => groupNamed(id) ?? []);
  return {
    name: document.name,
    groups: rowsOf(document.groups),
    classicalGroups: rowsOf(document.classical_groups),
    identity: first,
    identities: [first, ...more],
    classical: signatureSuite(document.classical),
    ciphers: document.ciphers.join(":"),
    hash: document.hash,
    log: { required: document.log, ...logBeside },
    document,
  };
}

/**
 * The built-in profile of that name, narrowed to the algorithms an operator allows.
 * @param allowed FIPS names such as `ML-KEM-768` and `ML-DSA-65`, or names of groups; undefined allows what the profile has.
 * @throws Refusal `bad_config` if nothing is left, or there is no such profile.
 */
export function resolveProfile(name: string, allowed?: readonly string[]): Profile {
  const row = profiles.find(({ document }) => document.name === name);
  if (row === undefined) {
    throw new Refusal("bad_config", `There is no profile "${name}"; there are ${profileNames.join(", ")}.`);
  }
  return profileOf(allowed === undefined ? row.document : narrowed(row.document, allowed));
}

/** @throws Refusal `bad_config` if an algorithm isn't known, or no key exchange or no identity is left */
export function narrowed(document: ProfileDocument, allowed: readonly string[]): ProfileDocument {
  const known = new Set<string>([
    ...signatureSuiteIds,
    ...[...hybridGroups, ...classicalGroups].flatMap(({ id, kem }) => (kem === null ? [id] : [id, kem])),
  ]);
  const unknown = allowed.find((id) => !known.has(id));
  if (unknown !== undefined) {
    throw new Refusal("bad_config", `Unknown algorithm "${unknown}"; known are ${[...known].join(", ")}.`);
  }
  const groups = document.groups.filter((id) => {
    const kem = groupNamed(id)?.kem ?? "";
    return allowed.includes(id) || allowed.includes(kem);
  });
  const identities = document.identities.filter((id) => allowed.includes(id));
  if (groups.length === 0 || identities.length === 0) {
    const kems = new Set(document.groups.flatMap((id) => groupNamed(id)?.kem ?? []));
    throw new Refusal(
      "bad_config",
      `Profile "${document.name}" needs one of ${document.identities.join(", ")} and one of ${[...kems].toSorted().join(", ")} among the allowed algorithms.`,
    );
  }
  return {
    ...document,
    groups,
    identities,
    // Classical groups have to be named: what is written for the post-quantum ones doesn't keep them.
    classical_groups: document.classical_groups.filter((id) => allowed.includes(id)),
  };
}

/** Algorithms of a profile that may not be used any more at that time. */
export function forbiddenIn(profile: Profile, nowUnixMs: number): readonly string[] {
  const rows = [...profile.groups, ...profile.classicalGroups, ...profile.identities];
  return rows.filter((row) => statusAt(row, nowUnixMs) === "forbidden").map(({ id }) => id);
}
