/** Who is told to renew its certificate: who was given it before the profile in force, or one of the roots, came. */
import type { InForce } from "../crypto/suites/in-force.ts";
import { svidLifetimeMs } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Channel } from "../model/channel.ts";
import type { RenewalWish } from "../wire/renewal-wish.ts";
import type { OwnIdentity, Standing } from "./own-identity.ts";

interface Created {
  readonly createdUnixMs: number;
}

interface RenewalsOptions {
  readonly own: Pick<OwnIdentity, "inForce">;
  readonly environment: { readonly clock: Clock };
  /** Unix time in ms: keys must be newer, whatever the profile. */
  readonly freshKeysSince: () => number;
}

interface RenewalsDue {
  /** Who has an older certificate is told to renew it. */
  readonly beforeUnixMs: () => number;
  readonly wish: (channel: Channel) => RenewalWish | undefined;
  /** All that were issued until now are to be renewed. */
  readonly now: () => void;
}

export function renewalsDue(
  { own, environment: { clock }, freshKeysSince }: RenewalsOptions,
  roots: readonly Created[],
  standing: () => Standing,
): RenewalsDue {
  let before = newestOf(own.inForce(), roots);
  // A clock that was set back would have everybody told for ever.
  const beforeUnixMs = (): number => Math.min(Math.max(before, freshKeysSince()), clock.nowUnixMs());
  return {
    beforeUnixMs,
    wish: ({ peer }) =>
      wishOf(peer, { beforeUnixMs: beforeUnixMs(), keyAlgorithm: standing().inForce.profile.identity.id }),
    now: () => void (before = clock.nowUnixMs()),
  };
}

/** The wish, if a peer's certificate was made before its moment, or of another algorithm than those made now. */
function wishOf(peer: Channel["peer"], wish: RenewalWish): RenewalWish | undefined {
  if (peer.kind !== "svid") return undefined;
  const isOlder = peer.notAfterUnixMs - svidLifetimeMs < wish.beforeUnixMs;
  return isOlder || peer.keyAlgorithm !== wish.keyAlgorithm ? wish : undefined;
}

/** When the profile in force or one of the roots came. */
function newestOf({ sinceUnixMs }: InForce, roots: readonly Created[]): number {
  return inWholeSeconds(Math.max(sinceUnixMs, ...roots.map(({ createdUnixMs }) => createdUnixMs)));
}

/** As certificates say their times: one that was made just after that moment doesn't look older. */
function inWholeSeconds(unixMs: number): number {
  return Math.floor(unixMs / 1000) * 1000;
}
