/** What a person can order against a caller, a session, a server or a tool. */
import {
  type ActionName,
  actionNames,
  actions,
  isRestriction,
  whyNotAbout,
} from "../../../src/respond/actions.ts";
import { shown } from "./names.ts";

export interface Scope {
  readonly caller?: string;
  readonly session?: string;
  readonly server?: string;
  readonly tool?: string;
}

/** Whom or what an order can be about. */
export interface Target {
  /** As it is shown. */
  readonly label: string;
  readonly scope: Scope;
}

const titles: Readonly<Record<ActionName, string>> = {
  revoke_identity: "Suspend the identity",
  cut: "Cut its links",
  quarantine: "Quarantine",
  freeze_manifest: "Freeze the tools",
  hold: "Hold for approval",
  read_only: "Read only",
  step_up: "Ask for signatures",
  limit: "Limit the rate",
  rotate_keys: "Rotate keys",
  notify: "Notify",
};

export function actionTitle(name: string): string {
  return Object.hasOwn(titles, name) ? titles[name as ActionName] : shown(name);
}

export function actionSays(name: string): string {
  return Object.hasOwn(actions, name) ? actions[name as ActionName].does : "";
}

/** A sentence of the gateway's: times as people say them here, actions by their titles. */
export function sentence(words: string): string {
  const plain = words
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\b/g, (time) =>
      new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    )
    .replaceAll(/\b[a-z]+_[a-z]+\b/g, (name) =>
      Object.hasOwn(titles, name) ? actionTitle(name).toLowerCase() : name,
    );
  return shown(plain);
}

/** Those that can be about that, the usual ones first. */
export function actionsFor(scope: Scope): readonly ActionName[] {
  const usual: readonly ActionName[] = ["quarantine", "read_only", "hold", "limit"];
  const rest = actionNames.filter((name) => isRestriction(name) && !usual.includes(name));
  return [...usual, ...rest].filter((name) => whyNotAbout(name, scope) === undefined);
}

export const durations = [
  { value: "15m", label: "15 minutes" },
  { value: "1h", label: "1 hour" },
  { value: "8h", label: "8 hours" },
  { value: "1d", label: "1 day" },
  { value: "7d", label: "7 days" },
] as const;

/** More choices than that nobody reads. */
const maxTargets = 12;

/** What an incident's names can be restricted by, the narrowest that stops it first. */
export function targetsOf({
  callers,
  sessions,
  targets,
}: {
  readonly callers: readonly string[];
  readonly sessions: readonly string[];
  /** `server/tool`, or the server alone. */
  readonly targets: readonly string[];
}): readonly Target[] {
  // Callers that aren't named alone ("(erased)") can't be restricted.
  const named = callers.filter((caller) => !caller.startsWith("("));
  const [only] = named;
  const scopes: Scope[] = [
    ...named.map((caller) => ({ caller })),
    ...(named.length === 1 && only !== undefined
      ? sessions.slice(-2).map((session) => ({ caller: only, session }))
      : []),
    ...targets.map(toolScope),
    ...(named.length === 1 && only !== undefined
      ? targets.map((target) => ({ caller: only, ...toolScope(target) }))
      : []),
    ...new Set(targets.map((target) => target.split("/", 1)[0] ?? "")),
  ].map((each) => (typeof each === "string" ? { server: each } : each));
  const once = new Map(scopes.map((scope) => [JSON.stringify(scope), scope]));
  return [...once.values()].slice(0, maxTargets).map((scope) => ({ label: labelOf(scope), scope }));
}

/** A server's name has no slash; a tool's may. */
export function toolScope(target: string): Scope {
  const at = target.indexOf("/");
  return at < 0 ? { server: target } : { server: target.slice(0, at), tool: target.slice(at + 1) };
}

export function labelOf({ caller, session, server, tool }: Scope): string {
  const where = tool === undefined ? (server ?? "") : `${server ?? ""}/${tool}`;
  const who = session === undefined ? (caller ?? "") : `session ${session.slice(0, 12)} of ${caller ?? ""}`;
  const what = tool === undefined ? "the whole server" : "the tool";
  if (who === "") return shown(`${what} ${where}`);
  return shown(where === "" ? who : `${who}, at ${where} only`);
}
