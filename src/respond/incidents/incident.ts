/** What belongs together, for a person: one cause, what was seen of it, and what was done about it. */
import { signalKind } from "../signal-kinds.ts";
import type { Signal } from "../signal.ts";

/** One line of the story. */
export interface Moment {
  readonly atUnixMs: number;
  /** Of the entry it stands in. */
  readonly callId: string;
  /** The signal's kind; of what was done the event. */
  readonly kind: string;
  readonly score: number;
  readonly says: string;
  readonly caller?: string;
  /** `server/tool`, or the server alone. */
  readonly target?: string;
  /** Of what was done: its id. */
  readonly response?: string;
}

export interface Incident {
  /** Unique for ever. */
  readonly id: string;
  readonly state: "open" | "closed";
  /** One sentence, read in ten seconds. */
  readonly title: string;
  /** From 0 to 1: to put the worst first; no probability. */
  readonly score: number;
  /** Whether a rule saw it; a model's are counted against the budget. */
  readonly isHard: boolean;
  readonly openedUnixMs: number;
  readonly lastUnixMs: number;
  readonly closedUnixMs?: number;
  readonly closedBy?: string;
  readonly closedBecause?: string;
  /** Of each kind of signal the highest score, and how often it came. */
  readonly kinds: Readonly<Record<string, { readonly score: number; readonly times: number }>>;
  /** Signals in all. */
  readonly findings: number;
  /** Further ones than are named were counted. */
  readonly callers: readonly string[];
  readonly sessions: readonly string[];
  readonly targets: readonly string[];
  readonly sources: readonly string[];
  /** The first ones, and the newest. */
  readonly timeline: readonly Moment[];
  /** What was done about it, by rules and by people. */
  readonly done: readonly Moment[];
  /** What was seen of the same before, in a sentence; "" if nothing was. */
  readonly normal: string;
  /** What makes a signal belong here. */
  readonly keys: readonly string[];
}

/** What an incident keeps of names and keys, at most. */
const maxNamed = 32;
const maxKeys = 128;
const maxKinds = 32;
/** The beginning is what it came from: as many of the first stay as of the newest. */
const maxTimeline = 40;
const maxDone = 40;
const maxSaysLength = 400;

/** A new one, of nothing yet. */
export function emptyIncident(id: string, nowUnixMs: number, normal: string): Incident {
  return {
    id,
    state: "open",
    title: "",
    score: 0,
    isHard: false,
    openedUnixMs: nowUnixMs,
    lastUnixMs: nowUnixMs,
    kinds: {},
    findings: 0,
    callers: [],
    sessions: [],
    targets: [],
    sources: [],
    timeline: [],
    done: [],
    normal,
    keys: [],
  };
}

/** With one signal more, by whose keys others are found. */
export function withSignal(incident: Incident, signal: Signal, keys: readonly string[]): Incident {
  const { kind, score, about, source } = signal;
  const before = incident.kinds[kind];
  const hasRoom = before !== undefined || Object.keys(incident.kinds).length < maxKinds;
  const kinds = hasRoom
    ? {
        ...incident.kinds,
        [kind]: { score: Math.max(score, before?.score ?? 0), times: (before?.times ?? 0) + 1 },
      }
    : incident.kinds;
  const target = targetOf(signal);
  const next = {
    ...incident,
    kinds,
    isHard: incident.isHard || (signal.isHard && score >= hardFrom),
    lastUnixMs: Math.max(incident.lastUnixMs, signal.atUnixMs),
    findings: incident.findings + 1,
    callers: withOne(incident.callers, about.caller, maxNamed),
    sessions: withOne(incident.sessions, about.session, maxNamed),
    targets: withOne(incident.targets, target, maxNamed),
    sources: withOne(incident.sources, source, maxNamed),
    timeline: withMoment(incident.timeline, momentOf(signal), maxTimeline),
    keys: keys.reduce((all, key) => withOne(all, key, maxKeys), incident.keys),
  };
  const isMany = next.keys.some((key) => key.startsWith(manyOf));
  return { ...next, score: scoreOf(kinds), title: `${titleOf(next)}${isMany ? ", and much else" : ""}` };
}

/** What the keys begin with of an incident of all that is found of one caller. */
export const manyOf = "many of ";

/** What a rule saw that is worth as much as an incident. */
const hardFrom = 0.6;

export function withDone(incident: Incident, moment: Moment): Incident {
  return { ...incident, done: withMoment(incident.done, moment, maxDone) };
}

/** `server/tool`, or the server alone. */
export function targetOf({ about: { server, tool } }: Pick<Signal, "about">): string | undefined {
  return server === undefined || tool === undefined ? server : `${server}/${tool}`;
}

