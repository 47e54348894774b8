/**
 * What one caller could do, whoever has its identity: things it could call and what stands in between, what could flow
 * from one to another, and whose authority it could lend. INVARIANT: never less than `decide` would permit it.
 */
import type { LinkPosture } from "../../model/channel.ts";
import { overlaps } from "../check/overlap.ts";
import { namePattern, serverPattern, matcher } from "../patterns.ts";
import type { LinkRuleDocument } from "../rule-schema.ts";
import { isCallRule, type PolicyDocument, type TargetKind } from "../rules.ts";
import { byKind, type SurroundingsDocument, surroundingsOf } from "../surroundings.ts";
import { type ReachRule, rulesAbout } from "./counting.ts";
import { type Entry, entryOf } from "./entry.ts";
import { type Flows, flowsOf } from "./flows.ts";
import type { AboutCall, Narrowed, ReachCaller } from "./known-facts.ts";
import { type Lending, lendingOf } from "./lending.ts";
import { type KnownServer, type ReachTarget, targetsOf } from "./targets.ts";
import { costOf, isFree, leavesReading, type Way, waysOf } from "./ways.ts";

export interface ReachWorld {
  readonly surroundings: SurroundingsDocument;
  readonly servers: readonly KnownServer[];
  /** The links that a caller of its kind can come on to reach that server. */
  readonly linksTo: (server: string) => readonly LinkPosture[];
  /** Whether it can act for others, and lend to others. */
  readonly actsForOthers: boolean;
  readonly lends: boolean;
}

export interface Asked {
  readonly caller: Omit<ReachCaller, "groups">;
  readonly narrowed: Narrowed;
}

/** How the strongest thing goes that it may do; of several ways the one with the least in between. */
type Verdict = "allowed" | "allowed if" | "step-up" | "held";

export interface ReachedTarget {
  readonly kind: TargetKind;
  readonly server: string;
  /** A name, or a pattern for all that nobody knows by name. */
  readonly name: string;
  readonly isPattern: boolean;
  /** Of a pattern, names like it that it isn't about: each of them is told by itself, or denied. */
  readonly besides: readonly string[];
  readonly isPinned: boolean;
  /** Somebody who may says that it only reads; of resources and prompts, always. */
  readonly onlyReads: boolean;
  /** Of a pattern, those that some of it may have. */
  readonly labels: readonly string[];
  readonly data?: { readonly class: string; readonly shelfLifeMs: number };
  readonly verdict: Verdict;
  /** The one with the least in between first. */
  readonly ways: readonly Way[];
}

export interface Reach {
  readonly caller: ReachCaller;
  readonly entry: Entry;
  readonly targets: readonly ReachedTarget[];
  readonly flows: Flows;
  readonly lending: Lending;
  readonly summary: Summary;
}

interface Summary {
  readonly tools: number;
  /** Of those that are pinned. */
  readonly pinnedTools: number;
  readonly knownTools: number;
  /** Rows that stand for all names like a pattern. */
  readonly patterns: number;
  readonly servers: number;
  readonly writing: number;
  readonly secret: number;
  /** Without any person or condition in between. */
  readonly free: number;
  /** With conditions on nothing but what the caller picks itself. */
  readonly ownChoice: number;
  readonly held: number;
}

export function reachOf(
  { caller: given, narrowed }: Asked,
  documents: readonly PolicyDocument[],
  world: ReachWorld,
): Reach {
  const surroundings = surroundingsOf(world.surroundings);
  const caller = { ...given, groups: surroundings.groupsOf(given.id) };
  const about = { caller, surroundings, narrowed };
  const calls = documents.filter(isCallRule);
  const rules = rulesAbout(caller.id, calls);
  const linkRules = documents.filter((each): each is LinkRuleDocument => !isCallRule(each));
  const everyLink = [...new Set(world.servers.flatMap(({ name }) => world.linksTo(name)))];
  const entry = entryOf(linkRules, { ...about, isDelegated: false }, everyLink);
  const reaching: Reaching = { about, rules, world, entry };
  const named = rules.map(({ document }) => document);
  const all = world.servers.flatMap((server) => targetsOf(server, named));
  const targets = all.flatMap((target) => reachedTarget(target, reaching) ?? []);
  const flows = flowsOf(targets);
  return {
    caller,
    entry,
    targets,
    flows,
    lending: lendingOf({ caller, calls, rules, targets: lendable(all, reaching), world }),
    summary: summaryOf(targets, world),
  };
}

