/**
 * What is remembered of calls that were let through, as far as rules ask for it. A call is reserved in the same turn in
 * which it is decided, so that of any number of calls at once no more pass than a limit says; when its outcome is known
 * it is settled, and taken out again if its server said that it failed. Memory is bounded: what is old and much is
 * merged, so that it ends late rather than early, and what can't be remembered at all is said to be unknown.
 */
import type { Recalling, Recollection, Whose } from "../../expr/recall.ts";
import { matcher } from "../patterns.ts";
import { type DigestText, type Features, featuresOf, formatFeatures } from "./features.ts";
import { type LineBook, lineBook } from "./line-book.ts";
import { type Kept, type Line, lineOf } from "./line.ts";

/** A call, as history knows it. */
export interface PastCall {
  readonly callId: string;
  readonly atUnixMs: number;
  /** The caller, and all it acts for. */
  readonly parties: readonly string[];
  /** Who began: the caller, or the first it acts for. */
  readonly user: string;
  readonly session: string;
  readonly issuer: string;
  /** `server/tool`, or `server/` and a resource's address or a method. */
  readonly target: string;
  /** Undefined where something was kept of them and can't be read any more. */
  readonly features: Features | undefined;
}

/** Who asks, of one party of a call. */
export type Asker = Pick<PastCall, "user" | "session" | "issuer" | "target" | "atUnixMs"> & {
  readonly party: string;
};

export interface PastCalls {
  /** What is to be kept of a call's arguments; undefined if nothing is asked of any. */
  readonly featuresOf: (args: () => unknown) => Features | "too long" | undefined;
  /** Whether anything is asked of history at all. */
  readonly isAsked: () => boolean;
  readonly of: (asker: Asker) => Recalling;
  /** @returns why it can't be remembered, and so mustn't pass; undefined if it is */
  readonly reserve: (call: PastCall) => string | undefined;
  /** A call that was let through before: what can't be remembered of it makes what asks for it err, and refuses nobody. */
  readonly restore: (call: PastCall) => void;
  /** It was answered, or never will be. */
  readonly settle: (callId: string, how: "stands" | "undone") => void;
  /** Of those whose names were erased, what is remembered of them alone. */
  readonly forget: (ids: readonly string[]) => void;
}

/** What an entry keeps of one call: more than that would be cut there. */
const maxFeaturesChars = 540;

/** One for each kind of calls that rules ask about: of whom, and of what. */
interface Tracked extends Kept {
  readonly key: string;
  readonly whose: Whose;
  /** Absent: each target by itself. */
  readonly matches?: (target: string) => boolean;
}

/**
 * @param digest of the text of arguments, as their features have it
 * @param reads what conditions read of arguments beside: kept as far as there is room, for those who ask later what
 * other rules would have said
 */
export function pastCalls(
  recollections: readonly Recollection[],
  digest: DigestText,
  { lines = lineBook(), reads = [] }: { readonly lines?: LineBook; readonly reads?: Iterable<string> } = {},
): PastCalls {
  const tracked = trackedBy(recollections);
  const known = new Set(recollections.map(nameOf));
  /** Of whom, and in which way, more came before than could be remembered. */
  const lost = new Set<string>();
  const paths = new Set(tracked.flatMap(({ figures, said }) => [...figures, ...said]));
  const all = new Set([...paths, ...reads]);
  /** The lines that a call whose outcome isn't known stands in. */
  const open = new Map<string, readonly Line[]>();
  return {
    isAsked: () => tracked.length > 0,
    featuresOf: (args) => {
      if (all.size === 0) return tracked.length === 0 ? undefined : {};
      const given = args();
      const features = featuresOf(given, all, digest);
      if (formatFeatures(features).length <= maxFeaturesChars) return features;
      const least = featuresOf(given, paths, digest);
      return formatFeatures(least).length <= maxFeaturesChars ? least : "too long";
    },
    reserve: (call) => {
      const keys = new Map(tracked.flatMap((each) => keysOf(each, call).map((key) => [key, each] as const)));
      const opened = lines.open(keys, call.parties.at(-1) ?? "", call.atUnixMs);
      if (opened === undefined) return "too many callers, sessions and tools are remembered already";
      for (const line of opened) line.add(call);
      open.set(call.callId, opened);
      return undefined;
    },
    restore: (call) => {
      const keys = new Map(tracked.flatMap((each) => keysOf(each, call).map((key) => [key, each] as const)));
      const opened = lines.open(keys, call.parties.at(-1) ?? "", call.atUnixMs);
      const stands = opened ?? lines.opened(keys);
      if (opened === undefined)
        for (const key of keys.keys()) if (lines.at(key) === undefined) lost.add(aboutWhom(key));
      for (const line of stands) line.add(call);
      open.set(call.callId, stands);
    },
    settle: (callId, how) => {
      for (const line of open.get(callId) ?? []) line.settle(callId, how);
      open.delete(callId);
    },
    forget: (ids) =>
      lines.drop((key, owner) => {
        const [kind = "", name = ""] = key.split("\n");
        if (/^(?:caller|user) /.test(kind)) return ids.includes(name);
        return kind.startsWith("session ") && ids.includes(owner);
      }),
    of: (asker) => ({
      recall: (asked, given, spend) => {
        if (!known.has(nameOf(asked))) return { why: "that isn't remembered" };
        if (lost.has(aboutWhom(keyFor(asked.whose, asked.of, asker))))
          return { why: "there was too much to remember" };
        const named = (of: string | undefined): Line => lines.at(keyFor(asked.whose, of, asker)) ?? nothing;
        const value = typeof given === "string" ? digest(given) : given;
        return recalled(asked, { named, value, asker, spend });
      },
    }),
  };
}

