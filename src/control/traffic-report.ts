/** Counted calls as they're shown: a line over time, totals, the busiest callers and servers. */
import { msBounds, riskParts } from "./traffic.ts";

/** Counted calls with something in common; of what they're summed over, `caller` or `server` is empty. */
export interface TrafficRow {
  readonly atUnixMs: number;
  readonly caller: string;
  readonly server: string;
  readonly verdict: string;
  readonly link: string;
  readonly serverLink: string;
  readonly calls: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
  readonly ms: number;
  readonly risky: number;
}

interface Spread {
  readonly atUnixMs: number;
  readonly ms: readonly number[];
  readonly risk: readonly number[];
}

export interface Counted {
  calls: number;
  allowed: number;
  denied: number;
  held: number;
  error: number;
  postQuantum: number;
  requestBytes: number;
  answerBytes: number;
  totalMs: number;
  risky: number;
}

interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

interface Told extends Counted {
  readonly suites: Record<string, number>;
  readonly ms: Quantiles | null;
  readonly risk: Quantiles | null;
}

export interface TrafficReport {
  readonly fromUnixMs: number;
  readonly toUnixMs: number;
  readonly stepMs: number;
  readonly points: readonly (Told & { readonly atUnixMs: number })[];
  readonly totals: Told;
  readonly callers: readonly (Counted & { readonly caller: string | null })[];
  readonly servers: readonly (Counted & { readonly server: string })[];
}

interface Material {
  readonly fromUnixMs: number;
  readonly toUnixMs: number;
  readonly stepMs: number;
  readonly overTime: readonly TrafficRow[];
  readonly byRoute: readonly TrafficRow[];
  readonly spreads: readonly Spread[];
}

const maxListed = 20;

/** @param material its times are multiples of the step */
export function trafficReport({ fromUnixMs, toUnixMs, stepMs, ...rows }: Material): TrafficReport {
  const { overTime, byRoute, spreads } = rows;
  const stepOf = ({ atUnixMs }: { readonly atUnixMs: number }): number => atUnixMs - (atUnixMs % stepMs);
  const rowsAt = Map.groupBy(overTime, stepOf);
  const spreadsAt = Map.groupBy(spreads, stepOf);
  const points: (Told & { readonly atUnixMs: number })[] = [];
  for (let atUnixMs = fromUnixMs; atUnixMs < toUnixMs; atUnixMs += stepMs)
    points.push({ atUnixMs, ...told(rowsAt.get(atUnixMs) ?? [], spreadsAt.get(atUnixMs) ?? []) });
  return {
    fromUnixMs,
    toUnixMs,
    stepMs,
    points,
    totals: told(overTime, spreads),
    callers: busiest(byRoute, ({ caller }) => caller).map(([caller, counted]) => ({
      caller: caller === "" ? null : caller,
      ...counted,
    })),
    servers: busiest(byRoute, ({ server }) => server).map(([server, counted]) => ({ server, ...counted })),
  };
}

function told(rows: readonly TrafficRow[], spreads: readonly Spread[]): Told {
  return {
    ...countedIn(rows),
    suites: suitesIn(rows),
    ms: quantilesOf(sumOf(spreads.map(({ ms }) => ms)), msUpTo),
    risk: quantilesOf(sumOf(spreads.map(({ risk }) => risk)), (part) => (part + 1) / riskParts),
  };
}

export function countedIn(rows: readonly TrafficRow[]): Counted {
  const sum: Counted = {
    calls: 0,
    allowed: 0,
    denied: 0,
    held: 0,
    error: 0,
    postQuantum: 0,
    requestBytes: 0,
    answerBytes: 0,
    totalMs: 0,
    risky: 0,
  };
  for (const { verdict, calls, link, ...row } of rows) {
    sum.calls += calls;
    if (verdict === "denied" || verdict === "held" || verdict === "error") sum[verdict] += calls;
    else sum.allowed += calls;
    if (link.startsWith("hybrid ")) sum.postQuantum += calls;
    sum.requestBytes += row.requestBytes;
    sum.answerBytes += row.answerBytes;
    sum.totalMs += row.ms;
    sum.risky += row.risky;
  }
  return sum;
}

/** Calls by TLS group; those that nobody knows the link of have none. */
export function suitesIn(
  rows: readonly TrafficRow[],
  linkIn: (row: TrafficRow) => string = ({ link }) => link,
): Record<string, number> {
  const suites = new Map<string, number>();
  for (const row of rows) {
    const group = linkIn(row).split(" ")[1] ?? "-";
    if (group !== "-") suites.set(group, (suites.get(group) ?? 0) + row.calls);
  }
  return Object.fromEntries(suites);
}

/** By a name, those with most calls first. */
export function busiest(
  rows: readonly TrafficRow[],
  nameIn: (row: TrafficRow) => string,
  limit = maxListed,
): readonly (readonly [string, Counted])[] {
  return [...Map.groupBy(rows, nameIn)]
    .map(([name, all]) => [name, countedIn(all)] as const)
    .toSorted(([, a], [, b]) => b.calls - a.calls)
    .slice(0, limit);
}

function msUpTo(part: number): number {
  return msBounds[part] ?? msBounds.at(-1) ?? 0;
}

function sumOf(all: readonly (readonly number[])[]): readonly number[] {
  const sum: number[] = [];
  for (const parts of all) for (const [i, part] of parts.entries()) sum[i] = (sum[i] ?? 0) + part;
  return sum;
}

/** Each the upper bound of the part of the scale that it falls into; null if there are none. */
function quantilesOf(parts: readonly number[], boundOf: (part: number) => number): Quantiles | null {
  const all = parts.reduce((sum, part) => sum + part, 0);
  if (all === 0) return null;
  const at = (share: number): number => {
    let left = Math.ceil(all * share);
    const part = parts.findIndex((count) => (left -= count) <= 0);
    return boundOf(part < 0 ? parts.length - 1 : part);
  };
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