interface Reaching {
  readonly about: Pick<AboutCall, "caller" | "surroundings" | "narrowed">;
  readonly rules: readonly ReachRule[];
  readonly world: ReachWorld;
  readonly entry: Entry;
}

function reachedTarget(target: ReachTarget, reaching: Reaching): ReachedTarget | undefined {
  const { about, rules, world } = reaching;
  const links = linksOf(target, reaching);
  const own = waysOf(rules, { ...about, target, isDelegated: false, standing: "itself" }, links);
  const cheapest = own[0] === undefined ? Infinity : costOf(own[0]);
  const forOthers = world.actsForOthers
    ? waysOf(rules, { ...about, target, isDelegated: true, standing: "for others" }, links)
    : [];
  // What is no easier for others is done without them.
  const ways = [...own, ...forOthers.filter((way) => costOf(way) < cheapest)].toSorted(
    (a, b) => costOf(a) - costOf(b),
  );
  const [first] = ways;
  if (first === undefined) return undefined;
  const { kind, server, name, isPinned, onlyReads } = target;
  const data = dataOf(target, world.surroundings);
  return {
    kind,
    server,
    name: name.text,
    isPattern: name.kind === "pattern",
    besides: name.kind === "pattern" ? name.besides : [],
    isPinned,
    onlyReads: onlyReads === true || leavesReading(ways),
    labels: labelsOf(target, world.surroundings),
    ...(data && { data }),
    verdict: verdictOf(first),
    ways,
  };
}

function linksOf({ server }: ReachTarget, { world, entry }: Reaching): readonly LinkPosture[] {
  return world.linksTo(server).filter((link) => entry.links.includes(link));
}

/** What others could ask for on its behalf: where it began, and where it acts for others itself. */
function lendable(all: readonly ReachTarget[], reaching: Reaching): readonly ReachTarget[] {
  const { about, rules, world } = reaching;
  if (!world.lends) return [];
  const standings = [
    { standing: "lending", isDelegated: false },
    { standing: "for others", isDelegated: true },
  ] as const;
  return all.filter((target) =>
    standings.some(
      (each) => waysOf(rules, { ...about, ...each, target }, world.linksTo(target.server)).length > 0,
    ),
  );
}

function verdictOf(way: Way): Verdict {
  if (way.level === "step_up") return "step-up";
  if (way.level === "held") return "held";
  return isFree(way) ? "allowed" : "allowed if";
}

function labelsOf({ kind, server, name }: ReachTarget, { labels }: SurroundingsDocument): readonly string[] {
  const own = Object.entries(Object.hasOwn(labels, server) ? (labels[server] ?? {}) : {});
  return own
    .filter(([, labelled]) => byKind(labelled)[kind]?.some((each) => isLike(each, name)))
    .map(([label]) => label);
}

/** The class that must stay secret longest, of those it may be about. */
function dataOf({ kind, server, name }: ReachTarget, { data }: SurroundingsDocument): ReachedTarget["data"] {
  const [longest] = data
    .filter((each) =>
      (each[kind] ?? []).some(
        (target) => matcher([serverPattern(target)])(server) && isLike(namePattern(target), name),
      ),
    )
    .toSorted((a, b) => b.shelfLifeMs - a.shelfLifeMs);
  return longest && { class: longest.name, shelfLifeMs: longest.shelfLifeMs };
}

function isLike(pattern: string, { kind, text }: ReachTarget["name"]): boolean {
  return kind === "exact" ? matcher([pattern])(text) : overlaps(pattern, text);
}

function summaryOf(targets: readonly ReachedTarget[], { servers }: ReachWorld): Summary {
  const count = (is: (target: ReachedTarget) => boolean): number => targets.filter(is).length;
  const named = targets.filter(({ isPattern }) => !isPattern);
  return {
    tools: named.filter(({ kind }) => kind === "tools").length,
    pinnedTools: count(({ isPinned }) => isPinned),
    knownTools: servers.reduce((sum, { tools }) => sum + tools.size, 0),
    patterns: targets.length - named.length,
    servers: new Set(targets.map(({ server }) => server)).size,
    writing: count(({ onlyReads }) => !onlyReads),
    secret: count(({ data }) => data !== undefined),
    free: count(({ verdict }) => verdict === "allowed"),
    ownChoice: count(isOwnChoice),
    held: count(({ verdict }) => verdict === "held"),
  };
}

function isOwnChoice({ verdict, ways: [first] }: ReachedTarget): boolean {
  if (verdict !== "allowed if" || first === undefined) return false;
  const { conditions, link, onBehalfOf } = first;
  return link === undefined && onBehalfOf === undefined && conditions.every((each) => each.isOwnChoice);
}
