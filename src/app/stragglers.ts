/** Who hasn't renewed since something changed, and may not know of it. */
import type { StateStore } from "../host/store/state-sqlite.ts";
import { svidLifetimeMs } from "../identity/authority.ts";
import { gatewayIdOf, spiffeId } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import { passingPaths } from "./doctor-rule.ts";

/** SPIFFE IDs, without the gateway's own and those that a check takes for a moment and drops. */
export function stragglers(
  state: Pick<StateStore, "stragglers">,
  trustDomain: string,
  sinceUnixMs: number,
  clock: Clock,
): readonly string[] {
  const since = { unixMs: sinceUnixMs, lifetimeMs: svidLifetimeMs };
  return state.stragglers(since, clock.nowUnixMs(), [
    gatewayIdOf(trustDomain),
    ...passingPaths.map((path) => spiffeId(trustDomain, path)),
  ]);
}
