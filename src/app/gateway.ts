/** `latticegate up`: the gateway from its config to a running process, and back. */
import { rm } from "node:fs/promises";
import { randomUUIDv7 } from "node:crypto";

import type { InForce, LinkTerms } from "../crypto/suites/in-force.ts";
import type { Journal } from "../gate/ports.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { promptReceipts } from "../host/store/prompt-receipts.ts";
import { openProfiles, type ProfileStore } from "../host/store/state-profiles.ts";
import type { RootRecord } from "../host/store/state-roots.ts";
import { openState } from "../host/store/state-sqlite.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { Clock } from "../kernel/clock.ts";
import type { World } from "../gate/world.ts";
import { type KeptTraffic, keepTraffic } from "./control/kept-traffic.ts";
import { type SeenTraffic, seeTraffic } from "./control/seen-traffic.ts";
import { approvalsKey } from "./approvals/approval-operations.ts";
import type { AuditLog } from "./audit-log.ts";
import { openClassicalAuthority } from "./classical-authority.ts";
import type { Config } from "./config.ts";
import type { LiveDocument } from "./crypto/live-document.ts";
import { liveFacts } from "./crypto/live-facts.ts";
import { profilesIn, proveLinkCryptography } from "./cryptography.ts";
import { type Base, type DataPlane, type Environment, openDataPlane } from "./data-plane.ts";
import { identityRecords } from "./identity-records.ts";
import { recordEvents } from "./root-watch.ts";
import type { RulesInForce } from "./followed-policies.ts";
import { openJudging } from "./judging.ts";
import { openOutlets, type RunningOutlets } from "./outlets/open-outlets.ts";
import { type ControlNeeds, openControl } from "./control/open-control.ts";
import { keepPathFacts } from "./path-facts.ts";
import { comebackTerms, followConfig, inForceOf, mustBeAllowed } from "./profile-in-force.ts";
import { type IncidentDesk, openIncidentDesk } from "./respond/incident-desk.ts";
import type { KillSwitch } from "./respond/kill-switch.ts";
import { type Telemetry, telemetryOf } from "./metrics/telemetry.ts";
import { issuersOf } from "./roots.ts";
import { observed, type OnWritten } from "./observed-journal.ts";
import { openLog } from "./running-log.ts";
import { scheduledRotation } from "./scheduled-rotation.ts";
import { observedPins } from "./signatures/observed-pins.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
import { openAuthorityRoots, statePaths, withRoots } from "./state-folder.ts";
import { version } from "./version.ts";
import type { WatchedWorld } from "./watched-world.ts";

export interface Gateway {
  readonly address: string;
  /** Where clients with access tokens come in, by the origin they know it by. */
  readonly webAddresses: ReadonlyMap<string, string>;
  /** Link that logs one browser into the control room, once; undefined if there is no page. */
  readonly dashboard: string | undefined;
  /** Under which peers call its servers; undefined if they can't. */
  readonly peerId: string | undefined;
  /** Where commands ask the control API. */
  readonly controlSocket: string;
  /** `host:port` of the metrics; undefined if there are none. */
  readonly metrics: string | undefined;
  readonly audit: AuditLog;
  /** Drains, closes the log with a last head, and ends the servers it started. */
  readonly stop: () => Promise<void>;
}

/** @throws Refusal that says what keeps it from starting; nothing is left open then */
export async function startGateway(config: Config, outside: Environment): Promise<Gateway> {
  await proveLinkCryptography([config.profile]);
  await using opening = new AsyncDisposableStack();
  const seen = seeTraffic(config, outside);
  const { telemetry, heed } = openTelemetry(config, { ...outside, seen }, opening);
  const environment = { ...outside, log: telemetry.log };
  const base = await openBase(config, { ...environment, telemetry, seen }, opening);
  heed(base.world);
  const { audit, kill, world } = base;
  opening.defer(await keepPathFacts(config.state, environment.log));
  const outlets = await openOutlets(config, { ...environment, ...audit });
  opening.defer(outlets.stop);
  const plane = await openDataPlane(config, base, opening);
  const rotation = scheduledRotation(config, environment);
  opening.defer(rotation.stop);
  environment.onKill?.(() => {
    kill.on("signal", { by: "operator:signal", because: "A signal said so." });
    world.restrain();
  });
  const shown = await show(config, { base, plane, outlets, telemetry, environment }, opening);
  plane.approvals.shownAt(shown.dashboard && new URL(shown.dashboard).origin);
  const { address, webAddresses, peerId } = plane;
  const opened = opening.move();
  return { address, webAddresses, peerId, ...shown, audit, stop: () => opened.disposeAsync() };
}

