/** A sidecar's identity: joined once, kept sealed, renewed by itself and whenever its gateway asks for that. */
import { type LinkTerms, nextDeadline } from "../crypto/suites/in-force.ts";
import type { Profile } from "../crypto/suites/profiles.ts";
import { askProfile, type KnownGateway } from "../host/net/enrol-client.ts";
import type { Credentials } from "../host/net/tls.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { svidLifetimeMs } from "../identity/authority.ts";
import { rootsDigest } from "../identity/roots-digest.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { RenewalWish } from "../wire/renewal-wish.ts";
import type { LinkAuthentication } from "./config/link.ts";
import { renewing } from "./credentials.ts";
import { atDeadlines } from "./deadlines.ts";
import { heededWishes } from "./heeded-wishes.ts";
import { whileIdentityLocked } from "./identity-keys.ts";
import { type EnrolmentOptions, firstIdentity, nextIdentity } from "./sidecar-enrolment.ts";
import { openKeys } from "./state-folder.ts";
import {
  credentialsOfIdentity,
  gatewayOf,
  type IdentityKeys,
  inForceOfIdentity,
  keysOf,
  notAfterOf,
  profileOfIdentity,
  readIdentity,
  type StoredIdentity,
  termsOfIdentity,
} from "./stored-identity.ts";

export interface SidecarOptions extends EnrolmentOptions {
  /** `hybrid-mtls` for what can't do without a classical identity. */
  readonly authentication?: LinkAuthentication;
}

export interface SidecarIdentity {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** In force as of the last renewal. */
  readonly profile: Profile;
  /** What links may negotiate now. */
  readonly terms: () => LinkTerms;
  readonly gateway: KnownGateway;
  /** As of the last renewal. */
  readonly serverRoots: readonly string[];
  readonly clientRoots: readonly string[];
  readonly keys: KeyFolder;
  /** The best first; one of another algorithm beside it while that counts. */
  readonly credentials: () => readonly Credentials[];
  /** Called whenever they were renewed, or what links may negotiate has changed; the roots may be new then, too. */
  readonly onRenewed: (use: () => void) => void;
  /** Renews soon if that isn't met; ever more seldom while nothing comes of it. Undefined takes it back. */
  readonly heed: (wish: RenewalWish | undefined) => void;
  /** Renews if the gateway has another profile in force than is known here, or other roots. @returns whether it did */
  readonly catchUp: () => Promise<boolean>;
  readonly stop: () => Promise<void>;
}

/**
 * @throws Refusal `bad_join_token` if there is neither an identity nor a token that gets one, `bad_state` if it lacks
 * the classical part that is asked for
 */
export async function openSidecarIdentity(options: SidecarOptions): Promise<SidecarIdentity> {
  const { clock, log } = options;
  const { keys, ...first } = await whileIdentityLocked(options.state, () => opened(options));
  let { stored, pair } = first;
  if (options.authentication === "hybrid-mtls" && stored.classical === undefined) throw notHybrid(options);
  let use: () => void = () => {};
  const deadlines = atDeadlines(clock, {
    next: () => nextDeadline(inForceOfIdentity(stored), clock.nowUnixMs()),
    passed: () => use(),
  });
  const wishes = heededWishes(clock, (wish) => meets(stored, pair, wish));
  const renew = async (): Promise<number> => {
    const work = whileIdentityLocked(options.state, () => nextOf(stored, keys, options));
    ({ stored, pair } = await work.catch(wishes.failed));
    wishes.renewed();
    use();
    deadlines.look();
    log.info("identity.renewed", { spiffeId: stored.spiffe_id, profile: profileOfIdentity(stored).name });
    return notAfterOf(stored);
  };
  const renewal = renewing(notAfterOf(stored), { clock, log }, renew, wishes.dueUnixMs);
  let catchingUp: Promise<boolean> | undefined;
  const catchUp = async (): Promise<boolean> => {
    const before = stored;
    if (wishes.isPausing()) return false;
    if (!(await hasChanged(before, clock).catch(() => false))) return false;
    // Another one may have renewed it meanwhile.
    if (stored === before) await renewal.atOnce();
    return stored !== before;
  };
  return {
    spiffeId: stored.spiffe_id,
    trustDomain: stored.trust_domain,
    get profile() {
      return profileOfIdentity(stored);
    },
    terms: () => termsOfIdentity(stored, clock.nowUnixMs()),
    get gateway() {
      return gatewayOf(stored, clock);
    },
    get serverRoots() {
      return stored.server_roots;
    },
    get clientRoots() {
      return stored.client_roots;
    },
    keys,
    credentials: () => credentialsOfIdentity(stored, pair, clock.nowUnixMs()),
    onRenewed: (next) => (use = next),
    heed: (wish) => {
      wishes.take(wish);
      if (wishes.dueUnixMs() !== undefined) renewal.look();
    },
    catchUp: () => (catchingUp ??= catchUp().finally(() => (catchingUp = undefined))),
    stop: async () => {
      deadlines.stop();
      await renewal.stop();
    },
  };
}

