/** What people do about restrictions: commands and the API, whether the gateway runs or not; one that runs follows at once. */
import { existsSync } from "node:fs";

import { openResponses, type ResponseStore } from "../../host/store/state-responses.ts";
import { gatewayIdOf, spiffeId, trustDomainOf } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type ActionName, actions, isRestriction, whyNotAbout } from "../../respond/actions.ts";
import {
  type Limit,
  type Restriction,
  type RestrictionKind,
  type Scope,
  type Stage,
  stageAt,
} from "../../respond/restriction.ts";
import type { Config } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import { enact, lift, renew, tellMoment, type Why } from "./changes.ts";
import { askForFreshKeys, ofItself } from "./response-desk.ts";

/** Whose restrictions. */
export interface ResponsePlace {
  readonly config: Pick<Config, "state" | "trust_domain" | "servers" | "virtual_servers">;
  readonly clock: Clock;
}

/** A restriction as people see it. */
export interface ShownResponse {
  readonly id: string;
  readonly action: RestrictionKind;
  readonly scope: Scope;
  readonly until: string;
  readonly limit?: Limit;
  /** What it becomes then, in order; empty where it ends. */
  readonly next: readonly { readonly action: RestrictionKind; readonly until: string }[];
  readonly because: string;
  readonly by: string;
  readonly since: string;
  readonly incident?: string;
  readonly cause?: string;
}

/** What an operator asks for. */
export interface Order {
  readonly action: ActionName;
  readonly scope: Scope;
  readonly forMs: number;
  readonly limit?: Limit;
  /** What it becomes afterwards, and for how long each. */
  readonly next: readonly { readonly action: RestrictionKind; readonly forMs: number }[];
  readonly because: string;
  readonly by: string;
}

/** A hand that slips doesn't shut somebody out for good: what is to last belongs into a policy. */
const longestMs = 30 * 86_400_000;
const shortestMs = 1000;
const maxStages = 5;
const maxNameChars = 2048;
export const maxBecauseChars = 500;

/** Those in force, oldest first. */
export function listResponses(place: ResponsePlace): readonly ShownResponse[] {
  const { database } = statePaths(place.config.state);
  if (!existsSync(database)) return [];
  const nowUnixMs = place.clock.nowUnixMs();
  return withResponses(place, (store) =>
    store.restrictions().flatMap((each) => {
      const now = stageAt(each, nowUnixMs);
      return now === undefined ? [] : [shownOf(each, now)];
    }),
  );
}

/** @throws Refusal `bad_state` if there is no such one in force */
export function showResponse(place: ResponsePlace, id: string): ShownResponse {
  const found = listResponses(place).find((each) => each.id === id);
  if (found === undefined) throw unknown(id);
  return found;
}

/**
 * @returns the restriction in force; undefined of what doesn't last
 * @throws Refusal `bad_config` that says what is wrong with it
 */
export function actByHand(place: ResponsePlace, order: Order): ShownResponse | undefined {
  const { action, because, by, next } = order;
  mustExist(place);
  const scope = checkedScope(place, order);
  const nowUnixMs = place.clock.nowUnixMs();
  if (isRestriction(action)) {
    checkTaken(order, action);
    const first: Stage = {
      kind: action,
      untilUnixMs: nowUnixMs + order.forMs,
      ...(order.limit && { limit: order.limit }),
    };
    const asked = { scope, stages: [first, ...laterStages(first, next)], because, by };
    return withResponses(place, (store) => {
      const made = enact(store, asked, nowUnixMs);
      return shownOf(made, stageAt(made, nowUnixMs) ?? first);
    });
  }
  if (next.length > 0) throw new Refusal("bad_config", `${action} doesn't last, so nothing comes after it.`);
  if (action === "rotate_keys") askForFreshKeys(statePaths(place.config.state).database, nowUnixMs);
  withResponses(place, (store) => tellMoment(store, { action, scope, because, by }, nowUnixMs));
  return undefined;
}

/** @throws Refusal `bad_state` if there is no such one in force */
export function liftByHand(place: ResponsePlace, id: string, why: Why): ShownResponse {
  return changed(place, id, (store, restriction, nowUnixMs) => {
    lift(store, restriction, why, nowUnixMs);
    return restriction;
  });
}

/** @throws Refusal `bad_state` if there is no such one in force, `bad_config` for a time that is too long */
export function renewByHand(
  place: ResponsePlace,
  id: string,
  why: Why & { readonly forMs: number },
): ShownResponse {
  checkTime(why.forMs);
  return changed(place, id, (store, restriction, nowUnixMs) => renew(store, restriction, why, nowUnixMs));
}

function changed(
  place: ResponsePlace,
  id: string,
  change: (store: ResponseStore, restriction: Restriction, nowUnixMs: number) => Restriction,
): ShownResponse {
  if (!existsSync(statePaths(place.config.state).database)) throw unknown(id);
  const nowUnixMs = place.clock.nowUnixMs();
  return withResponses(place, (store) => {
    const found = store.restrictions().find((each) => each.id === id);
    const now = found && stageAt(found, nowUnixMs);
    if (found === undefined || now === undefined) throw unknown(id);
    const after = change(store, found, nowUnixMs);
    return shownOf(after, stageAt(after, nowUnixMs) ?? now);
  });
}

