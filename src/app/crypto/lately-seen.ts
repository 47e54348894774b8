/** What the newest entries of the audit log say of who came over which links, and of delegations that still last. */
import { openLogReader } from "../../host/store/log-reader.ts";
import type { Entry } from "../../audit/entry.ts";
import type { Naming } from "../subject-names.ts";

export interface LatelySeen {
  /** The newest call of each caller over each kind of link. */
  readonly callers: readonly SeenCaller[];
  readonly delegations: readonly SeenDelegation[];
}

export interface SeenCaller {
  readonly caller: string;
  readonly group: string;
  readonly isClassical: boolean;
  readonly atUnixMs: number;
}

interface SeenDelegation {
  readonly from: string;
  readonly to: string;
  readonly notAfterUnixMs: number;
}

/** A day is what an operator calls lately. */
const latelyMs = 24 * 3_600_000;
/** What a person waits for. */
const maxEntries = 10_000;

/** @param named gives entries the names of who is in them */
export async function latelySeen(folder: string, nowUnixMs: number, named: Naming): Promise<LatelySeen> {
  const callers = new Map<string, SeenCaller>();
  const delegations: SeenDelegation[] = [];
  let read = 0;
  for await (const { reading } of openLogReader(folder).backwards()) {
    if (++read > maxEntries) break;
    if (reading.kind !== "entry") continue;
    const entry = named(reading.entry);
    if (entry.atUnixMs < nowUnixMs - latelyMs) break;
    const seen = callerIn(entry);
    const key = `${seen?.caller} ${seen?.group}`;
    if (seen !== undefined && !callers.has(key)) callers.set(key, seen);
    const delegation = delegationIn(entry);
    if (delegation !== undefined && delegation.notAfterUnixMs > nowUnixMs) delegations.push(delegation);
  }
  return { callers: [...callers.values()], delegations };
}

function callerIn({ event, facts, principal, atUnixMs }: Entry): SeenCaller | undefined {
  const { "link.group": group, "link.kind": kind } = facts;
  if (event !== "call.decision" || group === undefined) return undefined;
  return { caller: principal, group, isClassical: kind === "classical", atUnixMs };
}

function delegationIn({ event, facts, principal, outcome }: Entry): SeenDelegation | undefined {
  const { to, not_after: notAfter } = facts;
  if (event !== "identity.delegate" || outcome !== "allowed" || to === undefined || notAfter === undefined)
    return undefined;
  return { from: principal, to, notAfterUnixMs: Date.parse(notAfter) };
}
