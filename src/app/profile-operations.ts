/** What an operator does with the algorithms in use: apply a profile, roll back, ask for fresh keys. The running gateway follows. */
import { type Profile, type ProfileDocument, forbiddenIn, profileOf } from "../crypto/suites/profiles.ts";
import type { ProfileStore } from "../host/store/state-profiles.ts";
import { purposes } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import { namedProfile } from "./config/crypto.ts";
import { proveLinkCryptography } from "./cryptography.ts";
import { changeEvent, isSameProfile, withProfiles } from "./profile-in-force.ts";
import { type OpenStore, openStore } from "./root-operations.ts";
import { ensureRootOf, exportRoots } from "./roots.ts";
import { statePaths } from "./state-folder.ts";

/** What was applied. */
export interface AppliedProfile {
  readonly before: string;
  readonly after: string;
  /** Until then what `before` had is still taken. */
  readonly outgoingUntilUnixMs: number;
}

interface Applying {
  /** How long what only the old profile has is taken. */
  readonly overlapMs: number;
  readonly clock: Clock;
}

/** The profile of that name, as the config has it now. @throws Refusal `bad_config` */
export function profileNamed(config: Config, name: string): Profile {
  return namedProfile(name, config.crypto, config.p2p_connectivity?.allowed_algos);
}

/**
 * @throws Refusal `bad_config` for a profile that isn't there or may not be used, `bad_state` if it is in force already,
 * `self_test_failed` if this machine's algorithms don't do what it needs
 */
export async function applyProfile(config: Config, name: string, how: Applying): Promise<AppliedProfile> {
  return await change(config, "apply", () => profileNamed(config, name), how);
}

/** Back to what was in force before the last change. @throws Refusal `bad_state` if nothing was */
export async function rollBack(config: Config, how: Applying): Promise<AppliedProfile> {
  return await change(config, "rollback", () => previousProfile(config), how);
}

/** What was in force before the last change. @throws Refusal `bad_state` if nothing was */
export function previousProfile(config: Config): Profile {
  const before = withProfiles(config.state, (store) => store.changes()).at(-2);
  if (before !== undefined) return profileOf(before.profile);
  throw new Refusal("bad_state", "The profile was never changed; there is nothing to go back to.");
}

/** New TLS keys for the gateway and its sidecars, with their next certificates, which they take at once. */
export async function rotateTlsKeys(config: Config, clock: Clock): Promise<void> {
  const { close } = await openStore(config, clock);
  try {
    const event = { atUnixMs: clock.nowUnixMs(), what: "rotate_tls", facts: {} };
    withProfiles(config.state, (store) => store.askForFreshKeys(clock.nowUnixMs(), event));
  } finally {
    close();
  }
}

async function change(
  config: Config,
  what: "apply" | "rollback",
  wished: () => Profile,
  { overlapMs, clock }: Applying,
): Promise<AppliedProfile> {
  const open = await openStore(config, clock);
  try {
    const profile = wished();
    mayBeUsed(profile, clock);
    await proveLinkCryptography([profile]);
    await makeRoots(config, profile, open);
    return withProfiles(config.state, (store) =>
      applied(store, { what, profile, configured: config.profile.document, overlapMs, clock }),
    );
  } finally {
    open.close();
  }
}

function applied(
  store: ProfileStore,
  wish: Applying & {
    readonly what: string;
    readonly profile: Profile;
    readonly configured: ProfileDocument;
  },
): AppliedProfile {
  const { profile, overlapMs, clock } = wish;
  const atUnixMs = clock.nowUnixMs();
  const outgoingUntilUnixMs = atUnixMs + overlapMs;
  let before: ProfileDocument | undefined;
  store.apply((changes) => {
    before = changes.at(-1)?.profile;
    if (before === undefined) {
      throw new Refusal("bad_state", 'No profile is in force yet; run "latticegate up" once.');
    }
    if (isSameProfile(before, profile.document)) {
      throw new Refusal("bad_state", `The profile ${profile.name} is in force already.`);
    }
    const next = {
      atUnixMs,
      profile: profile.document,
      configured: wish.configured,
      outgoingUntilUnixMs,
    };
    return { change: next, event: changeEvent(wish.what, before, next) };
  });
  return { before: before?.name ?? "", after: profile.name, outgoingUntilUnixMs };
}

/** The roots that the new profile's identities stand under; on disk before anybody needs them. */
async function makeRoots(
  config: Config,
  { identity }: Profile,
  { store, keys, making }: OpenStore,
): Promise<void> {
  for (const purpose of purposes) await ensureRootOf(keys, store, purpose, { ...making, suite: identity.id });
  await exportRoots(statePaths(config.state), store);
}

function mayBeUsed(profile: Profile, clock: Clock): void {
  const forbidden = forbiddenIn(profile, clock.nowUnixMs());
  if (forbidden.length === 0) return;
  throw new Refusal(
    "bad_config",
    `The profile ${profile.name} has ${forbidden.join(", ")}, which may not be used any more.`,
  );
}
