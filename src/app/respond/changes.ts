/**
 * What changes restrictions, in the gateway and in commands beside it: each change is one write to the state database,
 * with what the audit log is to say of it.
 */
import { randomBytes } from "node:crypto";

import type { ResponseEvent, ResponseStore } from "../../host/store/state-responses.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type ActionName, strictestFirst, whyNotAbout } from "../../respond/actions.ts";
import { checkRules, type Restriction, type Scope, type Stage, stageAt } from "../../respond/restriction.ts";

/** Where changes are kept. */
type Changed = Pick<ResponseStore, "restrictions" | "put" | "remove" | "tell">;

/** A restriction that is asked for. */
export type Asked = Pick<Restriction, "scope" | "stages" | "because" | "by" | "incident" | "cause">;

/** Something that is done and doesn't last. */
export type Moment = Pick<Restriction, "scope" | "because" | "by" | "incident" | "cause"> & {
  readonly action: Extract<ActionName, "rotate_keys" | "notify">;
};

/** Why something ended, and who ended it: `expiry`, `operator:NAME`, `rollback`. */
export interface Why {
  readonly by: string;
  readonly because: string;
}

/** Restrictions of one caller: one more, and all become one of the caller. Nobody's agent fills the list for others. */
const maxOfCaller = 50;

/** Of all there are. Each caller has one at most beyond this. */
const maxInForce = 2000;

/** Beyond this nothing is taken: more identities than that misbehave at once, and the kill switch is what is left. */
const mostOfAll = 10_000;

/**
 * @param all those there are, as far as this process knows
 * @returns the one in force: the same as before where it was only made longer, or one of the whole caller where there
 * were too many
 * @throws Refusal `bad_config` for what can't be about that; `busy` where no more are taken
 */
export function enact(
  store: Changed,
  order: Asked,
  nowUnixMs: number,
  all: readonly Restriction[] = store.restrictions(),
): Restriction {
  const asked = compilable(order, nowUnixMs);
  for (const { kind } of asked.stages) {
    const why = whyNotAbout(kind, asked.scope);
    if (why !== undefined) throw new Refusal("bad_config", `${why[0]?.toUpperCase()}${why.slice(1)}.`);
  }
  const known = all.filter((each) => stageAt(each, nowUnixMs) !== undefined);
  const before = known.find((each) => isSame(each, asked));
  if (before === undefined && isFull(known, asked)) return widened(store, asked, { known, nowUnixMs });
  const { passed: _, ...same } = before ?? fresh(asked, nowUnixMs);
  const restriction: Restriction = { ...same, stages: longest(asked.stages, before?.stages ?? []) };
  const event = before ? "response.renew" : "response.act";
  store.put(restriction, eventOf(event, restriction, nowUnixMs));
  return restriction;
}

/** INVARIANT: doing it again shortens nothing, neither what an operator made longer. */
function longest(stages: readonly Stage[], before: readonly Stage[]): readonly Stage[] {
  let latest = 0;
  return stages.map((stage) => {
    const known = before.findLast(({ kind }) => kind === stage.kind)?.untilUnixMs ?? 0;
    latest = Math.max(latest, stage.untilUnixMs, known);
    return { ...stage, untilUnixMs: latest };
  });
}

/**
 * INVARIANT: nothing is stored that can't be made a rule. What a caller sends as its session doesn't keep a playbook from
 * acting: it is then of all its sessions.
 * @throws Refusal that says why there is no such rule
 */
function compilable(asked: Asked, nowUnixMs: number): Asked {
  const { session, ...scope } = asked.scope;
  try {
    checkRules(fresh(asked, nowUnixMs));
    return asked;
  } catch (error) {
    if (session === undefined || asked.by.startsWith("operator:")) throw error;
    const wider = { ...asked, scope };
    checkRules(fresh(wider, nowUnixMs));
    return wider;
  }
}

function fresh(asked: Asked, nowUnixMs: number): Restriction {
  return { ...asked, id: randomBytes(8).toString("hex"), sinceUnixMs: nowUnixMs };
}

function isFull(known: readonly Restriction[], { scope }: Asked): boolean {
  const own = scope.caller === undefined ? 0 : known.filter((each) => isOfOne(each, scope)).length;
  return own >= maxOfCaller || known.length >= maxInForce;
}

/**
 * A client's users are told apart: what is about one of them is no part of what is about another. What operators did by
 * hand isn't folded either: a caller would get rid of it.
 */
function isOfOne({ scope, by }: Restriction, { caller, user }: Scope): boolean {
  return scope.caller === caller && scope.user === user && !by.startsWith("operator:");
}

/** INVARIANT: nothing is dropped: what can't be told apart any more is done to the whole caller. */
function widened(
  store: Changed,
  asked: Asked,
  { known, nowUnixMs }: { readonly known: readonly Restriction[]; readonly nowUnixMs: number },
): Restriction {
  const { caller, user } = asked.scope;
  const own = caller === undefined ? [] : known.filter((each) => isOfOne(each, asked.scope));
  if (known.length >= mostOfAll && own.length === 0) {
    throw new Refusal(
      "busy",
      `There are ${known.length} restrictions in force, and no more are taken. "latticegate kill on" stops all calls.`,
    );
  }
  if (caller === undefined) {
    const restriction = fresh(asked, nowUnixMs);
    store.put(restriction, eventOf("response.act", restriction, nowUnixMs));
    return restriction;
  }
  const because = `${asked.because} (There were too many restrictions to tell apart: it is of the whole caller.)`;
  const stages = [strictest([asked, ...own], nowUnixMs)];
  const restriction = fresh(
    { ...asked, scope: { caller, ...(user !== undefined && { user }) }, stages, because },
    nowUnixMs,
  );
  store.put(restriction, eventOf("response.act", restriction, nowUnixMs));
  const why = { by: asked.by, because: `${ruleOfAll} ${restriction.id}.` };
  for (const each of own) lift(store, each, why, nowUnixMs);
  return restriction;
}