function recalled(
  asked: Recollection,
  {
    named,
    value,
    asker,
    spend,
  }: {
    readonly named: (of: string | undefined) => Line;
    readonly value: string | number | boolean | undefined;
    readonly asker: Asker;
    readonly spend: (steps: number) => void;
  },
): ReturnType<Line["recall"]> {
  const line = named(asked.of);
  if (asked.followedBy === undefined) return line.recall(asked, { value, nowUnixMs: asker.atUnixMs, spend });
  return cameBefore(asked, { line, after: named(asked.followedBy), asker }, spend);
}

const nothing: Line = lineOf("", { windowMs: 0, figures: new Set(), said: new Set() });

/** Whether the first of the two came before this call, if that is the second, or before one that was. */
function cameBefore(
  { followedBy, windowMs }: Recollection,
  { line, after, asker }: { readonly line: Line; readonly after: Line; readonly asker: Asker },
  spend: (steps: number) => void,
): boolean {
  const since = asker.atUnixMs - windowMs;
  const first = line.first(since, spend);
  if (first === undefined) return false;
  if (matcher([followedBy ?? ""])(asker.target)) return true;
  const last = after.last(since, spend);
  return last !== undefined && last >= first;
}

function trackedBy(recollections: readonly Recollection[]): readonly Tracked[] {
  const asked = recollections.flatMap((each) =>
    (each.followedBy === undefined ? [each.of] : [each.of, each.followedBy]).map((of) => ({ ...each, of })),
  );
  return [...Map.groupBy(asked, ({ whose, of }) => lineKind(whose, of))].map(([key, all]) => {
    const [{ whose, of } = { whose: "caller" as const, of: undefined }] = all;
    const pathsOf = (isSo: (what: Recollection["what"]) => boolean): ReadonlySet<string> =>
      new Set(all.flatMap(({ what, path }) => (path !== undefined && isSo(what) ? [path] : [])));
    return {
      key,
      whose,
      windowMs: Math.max(...all.map(({ windowMs }) => windowMs)),
      figures: pathsOf((what) => !aboutValues.has(what)),
      said: pathsOf((what) => aboutValues.has(what)),
      ...(of !== undefined && { matches: matcher([of]) }),
    };
  });
}

const aboutValues: ReadonlySet<Recollection["what"]> = new Set(["distinct", "seen"]);

/** `whose of` and whom, without what was called. */
function aboutWhom(key: string): string {
  return key.slice(0, key.lastIndexOf("\n"));
}

function nameOf({ whose, of, what, path, followedBy, windowMs }: Recollection): string {
  return [whose, of, what, path, followedBy, windowMs].join("\n");
}

function lineKind(whose: Whose, of: string | undefined): string {
  return `${whose} ${of ?? ""}`;
}

/** Where a call is remembered: for the caller and each party it acts for, once. */
function keysOf(each: Tracked, call: PastCall): readonly string[] {
  if (each.matches?.(call.target) === false) return [];
  const about = each.matches === undefined ? call.target : "";
  const whose = each.whose === "caller" ? call.parties : [whom(each.whose, { ...call, party: "" })];
  return [...new Set(whose)].map((name) => `${each.key}\n${name}\n${about}`);
}

function keyFor(whose: Whose, of: string | undefined, asker: Asker): string {
  return `${lineKind(whose, of)}\n${whom(whose, asker)}\n${of === undefined ? asker.target : ""}`;
}

function whom(whose: Whose, asker: Pick<Asker, "party" | "user" | "session" | "issuer">): string {
  if (whose === "everybody") return "";
  return whose === "caller" ? asker.party : asker[whose];
}