/** Whom and what it is about, as the log names them. @throws Refusal `bad_config` */
function checkedScope({ config }: ResponsePlace, { action, scope, next }: Order): Scope {
  const { caller: given, server } = scope;
  for (const [name, value] of Object.entries(scope) as readonly (readonly [string, string])[]) {
    if (value === "" || value.length > maxNameChars || !value.isWellFormed()) {
      throw new Refusal(
        "bad_config",
        `Expected 1 to ${maxNameChars} characters of well-formed text for the ${name}.`,
      );
    }
  }
  const servers = Object.keys(config.servers);
  const virtual = server === undefined ? undefined : config.virtual_servers[server];
  if (virtual !== undefined) {
    const members = virtual.servers.join(", ");
    throw new Refusal(
      "bad_config",
      `"${server}" is a virtual server, and calls are judged where they go: name one of its servers: ${members}.`,
    );
  }
  if (server !== undefined && !servers.includes(server)) {
    throw new Refusal("bad_config", `There is no server "${server}" here; there are ${servers.join(", ")}.`);
  }
  const caller = given === undefined ? undefined : callerNamed(given, config.trust_domain);
  const named: Scope = { ...scope, ...(caller !== undefined && { caller }) };
  for (const each of [action, ...next.map((later) => later.action)]) {
    const why = whyNotAbout(each, named);
    if (why !== undefined) throw new Refusal("bad_config", `This isn't done: ${why}.`);
    checkPinned(each, config, server);
  }
  if (caller === gatewayIdOf(config.trust_domain)) throw ofItself();
  return named;
}

/** A SPIFFE ID, its path, or what stands for a client with a token. */
function callerNamed(given: string, domain: string): string {
  if (given.startsWith("oauth:") || trustDomainOf(given) !== undefined) return given;
  return spiffeId(domain, given);
}

/** Nothing would be left of a server of whose tools nobody knows what they were. */
function checkPinned(action: ActionName, { servers }: Pick<Config, "servers">, name = ""): void {
  if (action !== "freeze_manifest") return;
  const server = servers[name];
  if (server !== undefined && !("forward" in server) && server.tools.pin !== "off") return;
  throw new Refusal(
    "bad_config",
    `The tools of "${name}" aren't pinned, so nobody knows what to hold them to; quarantine the server instead.`,
  );
}

function checkTaken({ forMs, limit, next }: Order, action: RestrictionKind): void {
  for (const ms of [forMs, ...next.map((each) => each.forMs)]) checkTime(ms);
  checkTime(forMs + next.reduce((sum, each) => sum + each.forMs, 0));
  if (limit !== undefined) checkPer(limit);
  if (next.length >= maxStages)
    throw new Refusal("bad_config", `At most ${maxStages} stages follow each other.`);
  const takesLimit = "takes" in actions[action];
  if (takesLimit !== (limit !== undefined)) {
    const why = takesLimit
      ? "limit takes how many calls in which time"
      : "only limit takes a number of calls";
    throw new Refusal("bad_config", `This isn't done: ${why}.`);
  }
  if (next.some((each) => "takes" in actions[each.action])) {
    throw new Refusal("bad_config", "limit can't come after something else; order it by itself.");
  }
}

function checkTime(ms: number): void {
  if (ms >= shortestMs && ms <= longestMs) return;
  throw new Refusal(
    "bad_config",
    "Expected a time from 1s to 30d; what is to last longer belongs into a policy.",
  );
}

/** A history of calls goes no further back. */
const longestPerMs = 31 * 86_400_000;

function checkPer({ perMs }: Limit): void {
  if (perMs >= shortestMs && perMs <= longestPerMs) return;
  throw new Refusal("bad_config", "Expected a time from 1s to 31d in which so many calls may be made.");
}

function laterStages(first: Stage, next: Order["next"]): readonly Stage[] {
  let untilUnixMs = first.untilUnixMs;
  return next.map(({ action: kind, forMs }) => ({ kind, untilUnixMs: (untilUnixMs += forMs) }));
}

function shownOf(restriction: Restriction, now: Stage): ShownResponse {
  const { id, scope, stages, because, by, sinceUnixMs, incident, cause } = restriction;
  return {
    id,
    action: now.kind,
    scope,
    until: iso(now.untilUnixMs),
    ...(now.limit && { limit: now.limit }),
    next: stages
      .filter((each) => each.untilUnixMs > now.untilUnixMs)
      .map(({ kind, untilUnixMs }) => ({ action: kind, until: iso(untilUnixMs) })),
    because,
    by,
    since: iso(sinceUnixMs),
    ...(incident !== undefined && { incident }),
    ...(cause !== undefined && { cause }),
  };
}

function mustExist({ config: { state } }: ResponsePlace): void {
  if (existsSync(statePaths(state).database)) return;
  throw new Refusal("bad_state", `There is no gateway in ${state} yet; run "latticegate up" once.`);
}

function unknown(id: string): Refusal {
  return new Refusal(
    "bad_state",
    `Nothing is in force under "${id}"; "latticegate response list" has what is.`,
  );
}

function withResponses<T>({ config: { state } }: ResponsePlace, work: (store: ResponseStore) => T): T {
  const store = openResponses(statePaths(state).database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