const ruleOfAll = "It is part of the restriction of the whole caller now:";

/** The strictest of what they do now, as long as the longest of them. */
function strictest(all: readonly Pick<Restriction, "stages">[], nowUnixMs: number): Stage {
  const stages = all.flatMap((each) => stageAt(each, nowUnixMs) ?? []);
  const kind = strictestFirst.find((each) => stages.some((stage) => stage.kind === each)) ?? "quarantine";
  const untilUnixMs = Math.max(...all.map((each) => each.stages.at(-1)?.untilUnixMs ?? 0));
  // Of limits, and of what is milder, nothing is known that would be the strictest of several.
  return { kind: kind === "limit" ? "quarantine" : kind, untilUnixMs };
}

/** @returns whether it was in force */
export function lift(store: Changed, restriction: Restriction, why: Why, nowUnixMs: number): boolean {
  return store.remove(restriction.id, eventOf("response.lift", restriction, nowUnixMs, why));
}

/** What it does now is done for so long from now on; what comes after it comes later. */
export function renew(
  store: Changed,
  restriction: Restriction,
  { forMs, ...why }: Why & { readonly forMs: number },
  nowUnixMs: number,
): Restriction {
  const now = stageAt(restriction, nowUnixMs);
  if (now === undefined) throw new Refusal("bad_state", "It is over.");
  const laterMs = nowUnixMs + forMs - now.untilUnixMs;
  const stages = restriction.stages.map((stage) =>
    stage.untilUnixMs < now.untilUnixMs ? stage : { ...stage, untilUnixMs: stage.untilUnixMs + laterMs },
  );
  const renewed = { ...restriction, stages };
  store.put(renewed, eventOf("response.renew", renewed, nowUnixMs, why));
  return renewed;
}

/** Ends those that are over, and tells of those that became milder. @returns whether there were some */
export function passOn(store: Changed, known: readonly Restriction[], nowUnixMs: number): boolean {
  let isChanged = false;
  for (const restriction of known) {
    const now = stageAt(restriction, nowUnixMs);
    const passed = now === undefined ? restriction.stages.length : restriction.stages.indexOf(now);
    if (passed === (restriction.passed ?? 0)) continue;
    isChanged = true;
    if (now === undefined) {
      lift(store, restriction, { by: "expiry", because: "Its time is over." }, nowUnixMs);
    } else {
      store.put({ ...restriction, passed }, eventOf("response.recover", restriction, nowUnixMs));
    }
  }
  return isChanged;
}

/** Tells of something that was done and doesn't last. */
export function tellMoment(store: Changed, moment: Moment, nowUnixMs: number): void {
  const why = whyNotAbout(moment.action, moment.scope);
  if (why !== undefined) throw new Refusal("bad_config", `${why}.`);
  const { action, scope, because, by, incident, cause } = moment;
  store.tell({
    event: "response.act",
    atUnixMs: nowUnixMs,
    ...subjectOf(scope),
    facts: {
      response: randomBytes(8).toString("hex"),
      action,
      ...namedIn(scope),
      because,
      by,
      ...(incident !== undefined && { incident }),
      ...(cause !== undefined && { cause }),
    },
  });
}

/** The same thing done to the same for the same reason is done longer, not twice. */
function isSame(a: Restriction, { scope, by, stages }: Asked): boolean {
  const same = a.by === by && a.stages[0]?.kind === stages[0]?.kind;
  return same && scopeKey(a.scope) === scopeKey(scope);
}

function scopeKey({ caller, user, session, server, tool }: Scope): string {
  return JSON.stringify([caller, user, session, server, tool]);
}

function eventOf(
  event: ResponseEvent["event"],
  restriction: Restriction,
  nowUnixMs: number,
  why: Readonly<Record<string, string>> | Why = {},
): ResponseEvent {
  return {
    event,
    atUnixMs: nowUnixMs,
    ...subjectOf(restriction.scope),
    facts: { ...factsOf(restriction, nowUnixMs), ...why },
  };
}

function subjectOf({ caller, server, tool }: Scope): Pick<ResponseEvent, "principal" | "tool"> {
  return {
    ...(caller !== undefined && { principal: caller }),
    ...(server !== undefined && tool !== undefined && { tool: `${server}/${tool}` }),
  };
}

function namedIn(scope: Scope): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(scope).flatMap(([name, value]: readonly [string, string | undefined]) =>
      name === "tool" || value === undefined ? [] : [[name, value]],
    ),
  );
}

export function factsOf(restriction: Restriction, nowUnixMs: number): Record<string, string> {
  const { id, scope, stages, because, by, incident, cause } = restriction;
  const now = stageAt(restriction, nowUnixMs) ?? stages.at(-1);
  const next = now && stages[stages.indexOf(now) + 1];
  return {
    response: id,
    ...(now && { action: now.kind, until: new Date(now.untilUnixMs).toISOString() }),
    ...(now?.limit && { limit: `${now.limit.calls} in ${now.limit.perMs} ms` }),
    ...(next && { next: next.kind }),
    ...namedIn(scope),
    because,
    by,
    ...(incident !== undefined && { incident }),
    ...(cause !== undefined && { cause }),
  };
}
