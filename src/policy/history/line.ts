/** The calls of one caller (or session, …) to one tool (or pattern of tools), oldest first, and what is asked of them. */
import type { Recollection } from "../../expr/recall.ts";
import { type Features, notKept } from "./features.ts";

type Spend = (steps: number) => void;
type Said = string | number | boolean;

interface Seen {
  readonly callId: string;
  readonly atUnixMs: number;
  readonly features: Features | undefined;
}

/** What is kept of a line's calls: how far back, of which paths the figures, of which what was said. */
export interface Kept {
  readonly windowMs: number;
  readonly figures: ReadonlySet<string>;
  readonly said: ReadonlySet<string>;
}

export interface Line {
  /** The caller it counts for. */
  readonly owner: string;
  readonly add: (call: Seen) => void;
  readonly settle: (callId: string, how: "stands" | "undone") => void;
  readonly recall: (
    asked: Recollection,
    how: { readonly value: Said | undefined; readonly nowUnixMs: number; readonly spend: Spend },
  ) => number | boolean | { readonly why: string };
  /** When the first call after that moment was; undefined if there was none. */
  readonly first: (afterUnixMs: number, spend: Spend) => number | undefined;
  readonly last: (afterUnixMs: number, spend: Spend) => number | undefined;
  /** Nothing in it counts any more. */
  readonly isOver: (nowUnixMs: number) => boolean;
}

/** One call, or several old ones together, which count as long as the newest of them. */
interface Stay {
  /** Of a call whose outcome isn't known yet. */
  openId: string | undefined;
  readonly fromUnixMs: number;
  readonly atUnixMs: number;
  readonly calls: number;
  readonly figures: ReadonlyMap<string, Figures>;
  readonly said: ReadonlyMap<string, ReadonlySet<Said>>;
}

interface Figures {
  readonly count: number;
  readonly sum: number;
  readonly mean: number;
  /** Sum of the squares of what each differs from the mean. */
  readonly spread: number;
  readonly min: number;
  readonly max: number;
  readonly last: number;
}

/** A clock that jumps ahead and back makes nothing forgotten, up to this. */
const jumpMs = 60 * 60_000;
/** Beyond it, old ones are put together in pairs. */
const maxStays = 4096;
/** Values that a line remembers. */
const maxSaid = 10_000;

export function lineOf(owner: string, kept: Kept): Line {
  let stays: Stay[] = [];
  let saidInAll = 0;
  let mergeAt = maxStays;
  /** Until then, more was said than is remembered; or some of what was said can't be read. */
  let lossyUntilUnixMs = Number.NEGATIVE_INFINITY;
  let unreadUntilUnixMs = Number.NEGATIVE_INFINITY;

  const forget = (nowUnixMs: number): void => {
    const from = nowUnixMs - kept.windowMs - jumpMs;
    const alive = stays.findIndex(({ atUnixMs, openId }) => atUnixMs > from || openId !== undefined);
    const gone = stays.splice(0, alive === -1 ? stays.length : alive);
    for (const each of gone) saidInAll -= saidIn(each);
  };
  return {
    owner,
    add: (call) => {
      forget(call.atUnixMs);
      if (stays.length >= mergeAt) {
        stays = merged(stays);
        mergeAt = Math.max(maxStays, stays.length + (maxStays >> 3));
        saidInAll = stays.reduce((sum, each) => sum + saidIn(each), 0);
      }
      const stay = stayOf(call, kept);
      if (isUnread(call, kept)) unreadUntilUnixMs = call.atUnixMs + kept.windowMs;
      const isTooMuch = saidInAll + saidIn(stay) > maxSaid;
      if (isTooMuch) lossyUntilUnixMs = call.atUnixMs + kept.windowMs;
      // Those read from the log come after the first of today's.
      const at = stays.findLastIndex(({ atUnixMs }) => atUnixMs <= call.atUnixMs) + 1;
      stays.splice(at, 0, isTooMuch ? { ...stay, said: new Map() } : stay);
      if (!isTooMuch) saidInAll += saidIn(stay);
    },
    settle: (callId, how) => {
      const at = stays.findLastIndex(({ openId }) => openId === callId);
      const stay = stays[at];
      if (stay === undefined) return;
      stay.openId = undefined;
      if (how === "stands") return;
      stays.splice(at, 1);
      saidInAll -= saidIn(stay);
    },
    recall: ({ what, path, windowMs }, { value, nowUnixMs, spend }) => {
      if (what === "running") return stays.filter(({ openId }) => openId !== undefined).length;
      const counted = after(stays, nowUnixMs - windowMs, spend);
      if (path === undefined) return counted.reduce((sum, { calls }) => sum + calls, 0);
      if (nowUnixMs < unreadUntilUnixMs)
        return { why: "what a call said isn't a number, or isn't known any more" };
      if (what !== "distinct" && what !== "seen") return figure(what, figuresIn(counted, path));
      if (nowUnixMs < lossyUntilUnixMs)
        return { why: `more than ${maxSaid} values are too many to remember` };
      spend(saidInAll >> 3);
      const said = new Set(counted.flatMap((each) => [...(each.said.get(path) ?? [])]));
      return what === "distinct" ? said.size : value !== undefined && said.has(value);
    },
    first: (afterUnixMs, spend) => after(stays, afterUnixMs, spend)[0]?.fromUnixMs,
    last: (afterUnixMs, spend) => after(stays, afterUnixMs, spend).at(-1)?.atUnixMs,
    isOver: (nowUnixMs) => {
      forget(nowUnixMs);
      return stays.length === 0;
    },
  };
}