function meets(
  stored: StoredIdentity,
  { key }: IdentityKeys,
  { beforeUnixMs, keyAlgorithm }: RenewalWish,
): boolean {
  const madeUnixMs = notAfterOf(stored) - svidLifetimeMs;
  return madeUnixMs >= beforeUnixMs && (keyAlgorithm === undefined || key.suite.id === keyAlgorithm);
}

interface Opened {
  readonly stored: StoredIdentity;
  readonly pair: IdentityKeys;
}

async function opened(options: SidecarOptions): Promise<Opened & { readonly keys: KeyFolder }> {
  const keys = await openKeys(options.state, undefined);
  const stored = await usable(await firstIdentity(options, keys), keys, options);
  return { keys, stored, pair: await keysOf(stored, keys) };
}

/** What another process that shares this state folder has renewed it to, or else the next one; its keys may be others. */
async function nextOf(held: StoredIdentity, keys: KeyFolder, options: SidecarOptions): Promise<Opened> {
  const found = (await readIdentity(options.state)) ?? held;
  if (found.spiffe_id !== held.spiffe_id) {
    throw new Refusal(
      "bad_state",
      `${options.state} has the identity ${found.spiffe_id} now, which another process joined with. Restart this sidecar, or give each identity a state folder of its own.`,
    );
  }
  const isRenewed = found.certificate !== held.certificate && notAfterOf(found) >= notAfterOf(held);
  const stored = isRenewed ? found : await nextIdentity(found, keys, options);
  return { stored, pair: await keysOf(stored, keys) };
}

/** Whether the gateway has another profile in force, or other roots, than this identity knows of. */
async function hasChanged(stored: StoredIdentity, clock: Clock): Promise<boolean> {
  const asked = await askProfile(gatewayOf(stored, clock), termsOfIdentity(stored, clock.nowUnixMs()));
  if (asked === undefined) return false;
  const known = rootsDigest({ server: stored.server_roots, client: stored.client_roots });
  const hasOtherRoots = asked.roots !== undefined && asked.roots !== known;
  return hasOtherRoots || asked.since !== stored.in_force?.since;
}

/**
 * Ended while nobody was running, it is renewed now; one that still counts, in the background. One from before there
 * were classical identities is renewed now as well, into one that has both, if the gateway can be reached.
 */
async function usable(
  stored: StoredIdentity,
  keys: KeyFolder,
  options: SidecarOptions,
): Promise<StoredIdentity> {
  const hasEnded = notAfterOf(stored) <= options.clock.nowUnixMs();
  if (hasEnded) return await nextIdentity(stored, keys, options);
  if (stored.classical !== undefined) return stored;
  try {
    return await nextIdentity(stored, keys, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    options.log.warn("identity.renewal_failed", { reason });
    return stored;
  }
}

function notHybrid({ state }: SidecarOptions): Refusal {
  return new Refusal(
    "bad_state",
    `The identity in ${state} has no classical part, which hybrid-mtls needs. Its gateway gives one when it is renewed: it must be up, and of this version.`,
  );
}
