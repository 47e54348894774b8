/**
 * What could flow out by way of the caller. A *source* is anything reachable that gives labelled or classified data: a
 * tool, resource or prompt with a data class, or a tool with a label other than `egress`. A *way out* is a reachable
 * tool labelled `egress`, or one that isn't said to only read. A flow is one call that is both a source and labelled
 * `egress`, or a source and another thing as its way out. Whoever has the identity carries what was read himself, so
 * a longer chain adds no pair.
 */
import type { ReachedTarget } from "./reach.ts";
import type { Way } from "./ways.ts";
import { costOf } from "./ways.ts";

/** The label of tools that send what they are given to where others read it. */
const egressLabel = "egress";

export interface Flow {
  /** What could flow: data classes and labels of the source. */
  readonly what: readonly string[];
  /** How long it must stay secret; 0 where nobody said. */
  readonly shelfLifeMs: number;
  readonly from: Named;
  readonly to: Named;
  /** One call is enough. */
  readonly isOneCall: boolean;
  readonly acrossServers: boolean;
  /** `sends` where it is labelled so, otherwise `writes`. */
  readonly out: "sends" | "writes";
  /** What stands in between, the more of the two. */
  readonly verdict: ReachedTarget["verdict"];
  /** Rules that take something out of what is read. */
  readonly redactedBy: readonly string[];
}

type Named = Pick<ReachedTarget, "kind" | "server" | "name">;

export interface Flows {
  /** The shortest first; of those, with the least in between, that send, and of what must stay secret longest. */
  readonly worst: readonly Flow[];
  /** Of all, also of those that aren't named. */
  readonly count: number;
}

/** So many are named. */
const maxNamed = 200;
/** Sources and ways out, the worst of each: so many are paired. */
const maxPaired = 300;

export function flowsOf(targets: readonly ReachedTarget[]): Flows {
  const sources = targets.filter(isSource);
  const sinks = targets.filter(isWayOut);
  const both = sources.filter(isWayOut).length;
  const single = sources.filter(sends).map((target) => flowOf(target, target));
  const worstSources = sources.toSorted(bySecrecy).slice(0, maxPaired);
  const worstSinks = sinks.toSorted((a, b) => rankOf(a) - rankOf(b)).slice(0, maxPaired);
  const pairs = worstSources.flatMap((from) =>
    worstSinks.flatMap((to) => (from === to ? [] : [flowOf(from, to)])),
  );
  return {
    worst: [...single, ...pairs].toSorted(byDanger).slice(0, maxNamed),
    count: single.length + sources.length * sinks.length - both,
  };
}

function isSource(target: ReachedTarget): boolean {
  return whatOf(target).length > 0;
}

function isWayOut(target: ReachedTarget): boolean {
  return target.kind === "tools" && (sends(target) || !target.onlyReads);
}

function sends({ labels }: ReachedTarget): boolean {
  return labels.includes(egressLabel);
}

function whatOf({ labels, data }: ReachedTarget): readonly string[] {
  return [...(data === undefined ? [] : [data.class]), ...labels.filter((label) => label !== egressLabel)];
}

function flowOf(from: ReachedTarget, to: ReachedTarget): Flow {
  const harder = rankOf(from) >= rankOf(to) ? from : to;
  const redactions = firstWay(from).redactions.filter(({ answer }) => answer.length > 0);
  return {
    what: whatOf(from),
    shelfLifeMs: from.data?.shelfLifeMs ?? 0,
    from: namedIn(from),
    to: namedIn(to),
    isOneCall: from === to,
    acrossServers: from.server !== to.server,
    out: sends(to) ? "sends" : "writes",
    verdict: harder.verdict,
    redactedBy: redactions.map(({ rule }) => rule),
  };
}

function namedIn({ kind, server, name }: ReachedTarget): Named {
  return { kind, server, name };
}

function firstWay({ ways: [first] }: ReachedTarget): Way {
  if (first === undefined) throw new TypeError("what is reached is reached in some way");
  return first;
}

const verdicts = ["allowed", "allowed if", "step-up", "held"] as const;

function rankOf(target: ReachedTarget): number {
  return verdicts.indexOf(target.verdict) * 10_000 + costOf(firstWay(target)) + (sends(target) ? 0 : 5_000);
}

function bySecrecy(a: ReachedTarget, b: ReachedTarget): number {
  return (b.data?.shelfLifeMs ?? 0) - (a.data?.shelfLifeMs ?? 0) || rankOf(a) - rankOf(b);
}

function byDanger(a: Flow, b: Flow): number {
  return (
    Number(b.isOneCall) - Number(a.isOneCall) ||
    verdicts.indexOf(a.verdict) - verdicts.indexOf(b.verdict) ||
    Number(b.out === "sends") - Number(a.out === "sends") ||
    b.shelfLifeMs - a.shelfLifeMs ||
    Number(b.acrossServers) - Number(a.acrossServers) ||
    compare(keyOf(a), keyOf(b))
  );
}

function keyOf({ from, to }: Flow): string {
  return `${from.server}/${from.name} ${to.server}/${to.name}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