function after(stays: readonly Stay[], afterUnixMs: number, spend: Spend): readonly Stay[] {
  spend(stays.length >> 3);
  return stays.filter(({ atUnixMs }) => atUnixMs > afterUnixMs);
}

/** What is there and is no number can't be summed: its server may read it as one. */
function isUnread({ features }: Seen, { figures }: Kept): boolean {
  if (features === undefined) return true;
  return figures.values().some((path) => {
    const value = Object.hasOwn(features, path) ? features[path] : null;
    return value !== null && typeof value !== "number";
  });
}

function stayOf({ callId, atUnixMs, features }: Seen, kept: Kept): Stay {
  const figures = new Map<string, Figures>();
  const said = new Map<string, ReadonlySet<Said>>();
  for (const [path, value] of Object.entries(features ?? {})) {
    if (value === null || value === notKept) continue;
    if (kept.said.has(path)) said.set(path, new Set([value]));
    if (typeof value !== "number" || !kept.figures.has(path)) continue;
    figures.set(path, {
      count: 1,
      sum: value,
      mean: value,
      spread: 0,
      min: value,
      max: value,
      last: value,
    });
  }
  return { openId: callId, fromUnixMs: atUnixMs, atUnixMs, calls: 1, figures, said };
}

function saidIn({ said }: Stay): number {
  return said.values().reduce((sum, each) => sum + each.size, 0);
}

/** The older half in pairs, but for calls whose outcome isn't known. */
function merged(stays: readonly Stay[]): Stay[] {
  const half = stays.length >> 1;
  const older = stays.slice(0, half).filter(({ openId }) => openId === undefined);
  const open = stays.slice(0, half).filter(({ openId }) => openId !== undefined);
  const pairs: Stay[] = [];
  for (let at = 0; at < older.length; at += 2) {
    const [one, other] = [older[at], older[at + 1]];
    if (one !== undefined) pairs.push(other === undefined ? one : together(one, other));
  }
  return [...pairs, ...open, ...stays.slice(half)].toSorted((a, b) => a.atUnixMs - b.atUnixMs);
}

function together(one: Stay, other: Stay): Stay {
  const figures = new Map(one.figures);
  for (const [path, next] of other.figures) figures.set(path, sumOf(figures.get(path), next));
  const said = new Map(one.said);
  for (const [path, next] of other.said) said.set(path, (said.get(path) ?? new Set<Said>()).union(next));
  return {
    openId: undefined,
    fromUnixMs: Math.min(one.fromUnixMs, other.fromUnixMs),
    atUnixMs: Math.max(one.atUnixMs, other.atUnixMs),
    calls: one.calls + other.calls,
    figures,
    said,
  };
}

function sumOf(one: Figures | undefined, next: Figures): Figures {
  if (one === undefined) return next;
  // Chan, Golub, LeVeque (1979): sums of squares of large numbers lose what they differ by.
  const count = one.count + next.count;
  const apart = next.mean - one.mean;
  return {
    count,
    sum: one.sum + next.sum,
    mean: one.mean + (apart * next.count) / count,
    spread: one.spread + next.spread + (apart * apart * one.count * next.count) / count,
    min: Math.min(one.min, next.min),
    max: Math.max(one.max, next.max),
    last: next.last,
  };
}

/** INVARIANT: what isn't settled yet takes nothing away: its server may still refuse it. */
function figuresIn(stays: readonly Stay[], path: string): Figures | undefined {
  return stays.reduce<Figures | undefined>((sum, { figures, openId }) => {
    const next = figures.get(path);
    if (next === undefined) return sum;
    return sumOf(sum, openId !== undefined && next.sum < 0 ? { ...next, sum: 0 } : next);
  }, undefined);
}

function figure(what: Recollection["what"], figures: Figures | undefined): number | { readonly why: string } {
  if (what === "sum" && figures === undefined) return 0;
  if (figures === undefined) return { why: "no such number came before; ask for count() first" };
  const found = foundIn(what, figures);
  return Number.isFinite(found) ? found : { why: "the numbers are too large" };
}

function foundIn(what: Recollection["what"], { count, sum, mean, spread, min, max, last }: Figures): number {
  switch (what) {
    case "sum":
      return sum;
    case "average":
      return mean;
    case "deviation":
      return Math.sqrt(spread / count);
    case "min":
      return min;
    case "max":
      return max;
    default:
      return last;
  }
}
