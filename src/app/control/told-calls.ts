/** What the control room tells of one call: its way, why it was decided so, and its entries in the log. */
import { callInFull } from "../../control/call-detail.ts";
import type { ListedCall, LoggedCall } from "../../control/logged-call.ts";
import type { PageAsked } from "../../control/paging.ts";
import { findCall } from "../../host/store/find-call.ts";
import { readIfThere } from "../../host/store/files.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Entry } from "../../audit/entry.ts";
import type { Rule } from "../../policy/rules.ts";
import type { Explanation } from "../../policy/explain.ts";
import type { Config } from "../config.ts";
import { explainEntry } from "../policy/explain-call.ts";
import { trialWorldOfConfig } from "../policy/known-config.ts";
import { readCrossings, receiptAt, type ReceiptEvent } from "../receipts.ts";
import { statePaths } from "../state-folder.ts";
import type { Naming } from "../subject-names.ts";
import type { CallDetail, ReceiptAnswer } from "./calls-answers.ts";
import type { SeenTraffic } from "./seen-traffic.ts";

export interface CallsPlace {
  readonly config: Config;
  readonly seen: SeenTraffic;
  readonly named: Naming;
  readonly origin: string;
  /** Those in force. */
  readonly rules: () => readonly Rule[];
}

export interface CallsWanted {
  readonly caller?: string | undefined;
  /** `server/tool`, or all of `server/`. */
  readonly tool?: string | undefined;
  readonly verdict?: ListedCall["verdict"] | undefined;
  readonly sinceUnixMs?: number | undefined;
}

/**
 * Of the last ones, newest first. Ids of calls are in the order of their times, so that a page goes on behind its cursor
 * though that call isn't among the last ones any more.
 */
export function listedCalls(
  { seen }: Pick<CallsPlace, "seen">,
  { limit, cursor, ...wanted }: CallsWanted & PageAsked,
): { readonly items: readonly ListedCall[]; readonly next: string | null } {
  const calls = wantedCalls(seen, wanted)
    .filter(({ callId }) => cursor === undefined || callId < cursor)
    .toSorted((a, b) => (a.callId < b.callId ? 1 : -1));
  const items = calls.slice(0, limit);
  return { items, next: calls.length > limit ? (items.at(-1)?.callId ?? null) : null };
}

function wantedCalls(
  seen: SeenTraffic,
  { caller, tool, verdict, sinceUnixMs = 0 }: CallsWanted,
): readonly ListedCall[] {
  return seen.recent
    .list(Number.MAX_SAFE_INTEGER)
    .filter(
      (call) =>
        (caller === undefined || call.caller === caller) &&
        (verdict === undefined || call.verdict === verdict) &&
        (tool === undefined || (tool.endsWith("/") ? call.what.startsWith(tool) : call.tool === tool)) &&
        call.atUnixMs >= sinceUnixMs,
    );
}

interface CallEntry {
  readonly index: number;
  readonly entry: Entry;
}

/** @throws Refusal `bad_state` if there is no such call */
export async function toldCall(place: CallsPlace, callId: string): Promise<CallDetail> {
  const entries = await entriesOf(place, callId);
  const logged = place.seen.recent.find(callId) ?? loggedCall(entries);
  if (logged === undefined) throw noCall(callId);
  return {
    ...callInFull(logged),
    stages: place.seen.stages.of(callId),
    rules: explained(place, entries),
    entries: entries.map(({ index, entry }) => ({
      index,
      event: entry.event,
      atUnixMs: entry.atUnixMs,
      outcome: entry.outcome,
      facts: entry.facts,
    })),
  };
}

/** Those that can be read, with names. */
async function entriesOf({ config, named }: CallsPlace, callId: string): Promise<readonly CallEntry[]> {
  const found = await findCall(statePaths(config.state).log, callId);
  return found.flatMap(({ index, reading }) =>
    reading.kind === "entry" ? [{ index, entry: named(reading.entry) }] : [],
  );
}

function loggedCall(entries: readonly CallEntry[]): LoggedCall | undefined {
  const of = (event: ReceiptEvent): Entry | undefined =>
    entries.find(({ entry }) => entry.event === event)?.entry;
  const [decision, outcome] = [of("call.decision"), of("call.outcome")];
  if (decision === undefined && outcome === undefined) return undefined;
  return { ...(decision && { decision }), ...(outcome && { outcome }) };
}

function noCall(callId: string): Refusal {
  return new Refusal("bad_state", `There is no call ${callId.slice(0, 64)} in the log.`);
}

/** Null for what rules aren't about: lists, and what was refused before it was understood. */
function explained(place: CallsPlace, entries: readonly CallEntry[]): CallDetail["rules"] {
  const decision = entries.find(({ entry }) => entry.event === "call.decision")?.entry;
  if (decision === undefined) return null;
  const explanation = explanationOf(place, decision);
  if (explanation === undefined) return null;
  return explanation.rules.slice(0, maxRules).map(({ condition, why, ...rule }) => ({
    ...rule,
    why: [...why],
    condition: condition
      ? {
          text: condition.text,
          verdict: condition.verdict,
          values: condition.values.map(({ path, value }) => ({ path, value })),
        }
      : null,
  }));
}

const maxRules = 50;

function explanationOf({ config, rules }: CallsPlace, decision: Entry): Explanation | undefined {
  try {
    return explainEntry(decision, trialWorldOfConfig(config), rules());
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Waits for the next head where none covers the entry yet. @throws Refusal `bad_state` */
export async function toldReceipt(
  place: CallsPlace,
  callId: string,
  event: ReceiptEvent,
): Promise<ReceiptAnswer> {
  const entries = await entriesOf(place, callId);
  const index = entries.find(({ entry }) => entry.event === event)?.index;
  if (index === undefined) {
    if (entries.length === 0) throw noCall(callId);
    throw new Refusal("bad_state", `The log has no ${event} of ${callId.slice(0, 64)} yet.`);
  }
  return { callId, event, index, ...(await provenEntry(place, index)) };
}

/** All that a browser needs to verify an entry. */
export async function provenEntry(
  { config, origin }: { readonly config: Pick<Config, "state">; readonly origin: string },
  index: number,
): Promise<Pick<ReceiptAnswer, "receipt" | "origin" | "logKey" | "crossings">> {
  const { log, logKey } = statePaths(config.state);
  const key = await readIfThere(logKey);
  if (key === undefined) throw new Refusal("bad_state", "The log's public keys aren't in the state folder.");
  return {
    receipt: Buffer.from(await receiptAt(log, index)).toString("utf8"),
    origin,
    logKey: key,
    crossings: [...(await readCrossings(log))].map(([generation, file]) => ({
      generation,
      file: Buffer.from(file).toString("base64"),
    })),
  };
}
