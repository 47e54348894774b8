/** Incidents as the API has them, as a person reads them. What others wrote is shown as what it is. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { maySuppress } from "../../../src/respond/incidents/suppression.ts";
import { fields, items, list, number, text, texts } from "./fields.ts";
import { shown } from "./names.ts";
import { type Scope, type Target, sentence, targetsOf, toolScope } from "./orders.ts";

export interface IncidentMoment {
  readonly at: number;
  readonly kind: string;
  readonly says: string;
  readonly callId: string;
  /** Of what was done: its id. */
  readonly response: string | undefined;
  readonly caller: string;
  readonly target: string;
  /** Of the target, if it is a tool. */
  readonly tool: Scope | undefined;
}

export interface Incident {
  readonly id: string;
  readonly isOpen: boolean;
  readonly title: string;
  readonly score: number;
  /** Whether a rule saw it, not a model. */
  readonly isHard: boolean;
  readonly opened: number;
  readonly last: number;
  readonly closed: { readonly at: number; readonly by: string; readonly because: string } | undefined;
  readonly findings: number;
  readonly what: string;
  /** "" if nothing was seen before. */
  readonly normal: string;
  readonly done: string;
  readonly next: readonly { readonly says: string; readonly command: string }[];
  readonly tags: readonly string[];
  readonly timeline: readonly IncidentMoment[];
  readonly acts: readonly IncidentMoment[];
  /** Whom and what it can be answered with. */
  readonly targets: readonly Target[];
  /** What would have its like not told any more; undefined where that can't be. */
  readonly suppression: Suppressed | undefined;
}

/** As the gateway is asked for it. */
interface Suppressed {
  readonly kind: string;
  readonly source?: string;
  readonly caller?: string;
  readonly tool?: string;
}

/** The worst first; of those as bad, the newest. */
export function readIncidents(value: unknown): readonly Incident[] {
  return items(value)
    .map(readIncident)
    .toSorted((a, b) => b.score - a.score || b.last - a.last);
}

export function readIncident(value: unknown): Incident {
  const { incident: found, story: told } = fields(value);
  const [incident, story] = [fields(found), fields(told)];
  const { callers, sessions, targets, sources } = incident;
  const names = { callers: texts(callers), sessions: texts(sessions), targets: texts(targets) };
  return {
    id: text(incident["id"]),
    isOpen: incident["state"] !== "closed",
    title: shown(text(story["title"])),
    score: number(incident["score"]),
    isHard: incident["isHard"] === true,
    opened: number(incident["openedUnixMs"]),
    last: number(incident["lastUnixMs"]),
    closed:
      incident["state"] === "closed"
        ? {
            at: number(incident["closedUnixMs"]),
            by: revealed(text(incident["closedBy"])),
            because: revealed(text(incident["closedBecause"])),
          }
        : undefined,
    findings: number(incident["findings"]),
    what: sentence(text(story["what"])),
    normal: sentence(text(story["normal"])),
    done: sentence(text(story["done"])),
    next: list(story["next"]).map((step) => ({
      says: revealed(text(step["says"])),
      command: revealed(`latticegate ${text(step["command"])}`),
    })),
    tags: texts(story["tags"]).map(revealed),
    timeline: list(incident["timeline"]).map(momentOf),
    acts: list(incident["done"]).map(momentOf),
    targets: targetsOf(names),
    suppression: suppressionOf({ ...names, sources: texts(sources), kinds: fields(incident["kinds"]) }),
  };
}

function momentOf(moment: Readonly<Record<string, unknown>>): IncidentMoment {
  const target = text(moment["target"]);
  return {
    at: number(moment["atUnixMs"]),
    kind: revealed(text(moment["kind"])),
    says: sentence(text(moment["says"])),
    callId: text(moment["callId"]),
    response: text(moment["response"]) || undefined,
    caller: shown(text(moment["caller"])),
    target: shown(target),
    tool: target.includes("/") ? toolScope(target) : undefined,
  };
}

function suppressionOf({
  kinds,
  callers,
  targets,
  sources,
}: Readonly<Record<"callers" | "targets" | "sources", readonly string[]>> & {
  readonly kinds: Readonly<Record<string, unknown>>;
}): Suppressed | undefined {
  const score = (kind: string): number => number(fields(kinds[kind])["score"]);
  const [worst] = Object.keys(kinds).toSorted((a, b) => score(b) - score(a));
  const [[source], [caller], [tool]] = [sources, callers, targets];
  if (worst === undefined || !maySuppress(worst)) return undefined;
  if (source !== undefined) return { kind: worst, source };
  if (caller !== undefined) return { kind: worst, caller };
  return tool === undefined ? undefined : { kind: worst, tool };
}

export type Severity = "severe" | "high" | "medium" | "low";

/** A score in a word; it orders, and is no probability. */
export function severityOf(score: number): Severity {
  if (score >= 0.9) return "severe";
  if (score >= 0.75) return "high";
  return score >= 0.5 ? "medium" : "low";
}

/** "finding secret.named" → "secret.named": what it is called where there is no room for more. */
export function shortKind(kind: string): string {
  const [first = "", ...rest] = kind.split(" ");
  return rest.length === 0 ? first : rest.join(" ");
}
