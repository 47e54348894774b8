/**
 * All that can be done about a finding, by a playbook or by hand: what each does, whom or what it is about, and how it is
 * undone. Those that last are restrictions of the world: they become milder by degrees and end by themselves.
 */
import type { RestrictionKind, Scope } from "./restriction.ts";

export interface Action {
  /** One sentence. */
  readonly does: string;
  /** What has to be named; the rest of a scope narrows it. Empty: anything that is named will do. */
  readonly needs: readonly (keyof Scope)[];
  /** What may not be named, since it would say something else than it does. */
  readonly never: readonly (keyof Scope)[];
  /** What it takes beside a scope and a time. */
  readonly takes?: "limit";
  /** `restriction`: it lasts, and becomes milder by degrees; `moment`: it is done and that is that. */
  readonly lasts: "restriction" | "moment";
  /** What undoes it. */
  readonly undo: string;
}

const lifted = "lift it, or wait: it ends at its time";

/** From the strictest to the mildest of those that last, then those of a moment. */
export const actions = {
  revoke_identity: {
    does: "The identity counts no more: no call, no link, no token, no enrolment, no renewal.",
    needs: ["caller"],
    never: ["session", "server", "tool"],
    lasts: "restriction",
    undo: lifted,
  },
  cut: {
    does: "Ends the peer's links at once, and lets it in no more.",
    needs: ["caller"],
    never: ["session", "server", "tool"],
    lasts: "restriction",
    undo: lifted,
  },
  quarantine: {
    does: "Refuses every call that it is about.",
    needs: [],
    never: [],
    lasts: "restriction",
    undo: lifted,
  },
  freeze_manifest: {
    does: "Holds a server to its tools as they are pinned: nothing new or changed is taken up or called.",
    needs: ["server"],
    never: ["caller", "user", "session", "tool"],
    lasts: "restriction",
    undo: lifted,
  },
  hold: {
    does: "Holds every call that it is about until a person approves it.",
    needs: [],
    never: [],
    lasts: "restriction",
    undo: lifted,
  },
  read_only: {
    does: "Lets only tools through that are labelled as reading.",
    needs: [],
    never: [],
    lasts: "restriction",
    undo: lifted,
  },
  step_up: {
    does: "Asks for a signature on each call, checked before the server sees it.",
    needs: [],
    never: [],
    lasts: "restriction",
    undo: lifted,
  },
  limit: {
    does: "Lets so many calls through in a time, and no more.",
    needs: [],
    never: [],
    takes: "limit",
    lasts: "restriction",
    undo: lifted,
  },
  rotate_keys: {
    does: "Gives the gateway and its sidecars fresh TLS keys, as `crypto rotate tls` does.",
    needs: [],
    never: [],
    lasts: "moment",
    undo: "nothing: the keys before are gone, and links go on",
  },
  notify: {
    does: "Writes what happened into the audit log, which outlets carry to people.",
    needs: [],
    never: [],
    lasts: "moment",
    undo: "nothing: it changes nothing",
  },
} as const satisfies Readonly<Record<RestrictionKind | MomentaryKind, Action>>;

export type MomentaryKind = "rotate_keys" | "notify";
export type ActionName = keyof typeof actions;

export const actionNames: readonly ActionName[] = Object.keys(actions) as ActionName[];

export function isActionName(text: string): text is ActionName {
  return Object.hasOwn(actions, text);
}

/** Of those that last, the strictest comes first. */
export const strictestFirst: readonly RestrictionKind[] = actionNames.filter(isRestriction);

export function isRestriction(name: ActionName): name is RestrictionKind {
  return actions[name].lasts === "restriction";
}

/** Why that action can't be about that; undefined where it can. */
export function whyNotAbout(name: ActionName, scope: Scope): string | undefined {
  const { needs, never, lasts }: Action = actions[name];
  const missing = needs.find((each) => scope[each] === undefined);
  if (missing !== undefined) return `${name} is about a ${missing}, and none is named`;
  const extra = never.find((each) => scope[each] !== undefined);
  if (extra !== undefined) return `${name} can't be about one ${extra} alone`;
  if (scope.tool !== undefined && scope.server === undefined) return "a tool goes with its server";
  if (scope.user !== undefined && scope.caller === undefined)
    return "a user goes with the client that asks for it";
  if (scope.session !== undefined && scope.caller === undefined) return "a session goes with its caller";
  const isAboutAll = Object.values(scope).every((each) => each === undefined);
  if (isAboutAll && lasts === "restriction")
    return `${name} of everybody and everything isn't done: name whom or what`;
  return undefined;
}
