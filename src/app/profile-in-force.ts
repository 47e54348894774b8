/** The profile in force in a state folder: what the config named first, and what was applied since. */
import { type InForce, inForceAfter, type LinkTerms, joined } from "../crypto/suites/in-force.ts";
import {
  builtInProfiles,
  type Profile,
  type ProfileDocument,
  profileOf,
  profileSchema,
} from "../crypto/suites/profiles.ts";
import { openProfiles, type ProfileChange, type ProfileStore } from "../host/store/state-profiles.ts";
import type { RootRecord } from "../host/store/state-roots.ts";
import { overlapMs } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Config } from "./config.ts";
import { statePaths } from "./state-folder.ts";

/** Lends the history of profiles to `work`, and closes it after. */
export function withProfiles<T>(state: string, work: (store: ProfileStore) => T): T {
  const store = openProfiles(statePaths(state).database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

/** As commands see it; before the first start, what the config names. */
export function profileInForce(config: Config, clock: Clock): InForce {
  const changes = withProfiles(config.state, (store) => store.changes());
  return inForceOf(changes, config, clock.nowUnixMs());
}

/** Of that history; what the config names where there is none. */
export function inForceOf(
  changes: readonly ProfileChange[],
  { profile }: Pick<Config, "profile">,
  nowUnixMs: number,
): InForce {
  return changes.length === 0 ? { profile, sinceUnixMs: 0, outgoing: [] } : inForceAfter(changes, nowUnixMs);
}

/**
 * Begins the history at the first start, and takes an edit of the config for the change it is. A state folder from
 * before there was a history was under the profile that its roots are of.
 */
export function followConfig(
  store: ProfileStore,
  { profile: { document } }: Pick<Config, "profile">,
  roots: readonly RootRecord[],
  clock: Clock,
): void {
  const nowUnixMs = clock.nowUnixMs();
  store.apply((changes) => {
    if (changes.length > 0) return undefined;
    const first = earlierProfile(roots, document) ?? document;
    const change = { atUnixMs: nowUnixMs, profile: first, configured: first, outgoingUntilUnixMs: 0 };
    return { change, event: changeEvent("begin", undefined, change) };
  });
  store.apply((changes) => {
    const last = changes.at(-1);
    if (last === undefined || isSameProfile(last.configured, document)) return undefined;
    if (isSameProfile(last.profile, document)) {
      store.noteConfigured(document);
      return undefined;
    }
    const outgoingUntilUnixMs = nowUnixMs + overlapMs;
    const change = { atUnixMs: nowUnixMs, profile: document, configured: document, outgoingUntilUnixMs };
    return { change, event: changeEvent("configured", last.profile, change) };
  });
}

/** What the audit log says of a change. */
export function changeEvent(
  what: string,
  before: ProfileDocument | undefined,
  { atUnixMs, profile, outgoingUntilUnixMs }: Omit<ProfileChange, "id">,
): { readonly atUnixMs: number; readonly what: string; readonly facts: Readonly<Record<string, string>> } {
  return {
    atUnixMs,
    what,
    facts: {
      ...(before && {
        before: before.name,
        before_suites: suitesIn(before),
        before_ciphers: before.ciphers.join(" "),
        before_log: before.log.join(" "),
      }),
      after: profile.name,
      after_suites: suitesIn(profile),
      after_ciphers: profile.ciphers.join(" "),
      after_log: profile.log.join(" "),
      ...(before && { outgoing_until: new Date(outgoingUntilUnixMs).toISOString() }),
    },
  };
}

/** Terms of everybody who may come back: all that was in force while the roots were made that are still trusted. */
export function comebackTerms(
  terms: LinkTerms,
  changes: readonly ProfileChange[],
  roots: readonly Pick<RootRecord, "suite" | "certificate" | "ended">[],
): LinkTerms {
  const trusted = new Set(
    roots
      .filter(({ certificate, ended }) => certificate !== null && ended === null)
      .map(({ suite }) => suite),
  );
  return changes
    .toReversed()
    .map(({ profile }) => profileOf(profile))
    .filter(({ identity }) => trusted.has(identity.id))
    .reduce<LinkTerms>((all, next) => joined(all, { ...next, classicalGroups: [] }), terms);
}

function earlierProfile(
  roots: readonly RootRecord[],
  configured: ProfileDocument,
): ProfileDocument | undefined {
  const suite = roots.findLast(({ ended }) => ended === null)?.suite;
  if (suite === undefined || configured.identities[0] === suite) return undefined;
  return builtInProfiles.find(
    ({ document }) => document.name !== "transition" && document.identities[0] === suite,
  )?.document;
}

export function isSameProfile(one: ProfileDocument, other: ProfileDocument): boolean {
  // The schema puts the members in one order.
  return JSON.stringify(profileSchema.parse(one)) === JSON.stringify(profileSchema.parse(other));
}

function suitesIn({ groups, classical_groups: classical, identities }: ProfileDocument): string {
  return [...groups, ...classical, ...identities].join(" ");
}

/** The same profile with the second, classical identity that this state folder certifies. */
export function withClassical(profile: Profile, classical: Profile["classical"]): Profile {
  return { ...profile, classical, document: { ...profile.document, classical: classicalId(classical) } };
}

function classicalId({ id }: Profile["classical"]): ProfileDocument["classical"] {
  return id === "ECDSA-P384" ? id : "Ed25519";
}
