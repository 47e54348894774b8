/** The world that calls are judged under, as the config and the state database have it at every moment. */
import { type InForce, type LinkTerms, nextDeadline, termsAt } from "../crypto/suites/in-force.ts";
import { makeWorld, restrained, type VersionFloor, type World } from "../gate/world.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { nextRelief, restraintsOf } from "../respond/restriction.ts";
import type { Config } from "./config.ts";
import { doctorRule } from "./doctor-rule.ts";
import type { RulesInForce } from "./followed-policies.ts";
import type { KillSwitch } from "./respond/kill-switch.ts";
import type { ResponseDesk } from "./respond/response-desk.ts";
import { serverGates } from "./server-gate.ts";
import { pinnedSigners } from "./signatures/signature-desk.ts";
import { gatewaySignatures } from "./signatures/signature-terms.ts";
import { onlookerOf } from "./tools/server-tools.ts";
import { webReach } from "./web-listener.ts";

/** How soon a change another process made to the state (a revocation) is in force; to look costs a few microseconds. */
const stateWatchMs = 100;

export interface WatchedWorld {
  readonly current: () => World;
  /** Called after each swap that another process made necessary, or the time. */
  readonly onChange: (told: () => void) => void;
  /** Swaps it after this process has written to the state. */
  readonly refresh: () => void;
  /** Swaps it after restrictions have changed, and tells whoever is told of changes, a moment later. */
  readonly restrain: () => void;
  readonly stop: () => void;
}

interface WatchedState extends Pick<StateStore, "revokedSerials" | "shutOutClients" | "version" | "pins"> {
  readonly issuers: () => ReadonlySet<string>;
  readonly inForce: () => InForce;
  readonly pinnedTools: () => World["tools"];
  readonly policies: () => RulesInForce;
  readonly responses: Pick<ResponseDesk, "restrictions" | "refresh" | "sweep">;
  readonly kill: Pick<KillSwitch, "why" | "look">;
  /** What is done about calls asks what models and inspectors say of them. */
  readonly watchesCalls: () => boolean;
}

/** The world, swapped whole when the state database was changed by a command, or a profile's time is over. */
export function watchedWorld(
  config: Config,
  state: WatchedState,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): WatchedWorld {
  const { responses, kill } = state;
  let deadline: number | undefined;
  let relief: number | undefined;
  const make = (): World => {
    const [inForce, nowUnixMs] = [state.inForce(), clock.nowUnixMs()];
    deadline = nextDeadline(inForce, nowUnixMs);
    return worldOf(config, state, termsAt(inForce, nowUnixMs));
  };
  const withRestraints = (bare: World): World => {
    const nowUnixMs = clock.nowUnixMs();
    relief = nextRelief(responses.restrictions(), nowUnixMs);
    return restrained(bare, restraintsOf(responses.restrictions(), nowUnixMs), kill.why());
  };
  let seen = state.version();
  let told = (): void => {};
  let telling: NodeJS.Immediate | undefined;
  let bare = make();
  let world = withRestraints(bare);
  const swap = (): void => void (world = withRestraints((bare = make())));
  const restrain = (): void => {
    // INVARIANT: the kill switch works whatever becomes of the rest.
    world = stoppedBy(world, kill.why());
    attempt(() => void (world = withRestraints(bare)), log);
    telling ??= setImmediate(() => {
      telling = undefined;
      told();
    });
  };
  const timer = setInterval(() => {
    // First, and whatever else there is: it may be the state that is broken.
    if (kill.look()) restrain();
    try {
      const now = state.version();
      const nowUnixMs = clock.nowUnixMs();
      const isOver = isPast(deadline, nowUnixMs) || isPast(relief, nowUnixMs);
      if (now === seen && !isOver) return;
      responses.refresh();
      swap();
      seen = now;
      responses.sweep();
      told();
    } catch (error) {
      // Tried again at the next tick; until then the calls are judged under the world there is.
      log.error("state.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }, stateWatchMs).unref();
  return {
    current: () => world,
    onChange: (next) => (told = next),
    refresh: swap,
    restrain,
    stop: () => {
      clearInterval(timer);
      clearImmediate(telling);
    },
  };
}

function stoppedBy(world: World, why: string | undefined): World {
  return why === undefined ? world : restrained(world, restraintsOf([], 0), why);
}

function attempt(swap: () => void, log: Log): void {
  try {
    swap();
  } catch (error) {
    log.error("world.unmade", { reason: error instanceof Error ? error.message : "unknown" });
  }
}

function isPast(unixMs: number | undefined, nowUnixMs: number): boolean {
  return unixMs !== undefined && unixMs <= nowUnixMs;
}

function worldOf(
  config: Config,
  state: WatchedState,
  { groups, classicalGroups, identities }: LinkTerms,
): World {
  return makeWorld({
    trust: {
      domain: config.trust_domain,
      identityAlgorithms: identities.map(({ id }) => id),
      groups: [...groups, ...classicalGroups].map(({ id }) => id),
      revokedSerials: state.revokedSerials(),
      issuers: state.issuers(),
    },
    rules: [...state.policies().rules, doctorRule(config)],
    onlookers: [onlookerOf(config)],
    surroundings: state.policies().surroundings,
    servers: Object.keys(config.servers),
    gate: serverGates(config),
    virtualServers: new Map(
      Object.entries(config.virtual_servers).map(([name, { servers }]) => [name, servers]),
    ),
    claims: config.caller_claims,
    webListeners: webReach(config.webListeners),
    versions: versionFloor(config),
    hybridLinks: hybridLinks(config),
    classicalServers: config.classicalServers ?? [],
    shutOut: state.shutOutClients(),
    tools: state.pinnedTools(),
    delegation: {
      maxDepth: config.delegation.max_depth,
      maxLifetimeMs: config.delegation.max_lifetime,
    },
    signatures: gatewaySignatures(config),
    signers: pinnedSigners(state.pins, config.signatures.pins),
    observes: config.observes === true,
    watchesCalls: config.detect.calls || config.connection?.threat_detection === true || state.watchesCalls(),
    forward: Object.fromEntries(
      Object.entries(config.servers).flatMap(([name, server]) =>
        "forward" in server ? [[name, server.forward]] : [],
      ),
    ),
  });
}

function hybridLinks({ servers }: Config): readonly string[] {
  return Object.entries(servers).flatMap(([name, { link }]) =>
    link.authentication === "hybrid-mtls" ? [name] : [],
  );
}

function versionFloor({ protocol, servers }: Config): VersionFloor {
  const ofServers = Object.entries(servers).flatMap(([name, { minimum_protocol: own }]) =>
    own === undefined ? [] : [[name, own] as const],
  );
  return {
    ...(protocol.minimum !== undefined && { minimum: protocol.minimum }),
    ofServers: new Map(ofServers),
  };
}
