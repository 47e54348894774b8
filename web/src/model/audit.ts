/** The audit log as the API says it. */
import { fields, items, list, number, text, texts } from "./fields.ts";

export interface LogEntry {
  readonly index: number;
  readonly event: string;
  readonly atUnixMs: number;
  readonly callId: string;
  readonly principal: string;
  readonly tool: string;
  readonly outcome: string;
  readonly facts: readonly (readonly [string, string])[];
}

export interface Found {
  readonly entries: readonly LogEntry[];
  readonly next: string | undefined;
  readonly notes: readonly string[];
}

export interface ShownEntry {
  readonly entry: LogEntry;
  readonly receipt: {
    readonly receipt: string;
    readonly origin: string;
    readonly logKey: string;
    readonly crossings: readonly { readonly generation: number; readonly file: string }[];
  };
}

export interface Heads {
  readonly origin: string;
  readonly size: number;
  readonly head: { readonly size: number; readonly root: string } | undefined;
  readonly generations: readonly {
    readonly number: number;
    readonly state: string;
    readonly algorithms: readonly string[];
    readonly fingerprint: string;
    readonly sinceUnixMs: number | undefined;
  }[];
}

export interface Witnesses {
  readonly witnesses: readonly {
    readonly name: string;
    readonly spiffeId: string;
    readonly size: number;
    readonly atUnixMs: number;
    readonly behind: number;
    readonly agrees: boolean | undefined;
  }[];
  readonly incidents: readonly {
    readonly by: string;
    readonly kind: string;
    readonly says: string;
    readonly at: string;
  }[];
}

export interface LogVerdict {
  readonly isIntact: boolean;
  readonly says: readonly string[];
  readonly signedBy: readonly string[];
}

export function readFound(value: unknown): Found {
  const { next, notes } = fields(value);
  return { entries: items(value).map(readEntry), next: text(next) || undefined, notes: texts(notes) };
}

export function readShownEntry(value: unknown): ShownEntry {
  const { entry, receipt } = fields(value);
  return { entry: readEntry(fields(entry)), receipt: readReceipt(receipt) };
}

export function readReceipt(value: unknown): ShownEntry["receipt"] {
  const { receipt, origin, logKey, crossings } = fields(value);
  return {
    receipt: text(receipt),
    origin: text(origin),
    logKey: text(logKey),
    crossings: list(crossings).map((each) => ({
      generation: number(each["generation"]),
      file: text(each["file"]),
    })),
  };
}

function readEntry(value: Readonly<Record<string, unknown>>): LogEntry {
  return {
    index: number(value["index"]),
    event: text(value["event"]),
    atUnixMs: number(value["atUnixMs"]),
    callId: text(value["callId"]),
    principal: text(value["principal"]),
    tool: text(value["tool"]),
    outcome: text(value["outcome"]),
    facts: Object.entries(fields(value["facts"])).map(([name, fact]) => [name, text(fact)] as const),
  };
}

export function readHeads(value: unknown): Heads {
  const { origin, size, head, generations } = fields(value);
  const newest = fields(head);
  return {
    origin: text(origin),
    size: number(size),
    head: head === null ? undefined : { size: number(newest["size"]), root: text(newest["root"]) },
    generations: list(generations).map((each) => ({
      number: number(each["number"]),
      state: text(each["state"]),
      algorithms: texts(each["algorithms"]),
      fingerprint: text(each["fingerprint"]),
      sinceUnixMs: typeof each["sinceUnixMs"] === "number" ? each["sinceUnixMs"] : undefined,
    })),
  };
}

export function readWitnesses(value: unknown): Witnesses {
  const { witnesses, incidents } = fields(value);
  return {
    witnesses: list(witnesses).map((each) => ({
      name: text(each["name"]),
      spiffeId: text(each["spiffeId"]),
      size: number(each["size"]),
      atUnixMs: number(each["atUnixMs"]),
      behind: number(each["behind"]),
      agrees: typeof each["agrees"] === "boolean" ? each["agrees"] : undefined,
    })),
    incidents: list(incidents).map((each) => ({
      by: text(each["by"]),
      kind: text(each["kind"]),
      says: text(each["says"]),
      at: text(each["at"]),
    })),
  };
}

export function readLogVerdict(value: unknown): LogVerdict {
  const { isIntact, says, signedBy } = fields(value);
  return { isIntact: isIntact === true, says: texts(says), signedBy: texts(signedBy) };
}

/** Fields of the search, kept in the address. */
export const searchFields = ["text", "caller", "tool", "event", "rule", "call", "verdict"] as const;
/** Local times as a browser's fields have them, such as 2026-11-21T08:30. */
export const searchTimes = ["since", "until"] as const;

/** The path that answers a search. @param cursor of the page; "" for the first */
export function searchPath(query: URLSearchParams, cursor: string): string {
  const asked = new URLSearchParams({ limit: "50" });
  for (const name of searchFields) {
    const value = query.get(name)?.trim() ?? "";
    if (value !== "") asked.set(name, value);
  }
  for (const name of searchTimes) {
    const atUnixMs = Date.parse(query.get(name) ?? "");
    if (!Number.isNaN(atUnixMs)) asked.set(name, String(atUnixMs));
  }
  if (cursor !== "") asked.set("cursor", cursor);
  return `/audit/entries?${asked.toString()}`;
}

/** Who did what an entry tells: of what people did in the control room, the person rather than the gateway. */
export function actorOf({
  event,
  principal,
  facts,
}: Pick<LogEntry, "event" | "principal" | "facts">): string {
  const by = facts.find(([name]) => name === "by")?.[1];
  return event.startsWith("control.") && by !== undefined ? by : principal;
}