interface Showing {
  readonly base: OpenBase;
  readonly plane: DataPlane;
  readonly outlets: RunningOutlets;
  readonly telemetry: Telemetry;
  readonly environment: Environment;
}

/** The page, its API and the metrics, and the file that says where they are. */
async function show(
  config: Config,
  { base, plane, outlets, telemetry, environment }: Showing,
  opening: AsyncDisposableStack,
): Promise<Pick<Gateway, "controlSocket" | "dashboard" | "metrics">> {
  const { audit, kept, seen, gatewayId, kill, own, world, policies } = base;
  const { address, counts, live } = plane;
  const { nowUnixMs } = environment.clock;
  const startedAtUnixMs = nowUnixMs();
  const crypto = (): LiveDocument =>
    liveFacts(config, live, { inForce: own.inForce(), nowUnixMs: nowUnixMs(), startedAtUnixMs, version });
  const sealing = await own.keys.secret(approvalsKey);
  const kills = kill.standing;
  const rules = (): World["rules"] => world.current().rules;
  const inForce = (): ReturnType<ControlNeeds["inForce"]> => ({
    rules: policies().rules,
    worldDigest: world.current().digest,
  });
  const shown = {
    audit,
    seen,
    kept,
    gatewayId,
    rules,
    inForce,
    counts,
    address,
    crypto,
    sealing,
    kills,
    standing: live.standing,
    onStanding: plane.onStanding,
    trust: () => world.current().trust,
    ...environment,
  };
  const page = await openControl(config, shown);
  opening.defer(page.close);
  const metrics = await telemetry.open({ crypto, counts, outlets, ...base, nowUnixMs });
  opening.defer(telemetry.hide);
  await writePrivateFile(
    statePaths(config.state).run,
    JSON.stringify({
      pid: process.pid,
      version,
      listen: address,
      gateway: gatewayId,
      startedAtUnixMs,
      ...(config.observes === true && { observes: true }),
      ...(environment.onKill && { hearsKillSignal: true }),
      control: page.socket,
      ...(plane.peerId !== undefined && { peer: plane.peerId }),
      ...(page.origin !== undefined && { dashboard: page.origin }),
      ...(metrics !== undefined && { metrics: `http://${metrics}/metrics` }),
    }),
  );
  return { dashboard: page.link, controlSocket: page.socket, metrics };
}

interface OpenBase extends Base {
  /** The rules in force, as they are written. */
  readonly policies: () => RulesInForce;
  readonly audit: AuditLog;
  readonly seen: SeenTraffic;
  readonly kept: KeptTraffic;
  readonly incidents: IncidentDesk;
  readonly kill: KillSwitch;
}

/** What metrics and traces are made of; `heed` says which tools are known. */
function openTelemetry(
  config: Config,
  { log, seen }: Environment & { readonly seen: SeenTraffic },
  opening: AsyncDisposableStack,
): { readonly telemetry: Telemetry; readonly heed: (world: WatchedWorld) => void } {
  let watched: WatchedWorld | undefined;
  const isPinned = (server: string, tool: string): boolean =>
    watched?.current().tools.get(server)?.pinned.has(tool) === true;
  const telemetry = telemetryOf(config, { isPinned, log, timed: seen.timed });
  opening.defer(telemetry.close);
  return { telemetry, heed: (world) => void (watched = world) };
}

/** Who looks on. */
interface Watching {
  readonly telemetry: Telemetry;
  readonly seen: SeenTraffic;
}