function momentOf(signal: Signal): Moment {
  const { atUnixMs, callId, kind, score, says, about } = signal;
  const target = targetOf(signal);
  return {
    atUnixMs,
    callId,
    kind,
    score,
    says: says.length > maxSaysLength ? `${says.slice(0, maxSaysLength)}…` : says,
    ...(about.caller !== undefined && { caller: about.caller }),
    ...(target !== undefined && { target }),
  };
}

function withOne(all: readonly string[], one: string | undefined, most: number): readonly string[] {
  return one === undefined || all.length >= most || all.includes(one) ? all : [...all, one];
}

/** INVARIANT: where one has to go, it is one of the busiest caller's: nobody's line is pushed out by another's noise. */
function withMoment(all: readonly Moment[], one: Moment, most: number): readonly Moment[] {
  if (all.length < most) return [...all, one];
  const half = most / 2;
  const busiest = busiestOf([...all, one]);
  const isIts = ({ caller }: Moment): boolean => caller === busiest;
  const newer = all.findIndex((each, at) => at >= half && isIts(each));
  const gone = newer < 0 ? Math.max(0, all.findLastIndex(isIts)) : newer;
  return [...all.slice(0, gone), ...all.slice(gone + 1), one];
}

/** The newest of those with as many. */
function busiestOf(all: readonly Moment[]): string | undefined {
  const counts = new Map<string | undefined, number>();
  for (const { caller } of all) counts.set(caller, (counts.get(caller) ?? 0) + 1);
  const most = Math.max(...counts.values());
  // Of the newest half rather than of how it began.
  return all.slice(0, -1).findLast(({ caller }) => counts.get(caller) === most)?.caller;
}

/** Signals of one family see the same thing: the highest counts; families add up as if each could be wrong by itself. */
function scoreOf(kinds: Incident["kinds"]): number {
  const highest = new Map<string, number>();
  for (const [kind, { score }] of Object.entries(kinds)) {
    const family = familyOf(kind);
    highest.set(family, Math.max(highest.get(family) ?? 0, score));
  }
  const noneRight = [...highest.values()].reduce((product, score) => product * (1 - score), 1);
  return Math.round((1 - noneRight) * 1000) / 1000;
}

function familyOf(kind: string): string {
  return /^[a-z]+/.exec(kind)?.[0] ?? kind;
}

type Titled = Pick<Incident, "kinds" | "callers" | "targets" | "sources" | "timeline">;

/** Who, what, where, from where: the kind with the highest score says what. */
function titleOf({ kinds, callers, targets, sources, timeline }: Titled): string {
  const [worst = ""] = Object.entries(kinds)
    .toSorted(([, a], [, b]) => b.score - a.score)
    .map(([kind]) => kind);
  const shown = timeline.findLast(({ kind, target }) => kind === worst && target !== undefined);
  const where = shown?.target ?? targets[0];
  const [only = where ?? "Somebody"] = callers;
  // INVARIANT: a caller's whole name: what the audit log veils has to look like one.
  const subject = callers.length > 1 ? `${callers.length} callers` : only;
  const what = callers.length > 1 ? plural(signalKind(worst).title) : signalKind(worst).title;
  const at = callers.length > 0 && where !== undefined ? ` (${where})` : "";
  const [source, ...more] = sources;
  const others = more.length > 0 ? ` and ${more.length} more` : "";
  const from = source === undefined || source === where ? "" : `, after reading ${source}${others}`;
  return `${subject} ${what}${at}${from}`;
}

/** Of verbs that rows begin with. */
const plurals: Readonly<Record<string, string>> = {
  was: "were",
  is: "are",
  "isn't": "aren't",
  has: "have",
  goes: "go",
  sends: "send",
  calls: "call",
  uses: "use",
  keeps: "keep",
  shakes: "shake",
};

function plural(title: string): string {
  const [verb = "", ...rest] = title.split(" ");
  return [plurals[verb] ?? verb, ...rest].join(" ");
}

/** Nothing names these callers any more. */
export function withoutCallers(incident: Incident, gone: ReadonlySet<string>): Incident {
  const { callers, timeline, done, keys } = incident;
  if (!callers.some((caller) => gone.has(caller))) return incident;
  const words = (text: string): string =>
    [...gone].reduce((said, caller) => said.replaceAll(caller, erased), text);
  const moment = (each: Moment): Moment => ({
    ...each,
    says: words(each.says),
    ...(each.caller !== undefined && gone.has(each.caller) && { caller: erased }),
  });
  const left = {
    ...incident,
    callers: callers.map((caller) => (gone.has(caller) ? erased : caller)),
    sessions: [],
    timeline: timeline.map(moment),
    done: done.map(moment),
    normal: words(incident.normal),
    keys: keys.filter((key) => words(key) === key),
  };
  return { ...left, title: titleOf(left) };
}

/** Who was erased from the audit log. */
const erased = "(erased)";
