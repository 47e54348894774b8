/** What an operator does with the algorithms in use: apply a profile, roll back, ask for fresh keys. The running gateway follows. */
import { type Profile, narrowed, type ProfileDocument, profileOf } from "../crypto/suites/profiles.ts";
import type { ProfileChange, ProfileStore, ProfileWish } from "../host/store/state-profiles.ts";
import { purposes } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import { namedProfile } from "./config/crypto.ts";
import { proveLinkCryptography } from "./cryptography.ts";
import { changeEvent, isSameProfile, mustBeAllowed, wishIn, withProfiles } from "./profile-in-force.ts";
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
  /** Who, and why; kept in the log's entry. */
  readonly told?: { readonly by: string; readonly because: string };
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
  return await change(config, "rollback", (changes) => profileBefore(config, changes), how);
}

/**
 * What was in force before the last change.
 * @throws Refusal `bad_state` if nothing was, `bad_config` if the config rules out what it has
 */
export function previousProfile(config: Config): Profile {
  return profileBefore(
    config,
    withProfiles(config.state, (store) => store.changes()),
  );
}

function profileBefore(config: Config, changes: readonly ProfileChange[]): Profile {
  const before = changes.at(-2)?.profile;
  if (before === undefined) {
    throw new Refusal("bad_state", "The profile was never changed; there is nothing to go back to.");
  }
  const allowed = config.p2p_connectivity?.allowed_algos;
  if (allowed !== undefined && !isSameProfile(narrowed(before, allowed), before)) {
    throw new Refusal(
      "bad_config",
      `The profile ${before.name} of before has more than p2p_connectivity.allowed_algos allows now. Apply one by its name instead: it is narrowed.`,
    );
  }
  return profileOf(before);
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
  wished: (changes: readonly ProfileChange[]) => Profile,
  { overlapMs, clock, told }: Applying,
): Promise<AppliedProfile> {
  const open = await openStore(config, clock);
  try {
    const profile = wished(withProfiles(config.state, (store) => store.changes()));
    mustBeAllowed(profile, clock.nowUnixMs());
    await proveLinkCryptography([profile]);
    await makeRoots(config, profile, open);
    return withProfiles(config.state, (store) =>
      applied(store, {
        what,
        wished,
        made: profile,
        configured: wishIn(config),
        overlapMs,
        clock,
        ...(told && { told }),
      }),
    );
  } finally {
    open.close();
  }
}

function applied(
  store: ProfileStore,
  wish: Applying & {
    readonly what: string;
    readonly wished: (changes: readonly ProfileChange[]) => Profile;
    /** The one that roots were made for. */
    readonly made: Profile;
    readonly configured: ProfileWish;
  },
): AppliedProfile {
  const { made: profile, overlapMs, clock, told } = wish;
  const atUnixMs = clock.nowUnixMs();
  const outgoingUntilUnixMs = atUnixMs + overlapMs;
  let before: ProfileDocument | undefined;
  store.apply((changes) => {
    before = changes.at(-1)?.profile;
    if (before === undefined) {
      throw new Refusal("bad_state", 'No profile is in force yet; run "latticegate up" once.');
    }
    // Chosen anew: somebody else's change may have come in between.
    if (!isSameProfile(wish.wished(changes).document, profile.document)) {
      throw new Refusal("bad_state", "The profile was changed meanwhile; look at the plan again.");
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
    const event = changeEvent(wish.what, before, next);
    return { change: next, event: { ...event, facts: { ...event.facts, ...told } } };
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