/** Keys, authority, state and log: what there is before anybody is let in. */
async function openBase(
  config: Config,
  { telemetry, seen, ...environment }: Environment & Watching,
  opening: AsyncDisposableStack,
): Promise<OpenBase> {
  const { clock, log } = environment;
  const { keys, close } = await openConfigKeys(config, log);
  // Closed last: the log's last head is still to be signed.
  opening.defer(close);
  const { profiles, inForce } = await openInForce(config, environment, opening);
  const making = { trustDomain: config.trust_domain, suite: inForce().profile.identity.id, clock };
  const roots = await openAuthorityRoots(config.state, keys, making);
  opening.defer(roots.close);
  const classical = await openClassicalAuthority(
    { state: config.state, keys },
    { trustDomain: config.trust_domain, suite: inForce().profile.classical },
    clock,
  );
  const state = openState(statePaths(config.state).database);
  opening.defer(state.close);
  const forgetting = new Set<(ids: readonly string[]) => void>([seen.forget, telemetry.forget]);
  const onErased = (ids: readonly string[]): void => forgetting.forEach((forget) => forget(ids));
  const looks = { onErased, onWritten: seen.see };
  const { audit, followLog } = await openLog(config, { ...environment, keys, inForce, ...looks }, opening);
  // Ours while we hold the log; it says where we are asked.
  opening.defer(() => rm(statePaths(config.state).run, { force: true }));
  const gatewayId = gatewayIdOf(config.trust_domain);
  const kept = keepTraffic(config, { seen, audit, gatewayId, ...environment }, opening);
  const incidents = openIncidents(config, { gatewayId, ...environment }, opening);
  forgetting.add(incidents.forget);
  const written = new Set<OnWritten>([incidents.see, telemetry.written]);
  const journal = observed(audit.journal, written);
  incidents.recordIn(journal);
  const issuers = () => issuersOf(roots.roots());
  const judging = { ...environment, audit, journal, gatewayId, keys, state, inForce, issuers };
  const { model, forget, ...judged } = await openJudging(config, judging, opening);
  forgetting.add(forget);
  const { world, playbooks } = judged;
  written.add(playbooks.written);
  const isObserving = config.observes === true;
  const what = { principal: gatewayId, world: world.current().digest, model, isObserving, clock };
  await announce(journal, "gateway.start", what);
  opening.defer(() => announce(journal, "gateway.stop", what));
  const trustDomain = config.trust_domain;
  const comeback = (terms: LinkTerms, records: readonly RootRecord[]): LinkTerms =>
    comebackTerms(terms, profiles.changes(), records);
  const where = { trustDomain, spiffeId: gatewayId, inForce, comeback, classical };
  const revokedSerials = () => world.current().trust.revokedSerials;
  const following = { ...state, pins: observedPins(state.pins, world.refresh) };
  const own = { keys, roots, state: following, journal, clock, log, revokedSerials, ...where };
  await recordEvents(own);
  const records = identityRecords({ state, journal, gatewayId, clock, log });
  opening.defer(records.stop);
  const freshKeysSince = profiles.freshKeysSinceUnixMs;
  const { checkpoint } = audit.journal;
  const receipts = promptReceipts({ folder: statePaths(config.state).log, checkpoint, log });
  const { digests, subjectOf } = audit;
  const onErasure = (forget: (ids: readonly string[]) => void): void => void forgetting.add(forget);
  const base = { environment, ...judged, records, gatewayId, own, freshKeysSince, followLog };
  const looking = { ...telemetry.calls, audit, seen, kept, incidents };
  return { ...base, ...looking, digests, subjectOf, receipts, onErasure };
}

/** The profile that counts, as the state folder and the config have it, after its algorithms were tried. */
async function openInForce(
  config: Config,
  { clock }: Environment,
  opening: AsyncDisposableStack,
): Promise<{ readonly profiles: ProfileStore; readonly inForce: () => InForce }> {
  const profiles = openProfiles(statePaths(config.state).database);
  opening.defer(profiles.close);
  const roots = withRoots(config.state, (store) => store.roots());
  followConfig(profiles, config, roots, clock);
  const inForce = (): InForce => inForceOf(profiles.changes(), config, clock.nowUnixMs());
  mustBeAllowed(inForce().profile, clock.nowUnixMs());
  await proveLinkCryptography(profilesIn(inForce()));
  return { profiles, inForce };
}

/** What is found, as people are told of it. */
function openIncidents(
  { state, response }: Config,
  needs: Environment & { readonly gatewayId: string },
  opening: AsyncDisposableStack,
): IncidentDesk {
  const { database } = statePaths(state);
  const desk = openIncidentDesk({ database, settings: response.incidents, ...needs });
  opening.defer(desk.stop);
  return desk;
}

async function announce(
  journal: Journal,
  event: "gateway.start" | "gateway.stop",
  what: {
    readonly principal: string;
    readonly world: string;
    /** SHA-256 of the model that watches calls. */
    readonly model: string;
    readonly isObserving: boolean;
    readonly clock: Clock;
  },
): Promise<void> {
  await journal.append({
    event,
    atUnixMs: what.clock.nowUnixMs(),
    callId: randomUUIDv7(),
    principal: what.principal,
    tool: null,
    outcome: "allowed",
    facts: {
      version,
      world: what.world,
      "model.calls": what.model,
      ...(what.isObserving && { policy: "observed" }),
    },
  });
}
