/** The tables of algorithms and profiles as an operator reads them, with what each row is worth on that day. */
import { aeadSuites, hashSuites } from "../../crypto/suites/symmetric.ts";
import { keyExchangeSuites } from "../../crypto/suites/key-exchange.ts";
import {
  builtInProfiles,
  forbiddenIn,
  type Profile,
  type ProfileDocument,
  profileOf,
} from "../../crypto/suites/profiles.ts";
import { signatureSuite, signatureSuiteIds } from "../../crypto/suites/signatures.ts";
import { type Dated, type Status, statusAt } from "../../crypto/suites/standing.ts";
import type { Config } from "../config.ts";
import { namedProfile } from "../config/crypto.ts";

export interface SuiteRow {
  readonly use: "key exchange" | "signature" | "hash" | "cipher";
  readonly id: string;
  readonly kind: "classical" | "hybrid" | "pq" | null;
  readonly nist_level: number;
  /** What its numbers and sizes are called, in bytes unless the name says otherwise. */
  readonly sizes: Readonly<Record<string, number>>;
  /** As others write it: IANA's number of a group, the OID of a signature. */
  readonly registered: string | null;
  readonly status: Status;
  readonly deprecated_from: string | null;
  readonly forbidden_from: string | null;
  readonly source: string | null;
}

export interface ProfileRow {
  readonly profile: ProfileDocument;
  /** Of an operator's own: that it narrows another. */
  readonly summary: string;
  /** Level of the weakest of its groups and identities. */
  readonly nist_level: number;
  readonly from: string | null;
  readonly until: string | null;
  readonly source: string | null;
  /** Its algorithms that are deprecated today, and those that are forbidden. */
  readonly deprecated: readonly string[];
  readonly forbidden: readonly string[];
}

export function suiteRows(nowUnixMs: number): readonly SuiteRow[] {
  return [
    ...keyExchangeSuites.map((row) => ({
      use: "key exchange" as const,
      kind: row.kind,
      registered: `0x${row.groupId.toString(16).padStart(4, "0")}`,
      sizes: { client_share: row.shareBytes[0], server_share: row.shareBytes[1] },
      ...dated(row, nowUnixMs),
    })),
    ...signatureSuiteIds.map(signatureSuite).map((row) => ({
      use: "signature" as const,
      kind: row.kind,
      registered: row.oid,
      sizes: { public_key: row.publicKeyBytes, signature: row.signatureBytes },
      ...dated(row, nowUnixMs),
    })),
    ...hashSuites.map((row) => ({
      use: "hash" as const,
      kind: null,
      registered: null,
      sizes: { digest: row.digestBytes },
      ...dated(row, nowUnixMs),
    })),
    ...aeadSuites.map((row) => ({
      use: "cipher" as const,
      kind: null,
      registered: null,
      sizes: { key: row.keyBytes, tag: row.tagBytes },
      ...dated(row, nowUnixMs),
    })),
  ];
}

/** What a row of that name is worth; undefined for one that has none. */
export function standingOf(id: string, nowUnixMs: number): SuiteRow | undefined {
  return suiteRows(nowUnixMs).find((row) => row.id === id);
}

/** The built-in ones, then the operator's own. @throws Refusal `bad_config` for one of these that can't be */
export function profileRows(config: Config, nowUnixMs: number): readonly ProfileRow[] {
  const own = Object.entries(config.crypto.profiles).map(([name, { based_on: basedOn }]) => {
    const base = builtInProfiles.find(({ document }) => document.name === basedOn);
    const { document } = namedProfile(name, config.crypto, undefined);
    return rowOf({ ...base, document, summary: `Your own: ${basedOn}, narrowed.` }, nowUnixMs);
  });
  return [...builtInProfiles.map((row) => rowOf(row, nowUnixMs)), ...own];
}

function rowOf(
  { document, summary, from, until, source }: (typeof builtInProfiles)[number],
  nowUnixMs: number,
): ProfileRow {
  const profile = profileOf(document);
  return {
    profile: document,
    summary,
    nist_level: Math.min(...mainRows(profile).map(({ nistLevel }) => nistLevel)),
    from: from ?? null,
    until: until ?? null,
    source: source ?? null,
    deprecated: mainRows(profile)
      .filter((row) => statusAt(row, nowUnixMs) === "deprecated")
      .map(({ id }) => id),
    forbidden: forbiddenIn(profile, nowUnixMs),
  };
}

function mainRows({ groups, classicalGroups, identities }: Profile) {
  return [...groups, ...classicalGroups, ...identities];
}

function dated(row: Dated & { readonly id: string; readonly nistLevel: number }, nowUnixMs: number) {
  return {
    id: row.id,
    nist_level: row.nistLevel,
    status: statusAt(row, nowUnixMs),
    deprecated_from: row.deprecatedFrom ?? null,
    forbidden_from: row.forbiddenFrom ?? null,
    source: row.source ?? null,
  };
}
