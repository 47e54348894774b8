/** What calls are judged by: servers' tools, rules, what came before, what models say, and what is done about findings. */
import { type InForce, termsAt } from "../crypto/suites/in-force.ts";
import type { CallWatch } from "../detect/session-watch.ts";
import type { Journal } from "../gate/ports.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import { gatewayIdOf } from "../identity/spiffe-id.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Config } from "./config.ts";
import type { Environment } from "./data-plane.ts";
import { type FollowedPolicies, type Following, followPolicies } from "./followed-policies.ts";
import { type HistoryDesk, historySecret, openHistory } from "./history-desk.ts";
import { killFileOf } from "./respond/kill-operations.ts";
import { type KillSwitch, openKillSwitch } from "./respond/kill-switch.ts";
import { openPlaybookDesk, type PlaybookDesk } from "./respond/playbook-desk.ts";
import { followPlaybooks } from "./respond/followed-playbooks.ts";
import { finishApproved } from "./respond/proposal-operations.ts";
import { openResponseDesk, type ResponseDesk } from "./respond/response-desk.ts";
import { sessionsWatched } from "./session-memories.ts";
import { statePaths } from "./state-folder.ts";
import { gatewayPins, onlookerOf, openServerTools } from "./tools/server-tools.ts";
import { type WatchedWorld, watchedWorld } from "./watched-world.ts";

export interface Judging extends Environment {
  readonly audit: AuditLog;
  readonly journal: Journal;
  readonly gatewayId: string;
  readonly keys: KeyFolder;
  readonly state: StateStore;
  readonly inForce: () => InForce;
  readonly issuers: () => ReadonlySet<string>;
}

export interface Judges {
  readonly tools: ReturnType<typeof openServerTools>;
  readonly world: WatchedWorld;
  /** The rules in force, as they are written. */
  readonly policies: FollowedPolicies["current"];
  readonly history: HistoryDesk;
  readonly callWatch: CallWatch;
  readonly responses: ResponseDesk;
  readonly playbooks: PlaybookDesk;
  readonly kill: KillSwitch;
  /** SHA-256 of the model that watches calls. */
  readonly model: string;
  /** What is remembered of these callers. */
  readonly forget: (callers: readonly string[]) => void;
}

/** What calls are judged by: tools, rules, what came before, and what models say of them. */
export async function openJudging(
  config: Config,
  { audit, journal, gatewayId, keys, state, inForce, issuers, clock, log }: Judging,
  opening: AsyncDisposableStack,
): Promise<Judges> {
  const onlooker = onlookerOf(config);
  const keeping = { state: config.state, journal, spiffeId: gatewayId, onlooker, clock, log };
  const tools = openServerTools(gatewayPins(config), keeping, opening);
  const policies = await openPolicies(config, { journal, inForce, clock, log }, opening);
  const { database } = statePaths(config.state);
  for (const { id, why } of finishApproved({ state: config.state, clock })) {
    if (why === undefined) log.warn("proposal.finished", { proposal: id });
    else log.error("proposal.unfinished", { proposal: id, reason: why });
  }
  const responses = openResponseDesk({ database, journal, gatewayId, clock, log });
  opening.defer(responses.stop);
  const judgedBy = { issuers, inForce, pinnedTools: tools.pinned, policies: policies.current };
  const books = followPlaybooks(config.response.playbooks, config.folder, log);
  opening.defer(books.stop);
  const kill = openKillSwitch({ database, file: killFileOf(config), clock, log });
  opening.defer(kill.stop);
  const seen = { ...state, ...judgedBy, responses, kill, watchesCalls: () => books.current().watchesCalls };
  const world = watchedWorld(config, seen, { clock, log });
  opening.defer(world.stop);
  responses.onChange(world.restrain);
  responses.sweep(); // What was over while no gateway ran.
  const acting = { database, books, responses, world, clock, log };
  const playbooks = openPlaybookDesk(config, acting, opening);
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
  const current = policies.current;
  return { tools, world, policies: current, history, callWatch, model, responses, playbooks, kill, forget };
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
