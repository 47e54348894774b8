/** `latticegate up`: the gateway from its config to a running process, and back. */
import { rm } from "node:fs/promises";
import { randomUUIDv7 } from "node:crypto";

import { type InForce, type LinkTerms, termsAt } from "../crypto/suites/in-force.ts";
import type { LogSuites } from "../crypto/suites/signatures.ts";
import type { Journal } from "../gate/ports.ts";
import { writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { promptReceipts } from "../host/store/prompt-receipts.ts";
import { openProfiles, type ProfileStore } from "../host/store/state-profiles.ts";
import type { RootRecord } from "../host/store/state-roots.ts";
import { openRenewalRequests } from "../host/store/state-log-renewals.ts";
import { openRotationRequests } from "../host/store/state-log-rotations.ts";
import { openState, type StateStore } from "../host/store/state-sqlite.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { CallWatch } from "../detect/session-watch.ts";
import type { Clock } from "../kernel/clock.ts";
import { type RecentCalls, recentCalls } from "../control/recent-calls.ts";
import { approvalsKey } from "./approvals/approval-operations.ts";
import { type AuditLog, followingLog, openAuditLog } from "./audit-log.ts";
import { openClassicalAuthority } from "./classical-authority.ts";
import type { Config } from "./config.ts";
import { type FollowedPolicies, type Following, followPolicies } from "./followed-policies.ts";
import { liveFacts } from "./crypto/live-facts.ts";
import { profilesIn, proveLinkCryptography } from "./cryptography.ts";
import { type Base, type Environment, openDataPlane } from "./data-plane.ts";
import { identityRecords } from "./identity-records.ts";
import { recordEvents } from "./root-watch.ts";
import { followRenewalRequests } from "./log-renewal.ts";
import { keepRetention } from "./log-retention.ts";
import { followRotationRequests } from "./log-rotation.ts";
import { openPage } from "./page.ts";
import { keepPathFacts } from "./path-facts.ts";
import { comebackTerms, followConfig, inForceOf, mustBeAllowed } from "./profile-in-force.ts";
import { type IncidentDesk, openIncidentDesk } from "./respond/incident-desk.ts";
import { openPlaybookDesk, type PlaybookDesk } from "./respond/playbook-desk.ts";
import { loadPlaybooks } from "./respond/playbook-file.ts";
import { openResponseDesk, type ResponseDesk } from "./respond/response-desk.ts";
import { issuersOf } from "./roots.ts";
import { scheduledRotation } from "./scheduled-rotation.ts";
import { observedPins } from "./signatures/observed-pins.ts";
import { openConfigKeys } from "./signer/gateway-signer.ts";
import { openAuthorityRoots, statePaths, withRoots } from "./state-folder.ts";
import { gatewayPins, onlookerOf, openServerTools } from "./tools/server-tools.ts";
import { sessionsWatched } from "./session-memories.ts";
import type { EntryDraft } from "../model/entry.ts";
import { version } from "./version.ts";
import { type HistoryDesk, historySecret, openHistory } from "./history-desk.ts";
import { type WatchedWorld, watchedWorld } from "./watched-world.ts";

export interface Gateway {
  readonly address: string;
  /** Where clients with access tokens come in, by the origin they know it by. */
  readonly webAddresses: ReadonlyMap<string, string>;
  /** Link to the page with this start's token; undefined if there is none. */
  readonly dashboard: string | undefined;
  readonly audit: AuditLog;
  /** Drains, closes the log with a last head, and ends the servers it started. */
  readonly stop: () => Promise<void>;
}

/** @throws Refusal that says what keeps it from starting; nothing is left open then */
export async function startGateway(config: Config, environment: Environment): Promise<Gateway> {
  await proveLinkCryptography([config.profile]);
  await using opening = new AsyncDisposableStack();
  const base = await openBase(config, environment, opening);
  const { audit, recent, gatewayId } = base;
  opening.defer(await keepPathFacts(config.state, environment.log));
  const { address, webAddresses, counts, live, approvals } = await openDataPlane(config, base, opening);
  const rotation = scheduledRotation(config, environment);
  opening.defer(rotation.stop);
  const { clock } = environment;
  const startedAtUnixMs = clock.nowUnixMs();
  const crypto = () =>
    liveFacts(config, live, {
      inForce: base.own.inForce(),
      nowUnixMs: clock.nowUnixMs(),
      startedAtUnixMs,
      version,
    });
  const sealing = await base.own.keys.secret(approvalsKey);
  const page = await openPage(config, { audit, recent, counts, address, crypto, sealing, ...environment });
  opening.defer(page.close);
  approvals.shownAt(page.link && new URL(page.link).origin);
  const run = { pid: process.pid, version, listen: address, gateway: gatewayId, startedAtUnixMs };
  await writePrivateFile(
    statePaths(config.state).run,
    JSON.stringify({
      ...run,
      ...(config.observes === true && { observes: true }),
      api: page.api,
      ...(page.link !== undefined && { dashboard: page.link }),
    }),
  );
  const opened = opening.move();
  return {
    address,
    webAddresses,
    dashboard: page.link,
    audit,
    stop: () => opened.disposeAsync(),
  };
}

/** Keys, authority, state and log: what there is before anybody is let in. */
async function openBase(
  config: Config,
  environment: Environment,
  opening: AsyncDisposableStack,
): Promise<Base & { readonly audit: AuditLog; readonly recent: RecentCalls }> {
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
  const recent = recentCalls();
  const forgetting = new Set<(ids: readonly string[]) => void>([recent.forget]);
  const onErased = (ids: readonly string[]): void => forgetting.forEach((forget) => forget(ids));
  const { audit, followLog } = await openLog(config, { ...environment, keys, inForce, onErased }, opening);
  // Ours while we hold the log; it names the page's link, which ends with us.
  opening.defer(() => rm(statePaths(config.state).run, { force: true }));
  const gatewayId = gatewayIdOf(config.trust_domain);
  const incidents = openIncidents(config, { gatewayId, ...environment }, opening);
  forgetting.add(incidents.forget);
  const written = new Set<(entry: EntryDraft) => void>([recent.see, incidents.see]);
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
  return { ...base, audit, recent, digests, subjectOf, receipts, onErasure };
}

interface Judging extends Environment {
  readonly audit: AuditLog;
  readonly journal: Journal;
  readonly gatewayId: string;
  readonly keys: KeyFolder;
  readonly state: StateStore;
  readonly inForce: () => InForce;
  readonly issuers: () => ReadonlySet<string>;
}

/** What calls are judged by: tools, rules, what came before, and what models say of them. */
async function openJudging(
  config: Config,
  { audit, journal, gatewayId, keys, state, inForce, issuers, clock, log }: Judging,
  opening: AsyncDisposableStack,
): Promise<{
  readonly tools: ReturnType<typeof openServerTools>;
  readonly world: WatchedWorld;
  readonly history: HistoryDesk;
  readonly callWatch: CallWatch;
  readonly responses: ResponseDesk;
  readonly playbooks: PlaybookDesk;
  /** SHA-256 of the model that watches calls. */
  readonly model: string;
  /** What is remembered of these callers. */
  readonly forget: (callers: readonly string[]) => void;
}> {
  const onlooker = onlookerOf(config);
  const keeping = { state: config.state, journal, spiffeId: gatewayId, onlooker, clock, log };
  const tools = openServerTools(gatewayPins(config), keeping, opening);
  const policies = await openPolicies(config, { journal, inForce, clock, log }, opening);
  const { database } = statePaths(config.state);
  const responses = openResponseDesk({ database, journal, gatewayId, clock, log });
  opening.defer(responses.stop);
  const judgedBy = { issuers, inForce, pinnedTools: tools.pinned, policies: policies.current };
  const { watchesCalls, inForce: inUse } = loadPlaybooks(config.response.playbooks, config.folder);
  const seen = { ...state, ...judgedBy, responses, watchesCalls: () => watchesCalls };
  const world = watchedWorld(config, seen, { clock, log });
  opening.defer(world.stop);
  responses.onChange(world.restrain);
  responses.sweep(); // What was over while no gateway ran.
  const playbooks = openPlaybookDesk({
    playbooks: () => inUse,
    responses,
    world: world.current,
    observes: config.observes === true,
    clock,
    log,
  });
  tools.freezeBy((server) => world.current().tools.get(server)?.otherwise === "frozen");
  tools.onChange(world.refresh);
  policies.onChange(world.refresh);
  const history = await openPast(config, { audit, world, policies, keys, clock, log }, opening);
  const {
    watch: callWatch,
    sha256: model,
    ...calls
  } = await sessionsWatched({ state, keys, clock, log }, config);
  const forget = (callers: readonly string[]): void => {
    history.forget(callers);
    calls.forget(callers);
  };
  return { tools, world, history, callWatch, model, responses, playbooks, forget };
}

/** What rules ask of calls before; read from the log when it resolves. */
async function openPast(
  config: Config,
  parts: Environment & {
    readonly audit: AuditLog;
    readonly world: WatchedWorld;
    readonly policies: FollowedPolicies;
    readonly keys: KeyFolder;
  },
  opening: AsyncDisposableStack,
): Promise<HistoryDesk> {
  const { audit, world, policies, keys, clock, log } = parts;
  const history = await openHistory({
    folder: statePaths(config.state).log,
    names: audit.names,
    rules: () => world.current().rules,
    key: await keys.secret(historySecret),
    clock,
    log,
  });
  opening.defer(history.stop);
  policies.onChange(() => {
    world.refresh();
    history.look();
  });
  history.look(); // What came while it was read.
  return history;
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

/** The rules, and what their conditions ask for by name, as they are followed while the gateway runs. */
async function openPolicies(
  config: Config,
  needs: Environment & Pick<Following, "journal"> & { readonly inForce: () => InForce },
  opening: AsyncDisposableStack,
): Promise<FollowedPolicies> {
  const { inForce, ...environment } = needs;
  const policies = await followPolicies(config, {
    ...environment,
    principal: gatewayIdOf(config.trust_domain),
    database: statePaths(config.state).database,
    terms: () => ({ ...termsAt(inForce(), needs.clock.nowUnixMs()), name: inForce().profile.name }),
  });
  opening.defer(policies.stop);
  return policies;
}

interface LogNeeds extends Environment {
  readonly keys: KeyFolder;
  readonly inForce: () => InForce;
  readonly onErased: (ids: readonly string[]) => void;
}

/** The audit log, whose keys rotate when somebody asks for that and with the profile. */
async function openLog(
  config: Config,
  { keys, inForce, onErased, clock, log }: LogNeeds,
  opening: AsyncDisposableStack,
): Promise<{ readonly audit: AuditLog; readonly followLog: Base["followLog"] }> {
  const requests = openRotationRequests(statePaths(config.state).database);
  // Closed after the log: what is under way ends with it.
  opening.defer(requests.close);
  const renewals = openRenewalRequests(statePaths(config.state).database);
  opening.defer(renewals.close);
  const { trust_domain: trustDomain } = config;
  const suites = (): LogSuites => inForce().profile.log;
  const { durability } = config.audit;
  const options = { trustDomain, suites: suites(), durability, onErased, clock, log };
  const audit = await openAuditLog(config.state, keys, options);
  opening.defer(audit.journal.close);
  const principal = gatewayIdOf(trustDomain);
  const following = followingLog(audit, principal, log);
  const keptMs = config.audit.retention;
  const { log: folder, auditIndex: index } = statePaths(config.state);
  const working = [
    followRotationRequests({ audit, requests, suites, principal, log }),
    followRenewalRequests({ audit, requests: renewals, principal, log }),
    following,
    keepRetention({ audit, folder, index, keptMs, principal, clock, log }),
    audit,
  ];
  // All at once: each may be waiting for another.
  opening.defer(() => Promise.all(working.map(({ stop }) => stop())).then(() => undefined));
  return { audit, followLog: following.follow };
}

/** Each entry is shown to those who look, once it is written. */
function observed(journal: Journal, written: ReadonlySet<(entry: EntryDraft) => void>): Journal {
  const show = (draft: EntryDraft): void => written.forEach((see) => see(draft));
  return {
    append: async (draft) => {
      const receipt = await journal.append(draft);
      show(draft);
      return receipt;
    },
    owe: (draft) => {
      journal.owe(draft);
      show(draft);
    },
  };
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
