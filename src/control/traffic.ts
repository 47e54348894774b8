/** Calls counted by the minute: who called which server, what became of it, and how strong the links were. */
import { type CallVerdict, linkOf, type LoggedCall, numberIn, verdictOf } from "./logged-call.ts";

/** What calls have in common that are counted together. */
interface TrafficKey {
  /** Null: callers that were erased, or too many to be told apart. */
  readonly caller: string | null;
  /** Empty: none that there is. */
  readonly server: string;
  readonly verdict: CallVerdict;
  /** The link they came on: `hybrid X25519MLKEM768 ML-DSA-65`, or `unknown - -`. */
  readonly link: string;
  /** The server's, in the same way; `plain - -`; empty where it wasn't asked, or is on this machine. */
  readonly serverLink: string;
}

interface TrafficSums {
  readonly calls: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** All together. */
  readonly ms: number;
  /** Those whose risk was 0.6 or more. */
  readonly risky: number;
}

export type TrafficCell = TrafficKey & TrafficSums;

export interface TrafficMinute {
  readonly atUnixMs: number;
  readonly cells: readonly TrafficCell[];
  /** Calls by how long they took: up to each of `msBounds`, and longer. */
  readonly ms: readonly number[];
  /** Calls by risk, in twenty parts of the scale from 0 to 1. */
  readonly risk: readonly number[];
}

export interface Traffic {
  /** @param nowUnixMs when it ended */
  readonly count: (call: LoggedCall, nowUnixMs: number) => void;
  /** Minutes that ended before that, each given away once. */
  readonly take: (beforeUnixMs: number) => readonly TrafficMinute[];
  /** Those that weren't taken. */
  readonly current: () => readonly TrafficMinute[];
  /** What these callers did counts as nobody's. */
  readonly forget: (callers: readonly string[]) => void;
}

export const minuteMs = 60_000;
/** Of one stretch of time; callers beyond are counted together. */
const maxCells = 200;
/** Minutes that can't be written down are kept this long. */
const maxMinutes = 60;
/** A call at least as risky as this is counted as risky: `high` on metrics, too. */
const riskyFrom = 0.6;

export const msBounds = [
  1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800, 1200, 2000, 3000, 5000, 8000, 15_000, 60_000,
] as const;
export const riskParts = 20;

interface Cell extends TrafficKey {
  calls: number;
  requestBytes: number;
  answerBytes: number;
  ms: number;
  risky: number;
}

interface Minute {
  readonly atUnixMs: number;
  readonly cells: Map<string, Cell>;
  readonly ms: number[];
  readonly risk: number[];
}

/** @param servers of the config: what callers make up isn't told apart */
export function traffic(servers: ReadonlySet<string>): Traffic {
  let minutes: Minute[] = [];
  const minuteAt = (atUnixMs: number): Minute => {
    const last = minutes.at(-1);
    if (last !== undefined && last.atUnixMs >= atUnixMs) return last;
    const minute = {
      atUnixMs,
      cells: new Map<string, Cell>(),
      ms: Array.from({ length: msBounds.length + 1 }, () => 0),
      risk: Array.from({ length: riskParts }, () => 0),
    };
    minutes.push(minute);
    if (minutes.length > maxMinutes) minutes.shift();
    return minute;
  };
  return {
    count: (call, nowUnixMs) => countIn(minuteAt(nowUnixMs - (nowUnixMs % minuteMs)), call, servers),
    take: (beforeUnixMs) => {
      const taken = minutes.filter(({ atUnixMs }) => atUnixMs + minuteMs <= beforeUnixMs);
      minutes = minutes.slice(taken.length);
      return taken.map(frozen);
    },
    current: () => minutes.map(frozen),
    forget: (callers) => {
      const gone = new Set<string | null>(callers);
      for (const { cells } of minutes) withoutCallers(cells, gone);
    },
  };
}

function frozen({ atUnixMs, cells, ms, risk }: Minute): TrafficMinute {
  return { atUnixMs, cells: [...cells.values()], ms, risk };
}

function countIn(minute: Minute, call: LoggedCall, servers: ReadonlySet<string>): void {
  const { decision, outcome } = call;
  const facts = decision?.facts;
  const ending = outcome?.facts;
  const cell = cellFor(minute.cells, keyOf(call, servers));
  const ms = numberIn(ending?.["duration_ms"]) ?? 0;
  const risk = numberIn(facts?.["risk"]);
  cell.calls += 1;
  cell.requestBytes += numberIn(facts?.["request_bytes"]) ?? 0;
  cell.answerBytes += numberIn(ending?.["answer_bytes"]) ?? 0;
  cell.ms += ms;
  add(minute.ms, partOfMs(ms));
  if (risk === null) return;
  if (risk >= riskyFrom) cell.risky += 1;
  add(minute.risk, Math.min(riskParts - 1, Math.max(0, Math.floor(risk * riskParts))));
}

function add(parts: number[], at: number): void {
  parts[at] = (parts[at] ?? 0) + 1;
}

function partOfMs(ms: number): number {
  for (let i = 0; i < msBounds.length; i++) if (ms <= (msBounds[i] ?? 0)) return i;
  return msBounds.length;
}

function keyOf(call: LoggedCall, servers: ReadonlySet<string>): TrafficKey {
  const { decision, outcome } = call;
  const first = decision ?? outcome;
  const server = first?.facts["server"] ?? "";
  const { keyExchange, group, certificate } = linkOf(decision);
  return {
    caller: first?.principal ?? "",
    server: servers.has(server) ? server : "",
    verdict: verdictOf(call),
    link: `${keyExchange} ${group ?? "-"} ${certificate ?? "-"}`,
    serverLink: serverLinkOf(outcome?.facts ?? {}),
  };
}

function serverLinkOf(facts: Readonly<Record<string, string>>): string {
  const { upstream_group: group, upstream_link: kind, upstream_cert: certificate } = facts;
  if (group === undefined) return kind === "plain" ? "plain - -" : "";
  return `${kind === "classical" ? kind : "hybrid"} ${group} ${certificate ?? "-"}`;
}

function cellFor(cells: Map<string, Cell>, key: TrafficKey): Cell {
  const found = cells.get(textOf(key));
  if (found !== undefined) return found;
  // Servers are the config's, kinds of links few: callers are what there may be any number of.
  const kept = cells.size < maxCells ? key : { ...key, caller: null };
  const text = textOf(kept);
  const there = cells.get(text);
  if (there !== undefined) return there;
  const cell = { ...kept, calls: 0, requestBytes: 0, answerBytes: 0, ms: 0, risky: 0 };
  cells.set(text, cell);
  return cell;
}

function textOf({ caller, server, verdict, link, serverLink }: TrafficKey): string {
  return `${caller ?? ""}\n${server}\n${verdict}\n${link}\n${serverLink}`;
}

function withoutCallers(cells: Map<string, Cell>, gone: ReadonlySet<string | null>): void {
  for (const [text, cell] of cells) {
    if (!gone.has(cell.caller)) continue;
    cells.delete(text);
    const key = { ...cell, caller: null };
    const nobodys = cells.get(textOf(key));
    cells.set(textOf(key), nobodys === undefined ? key : summed(nobodys, key));
  }
}

function summed<T extends TrafficSums>(a: T, b: TrafficSums): T {
  return {
    ...a,
    calls: a.calls + b.calls,
    requestBytes: a.requestBytes + b.requestBytes,
    answerBytes: a.answerBytes + b.answerBytes,
    ms: a.ms + b.ms,
    risky: a.risky + b.risky,
  };
}
