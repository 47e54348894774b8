/** The profile in force in a state folder: what the config named first, and what was applied since. */
import { isDeepStrictEqual } from "node:util";

import { type InForce, inForceAfter, type LinkTerms, joined } from "../crypto/suites/in-force.ts";
import {
  builtInProfiles,
  forbiddenIn,
  type Profile,
  type ProfileDocument,
  profileOf,
  profileSchema,
} from "../crypto/suites/profiles.ts";
import {
  openProfiles,
  type ProfileChange,
  type ProfileStore,
  type ProfileWish,
} from "../host/store/state-profiles.ts";
import type { RootRecord } from "../host/store/state-roots.ts";
import { overlapMs } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
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
 * @throws Refusal `bad_config` for what may not be used any more; nothing is written of it then
 */
export function followConfig(
  store: ProfileStore,
  config: Pick<Config, "profile" | "crypto" | "p2p_connectivity">,
  roots: readonly RootRecord[],
  clock: Clock,
): void {
  const nowUnixMs = clock.nowUnixMs();
  const { document } = config.profile;
  const wish = wishIn(config);
  store.apply((changes) => {
    if (changes.length > 0) return undefined;
    const first = earlierProfile(roots, document);
    if (first === undefined) mustBeAllowed(config.profile, nowUnixMs);
    const change = {
      atUnixMs: nowUnixMs,
      profile: first ?? document,
      configured: first === undefined ? wish : { name: first.name, based_on: first.based_on },
      outgoingUntilUnixMs: 0,
    };
    return { change, event: changeEvent("begin", undefined, change) };
  });
  store.apply((changes) => {
    const last = changes.at(-1);
    if (last === undefined || isSameWish(last.configured, wish)) return undefined;
    const isAsWritten = "groups" in last.configured && isSameProfile(last.configured, document);
    if (isAsWritten || isSameProfile(last.profile, document)) {
      store.noteConfigured(wish);
      return undefined;
    }
    mustBeAllowed(config.profile, nowUnixMs);
    const outgoingUntilUnixMs = nowUnixMs + overlapMs;
    const change = { atUnixMs: nowUnixMs, profile: document, configured: wish, outgoingUntilUnixMs };
    return { change, event: changeEvent("configured", last.profile, change) };
  });
}

/** What the file says; what a release makes of a built-in name is no wish of the operator's. */
export function wishIn({
  profile: { document },
  crypto,
  p2p_connectivity: peers,
}: Pick<Config, "profile" | "crypto" | "p2p_connectivity">): ProfileWish {
  const { name, based_on } = document;
  const own = Object.hasOwn(crypto.profiles, name) ? crypto.profiles[name] : undefined;
  const sorted = (ids: readonly string[]): string[] => [...new Set(ids)].toSorted();
  return {
    name,
    based_on,
    ...(own && { allowed: sorted(own.allowed_algos) }),
    ...(peers?.allowed_algos && { allowed_between_peers: sorted(peers.allowed_algos) }),
  };
}

function isSameWish(one: ProfileChange["configured"], other: ProfileWish): boolean {
  if ("groups" in one) return false;
  return isDeepStrictEqual({ ...one }, { ...other });
}

/** @throws Refusal `bad_config` for algorithms whose day has come */
export function mustBeAllowed(profile: Profile, nowUnixMs: number): void {
  const forbidden = forbiddenIn(profile, nowUnixMs);
  if (forbidden.length === 0) return;
  throw new Refusal(
    "bad_config",
    `The profile ${profile.name} has ${forbidden.join(", ")}, which may not be used any more. Take another one.`,
  );
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
