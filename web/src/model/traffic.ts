/** Traffic as the API has it: over time, and what is different since a moment. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, list, number, text } from "./fields.ts";
import { shown } from "./names.ts";

export interface Counted {
  readonly calls: number;
  readonly allowed: number;
  readonly denied: number;
  readonly held: number;
  readonly error: number;
  /** On links with a post-quantum key exchange. */
  readonly postQuantum: number;
  readonly totalMs: number;
  /** Calls whose risk was 0.6 or more. */
  readonly risky: number;
}

interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface Point extends Counted {
  readonly atUnixMs: number;
  readonly ms: Quantiles | null;
  readonly risk: Quantiles | null;
}

export interface Traffic {
  readonly stepMs: number;
  /** The last one goes on. */
  readonly points: readonly Point[];
  readonly totals: Counted & {
    /** Calls by TLS group, most used first. */
    readonly suites: readonly (readonly [group: string, calls: number])[];
    readonly ms: Quantiles | null;
    readonly risk: Quantiles | null;
  };
  readonly callers: readonly (Counted & { readonly caller: string })[];
}

export function readTraffic(value: unknown): Traffic {
  const { stepMs, points, totals: all, callers } = fields(value);
  const totals = fields(all);
  return {
    stepMs: number(stepMs),
    points: list(points).map((point) => ({
      atUnixMs: number(point["atUnixMs"]),
      ...readCounted(point),
      ms: readQuantiles(point["ms"]),
      risk: readQuantiles(point["risk"]),
    })),
    totals: {
      ...readCounted(totals),
      suites: Object.entries(fields(totals["suites"]))
        .map(([group, calls]) => [group, number(calls)] as const)
        .toSorted(([, a], [, b]) => b - a),
      ms: readQuantiles(totals["ms"]),
      risk: readQuantiles(totals["risk"]),
    },
    callers: list(callers).map((each) => ({ caller: revealed(text(each["caller"])), ...readCounted(each) })),
  };
}

function readCounted(value: Readonly<Record<string, unknown>>): Counted {
  return {
    calls: number(value["calls"]),
    allowed: number(value["allowed"]),
    denied: number(value["denied"]),
    held: number(value["held"]),
    error: number(value["error"]),
    postQuantum: number(value["postQuantum"]),
    totalMs: number(value["totalMs"]),
    risky: number(value["risky"]),
  };
}

function readQuantiles(value: unknown): Quantiles | null {
  if (typeof value !== "object" || value === null) return null;
  const { p50, p90, p99 } = fields(value);
  return { p50: number(p50), p90: number(p90), p99: number(p99) };
}

export interface Change {
  readonly index: number;
  readonly atUnixMs: number;
  readonly event: string;
  readonly area: string;
  readonly weight: "info" | "notice" | "warning";
  readonly says: string;
  readonly by: string;
}

export function readChanges(value: unknown): readonly Change[] {
  return items(value).map((change) => {
    const weight = change["weight"];
    return {
      index: number(change["index"]),
      atUnixMs: number(change["atUnixMs"]),
      event: text(change["event"]),
      area: text(change["area"]),
      weight: weight === "notice" || weight === "warning" ? weight : "info",
      says: shown(text(change["says"])),
      by: shown(text(change["by"])),
    };
  });
}

/** A part of all; nothing of nothing is nothing. */
export function shareOf(part: number, all: number): number {
  return all === 0 ? 0 : part / all;
}

/** Milliseconds as people read them. */
export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${Math.round(ms * 10) / 10} ms`;
}
