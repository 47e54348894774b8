/** Where identities, grants and heads of the log are asked for: what stands beside calls on the gateway's links. */
import { termsAt, writtenInForce } from "../crypto/suites/in-force.ts";
import type { EnrolmentProfile } from "../host/net/enrol-http.ts";
import { grantsHttp } from "../host/net/grants-http.ts";
import { type LogHttp, logHttp } from "../host/net/log-http.ts";
import { trustedRoots } from "../identity/authority.ts";
import { rootsDigest } from "../identity/roots-digest.ts";
import type { OpenClassicalAuthority } from "./classical-authority.ts";
import type { Base, Behind } from "./data-plane.ts";
import { grantsDesk } from "./grants.ts";
import { logDesk } from "./log-desk.ts";
import { withClassical } from "./profile-in-force.ts";
import { registrar } from "./registrar.ts";
import type { RootWatch } from "./root-watch.ts";
import type { ServeOptions } from "./serve.ts";

/** Where identities and grants are asked for, and what is told of those who were refused one. */
export function identityDesks(
  parts: Base & Behind & { readonly watch: RootWatch; readonly state: string },
): Pick<ServeOptions, "grants" | "registrar" | "revoked" | "onRefused" | "witnesses"> {
  const { own, world, records, environment, gatewayId, connected, store, watch, workloads } = parts;
  const { journal, classical } = own;
  const { revokedSerials } = own.state;
  const desk = {
    grants: connected.grants,
    store,
    world: world.current,
    revokedSerials,
    journal,
    ...environment,
  };
  return {
    grants: grantsHttp(grantsDesk(desk), environment.log),
    witnesses: witnessDesk(parts.state, parts),
    registrar: registrar({
      ...own,
      authority: watch.authority,
      suites: () => termsAt(watch.inForce(), environment.clock.nowUnixMs()).identities,
      profile: () => enrolmentProfile(watch, { ...classical, ...parts }),
      classicalAuthority: classical.authority,
      classicalSuite: classical.suite,
      gatewayId,
      trust: () => world.current().trust,
      workloads,
      onRefused: records.refused,
    }),
    revoked: () => own.state.revokedCertificates(environment.clock.nowUnixMs()),
    onRefused: (refusal, remote) => records.refused("link", refusal, remote),
  };
}

/** Where sidecars ask for heads of the log. */
function witnessDesk(state: string, { own, world, environment }: Base): LogHttp {
  const { trustDomain, journal } = own;
  const desk = logDesk({ state, trustDomain, journal, world: world.current, ...environment });
  return logHttp(desk, environment.log);
}

/** What sidecars are told of the profile: the classical identity's algorithm is the one this authority certifies. */
function enrolmentProfile(
  watch: Pick<RootWatch, "inForce" | "authority">,
  { suite, freshKeysSince }: OpenClassicalAuthority & Pick<Base, "freshKeysSince">,
): EnrolmentProfile {
  const since = freshKeysSince();
  const [inForce, authority] = [watch.inForce(), watch.authority()];
  const roots = { server: trustedRoots(authority, "server"), client: trustedRoots(authority, "client") };
  return {
    ...writtenInForce({ ...inForce, profile: withClassical(inForce.profile, suite) }),
    ...(since > 0 && { fresh_keys_since: new Date(since).toISOString() }),
    roots: rootsDigest(roots),
  };
}
