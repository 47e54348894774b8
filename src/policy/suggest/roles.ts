/**
 * Who asked, put together by what they use: on one server, callers that use the same tools are one role. A pattern stands
 * for several only where their names differ in a number at the end and nobody else has such a name.
 */
import { matcher } from "../patterns.ts";
import type { SeenCall } from "./seen-call.ts";

/** One party of a call: the caller, or one of those it asks on behalf of. */
export interface Use {
  readonly call: SeenCall;
  readonly party: string;
  /** Who began, for the parties after it; "" otherwise. */
  readonly began: string;
  readonly isDelegated: boolean;
}

export interface Role {
  readonly server: string;
  readonly callers: readonly string[];
  readonly began: string;
  readonly isDelegated: boolean;
  readonly uses: readonly Use[];
}

/** Each party that has to be allowed by a rule; a user's client is, in its place. */
export function usesOf(call: SeenCall): readonly Use[] {
  const { caller, chain } = call;
  const isDelegated = chain.length > 0;
  const [first = ""] = chain;
  return [...chain, caller].flatMap((party, at) =>
    at < chain.length && isUser(party)
      ? []
      : [{ call, party, isDelegated, began: at === 0 ? "" : generalUser(first) }],
  );
}

function isUser(party: string): boolean {
  return /^oauth:[^/]+\/user\//.test(party);
}

/** Users come and go; what a client may do for one it may do for all of that issuer. */
function generalUser(began: string): string {
  return isUser(began) ? began.replace(/\/user\/.*$/s, "/user/*") : began;
}

/** More roles than that on one server are told apart by tool alone. */
const maxRoles = 20;
/** As many callers as a rule names. */
const maxCallers = 1000;

export function rolesOf(uses: readonly Use[]): readonly Role[] {
  const everybody = [...new Set(uses.map(({ party }) => party))];
  const byServer = Map.groupBy(uses, ({ call, began, isDelegated }) =>
    JSON.stringify([call.server, began, isDelegated]),
  );
  return [...byServer.values()].flatMap((own) => serverRoles(own, everybody));
}

function serverRoles(uses: readonly Use[], everybody: readonly string[]): readonly Role[] {
  const byParty = Map.groupBy(uses, ({ party }) => party);
  const byUse = Map.groupBy(byParty.values(), (own) =>
    [...new Set(own.map(({ call }) => `${call.kind}/${call.name}`))].toSorted().join("\n"),
  );
  const groups = byUse.size <= maxRoles ? [...byUse.values()].map((each) => each.flat()) : byTool(uses);
  return groups.flatMap((group) => namedRoles(group, everybody));
}

function byTool(uses: readonly Use[]): readonly (readonly Use[])[] {
  return [...Map.groupBy(uses, ({ call }) => `${call.kind}/${call.name}`).values()];
}

function namedRoles(uses: readonly Use[], everybody: readonly string[]): readonly Role[] {
  const [first] = uses;
  if (first === undefined) return [];
  const { began, isDelegated, call } = first;
  const parties = [...new Set(uses.map(({ party }) => party))].toSorted();
  const names = namesFor(parties, everybody);
  const roles: Role[] = [];
  for (let at = 0; at < names.length; at += maxCallers) {
    const callers = names.slice(at, at + maxCallers);
    const isOne = matcher(callers);
    const own = names.length <= maxCallers ? uses : uses.filter(({ party }) => isOne(party));
    roles.push({ server: call.server, callers, began, isDelegated, uses: own });
  }
  return roles;
}

/** As many of a kind as make a pattern. */
const enoughForPattern = 3;

/** The names of `parties`, or patterns of nobody but them. */
function namesFor(parties: readonly string[], everybody: readonly string[]): readonly string[] {
  const own = new Set(parties);
  const byStem = Map.groupBy(parties, stemOf);
  return [...byStem].flatMap(([stem, some]) => {
    if (stem === "" || some.length < enoughForPattern) return some;
    const isOther = (name: string): boolean => !own.has(name) && name.startsWith(stem);
    return everybody.some(isOther) ? some : [`${stem}*`];
  });
}

/** What a name has before the number that ends it; "" of one that ends otherwise. */
function stemOf(name: string): string {
  return /^(.{8,}[/_.-])(?:\d+|[0-9a-f]{8,}|[0-9a-f-]{36})$/.exec(name)?.[1] ?? "";
}
